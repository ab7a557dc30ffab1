"""A gateway between sockets and delivery: who is served, what is pushed, what is lost on the way.

Real sockets, a clock that tests set, a bus that can fail. The named seeds of docs/protocol/
delivery.md that concern a gateway are here.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from tests.server.gateway.desk import Desk, hear, nothing_more, opened, rows, small, until, why
from tests.server.gateway.line import Closed, Line
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    NOW_MS,
    fresh_id,
    mailbox_of,
    send,
)

from linnet.server.backends.memory.timeline import MemoryTimeline
from linnet.server.config import Delivery, Gateway
from linnet.server.ports import Unavailable
from linnet.server.ports.timeline import Batch, Entry, Loaded, Wanted
from linnet.wire.frames import (
    Ack,
    Deliver,
    Drain,
    Own,
    Ping,
    Pong,
    Rejected,
    Resync,
    Row,
    Sent,
    Status,
    StatusQuery,
    Welcome,
)
from linnet.wire.ids import direct_conversation
from linnet.wire.limits import HORIZON_MS, SessionLimits


async def wrote(desk: Desk, count: int, start: int = 0, to: bytes = BOB) -> list[int]:
    """Alice's messages to Bob, committed; the positions of his rows."""
    for number in range(start, start + count):
        await desk.put(send(fresh_id(number), to=to))
    return (await desk.positions(to))[-count:]


async def sent_all(line: Line, count: int) -> list[Sent]:
    """The next frames, which are answers."""
    found = [await line.hear() for _ in range(count)]
    assert all(isinstance(it, Sent) for it in found), found
    return [it for it in found if isinstance(it, Sent)]


def chained(said: Sequence[Deliver], start: int = 0) -> bool:
    """Whether rows follow one another from a cursor."""
    for row in said:
        if not row.prev <= start < row.position:
            return False
        start = row.position
    return True


# ---- one message


async def test_a_message_goes_its_whole_way() -> None:
    async with opened() as desk:
        alice, bob = await desk.join(ALICE), await desk.join(BOB)
        alice.say(send(fresh_id(1)))
        (sent,) = await sent_all(alice, 1)
        (told,) = await rows(bob, 1)
        assert (told.id, told.conv_seq, told.ciphertext) == (sent.id, sent.conv_seq, b"for 1")
        assert sent.position > sent.prev == 0
        bob.say(Ack(told.position))
        status = await alice.hear()
        assert status == Status(told.conversation, BOB, [(1, 1)])


async def test_the_same_id_again_is_answered_the_same_and_goes_nowhere() -> None:
    async with opened() as desk:
        alice, bob = await desk.join(ALICE), await desk.join(BOB)
        alice.say(send(fresh_id(1)))
        (first,) = await sent_all(alice, 1)
        alice.say(*[send(fresh_id(1))] * 3)
        for again in await sent_all(alice, 3):
            assert again == msgspec.structs.replace(first, position=0, prev=0)
        await rows(bob, 1)
        await nothing_more(bob)


async def test_sent_lost_and_resent_a_day_later_is_stored_once() -> None:
    async with opened() as desk:
        alice = await desk.join(ALICE)
        alice.say(send(fresh_id(1)))
        await until(lambda: desk.delivery.memory.recent)
        alice.end()
        desk.wall_s += 24 * 3600
        desk.monotonic_s += 24 * 3600
        alice = await desk.join(ALICE)
        own = await alice.hear()
        assert isinstance(own, Own)
        alice.say(send(fresh_id(1)))
        (sent,) = await sent_all(alice, 1)
        assert (sent.conv_seq, sent.server_timestamp) == (own.conv_seq, own.server_timestamp)
        assert len(await desk.positions(BOB)) == 1


async def test_a_device_with_nothing_in_a_row_hears_of_the_row() -> None:
    async with opened() as desk:
        await desk.set_devices(BOB, 2, 1, 2)
        phone, laptop = await desk.join(BOB, 1), await desk.join(BOB, 2)
        await desk.put(send(fresh_id(1), devices=(2,), mode=1))
        assert isinstance(await phone.hear(), Row)
        assert isinstance(await laptop.hear(), Deliver)


# ---- notices that are lost, repeated, late


async def test_a_lost_notice_is_made_good_by_the_next() -> None:
    async with opened() as desk:
        bob = await desk.join(BOB)
        desk.bus.loses = True
        await wrote(desk, 3)
        desk.bus.loses = False
        await wrote(desk, 1, 3)
        said = await rows(bob, 4)
        assert chained(said)
        assert [row.id for row in said] == [fresh_id(number) for number in range(4)]


async def test_a_lost_last_notice_is_made_good_within_a_minute_and_pong_tells_of_it() -> None:
    async with opened() as desk:
        alice, bob = await desk.join(ALICE), await desk.join(BOB)
        desk.bus.loses = True
        alice.say(send(fresh_id(1)))
        await until(lambda: desk.delivery.memory.mailboxes.get(mailbox_of(BOB)))
        assert await nothing_more(bob) == 0
        heard = await kept_alive(desk, 80, bob, alice)
        (told,) = [it for it in heard if isinstance(it, Deliver)]
        # The sender's answer was in that notice too: its own row says the same.
        (own,) = [it for it in heard if isinstance(it, Own)]
        assert own.id == told.id
        assert len(heard) == 2


async def test_notice_500_lost_and_507_acknowledged() -> None:
    async with opened() as desk:
        bob = await desk.join(BOB)
        await wrote(desk, 3)
        said = await rows(bob, 3)
        desk.bus.loses = True
        (missed,) = await wrote(desk, 1, 3)
        desk.bus.loses = False
        after = await wrote(desk, 2, 4)
        said += await rows(bob, 3)
        assert chained(said)
        assert [row.position for row in said[3:]] == [missed, *after]
        bob.say(Ack(after[-1]))
        await nothing_more(bob)


async def test_repeated_notices_push_nothing_twice() -> None:
    async with opened() as desk:
        alice, bob = await desk.join(ALICE), await desk.join(BOB)
        desk.bus.repeats = 3
        alice.say(*(send(fresh_id(number)) for number in range(20)))
        assert chained(await rows(bob, 20))
        assert len({sent.position for sent in await sent_all(alice, 20)}) == 20
        await nothing_more(alice)
        await nothing_more(bob)


@pytest.mark.parametrize("backwards", [False, True])
async def test_late_notices_in_any_order_come_once_and_in_order(backwards: bool) -> None:
    async with opened() as desk:
        bob = await desk.join(BOB)
        desk.bus.holds = True
        await wrote(desk, 6)
        desk.bus.holds = False
        await wrote(desk, 1, 6)
        desk.bus.release(backwards=backwards)
        said = await rows(bob, 7)
        assert chained(said)
        desk.bus.release()
        await nothing_more(bob)


async def test_own_messages_are_answered_however_late_the_notice() -> None:
    async with opened() as desk:
        alice = await desk.join(ALICE)
        desk.bus.holds = True
        alice.say(*(send(fresh_id(number)) for number in range(3)))
        await until(lambda: desk.bus.held)
        desk.bus.holds = False
        desk.bus.release(backwards=True)
        alice.say(send(fresh_id(3)))
        answered: set[bytes] = set()
        while len(answered) < 4:
            said = await alice.hear()
            assert isinstance(said, Sent | Own), said
            answered.add(said.id)


# ---- catching up


async def test_rows_committed_while_away_come_first_and_then_those_that_follow() -> None:
    async with opened(delivery=Delivery(page_rows=4)) as desk:
        await wrote(desk, 10)
        bob = await desk.join(BOB)
        await wrote(desk, 5, 10)
        said = await rows(bob, 15)
        assert chained(said)
        assert [row.id for row in said] == [fresh_id(number) for number in range(15)]


async def test_a_resume_goes_on_after_the_cursor() -> None:
    async with opened() as desk:
        positions = await wrote(desk, 6)
        bob = await desk.join(BOB, resume=positions[3])
        said = await rows(bob, 2)
        assert [row.position for row in said] == positions[4:]


@pytest.mark.parametrize("already", [0, 2])
async def test_rows_that_come_while_a_page_is_read_are_not_missed(already: int) -> None:
    class Slow(MemoryTimeline):
        gate = asyncio.Event()

        async def page(
            self, mailbox: bytes, since: int, most_rows: int, most_bytes: int
        ) -> Sequence[Entry]:
            found = await super().page(mailbox, since, most_rows, most_bytes)
            if len(found) == already:
                await self.gate.wait()
            return found

    timeline = Slow()
    async with opened(timeline=timeline) as desk:
        await wrote_unread(desk, 2)
        bob = await desk.join(BOB)
        await asyncio.sleep(0.01)
        await wrote_unread(desk, 3, 2)
        timeline.gate.set()
        said = await rows(bob, 5)
        assert chained(said)
        await nothing_more(bob)


async def wrote_unread(desk: Desk, count: int, start: int = 0) -> None:
    """Alice's messages to Bob, committed, without reading his mailbox."""
    for number in range(start, start + count):
        await desk.put(send(fresh_id(number)))


async def test_20000_rows_reach_a_slow_reader_within_the_window() -> None:
    total = 20_000
    limits = SessionLimits()
    async with opened() as desk:
        for number in range(total):
            frame = send(fresh_id(number))
            frame.parts[0].ciphertext = b"x" * 200
            desk.submit(frame)
        await desk.set_devices(ALICE, 0, 1)
        bob = (await desk.greet(BOB, receives_bytes=4096))[0]
        cursor = unacked = most_unsent = 0
        connection = desk.connection(BOB)
        for _ in range(total):
            said = await bob.hear()
            assert isinstance(said, Deliver), said
            assert said.prev == cursor
            cursor = said.position
            unacked += 1
            assert unacked <= limits.window_frames
            if unacked == limits.window_frames:
                most_unsent = max(most_unsent, connection.unsent())
                bob.say(Ack(cursor))
                unacked = 0
        assert most_unsent <= limits.window_bytes + 128 * 1024
        bob.say(Ack(cursor))
        assert await nothing_more(bob) == cursor
        assert desk.closes == []


async def test_no_more_is_pushed_than_the_window_holds_and_acks_free_it() -> None:
    async with opened(small(window_frames=4)) as desk:
        bob = await desk.join(BOB)
        await wrote(desk, 10)
        said = await rows(bob, 4)
        await nothing_more(bob)
        bob.say(Ack(said[1].position))
        said += await rows(bob, 2)
        await nothing_more(bob)
        bob.say(Ack(said[-1].position))
        said += await rows(bob, 4)
        assert chained(said)


async def test_a_frame_larger_than_the_window_goes_alone() -> None:
    async with opened(small(window_bytes=500)) as desk:
        bob = await desk.join(BOB)
        for number in range(3):
            frame = send(fresh_id(number))
            frame.parts[0].ciphertext = b"x" * 5000
            await desk.put(frame)
        for _ in range(3):
            (told,) = await rows(bob, 1)
            await nothing_more(bob)
            bob.say(Ack(told.position))


# ---- slow and silent


async def kept_alive(desk: Desk, seconds: int, *lines: Line) -> list[object]:
    """Time passes for sockets that ping; what they heard besides pongs."""
    heard: list[object] = []
    for _ in range(seconds // 5):
        desk.tick(5)
        for line in lines:
            line.say(Ping())
            while not isinstance(said := await line.hear(), Pong):
                assert not isinstance(said, Closed), said
                heard.append(said)
    return heard


async def closed_in_time(desk: Desk, line: Line, within_s: int) -> str:
    """Time passes for a socket that says `ack` of nothing new; why it was closed."""
    for _ in range(within_s):
        desk.tick(1)
        if desk.closes:
            break
        line.say(Ack(0))
        await asyncio.sleep(0.001)
    return await why(line)


async def test_slow_closes_only_after_30_seconds_without_progress() -> None:
    async with opened(small(window_frames=2)) as desk:
        bob = await desk.join(BOB)
        await kept_alive(desk, 60, bob)
        await wrote(desk, 9)
        said = await rows(bob, 2)
        for _ in range(3):
            await kept_alive(desk, 25, bob)
            bob.say(Ack(said[-1].position))
            said = await rows(bob, 2)
        await kept_alive(desk, 30, bob)
        assert desk.closes == []
        assert await closed_in_time(desk, bob, 45) == "slow"


async def test_acks_that_say_nothing_new_are_no_progress() -> None:
    async with opened(small(window_frames=2)) as desk:
        bob = await desk.join(BOB)
        await wrote(desk, 5)
        (first, _) = await rows(bob, 2)
        bob.say(Ack(first.position))
        assert await closed_in_time(desk, bob, 70) == "slow"


async def test_a_window_full_of_rows_with_nothing_behind_it_is_not_slow() -> None:
    async with opened(small(window_frames=4)) as desk:
        bob = await desk.join(BOB)
        await wrote(desk, 4)
        await rows(bob, 4)
        await kept_alive(desk, 120, bob)
        assert desk.closes == []


async def test_a_peer_that_reads_nothing_is_let_go() -> None:
    async with opened(small(window_bytes=1 << 20, window_frames=10_000)) as desk:
        bob = (await desk.greet(BOB, receives_bytes=4096))[0]
        for number in range(40):
            frame = send(fresh_id(number))
            frame.parts[0].ciphertext = b"x" * 200_000
            await desk.put(frame)
        await until(lambda: desk.connection(BOB).unsent() > 0)
        for _ in range(80):
            desk.tick(1)
            bob.say(Ping())
            await asyncio.sleep(0.001)
        assert desk.closes == ["slow"]
        await until(lambda: desk.gateway.sockets == 0)
        assert len(desk.gateway.registry) == 0


async def test_silence_closes_and_pings_keep() -> None:
    async with opened() as desk:
        alice, bob = await desk.join(ALICE), await desk.join(BOB)
        await kept_alive(desk, 60, alice)
        assert await why(bob) == "silent"
        await nothing_more(alice)


# ---- cursors older than retention


class Expiring(MemoryTimeline):
    """Can forget the oldest rows of a mailbox, as retention does, or one in the middle."""

    forgotten = lost = 0

    async def page(
        self, mailbox: bytes, since: int, most_rows: int, most_bytes: int
    ) -> Sequence[Entry]:
        found = await super().page(mailbox, since, 1 << 30, 1 << 40)
        kept = [entry for entry in found if entry.position > self.forgotten]
        return [entry for entry in kept if entry.position != self.lost][:most_rows]


async def test_a_cursor_older_than_retention_resyncs_and_goes_on() -> None:
    timeline = Expiring()
    async with opened(timeline=timeline) as desk:
        positions = await wrote(desk, 8)
        timeline.forgotten = positions[4]
        bob = await desk.join(BOB, resume=positions[1])
        resync = await bob.hear()
        assert resync == Resync(positions[4])
        said = await rows(bob, 3)
        assert chained(said, positions[4])
        bob.say(Ack(said[-1].position))
        await wrote(desk, 1, 8)
        await rows(bob, 1)


async def test_a_row_that_the_store_lost_is_never_passed_over_in_silence() -> None:
    timeline = Expiring()
    async with opened(timeline=timeline) as desk:
        positions = await wrote(desk, 6)
        timeline.lost = positions[2]
        bob = await desk.join(BOB)
        assert [row.position for row in await rows(bob, 2)] == positions[:2]
        assert await bob.hear() == Resync(positions[2])
        assert [row.position for row in await rows(bob, 3)] == positions[3:]


async def test_a_cursor_below_rows_that_are_all_gone_goes_to_the_head() -> None:
    timeline = Expiring()
    async with opened(timeline=timeline) as desk:
        positions = await wrote(desk, 3)
        timeline.forgotten = positions[-1]
        bob = await desk.join(BOB, resume=positions[0])
        assert await bob.hear() == Resync(positions[-1])
        assert await nothing_more(bob) == positions[-1]
        (position,) = await wrote(desk, 1, 3)
        (told,) = await rows(bob, 1)
        assert (told.prev, told.position) == (positions[-1], position)


async def test_what_expired_is_never_ticked() -> None:
    timeline = Expiring()
    async with opened(timeline=timeline) as desk:
        positions = await wrote(desk, 6)
        timeline.forgotten = positions[3]
        bob = await desk.join(BOB)
        assert await bob.hear() == Resync(positions[3])
        said = await rows(bob, 2)
        bob.say(Ack(said[-1].position))
        alice = await desk.join(ALICE, resume=(await desk.positions(ALICE))[-1])
        conversation = direct_conversation(ALICE, BOB)
        await nothing_more(bob)
        told: list[tuple[int, int]] = []
        while told != [(5, 6)]:
            alice.say(StatusQuery([conversation]))
            status = await hear(alice, Status)
            assert isinstance(status, Status)
            told = status.delivered
            assert not told or told[0][0] >= 5, told


# ---- forged cursors and a store that went back


@pytest.mark.parametrize("proof", [b"", b"x" * 16])
async def test_a_forged_resume_above_the_head_is_refused(proof: bytes) -> None:
    async with opened() as desk:
        (head,) = await wrote(desk, 1)
        _, answer = await desk.greet(BOB, resume=head + 1, proof=proof, proved=head + 1)
        assert answer == Closed("bad_resume", "bad_resume")
        assert desk.delivery.epoch == 0


async def test_a_proof_of_another_mailbox_or_head_proves_nothing() -> None:
    async with opened() as desk:
        await wrote(desk, 3)
        _, welcome = await desk.greet(ALICE)
        assert isinstance(welcome, Welcome)
        head, proof = welcome.head, welcome.proof
        for resume, proved in ((head + 5, head), (head + 5, head + 5), (head, head)):
            _, answer = await desk.greet(BOB, resume=resume, proof=proof, proved=proved)
            assert answer == Closed("bad_resume", "bad_resume") or resume == head
        assert desk.delivery.epoch == 0


async def test_a_forged_ack_above_what_was_pushed_is_refused() -> None:
    async with opened() as desk:
        bob = await desk.join(BOB)
        (position,) = await wrote(desk, 1)
        await rows(bob, 1)
        bob.say(Ack(position + 1))
        assert await why(bob) == "bad_resume"
        bob = await desk.join(BOB)
        await rows(bob, 1)


async def test_an_ack_before_anything_was_pushed_is_refused() -> None:
    async with opened() as desk:
        bob = await desk.join(BOB)
        bob.say(Ack(1))
        assert await why(bob) == "bad_resume"


async def test_a_proven_cursor_above_the_head_raises_the_epoch_once() -> None:
    """The store was restored from a backup: what comes now is above all that was given out."""
    async with opened() as before:
        await wrote(before, 9)
        _, welcome = await before.greet(BOB)
        assert isinstance(welcome, Welcome)
    async with opened() as desk:
        await wrote(desk, 2)
        for _ in range(3):
            bob, again = await desk.greet(
                BOB, resume=welcome.head, proof=welcome.proof, proved=welcome.head
            )
            assert isinstance(again, Welcome), again
            assert await bob.hear() == Resync(0)
            assert [row.id for row in await rows(bob, 2)] == [fresh_id(0), fresh_id(1)]
        assert desk.delivery.epoch == 1
        (position,) = await wrote(desk, 1, 2)
        assert position >> 48 == 1
        (told,) = await rows(bob, 1)
        assert told.position == position
        bob.say(Ack(position))
        await nothing_more(bob)
        # And from there on all is as ever.
        bob = await desk.join(BOB, resume=position)
        await wrote(desk, 1, 3)
        assert chained(await rows(bob, 1), position)


# ---- one socket a device


async def test_the_newest_socket_of_a_device_replaces_the_older() -> None:
    async with opened() as desk:
        older = await desk.join(BOB)
        newer = await desk.join(BOB)
        assert await why(older) == "replaced"
        await wrote(desk, 1)
        await rows(newer, 1)


async def test_a_device_that_comes_again_is_not_one_too_many() -> None:
    async with opened(Gateway(account_sockets=2, drain_within_s=0)) as desk:
        await desk.set_devices(BOB, 2, 1, 2, 3)
        await desk.join(BOB, 1)
        second = await desk.join(BOB, 2)
        _, answer = await desk.greet(BOB, 3)
        assert answer == Closed("too_many", "too_many")
        await desk.join(BOB, 2)
        assert await why(second) == "replaced"


async def test_answers_to_a_replaced_socket_reach_the_newer_as_rows() -> None:
    async with opened() as desk:
        older = await desk.join(ALICE)
        desk.bus.holds = True
        older.say(send(fresh_id(1)))
        await until(lambda: desk.bus.held)
        newer, welcome = await desk.greet(ALICE)
        assert isinstance(welcome, Welcome)
        desk.bus.holds = False
        desk.bus.release()
        own = await newer.hear()
        assert isinstance(own, Own | Sent)
        assert own.id == fresh_id(1)
        await nothing_more(newer)


async def test_nothing_is_said_to_a_socket_before_its_welcome() -> None:
    class Slow(MemoryTimeline):
        turns: asyncio.Semaphore | None = None

        async def load(self, wanted: Wanted) -> Loaded:
            loaded = await super().load(wanted)
            if self.turns is not None and wanted.cursors:
                await self.turns.acquire()
            return loaded

    timeline = Slow()
    async with opened(timeline=timeline, delivery=Delivery(cached=0)) as desk:
        await desk.put(send(fresh_id(1)))
        timeline.turns = asyncio.Semaphore(0)
        greeting = asyncio.get_running_loop().create_task(desk.greet(ALICE))
        # Its own messages are committed while it is looked up, and once it is registered.
        await until(lambda: desk.gateway._running == 1)
        await desk.put(send(fresh_id(2)))
        timeline.turns.release()
        await until(lambda: len(desk.gateway.registry) == 1)
        await desk.put(send(fresh_id(3)))
        timeline.turns.release()
        newer, answer = await greeting
        assert isinstance(answer, Welcome), answer
        found = [await newer.hear() for _ in range(3)]
        assert [it.id for it in found if isinstance(it, Own)] == [fresh_id(n) for n in (1, 2, 3)]


async def test_a_revoked_device_is_cut_off() -> None:
    async with opened() as desk:
        bob, alice = await desk.join(BOB), await desk.join(ALICE)
        desk.gateway.revoke(BOB, 1)
        assert await why(bob) == "revoked"
        await nothing_more(alice)


# ---- ticks


async def test_a_crash_between_ack_and_watermark_costs_no_tick() -> None:
    class Stubborn(MemoryTimeline):
        refuses = False

        async def commit(self, batch: Batch) -> None:
            if self.refuses:
                raise Unavailable("told to")
            await super().commit(batch)

    timeline = Stubborn()
    async with opened(timeline=timeline) as desk:
        alice, bob = await desk.join(ALICE), await desk.join(BOB)
        await wrote(desk, 3)
        said = await rows(bob, 3)
        # The server takes the ack, and dies before it is stored.
        timeline.refuses = True
        bob.say(Ack(said[-1].position))
        await nothing_more(bob)
        for _ in range(3):
            await alice.hear()
        await nothing_more(alice)
        assert (await desk.delivery.watermarks([said[0].conversation], ALICE))[0].intervals == ()
    timeline.refuses = False
    # Another server over the same store: bob resumes at his own cursor, and hears nothing new.
    async with opened(timeline=timeline) as desk:
        alice = await desk.join(ALICE, resume=(await desk.positions(ALICE))[-1])
        bob = await desk.join(BOB, resume=said[-1].position)
        assert await alice.hear() == Status(said[0].conversation, BOB, [(1, 3)])
        await nothing_more(bob)


async def test_nothing_new_can_be_acknowledged_before_the_resume_is_folded() -> None:
    """Or a crash between the two would lose the ticks of what the resume acknowledged."""

    class Slow(MemoryTimeline):
        slow = False
        gate = asyncio.Event()

        async def page(
            self, mailbox: bytes, since: int, most_rows: int, most_bytes: int
        ) -> Sequence[Entry]:
            if self.slow:
                await self.gate.wait()
            return await super().page(mailbox, since, most_rows, most_bytes)

    timeline = Slow()
    async with opened(timeline=timeline) as desk:
        (position,) = await wrote(desk, 1)
        alice = await desk.join(ALICE, resume=(await desk.positions(ALICE))[-1])
        timeline.slow = True
        bob = await desk.join(BOB, resume=position)
        await desk.put(send(fresh_id(1), to=BOB))
        assert await nothing_more(bob) > position
        assert isinstance(await alice.hear(), Own | Sent)
        await nothing_more(alice)
        timeline.gate.set()
        (row,) = await rows(bob, 1)
        assert row.prev == position
        assert await alice.hear() == Status(row.conversation, BOB, [(1, 1)])


async def test_status_is_told_to_members_alone() -> None:
    async with opened() as desk:
        bob = await desk.join(BOB)
        await wrote(desk, 1)
        (told,) = await rows(bob, 1)
        bob.say(Ack(told.position))
        carol = await desk.join(CAROL)
        carol.say(StatusQuery([told.conversation, bytes(16)]))
        await nothing_more(carol)


# ---- a store that fails


class Full(MemoryTimeline):
    """A store that can be full, or unreadable."""

    full = unreadable = False

    async def commit(self, batch: Batch) -> None:
        if self.full:
            raise Unavailable("full")
        await super().commit(batch)

    async def page(
        self, mailbox: bytes, since: int, most_rows: int, most_bytes: int
    ) -> Sequence[Entry]:
        if self.unreadable:
            raise Unavailable("unreadable")
        return await super().page(mailbox, since, most_rows, most_bytes)


async def test_a_full_store_is_a_typed_refusal_and_later_sends_succeed() -> None:
    timeline = Full()
    async with opened(timeline=timeline) as desk:
        alice = await desk.join(ALICE)
        timeline.full = True
        alice.say(send(fresh_id(1)))
        refused = await alice.hear()
        assert isinstance(refused, Rejected)
        assert (refused.code, refused.retryable) == ("unavailable", True)
        timeline.full = False
        alice.say(send(fresh_id(1)))
        (sent,) = await sent_all(alice, 1)
        assert sent.conv_seq == 1


async def test_a_store_that_cannot_be_read_closes_those_who_need_it_alone() -> None:
    timeline = Full()
    async with opened(timeline=timeline) as desk:
        alice = await desk.join(ALICE)
        await wrote(desk, 2, to=CAROL)
        timeline.unreadable = True
        carol, answer = await desk.greet(CAROL)
        assert isinstance(answer, Welcome)
        assert await why(carol) == "unavailable"
        assert len([await alice.hear() for _ in range(2)]) == 2
        timeline.unreadable = False
        carol = await desk.join(CAROL)
        await rows(carol, 2)


# ---- leaving


async def test_a_drain_asks_everybody_to_leave_and_ends_when_they_have() -> None:
    async with opened(Gateway(drain_within_s=30)) as desk:
        alice, stranger = await desk.join(ALICE), await desk.line()
        draining = asyncio.get_running_loop().create_task(desk.gateway.drain())
        assert await alice.hear() == Drain(30)
        assert await why(stranger) == "draining"
        # What is under way goes on.
        alice.say(send(fresh_id(1)))
        await sent_all(alice, 1)
        await alice.leave()
        async with asyncio.timeout(5):
            await draining


async def test_those_who_stay_are_closed_when_the_time_is_over() -> None:
    async with opened(Gateway(drain_within_s=0)) as desk:
        alice = await desk.join(ALICE)
        draining = asyncio.get_running_loop().create_task(desk.gateway.drain())
        assert await alice.hear() == Drain(0)
        assert await why(alice) == "draining"
        async with asyncio.timeout(5):
            await draining


# ---- clocks


@pytest.mark.parametrize("jump_s", [40 * 24 * 3600, -40 * 24 * 3600])
async def test_a_clock_that_jumps_costs_no_socket_and_refuses_no_message(jump_s: int) -> None:
    async with opened() as desk:
        alice, bob = await desk.join(ALICE), await desk.join(BOB)
        desk.wall_s += jump_s
        await kept_alive(desk, 30, alice)
        alice.say(send(fresh_id(1, NOW_MS + 30_000)))
        (sent,) = await sent_all(alice, 1)
        assert abs(sent.server_timestamp - NOW_MS) < HORIZON_MS or jump_s < 0
        desk.wall_s -= jump_s
        alice.say(send(fresh_id(2, NOW_MS + 30_000)))
        (later,) = await sent_all(alice, 1)
        assert later.server_timestamp >= sent.server_timestamp
        await rows(bob, 2)
