"""Group messages on sockets: one frame for many, the push rule, windows, ticks and hints."""

from __future__ import annotations

import asyncio

import pytest
from tests.backends.people import blob
from tests.server.gateway.desk import Desk, hear, nothing_more, opened, rows, small
from tests.server.gateway.line import Line
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    GROUP,
    fresh_id,
    roster_of,
    send,
    to_all,
)

from linnet.server.gateway.splice import Spliced
from linnet.server.gateway.ticks import ACCOUNTS_A_FRAME, EVERY_S, GroupTicks
from linnet.server.ports.bus import Delivered
from linnet.server.ports.timeline import Accepted, Spread
from linnet.server.services.delivery.view import view
from linnet.wire.codec import CODECS, JSON, MSGPACK
from linnet.wire.frames import (
    SENDER_KEY,
    Ack,
    Deliver,
    DevicesChanged,
    GroupChanged,
    GroupStatus,
    Hello,
    Own,
    Rejected,
    Row,
    Send,
    Sent,
    StatusQuery,
    Welcome,
)
from linnet.wire.limits import CIPHERTEXT_BYTES, POSITION_END

pytestmark = pytest.mark.timeout(20)
THREE = roster_of(1, ALICE=(1, 2), BOB=(1,), CAROL=(1,))


async def gathered(desk: Desk) -> None:
    """All three are in the group."""
    await desk.delivery.change_roster(THREE)


async def told(line: Line) -> Sent:
    said = await line.hear()
    assert isinstance(said, Sent), said
    return said


# ---- the frame


@pytest.mark.parametrize("position", [1, 127, 128, 1 << 32, POSITION_END - 1])
def test_a_spliced_frame_says_what_the_row_says(position: int) -> None:
    for size in (1, 200, 70_000):
        accepted = Accepted(GROUP, 7, fresh_id(1), ALICE, 2, 0, 5, 9, b"c" * 32, None, 3)
        mailboxes, devices = [b"m" * 16] * 2, [b"\1", b"\1\2"]
        prevs = [0, position - 1]
        spread = Spread(accepted, b"x" * size, position - 1, mailboxes, prevs, devices)
        made = Spliced(spread)
        frame = made.frame(position, position - 1)
        payload = frame[-made.size :]
        assert CODECS[MSGPACK].server_frame(payload) == view(spread.entry(1), BOB, 2)
        length = frame[1] if frame[1] < 126 else int.from_bytes(frame[2 : -made.size], "big")
        assert (frame[0], length) == (0x82, made.size)


# ---- pushing


async def test_a_group_message_goes_its_whole_way() -> None:
    async with opened() as desk:
        await desk.set_devices(ALICE, 2, 1, 2)
        await gathered(desk)
        alice, laptop = await desk.join(ALICE), await desk.join(ALICE, 2)
        bob, carol = await desk.join(BOB), await desk.join(CAROL)
        alice.say(to_all(fresh_id(1), body=b"hello"))
        sent = await told(alice)
        assert (sent.roster, sent.sets, sent.prev) == (1, None, 0)
        assert sent.position > 0
        for line in (laptop, carol, bob):
            (said,) = await rows(line, 1)
            assert (said.id, said.conv_seq, said.roster) == (sent.id, sent.conv_seq, 1)
            assert (said.kind, said.ciphertext, said.sender) == (SENDER_KEY, b"hello", ALICE)
        bob.say(Ack(said.position))
        assert await ticked(alice) == [(BOB, [(1, 1)])]
        # Other devices of the sender's account are told as well: they show the same ticks.
        assert isinstance(await laptop.hear(), GroupStatus)


async def ticked(alice: Line) -> list[tuple[bytes, list[tuple[int, int]]]]:
    status = await alice.hear()
    assert isinstance(status, GroupStatus), status
    assert status.conversation == GROUP
    return status.delivered


async def test_a_socket_of_the_json_subprotocol_hears_the_same() -> None:
    async with opened() as desk:
        await gathered(desk)
        bob = await desk.line(offers=JSON)
        bob.say(Hello(desk.token(BOB), 1))
        assert isinstance(await bob.hear(), Welcome)
        await desk.put(to_all(fresh_id(1), body=b"hello"))
        (said,) = await rows(bob, 1)
        assert (said.kind, said.ciphertext, said.roster) == (SENDER_KEY, b"hello", 1)


async def test_many_messages_in_one_commit_follow_one_another() -> None:
    async with opened() as desk:
        await gathered(desk)
        alice, bob, carol = [await desk.join(it) for it in (ALICE, BOB, CAROL)]
        frames: list[Send] = [
            to_all(fresh_id(n)) if n % 4 else send(fresh_id(n)) for n in range(40)
        ]
        alice.say(*frames)
        assert [(await told(alice)).id for _ in frames] == [it.id for it in frames]
        said = await rows(bob, 40)
        assert [row.id for row in said] == [it.id for it in frames]
        assert [row.prev for row in said] == [0, *(row.position for row in said[:-1])]
        assert len(await rows(carol, 30)) == 30


async def test_a_device_the_roster_does_not_name_hears_of_the_row() -> None:
    async with opened() as desk:
        await desk.set_devices(BOB, 2, 1, 2)
        await gathered(desk)
        laptop = await desk.join(BOB, 2)
        await desk.put(to_all(fresh_id(1)))
        assert isinstance(await laptop.hear(), Row)


async def test_a_lost_notice_is_made_good_by_the_next() -> None:
    async with opened() as desk:
        await gathered(desk)
        bob = await desk.join(BOB)
        desk.bus.loses = True
        for n in range(3):
            await desk.put(to_all(fresh_id(n)))
        desk.bus.loses = False
        await desk.put(to_all(fresh_id(3)))
        said = await rows(bob, 4)
        assert [row.id for row in said] == [fresh_id(n) for n in range(4)]
        assert await nothing_more(bob) == said[-1].position


async def test_a_repeated_or_late_notice_is_dropped() -> None:
    async with opened() as desk:
        await gathered(desk)
        bob = await desk.join(BOB)
        desk.bus.repeats = 3
        desk.bus.holds = True
        for n in range(3):
            await desk.put(to_all(fresh_id(n)))
        desk.bus.holds = False
        desk.bus.release(backwards=True)
        said = await rows(bob, 3)
        assert [row.id for row in said] == [fresh_id(n) for n in range(3)]
        desk.bus.holds = True
        await desk.put(to_all(fresh_id(3)))
        desk.bus.holds = False
        for _ in range(2):
            desk.bus.release()
        await rows(bob, 1)
        await nothing_more(bob)


async def test_a_window_bounds_group_messages_and_the_rest_follows_acks() -> None:
    async with opened(small(window_frames=4)) as desk:
        await gathered(desk)
        bob = await desk.join(BOB)
        for n in range(10):
            await desk.put(to_all(fresh_id(n)))
        said = await rows(bob, 4)
        await nothing_more(bob)
        assert desk.connection(BOB).window.behind
        for _ in range(2):
            bob.say(Ack(said[-1].position))
            said += await rows(bob, min(4, 10 - len(said)))
        assert [row.id for row in said] == [fresh_id(n) for n in range(10)]
        assert [row.prev for row in said] == [0, *(row.position for row in said[:-1])]


async def test_who_was_away_reads_group_messages_from_the_store() -> None:
    async with opened() as desk:
        await gathered(desk)
        for n in range(3):
            await desk.put(to_all(fresh_id(n)))
        bob, alice = await desk.join(BOB), await desk.join(ALICE)
        assert [row.id for row in await rows(bob, 3)] == [fresh_id(n) for n in range(3)]
        assert isinstance(await alice.hear(), Own)


# ---- what cannot be


async def test_a_stale_roster_is_answered_with_the_current_one() -> None:
    async with opened() as desk:
        await gathered(desk)
        alice, dan = await desk.join(ALICE), await desk.join(CAROL)
        alice.say(to_all(fresh_id(1), 4))
        assert await alice.hear() == Rejected(fresh_id(1), "group_changed", True, None, 1)
        await desk.delivery.change_roster(roster_of(2, ALICE=(1,)))
        assert await dan.hear() == GroupChanged(GROUP, 2)
        dan.say(to_all(fresh_id(2), 2))
        assert await dan.hear() == Rejected(fresh_id(2), "not_member", False)


async def test_a_body_is_bounded_as_a_ciphertext_is() -> None:
    async with opened() as desk:
        await gathered(desk)
        alice = await desk.join(ALICE)
        alice.say(to_all(fresh_id(1), body=bytes(CIPHERTEXT_BYTES + 1)))
        assert await alice.hear() == Rejected(fresh_id(1), "too_large", False)
        alice.say(to_all(fresh_id(1), body=bytes(CIPHERTEXT_BYTES)))
        await told(alice)


# ---- hints


async def test_members_and_those_who_were_hear_that_a_roster_is_new() -> None:
    async with opened() as desk:
        await desk.delivery.change_roster(roster_of(1, ALICE=(1,), BOB=(1,)))
        alice, bob, carol = [await desk.join(it) for it in (ALICE, BOB, CAROL)]
        await desk.delivery.change_roster(roster_of(2, ALICE=(1,), CAROL=(1,)))
        for line in (alice, bob, carol):
            assert await line.hear() == GroupChanged(GROUP, 2)
        await desk.delivery.change_roster(roster_of(2, ALICE=(1,), CAROL=(1,)))
        await desk.delivery.change_roster(roster_of(3, ALICE=(1,)))
        assert await alice.hear() == GroupChanged(GROUP, 3)
        await nothing_more(bob)


async def test_an_account_hears_of_its_own_set_and_is_welcomed_with_it() -> None:
    async with opened() as desk:
        alice, bob = await desk.join(ALICE), await desk.join(BOB)
        await desk.set_devices(ALICE, 3, 1, 2)
        assert await alice.hear() == DevicesChanged(ALICE, 3)
        await nothing_more(bob)
        _, welcome = await desk.greet(ALICE, 2)
        assert isinstance(welcome, Welcome)
        assert welcome.set == 3


# ---- ticks


async def test_status_answers_for_groups_with_all_members_in_one_frame() -> None:
    async with opened() as desk:
        await gathered(desk)
        alice, bob = await desk.join(ALICE), await desk.join(BOB)
        await desk.put(to_all(fresh_id(1)))
        (said,) = await rows(bob, 1)
        bob.say(Ack(said.position))
        await told(alice)
        assert isinstance(await alice.hear(), GroupStatus)
        alice.say(StatusQuery([GROUP, blob("nowhere", 0)]))
        status = await hear(alice, GroupStatus)
        assert isinstance(status, GroupStatus)
        assert dict(status.delivered) == {BOB: [(1, 1)], CAROL: []}
        await nothing_more(alice)


async def test_ticks_of_a_group_wait_for_their_time_and_then_come_together() -> None:
    async with opened() as desk:
        await gathered(desk)
        alice, bob, carol = [await desk.join(it) for it in (ALICE, BOB, CAROL)]
        alice.say(to_all(fresh_id(1)))
        await told(alice)
        for line in (bob, carol):
            (said,) = await rows(line, 1)
            line.say(Ack(said.position))
            await asyncio.sleep(0.03)  # so that the two acks are two commits
        first = await alice.hear()
        assert isinstance(first, GroupStatus)
        assert first.delivered == [(BOB, [(1, 1)])]
        await nothing_more(alice)
        desk.gateway._news._ticks._told_s.clear()  # half a second later
        desk.gateway._news.tell_waiting()
        second = await alice.hear()
        assert isinstance(second, GroupStatus)
        assert second.delivered == [(CAROL, [(1, 1)])]


def tick(account: bytes, last: int, to: bytes = ALICE) -> Delivered:
    return Delivered(to, GROUP, account, ((1, last),), True)


def test_a_sender_is_told_at_most_once_in_so_much_time() -> None:
    ticks = GroupTicks()
    ticks.note(tick(BOB, 1))
    assert ticks.due(100.0) == [(ALICE, GroupStatus(GROUP, [(BOB, [(1, 1)])]))]
    ticks.note(tick(BOB, 2))
    ticks.note(tick(CAROL, 1))
    ticks.note(tick(BOB, 3))
    assert ticks.due(100.0 + EVERY_S - 0.01) == []
    assert ticks
    ticks.note(tick(CAROL, 2, BOB))
    told = dict(ticks.due(100.0 + EVERY_S - 0.01))
    assert told == {BOB: GroupStatus(GROUP, [(CAROL, [(1, 2)])])}
    told = dict(ticks.due(100.0 + EVERY_S))
    assert told == {ALICE: GroupStatus(GROUP, [(BOB, [(1, 3)]), (CAROL, [(1, 1)])])}
    assert not ticks
    assert ticks.due(200.0) == []
    assert not ticks._told_s


def test_many_members_are_told_of_in_frames_of_bounded_size() -> None:
    ticks = GroupTicks()
    spans = tuple((n * (1 << 40), n * (1 << 40) + 1) for n in range(8))
    for n in range(2 * ACCOUNTS_A_FRAME + 1):
        ticks.note(Delivered(ALICE, GROUP, blob("account", n), spans, True))
    frames = [frame for _, frame in ticks.due(1.0)]
    assert [len(it.delivered) for it in frames] == [ACCOUNTS_A_FRAME, ACCOUNTS_A_FRAME, 1]
    for codec in CODECS.values():
        assert max(len(codec.encode(it)) for it in frames) < 256 * 1024


# ---- a message is not a Deliver to who sent it


async def test_the_sender_who_is_behind_is_answered_and_reads_its_row() -> None:
    async with opened(small(window_frames=2)) as desk:
        await gathered(desk)
        alice = await desk.join(ALICE)
        alice.say(*[to_all(fresh_id(n)) for n in range(4)])
        answers = [await told(alice) for _ in range(4)]
        assert [it.position > 0 for it in answers] == [True, True, False, False]
        alice.say(Ack(answers[1].position))
        own = [await hear(alice, Own) for _ in range(2)]
        assert [it.id for it in own if isinstance(it, Own)] == [fresh_id(2), fresh_id(3)]
        assert Deliver not in {type(it) for it in own}
