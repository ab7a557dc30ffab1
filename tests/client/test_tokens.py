"""Tokens: renewed when they must be, once at a time, and never with another request half way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.client.post_office import START_MS, Clockwork, Device
from tests.client.script import World
from tests.client.test_sender import problem

from linnet.client import facts
from linnet.client.errors import LoggedOut, Refused
from linnet.client.facts import Login, Rotation
from linnet.client.rest import Api
from linnet.client.tokens import RENEW_BEFORE_S, Tokens
from linnet.signing.xeddsa import verify
from linnet.wire import rest

LIFE_S = 900


@dataclass
class Server:
    """Hands out token-2, token-3 … and takes only the newest for `GET /v1/keys`."""

    refusal: str = ""
    refreshes: list[rest.Refresh] = field(default_factory=list)
    forgets: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/keys":
            newest = f"Bearer token-{1 + len(self.refreshes)}"
            if self.forgets and request.headers["Authorization"] != "Bearer token-2":
                return problem("unauthorized")
            assert request.headers["Authorization"] == newest
            answer: object = rest.KeyCount(one_time=1, kem=1)
            return httpx.Response(200, content=msgspec.json.encode(answer))
        if self.refusal:
            return problem(self.refusal)
        body = msgspec.json.decode(request.content, type=rest.Refresh)
        self.refreshes.append(body)
        count = 1 + len(self.refreshes)
        answer = rest.Login(
            account=body.account,
            device=1,
            access=f"token-{count}",
            access_for=LIFE_S,
            refresh=f"refresh-{count}",
        )
        return httpx.Response(200, content=msgspec.json.encode(answer))


@dataclass
class Rig:
    device: Device
    server: Server
    world: World
    api: Api
    tokens: Tokens


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    device = await Device.make(tmp_path, 1, Clockwork())
    login = Login(access="token-1", expires_ms=START_MS + LIFE_S * 1000, refresh="refresh-1")
    await device.store.write(lambda db: facts.put(db, login))
    server, world = Server(), World()
    api = Api("http://test", httpx.MockTransport(server))
    yield Rig(device, server, world, api, Tokens(device.store, api, world.environment()))
    await api.close()
    await device.store.close()


async def test_a_token_with_life_left_is_used_as_it_is(rig: Rig) -> None:
    assert await rig.tokens.access() == "token-1"
    assert await rig.tokens.renewal_due_s() == LIFE_S - RENEW_BEFORE_S
    assert rig.server.refreshes == []


async def test_a_token_near_its_end_is_renewed_with_the_devices_proof(rig: Rig) -> None:
    rig.world.now_ms += (LIFE_S - RENEW_BEFORE_S + 1) * 1000
    assert await rig.tokens.access() == "token-2"
    [asked] = rig.server.refreshes
    said = b"linnet/refresh/1\x00" + sha256(b"refresh-1").digest() + asked.id
    assert verify(rig.device.sessions.local.key.public, said, asked.proof)
    assert await rig.device.store.read(lambda db: facts.get(db, Rotation)) is None


async def test_many_who_need_a_token_cause_one_refresh(rig: Rig) -> None:
    rig.world.now_ms += LIFE_S * 1000
    tokens = await asyncio.gather(*(rig.tokens.access() for _ in range(9)))
    assert tokens == ["token-2"] * 9
    assert len(rig.server.refreshes) == 1


async def test_a_token_that_was_not_taken_is_replaced_once(rig: Rig) -> None:
    rig.server.forgets = True
    assert await rig.tokens.use(rig.api.key_count) == rest.KeyCount(one_time=1, kem=1)
    assert len(rig.server.refreshes) == 1


async def test_a_second_refusal_is_passed_on(rig: Rig) -> None:
    asked: list[str] = []

    async def refused(token: str) -> None:
        asked.append(token)
        raise Refused("unauthorized", "no")

    with pytest.raises(Refused):
        await rig.tokens.use(refused)
    assert asked == ["token-1", "token-2"]


async def test_another_refusal_is_no_reason_to_renew(rig: Rig) -> None:
    async def refused(token: str) -> None:
        raise Refused("not_found", "no")

    with pytest.raises(Refused, match="not_found"):
        await rig.tokens.use(refused)
    assert rig.server.refreshes == []


@pytest.mark.parametrize(
    ("code", "why"),
    [("revoked", "the server ended this login"), ("bad_token", "was not used for 90 days")],
)
async def test_a_revoked_login_is_logged_out_and_says_what_to_do(
    rig: Rig, code: str, why: str
) -> None:
    rig.server.refusal = code
    rig.tokens.not_over()
    with pytest.raises(LoggedOut) as logged_out:
        await rig.tokens.renew("token-1")
    text = str(logged_out.value)
    assert text.startswith(f"{code}: ")
    assert why in text
    assert "register again, in another directory" in text
    assert "refresh-1" not in text
    with pytest.raises(LoggedOut, match=code):
        rig.tokens.not_over()


async def test_a_limited_refresh_logs_nobody_out(rig: Rig) -> None:
    rig.server.refusal = "rate_limited"
    with pytest.raises(Refused):
        await rig.tokens.renew("token-1")
    rig.tokens.not_over()
    rig.server.refusal = ""
    assert await rig.tokens.renew("token-1") == "token-2"
