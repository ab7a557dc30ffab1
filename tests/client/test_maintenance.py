"""Maintenance against a scripted HTTP server: what was made is uploaded until it is there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import httpx
import msgspec
import pytest
from tests.client.post_office import START_MS, Clockwork, Device
from tests.client.script import World, until
from tests.client.test_sender import problem

from linnet.client import accepted, facts, history, lists, lost, parking
from linnet.client.accepted import Accepted
from linnet.client.dialogue import Parts
from linnet.client.directory import Directory
from linnet.client.errors import ClockOff, NotTrusted, Offline, Refused, StoreUnavailable
from linnet.client.events import Events
from linnet.client.facts import Login
from linnet.client.groups.keeper import Keeper
from linnet.client.groups.log import Member
from linnet.client.healing import Healer
from linnet.client.maintenance import Maintenance
from linnet.client.own_list import OwnList
from linnet.client.rest import Api
from linnet.client.sender import Sender
from linnet.client.tokens import Tokens
from linnet.crypto.errors import BadKey
from linnet.signing.device_list import DeviceList, decode_list
from linnet.signing.errors import ListReason, ListRejected
from linnet.signing.list_clock import is_early, is_expired
from linnet.wire import rest
from linnet.wire.frames import FULL, Deliver

DAY_MS = 86_400_000


@dataclass
class Server:
    """Answers what maintenance asks; `down` names paths that fail after they were carried out.
    With a `clock` lists are refused whose time is over, or has not come."""

    count: rest.KeyCount = field(default_factory=lambda: rest.KeyCount(one_time=100, kem=20))
    down: set[str] = field(default_factory=set)
    newest_list: int | None = None
    clock: Callable[[], int] | None = None
    shown: rest.Signed = field(default_factory=lambda: rest.Signed(body=b"?", sig=bytes(64)))
    got: list[tuple[str, bytes]] = field(default_factory=list)
    asked: int = 0
    """How often for a list."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        if request.method == "PUT":
            self.got.append((path, request.content))
        if path in self.down:
            raise httpx.ReadError("the reply was lost")
        if path.startswith("/accounts/"):
            self.asked += 1
            answer = rest.DeviceListAnswer(list=self.shown)
            return httpx.Response(200, content=msgspec.json.encode(answer))
        if path == "/devices/list" and self.clock is not None:
            listed = decode_list(msgspec.json.decode(request.content, type=rest.Signed).body)
            now_s = self.clock() // 1000
            if is_expired(listed, now_s) or is_early(listed, now_s):
                return problem("list_rejected")
        if path == "/devices/list" and self.newest_list is not None:
            body = msgspec.json.decode(request.content, type=rest.Signed).body
            version = decode_list(body).version
            if version not in (self.newest_list, self.newest_list + 1):
                return problem("conflict")
            self.newest_list = version
        counted: object = self.count
        if path == "/devices/list":
            counted = rest.ListAccepted(version=2, set=1)
        return httpx.Response(200, content=msgspec.json.encode(counted))


@dataclass
class Rig:
    device: Device
    server: Server
    world: World
    maintenance: Maintenance

    def bodies(self, path: str) -> list[bytes]:
        return [body for got, body in self.server.got if got == path]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    device = await Device.make(tmp_path, 1, Clockwork())
    server, world = Server(), World()
    environment = world.environment()
    login = Login(access="token", expires_ms=START_MS + 10**12, refresh="r")
    await device.store.write(lambda db: facts.put(db, login))
    api = Api("http://test", httpx.MockTransport(server))
    events = Events(lambda seq: device.store.read(lambda db: history.arrived_after(db, seq)))
    tokens = Tokens(device.store, api, environment)
    directory = Directory(device.store, api, tokens, environment, events.tell)
    nothing: Callable[[], None] = lambda: None  # noqa: E731
    me = Member(device.account, device.own_key)
    parts = Parts(
        store=device.store,
        tokens=tokens,
        directory=directory,
        inbox=device.inbox,
        sender=Sender(device.store, directory, device.sealer, environment, events.tell),
        events=events,
        world=environment,
        upkeep=nothing,
        healer=Healer(device.store, environment, nothing, device.inbox.resends),
        keeper=Keeper(device.store, api, tokens, environment, me, events.tell, nothing),
    )
    own_list = OwnList(
        device.store, api, tokens, environment, lambda db, before, after: None, events.tell
    )
    yield Rig(
        device, server, world, Maintenance(parts, api, asyncio.Event(), [own_list.sign_again])
    )
    await api.close()
    await device.store.close()


async def test_a_fresh_account_has_nothing_to_do(rig: Rig) -> None:
    await rig.maintenance.once()
    assert rig.server.got == []


async def test_a_week_later_keys_and_list_are_new_and_published_once(rig: Rig) -> None:
    rig.world.now_ms += 8 * DAY_MS
    await rig.maintenance.once()
    await rig.maintenance.once()
    [body] = rig.bodies("/devices/list")
    listed = decode_list(msgspec.json.decode(body, type=rest.Signed).body)
    assert (listed.version, listed.set) == (2, 1)
    [upload] = rig.bodies("/keys")
    assert msgspec.json.decode(upload, type=rest.KeyUpload).signed is not None
    held = await rig.device.store.read(lambda db: lists.held(db, rig.device.account))
    assert held is not None
    assert held.list == listed


async def test_a_signed_list_is_never_abandoned(rig: Rig) -> None:
    rig.world.now_ms += 8 * DAY_MS
    rig.server.down = {"/devices/list"}
    with pytest.raises(Offline):
        await rig.maintenance.once()
    rig.world.now_ms += DAY_MS
    rig.server.down = set()
    await rig.maintenance.once()
    first, again = rig.bodies("/devices/list")
    assert first == again


async def test_a_server_whose_store_went_back_gets_the_held_list_again_before_the_next(
    rig: Rig,
) -> None:
    rig.server.newest_list = 1
    rig.world.now_ms += 8 * DAY_MS
    await rig.maintenance.once()
    rig.server.newest_list = 1
    rig.world.now_ms += 8 * DAY_MS
    await rig.maintenance.once()
    second, third, again, same = rig.bodies("/devices/list")
    assert (again, same) == (second, third)
    assert rig.server.newest_list == 3
    held = await rig.device.store.read(lambda db: lists.held(db, rig.device.account))
    assert held is not None
    assert held.list.version == 3


async def test_a_signed_list_that_ran_out_before_it_was_uploaded_is_passed_over(rig: Rig) -> None:
    rig.world.now_ms += 8 * DAY_MS
    rig.server.down = {"/devices/list"}
    with pytest.raises(Offline):
        await rig.maintenance.once()
    rig.server.down, rig.server.clock = set(), lambda: rig.world.now_ms
    rig.world.now_ms += 60 * DAY_MS
    await rig.maintenance.once()
    second, again, next_one = rig.bodies("/devices/list")
    assert second == again
    third = _listed(next_one)
    assert (third.version, third.set) == (3, 1)
    held = await rig.device.store.read(lambda db: lists.held(db, rig.device.account))
    assert held is not None
    assert held.list == third


async def test_a_list_signed_by_a_clock_that_was_wrong_is_passed_over_once_it_is_right(
    rig: Rig,
) -> None:
    rig.server.clock = lambda: START_MS
    rig.world.now_ms += 40 * DAY_MS
    for _ in range(2):
        with pytest.raises(ClockOff):
            await rig.maintenance.once()
    assert {_listed(body).version for body in rig.bodies("/devices/list")} == {2}
    rig.world.now_ms = START_MS
    await rig.maintenance.once()
    listed = _listed(rig.bodies("/devices/list")[-1])
    assert (listed.version, listed.issued) == (3, START_MS // 1000)


def _listed(body: bytes) -> DeviceList:
    return decode_list(msgspec.json.decode(body, type=rest.Signed).body)


async def test_keys_whose_upload_was_lost_are_uploaded_again(rig: Rig) -> None:
    rig.server.count = rest.KeyCount(one_time=3, kem=20)
    rig.server.down = {"/keys"}
    rig.world.now_ms += 1000

    with pytest.raises(Offline):
        await rig.maintenance.once()
    rig.server.down = set()
    await rig.maintenance.once()
    bodies = rig.bodies("/keys")
    assert len(msgspec.json.decode(bodies[-1], type=rest.KeyUpload).one_time) == 97


async def test_a_list_that_was_not_to_be_had_is_asked_for_again_within_minutes(rig: Rig) -> None:
    assert await rig.maintenance.due_in_s() == 3600
    frame = Deliver(
        3, 0, bytes(16), 1, bytes(16), b"u" * 16, 1, FULL, 2, b"", bytes(32), 1, START_MS
    )
    await rig.device.store.write(lambda db: parking.park(db, frame, START_MS))
    waits = []
    while rig.world.now_ms < START_MS + 3 * 3_600_000:
        await rig.maintenance.once()
        waits.append(await rig.maintenance.due_in_s())
        rig.world.now_ms += int(1000 * waits[-1])
    assert waits == [60, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert rig.server.asked == len(waits)


async def test_what_can_no_longer_be_healed_is_forgotten_in_time(rig: Rig) -> None:
    old = Accepted(bytes(16), bytes(16), bytes(16), "text", b"z", (), None, 1, START_MS)
    frame = Deliver(3, 0, bytes(16), 1, bytes(16), bytes(16), 1, FULL, 1, b"", b"", 1, START_MS)

    def fill(db: apsw.Connection) -> None:
        accepted.keep(db, old)
        lost.add(db, frame, START_MS)

    await rig.device.store.write(fill)
    rig.world.now_ms += 40 * DAY_MS
    with contextlib.suppress(Refused, Offline, NotTrusted):
        await rig.maintenance.once()

    def left(db: apsw.Connection) -> list[object]:
        return [accepted.find(db, old.id), lost.find(db, bytes(16), 1, bytes(16))]

    assert await rig.device.store.read(left) == [None, None]


@pytest.mark.parametrize(
    "failure",
    [
        Offline("away"),
        Refused("conflict", "no"),
        NotTrusted("signature"),
        StoreUnavailable("full"),
        BadKey("small order"),
        ListRejected(ListReason.NOT_YET),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_no_expected_failure_ends_maintenance(rig: Rig, failure: Exception) -> None:
    tried = 0

    async def fail() -> None:
        nonlocal tried
        tried += 1
        raise failure

    rig.maintenance.once = fail  # type: ignore[method-assign]
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(rig.maintenance.run())
        await until(lambda: tried)
        rig.maintenance._asked.set()
        await until(lambda: tried == 2)
        task.cancel()
