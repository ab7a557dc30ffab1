"""What is counted, when healing looks again, and what a full park leaves behind."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.client.post_office import START_MS, Clockwork, Device, PostOffice, two_devices
from tests.client.script import World
from tests.client.town import broken

from linnet.client import accepted, lost, parking
from linnet.client import health as counts
from linnet.client.accepted import Accepted
from linnet.client.events import Message, Undecryptable
from linnet.client.healing import Healer
from linnet.client.inbox import Effects
from linnet.client.resends import Resends
from linnet.wire.frames import Deliver

Pair = tuple[Device, Device, PostOffice]
DAY_MS = 86_400_000


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    alice, bob = await two_devices(tmp_path, clock := Clockwork())
    yield alice, bob, PostOffice(clock)
    await alice.store.close()
    await bob.store.close()


async def posted(pair: Pair, *texts: str) -> list[Deliver]:
    alice, bob, office = pair
    for text in texts:
        await alice.write_text(bob, text)
    await office.collect(alice, {bob.account: bob})
    return [row for row in office.rows(bob.account, 0) if isinstance(row, Deliver)]


async def test_a_message_that_could_not_be_read_is_counted_once(pair: Pair) -> None:
    _, bob, _ = pair
    first, second = await posted(pair, "one", "two")
    await bob.receive([broken(first), second])
    again = msgspec.structs.replace(
        broken(first), position=second.position + 3, prev=second.position
    )
    await bob.receive([again])
    assert (await bob.store.read(counts.read)).undecryptable == 1


async def test_messages_that_are_read_are_counted_nowhere(pair: Pair) -> None:
    _, bob, _ = pair
    await bob.receive([*await posted(pair, "one", "two")])
    health = await bob.store.read(counts.read)
    assert not any(msgspec.structs.asdict(health).values())


async def test_what_makes_room_in_a_full_park_is_shown_as_not_verified(pair: Pair) -> None:
    alice, bob, _ = pair
    [row] = await posted(pair, "hello")
    flood = [
        msgspec.structs.replace(row, device=9, id=n.to_bytes(16, "big"), conv_seq=n)
        for n in range(1, parking.PARK_MESSAGES + 6)
    ]

    def park(db: apsw.Connection) -> list[Effects]:
        found, position = [], 0
        for frame in flood:
            frame = msgspec.structs.replace(frame, position=position + 3, prev=position)
            position = frame.position
            found.append(bob.inbox.apply(db, [frame], START_MS))
        return found

    effects = await bob.store.write(park)
    assert [each.arrived for each in effects].count(True) == 5
    shown = await bob.shown(alice)
    assert {type(entry) for entry in shown} == {Undecryptable}
    assert [entry.conv_seq for entry in shown] == [1, 2, 3, 4, 5]
    health = await bob.store.read(counts.read)
    assert (health.unverified, health.undecryptable) == (5, 0)
    assert health.parked == parking.PARK_MESSAGES


async def test_a_park_flooded_by_one_sender_keeps_what_another_one_sent(pair: Pair) -> None:
    alice, bob, _ = pair
    rows = await posted(pair, "hello")
    [row] = rows
    await bob.store.write(
        lambda db: db.execute("DELETE FROM lists WHERE account = ?", (alice.account,)).close()
    )
    await bob.receive([*rows])

    def flood(db: apsw.Connection) -> None:
        for n in range(2 * parking.PARK_MESSAGES):
            parking.park(
                db, msgspec.structs.replace(row, sender=bytes(16), id=n.to_bytes(16, "big")), 1
            )

    await bob.store.write(flood)
    await bob.meet(alice)
    await bob.store.write(lambda db: bob.inbox.unpark(db, alice.account, START_MS))
    assert [type(entry) for entry in await bob.shown(alice)] == [Message]


async def test_lists_are_followed_once_a_minute_and_only_if_one_is_new(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bob, _ = pair
    followed: list[int] = []
    monkeypatch.setattr(Resends, "follow_lists", lambda self, db, now_ms: followed.append(now_ms))
    world, woken = World(), []
    healer = Healer(bob.store, world.environment(), lambda: woken.append(1), bob.inbox.resends)
    for _ in range(3):
        await healer.once()
    assert len(followed) == 1, "at the start, whatever happened before"
    healer.look()
    healer.look()
    await healer.once()
    assert len(followed) == len(woken) == 2


async def test_what_can_no_longer_be_healed_is_forgotten(pair: Pair) -> None:
    alice, bob, _ = pair
    [row] = await posted(pair, "hello")
    sent = Accepted(bytes(16), bytes(16), bob.account, "text", b"z", (), None, 1, START_MS)

    def fill(db: apsw.Connection) -> None:
        lost.add(db, row, START_MS)
        accepted.keep(db, sent)
        accepted.withhold(db, sent.id, ((bob.account, 2, bytes(33)),))

    def left(db: apsw.Connection, days: int) -> list[bool]:
        lost.prune(db, START_MS + days * DAY_MS)
        accepted.prune(db, START_MS + days * DAY_MS)
        return [
            lost.find(db, alice.account, 1, row.id) is not None,
            accepted.find(db, sent.id) is not None,
            accepted.withheld_accounts(db) != [],
        ]

    await bob.store.write(fill)
    found = [await bob.store.write(lambda db, d=days: left(db, d)) for days in (14, 15, 35, 36)]  # type: ignore[misc]
    assert found == [
        [True, True, True],
        [False, True, True],
        [False, True, True],
        [False, False, False],
    ]
