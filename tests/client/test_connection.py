"""Connection and dialogue, against scripted links: frames in, frames out."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.client.post_office import START_MS, Clockwork, Device, PostOffice, two_devices
from tests.client.script import ScriptedLink, World, only, until, welcome

from linnet.client import facts, history
from linnet.client.connection import LONGEST_WAIT_S, NOW_BASE_S, Connection, wait_s
from linnet.client.dialogue import Parts
from linnet.client.directory import Directory
from linnet.client.environment import Environment
from linnet.client.events import Connection as Shown
from linnet.client.events import ConnectionState, Event, Events, Message, Sent
from linnet.client.facts import Clock, Login, Proof, Welcomed
from linnet.client.groups.keeper import Keeper
from linnet.client.groups.log import Member
from linnet.client.healing import Healer
from linnet.client.rest import Api
from linnet.client.sender import Sender
from linnet.client.tokens import Tokens
from linnet.wire.codec import Unknown
from linnet.wire.errors import CLOSES, Reconnect
from linnet.wire.frames import Ack, Drain, Hello, Ping, Pong, Renew, Row, Send, StatusQuery
from linnet.wire.ids import direct_conversation

PING_S = 5


@dataclass
class Rig:
    """Alice's connection over scripted links, and Bob as a device to talk to."""

    alice: Device
    bob: Device
    office: PostOffice
    world: World
    parts: Parts
    upkeep: asyncio.Event

    async def run(self) -> None:
        await Connection(self.parts, "http://test").run()

    async def events(self) -> list[Event]:
        self.parts.events.close()
        return [event async for event in self.parts.events.read()]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    clock = Clockwork()
    alice, bob = await two_devices(tmp_path, clock)
    world = World(sleeps_through=lambda seconds: seconds < 100 and seconds != PING_S)
    environment = world.environment()
    login = Login(access="token-1", expires_ms=START_MS + 10**12, refresh="r")
    await alice.store.write(lambda db: facts.put(db, login))
    api = Api("http://test", httpx.MockTransport(no_http))
    upkeep = asyncio.Event()
    parts = made(alice, environment, api, upkeep)
    yield Rig(alice, bob, PostOffice(clock), world, parts, upkeep)
    await api.close()
    await alice.store.close()
    await bob.store.close()


def no_http(request: httpx.Request) -> httpx.Response:
    raise AssertionError("these dialogues need no HTTP")


def made(alice: Device, environment: Environment, api: Api, upkeep: asyncio.Event) -> Parts:
    events = Events(lambda seq: alice.store.read(lambda db: history.arrived_after(db, seq)))
    tokens = Tokens(alice.store, api, environment)
    directory = Directory(alice.store, api, tokens, environment, events.tell)
    never = World(sleeps_through=lambda seconds: False)  # nothing here is lost
    me = Member(alice.account, alice.own_key)
    return Parts(
        store=alice.store,
        tokens=tokens,
        directory=directory,
        inbox=alice.inbox,
        sender=(sender := Sender(alice.store, directory, alice.sealer, environment, events.tell)),
        events=events,
        world=environment,
        upkeep=upkeep.set,
        healer=Healer(alice.store, never.environment(), sender.wake, alice.inbox.resends),
        keeper=Keeper(alice.store, api, tokens, environment, me, events.tell, upkeep.set),
    )


async def test_hello_resumes_from_the_cursor_and_proves_the_head_it_was_told(rig: Rig) -> None:
    first, second = ScriptedLink(), ScriptedLink()
    rig.world.links = [first, second]
    first.feed(welcome(head=9, proof=b"p" * 16), Row(9, 0, bytes(16), 1))
    second.feed(welcome(head=9, proof=b"p" * 16))
    second.end(CLOSES["replaced"].code)
    first.on_said = lambda frame: first.end(1006) if isinstance(frame, Ack) else None
    await rig.run()
    assert first.said[0] == Hello("token-1", 1)
    assert second.said[0] == Hello("token-1", 1, resume=9, proof=b"p" * 16, proved=9)
    assert first.heard(Ack) == [Ack(9)]


async def test_the_servers_clock_is_kept(rig: Rig) -> None:
    link = ScriptedLink()
    rig.world.links = [link]
    link.feed(welcome(now_ms=START_MS + 90_000))
    link.end(CLOSES["replaced"].code)
    await rig.run()
    clock = await rig.alice.store.read(lambda db: facts.get(db, Clock))
    assert clock == Clock(offset_ms=90_000)
    told = await rig.alice.store.read(lambda db: facts.get(db, Welcomed))
    assert told == Welcomed(server_ms=START_MS + 90_000, here=True)


async def test_a_gap_is_not_acknowledged_and_the_socket_is_opened_again(rig: Rig) -> None:
    first, second = ScriptedLink(), ScriptedLink()
    rig.world.links = [first, second]
    first.feed(welcome(), Row(3, 0, bytes(16), 1), Row(9, 6, bytes(16), 3))
    second.feed(welcome())
    second.end(CLOSES["replaced"].code)
    await rig.run()
    assert first.heard(Ack) == [Ack(3)]
    assert isinstance(second.said[0], Hello)
    assert second.said[0].resume == 3


async def test_what_is_in_the_outbox_goes_out_and_again_after_a_broken_link(rig: Rig) -> None:
    id = await rig.alice.write_text(rig.bob, "hello")
    # Sessions are opened beforehand: no HTTP in this dialogue.
    [frame] = await rig.alice.frames({rig.bob.account: rig.bob})
    first, second = ScriptedLink(), ScriptedLink()
    rig.world.links = [first, second]
    first.feed(welcome())
    second.feed(welcome())
    first.on_said = lambda said: first.end(1006) if isinstance(said, Send) else None

    def answer(said: object) -> None:
        if isinstance(said, Send):
            second.feed(rig.office.post(rig.alice, frame))
            second.end(CLOSES["replaced"].code)

    second.on_said = answer
    await rig.run()
    assert only(first.heard(Send)) == only(second.heard(Send))
    sent = Sent(direct_conversation(rig.alice.account, rig.bob.account), id, 1)
    assert sent in await rig.events()


async def test_a_message_is_acknowledged_after_it_is_in_the_store(rig: Rig) -> None:
    await rig.bob.write_text(rig.alice, "hello")
    for frame in await rig.bob.frames({rig.alice.account: rig.alice}):
        rig.office.post(rig.bob, frame)
    link = ScriptedLink()
    rig.world.links = [link]
    link.feed(welcome(), *rig.office.rows(rig.alice.account, 0))

    def on_said(said: object) -> None:
        if isinstance(said, Ack):
            link.end(CLOSES["replaced"].code)

    link.on_said = on_said
    await rig.run()
    assert [type(entry) for entry in await rig.alice.shown(rig.bob)] == [Message]


async def test_a_refused_token_is_renewed_once_and_then_given_time(rig: Rig) -> None:
    first = ScriptedLink()
    rig.world.links = [first]
    first.end(CLOSES["unauthorized"].code)
    connection = Connection(rig.parts, "http://test")
    assert connection._after_close(CLOSES["unauthorized"].code) is Reconnect.NOW
    assert connection._after_close(CLOSES["unauthorized"].code) is Reconnect.LATER


async def test_a_server_away_is_tried_again_with_growing_waits(rig: Rig) -> None:
    last = ScriptedLink()
    rig.world.links = [*([None] * 8), last]
    last.feed(welcome())
    last.end(CLOSES["revoked"].code)
    await rig.run()
    assert sum(seconds > 0 for seconds in rig.world.slept) >= 8
    states = [event for event in await rig.events() if isinstance(event, ConnectionState)]
    assert states.count(ConnectionState(Shown.WAITING, "offline")) == 8
    assert states[-1] == ConnectionState(Shown.STOPPED, "revoked")


async def test_a_draining_server_is_left_at_a_random_moment_within_its_time(rig: Rig) -> None:
    first, second = ScriptedLink(), ScriptedLink()
    rig.world.links = [first, second]
    first.feed(welcome(), Drain(10))
    second.feed(welcome())
    second.end(CLOSES["replaced"].code)
    await rig.run()
    assert len(rig.world.slept) >= 1
    assert any(0 <= seconds < 10 for seconds in rig.world.slept)
    assert second.heard(Hello)


async def test_frames_of_a_newer_server_are_passed_over(rig: Rig) -> None:
    link = ScriptedLink()
    rig.world.links = [link]
    link.feed(welcome(), Unknown("presence"), Row(4, 0, bytes(16), 1))
    link.on_said = lambda said: link.end(CLOSES["replaced"].code) if isinstance(said, Ack) else None
    await rig.run()
    assert link.heard(Ack) == [Ack(4)]


async def test_pongs_about_rows_that_never_come_open_the_socket_again(rig: Rig) -> None:
    first, second = ScriptedLink(), ScriptedLink()
    rig.world.links = [first, second]
    first.feed(welcome(), Pong(50, b"q" * 16), Pong(50, b"q" * 16), Pong(50, b"q" * 16))
    second.feed(welcome())
    second.end(CLOSES["replaced"].code)
    await rig.run()
    assert second.said[0] == Hello("token-1", 1, proof=b"q" * 16, proved=50)


async def test_a_cursor_that_a_restored_server_refuses_goes_back_to_what_was_proved(
    rig: Rig,
) -> None:
    first, second = ScriptedLink(), ScriptedLink()
    rig.world.links = [first, second]
    await rig.alice.store.write(lambda db: facts.put(db, facts.Cursor(position=70)))
    await rig.alice.store.write(lambda db: facts.put(db, Proof(head=60, proof=b"z" * 16)))
    first.end(CLOSES["bad_resume"].code)
    second.end(CLOSES["bad_resume"].code)
    await rig.run()
    assert [link.said[0].resume for link in (first, second)] == [70, 60]  # type: ignore[union-attr]


async def test_ticks_that_are_missing_are_asked_for_after_a_reconnect(rig: Rig) -> None:
    await rig.alice.write_text(rig.bob, "hello")
    [frame] = await rig.alice.frames({rig.bob.account: rig.bob})
    await rig.alice.receive([rig.office.post(rig.alice, frame)])
    link = ScriptedLink()
    rig.world.links = [link]
    link.feed(welcome())
    link.end(CLOSES["replaced"].code)
    await rig.run()
    conversation = direct_conversation(rig.alice.account, rig.bob.account)
    assert link.heard(StatusQuery) == [StatusQuery([conversation])]


async def test_ticks_are_asked_for_again_once_rows_from_before_the_link_are_here(rig: Rig) -> None:
    await rig.alice.write_text(rig.bob, "placed, and its answer lost")
    [frame] = await rig.alice.frames({rig.bob.account: rig.bob})
    rig.office.post(rig.alice, frame)
    rows = rig.office.rows(rig.alice.account, 0)
    link = ScriptedLink()
    rig.world.links = [link]
    link.feed(welcome(head=rig.office.position), *rows)
    link.on_said = lambda frame: (
        link.end(CLOSES["replaced"].code) if isinstance(frame, StatusQuery) else None
    )
    await rig.run()
    conversation = direct_conversation(rig.alice.account, rig.bob.account)
    assert link.heard(StatusQuery) == [StatusQuery([conversation])]


async def test_ticks_are_asked_for_when_a_repeated_try_was_answered(rig: Rig) -> None:
    await rig.alice.write_text(rig.bob, "placed, and its answer lost")
    [frame] = await rig.alice.frames({rig.bob.account: rig.bob})
    answer = rig.office.post(rig.alice, frame)
    link = ScriptedLink()
    rig.world.links = [link]

    def on_said(said: object) -> None:
        if isinstance(said, Send):
            link.feed(answer)
        if isinstance(said, StatusQuery):
            link.end(CLOSES["replaced"].code)

    link.on_said = on_said
    link.feed(welcome())
    await rig.run()
    conversation = direct_conversation(rig.alice.account, rig.bob.account)
    assert link.heard(StatusQuery) == [StatusQuery([conversation])]


async def test_the_client_pings_as_often_as_the_server_asks(rig: Rig) -> None:
    link = ScriptedLink()
    rig.world.links = [link]
    rig.world.sleeps_through = lambda seconds: True
    link.feed(welcome(ping_s=7))

    def on_said(said: object) -> None:
        if len(link.heard(Ping)) == 3:
            link.end(CLOSES["replaced"].code)

    link.on_said = on_said
    await rig.run()
    assert rig.world.slept.count(7) >= 3


async def test_a_token_is_renewed_on_the_socket_before_it_expires(rig: Rig) -> None:
    rig.world.sleeps_through = lambda seconds: seconds != PING_S
    link = ScriptedLink()
    rig.world.links = [link]
    link.feed(welcome())
    link.on_said = lambda said: (
        link.end(CLOSES["replaced"].code) if isinstance(said, Renew) else None
    )
    await rig.run()
    assert link.heard(Renew) == [Renew("token-1")]
    assert any(seconds > 10**8 for seconds in rig.world.slept)


@pytest.mark.parametrize("after", [Reconnect.NOW, Reconnect.LATER])
def test_waits_grow_and_stay_under_a_minute(after: Reconnect) -> None:
    waits = [wait_s(after, failures, 0.999) for failures in range(1, 40)]
    assert waits == sorted(waits)
    assert waits[0] < 3
    assert 50 < waits[-1] <= LONGEST_WAIT_S
    assert [wait_s(after, failures, 0.0) >= 0.5 for failures in range(4)] == [False, *[True] * 3]


@pytest.mark.parametrize("hostile", ["drain", "close"])
async def test_a_server_that_ends_every_link_at_once_is_met_more_and_more_seldom(
    rig: Rig, hostile: str
) -> None:
    links = [ScriptedLink() for _ in range(6)]
    rig.world.links = [*links]
    rig.world.sleeps_through = lambda seconds: seconds < 100 and seconds != PING_S
    for link in links[:-1]:
        link.feed(welcome(), *([Drain(0)] * 3 if hostile == "drain" else ()))
        if hostile == "close":
            link.end(1006)
    links[-1].end(CLOSES["replaced"].code)
    await rig.run()
    waits = [seconds for seconds in rig.world.slept if 0 < seconds < 100 and seconds != PING_S]
    assert len(waits) == 5
    assert all(wait >= 0.5 * 2**tries for tries, wait in enumerate(waits))


async def test_a_link_that_lasted_is_opened_again_soon(rig: Rig) -> None:
    away, steady, last = None, ScriptedLink(), ScriptedLink()
    rig.world.links = [away, away, away, steady, last]
    rig.world.sleeps_through = lambda seconds: seconds < 100
    steady.feed(welcome())
    steady.on_said = lambda said: (
        steady.end(1006) if len(steady.heard(Ping)) * PING_S >= 10 else None
    )
    last.end(CLOSES["replaced"].code)
    await rig.run()
    assert rig.world.slept[-1] < NOW_BASE_S


@pytest.mark.parametrize(("asked_s", "kept_s"), [(-1, 1), (0, 1), (300, 300), (10**9, 300)])
async def test_no_server_can_have_pings_without_a_pause_or_hardly_any(
    rig: Rig, asked_s: int, kept_s: int
) -> None:
    link = ScriptedLink()
    rig.world.links = [link]
    rig.world.sleeps_through = lambda seconds: seconds < 10**6
    link.feed(welcome(ping_s=asked_s))
    first = iter([True])  # with such a clock more pings may come before the end is read
    link.on_said = lambda said: (
        link.end(CLOSES["replaced"].code) if isinstance(said, Ping) and next(first, False) else None
    )
    await rig.run()
    assert kept_s in rig.world.slept
    assert asked_s == kept_s or asked_s not in rig.world.slept


@pytest.mark.parametrize("server_ms", [0, START_MS + 11 * 366 * 86_400_000, (1 << 64) - 1])
async def test_a_server_that_does_not_know_the_time_is_not_believed_about_it(
    rig: Rig, server_ms: int
) -> None:
    await rig.alice.store.write(lambda db: facts.put(db, Clock(offset_ms=90_000)))
    link = ScriptedLink()
    rig.world.links = [link]
    link.feed(welcome(now_ms=server_ms))
    link.end(CLOSES["replaced"].code)
    await rig.run()
    assert await rig.alice.store.read(lambda db: facts.get(db, Clock)) == Clock(offset_ms=90_000)
    assert await rig.alice.store.read(lambda db: facts.get(db, Welcomed)) is None


@pytest.mark.parametrize("turns", range(8))
async def test_leaving_just_when_the_line_breaks_is_leaving(rig: Rig, turns: int) -> None:
    first, second = ScriptedLink(), ScriptedLink()
    rig.world.links = [first, second]
    first.feed(welcome())
    second.feed(welcome())
    running = asyncio.get_running_loop().create_task(rig.run())
    await until(lambda: rig.world.slept)  # the heartbeat's: it is live
    first.end(1006)
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    _, late = await asyncio.wait({running}, timeout=2)
    second.end(CLOSES["replaced"].code)
    await asyncio.wait({running})
    assert not late
    assert running.cancelled()
