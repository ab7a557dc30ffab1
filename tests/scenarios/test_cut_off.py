"""Registration and token rotation, cut off after any write and any lost reply."""

from collections.abc import Callable
from pathlib import Path

import apsw
import httpx
import pytest
from tests.client.post_office import Killed, MortalStore
from tests.scenarios.conftest import Town

from linnet.client import LoggedOut, Offline, facts
from linnet.client.environment import Environment, wall_ms
from linnet.client.facts import Identity, Login
from linnet.client.registration import register
from linnet.client.rest import Api
from linnet.client.store import Store
from linnet.client.tokens import Tokens

NUMBER = "+15550100001"


class LossyNetwork(httpx.AsyncBaseTransport):
    """A network that loses the reply of chosen requests, which the server has carried out."""

    def __init__(self, loses: Callable[[int], bool]) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._loses = loses
        self.requests = 0
        self.bodies: list[bytes] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        self.bodies.append(await request.aread())
        answer = await self._inner.handle_async_request(request)
        if self._loses(self.requests):
            await answer.aread()
            raise httpx.ReadError("the reply was lost")
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


async def register_in(town: Town, store: Store, api: Api) -> bytes:
    async def code() -> str:
        return town.codes.sent[NUMBER]

    return await register(
        store, api, Environment(), server=town.url, number=NUMBER, code=code, name="a"
    )


async def identity(store: Store) -> Identity | None:
    return await store.read(lambda db: facts.get(db, Identity))


@pytest.mark.parametrize("after_commit", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("dies_at", [1, 2, 3, 4])
async def test_a_registration_killed_at_any_write_goes_on(
    served: Town, tmp_path: Path, dies_at: int, after_commit: bool
) -> None:
    api = Api(served.url)
    store = MortalStore(tmp_path / "account")
    await store.open()
    store.dies_at, store.after_commit = dies_at, after_commit
    with pytest.raises(Killed):
        await register_in(served, store, api)
    await store.close()
    store = MortalStore(tmp_path / "account")
    await store.open()
    code = await register_in(served, store, api)
    assert await identity(store) is not None
    # All there is to know about the login works.
    tokens = Tokens(store, api, Environment())
    count = await tokens.use(api.key_count)
    assert (count.one_time, count.kem) == (100, 20)
    assert len(code) == 32
    await store.close()
    await api.close()


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_registration_whose_reply_was_lost_makes_one_account(
    served: Town, tmp_path: Path, lost: int
) -> None:
    network = LossyNetwork(lambda number: number == lost)
    api = Api(served.url, network)
    store = Store(tmp_path / "account")
    await store.open()
    with pytest.raises(Offline):
        await register_in(served, store, api)
    await register_in(served, store, api)
    assert await identity(store) is not None
    if lost == 3:
        assert network.bodies[2] == network.bodies[-1]
    await store.close()
    await api.close()


async def test_a_refresh_whose_reply_was_lost_logs_nobody_out(served: Town, tmp_path: Path) -> None:
    network = LossyNetwork(lambda number: number in (4, 5))
    api = Api(served.url, network)
    store = Store(tmp_path / "account")
    await store.open()
    await register_in(served, store, api)
    first = await store.read(lambda db: facts.get(db, Login))
    assert first is not None
    later = Environment(now_ms=lambda: wall_ms() + 850_000)
    for _ in range(2):
        with pytest.raises(Offline):
            await Tokens(store, api, later).access()
    # Each try is a new process: what it knows is in the store.
    assert await Tokens(store, api, later).access()
    assert network.bodies[3] == network.bodies[4] == network.bodies[5]
    second = await store.read(lambda db: facts.get(db, Login))
    assert second is not None
    assert second.refresh != first.refresh
    assert second.expires_ms > first.expires_ms
    await store.close()
    await api.close()


async def test_a_stolen_refresh_token_logs_the_device_out(served: Town, tmp_path: Path) -> None:
    api = Api(served.url)
    store = Store(tmp_path / "account")
    await store.open()
    await register_in(served, store, api)
    stolen = await store.read(lambda db: facts.get(db, Login))
    assert stolen is not None
    later = Environment(now_ms=lambda: wall_ms() + 850_000)
    await Tokens(store, api, later).access()

    def put_back(db: apsw.Connection) -> None:
        facts.put(db, stolen)

    await store.write(put_back)
    with pytest.raises(LoggedOut):
        await Tokens(store, api, later).access()
    await store.close()
    await api.close()
