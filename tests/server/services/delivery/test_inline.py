"""The embedded driver: one commit for all who wait, and what it says is durable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest
from tests.backends.people import blob
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    DAY_MS,
    NOW_MS,
    fresh_id,
    send,
)
from tests.server.services.delivery.world import Answer, Faulty, World, running

from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.ports import Unavailable
from linnet.server.ports.bus import Delivered
from linnet.server.ports.timeline import Batch, Cursor, Loaded, Refusal, Wanted
from linnet.server.services.delivery import inline
from linnet.server.services.delivery.watermark import Run
from linnet.server.services.delivery.work import Committed
from linnet.wire.frames import CONTROL, NARROWED, Part
from linnet.wire.ids import direct_conversation

pytestmark = pytest.mark.timeout(20)
CONVERSATION = direct_conversation(ALICE, BOB)
STRANGER = blob("account", 99)


@pytest.fixture(params=["memory", "sqlite"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path if request.param == "sqlite" else None) as made:
        yield made


# ---- group commit


async def test_what_waits_together_is_one_commit_in_order(world: World) -> None:
    world.commits.clear()
    answers = [world.say(send(fresh_id(n))) for n in range(50)]
    numbers = [(await answer).accepted.conv_seq for answer in answers]  # type: ignore[union-attr]
    assert numbers == list(range(1, 51))
    assert world.commits == [(50, 0)]
    for account in (ALICE, BOB):
        held = await world.rows(account)
        assert [row.accepted.conv_seq for row in held] == numbers
        assert [row.prev for row in held] == [0, *(row.position for row in held[:-1])]


async def test_a_batch_takes_no_more_than_its_most() -> None:
    async with running(config=DeliveryConfig(batch_most=20)) as world:
        world.commits.clear()
        await asyncio.gather(*(world.say(send(fresh_id(n))) for n in range(50)))
        assert [records for records, _ in world.commits] == [20, 20, 10]
        numbers = [row.accepted.conv_seq for row in await world.rows(BOB)]
        assert numbers == list(range(1, 51))


async def test_one_more_than_may_wait_is_unavailable_at_once() -> None:
    async with running(config=DeliveryConfig(pending_most=2)) as world:
        answers = [world.say(send(fresh_id(n))) for n in range(3)]
        assert answers[2].result() == Answer("rejected", "unavailable")
        assert [(await answer).kind for answer in answers[:2]] == ["sent", "sent"]


async def test_more_ciphertext_than_may_wait_is_unavailable_until_a_commit_made_room() -> None:
    async with running(config=DeliveryConfig(pending_bytes=2 * len(b"for 1"))) as world:
        answers = [world.say(send(fresh_id(n))) for n in range(3)]
        assert answers[2].result() == Answer("rejected", "unavailable")
        assert [(await answer).kind for answer in answers[:2]] == ["sent", "sent"]
        again = [world.say(send(fresh_id(n))) for n in range(2, 5)]
        assert again[2].result() == Answer("rejected", "unavailable")
        assert [(await answer).kind for answer in again[:2]] == ["sent", "sent"]


async def test_after_a_stop_what_waits_is_settled_and_nothing_more_is_taken(world: World) -> None:
    early = world.say(send(fresh_id(1)))
    world.delivery.ack(Committed(BOB, 1, 1, {}))
    world.delivery.stop()
    late = world.say(send(fresh_id(2)))
    assert late.result().code == "unavailable"
    with pytest.raises(Unavailable):
        await world.set_devices(BOB, 2, 1, 2)
    assert (await early).kind == "sent"
    await world.restart()
    assert (await world.arrival(BOB, 1))[1].acked == 1


async def test_an_ack_alone_is_settled_before_the_end(world: World) -> None:
    world.delivery.ack(Committed(BOB, 1, 7, {}))
    await world.restart()
    assert (await world.arrival(BOB, 1))[1].acked == 7


async def test_a_record_that_breaks_the_decision_stops_nobody_else(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    broken = send(fresh_id(1), devices=(1, 2))
    broken.parts[0].device = []  # type: ignore[assignment]
    answers = await asyncio.gather(world.say(broken), world.say(send(fresh_id(2))))
    assert answers[0] == Answer("rejected", "internal")
    assert answers[1].kind == "sent"
    assert "could not be decided" in caplog.text


async def test_a_sender_without_a_set_may_try_again(world: World) -> None:
    assert await world.say(send(fresh_id(1)), STRANGER) == Answer("rejected", "unavailable")
    await world.set_devices(STRANGER, 1, 1)
    await world.sent(send(fresh_id(1)), STRANGER)


async def test_a_set_and_a_message_to_its_new_mailbox_may_share_a_batch(world: World) -> None:
    change = asyncio.ensure_future(world.set_devices(STRANGER, 1, 1))  # noqa: TID251
    await asyncio.sleep(0)
    await world.sent(send(fresh_id(1), to=STRANGER))
    await change
    await world.sent(send(fresh_id(2), to=STRANGER))
    held = await world.rows(STRANGER)
    assert [row.prev for row in held] == [0, held[0].position]


# ---- ids


async def test_sent_lost_and_resent_a_day_later_gets_the_first_outcome(world: World) -> None:
    first = await world.sent(send(fresh_id(1)))
    world.pass_ms(DAY_MS)
    for _ in range(2):
        assert await world.say(send(fresh_id(1))) == Answer("repeated", accepted=first)
        await world.restart()
    assert len(await world.rows(BOB)) == 1


async def test_a_resend_under_a_newer_set_gets_the_first_outcome(world: World) -> None:
    first = await world.sent(send(fresh_id(1)))
    await world.set_devices(BOB, 2, 1, 2)
    again = send(fresh_id(1), sets=(2, 1), devices=(1, 2))
    assert await world.say(again) == Answer("repeated", accepted=first)
    assert first.sets == (1, 1)


async def test_the_same_id_twice_in_one_batch_is_stored_once(world: World) -> None:
    one, two = await asyncio.gather(world.say(send(fresh_id(1))), world.say(send(fresh_id(1))))
    assert (one.kind, two.kind) == ("sent", "repeated")
    assert one.accepted == two.accepted
    assert [row.accepted for row in await world.rows(BOB)] == [one.accepted]


async def test_an_id_of_another_sender_is_another_message_in_any_mix(world: World) -> None:
    """Known from the store in one scope and used in another: the batch must remember both."""
    first = await world.sent(send(fresh_id(1)))
    carols = world.say(send(fresh_id(1)), CAROL)
    alices = await asyncio.gather(world.say(send(fresh_id(1))), world.say(send(fresh_id(1))))
    assert [answer.kind for answer in alices] == ["repeated", "repeated"]
    assert alices[0].accepted == first
    assert (await carols).kind == "sent"
    assert {(row.accepted.sender, row.accepted.conv_seq) for row in await world.rows(BOB)} == {
        (ALICE, 1),
        (CAROL, 1),
    }


async def test_a_final_refusal_repeated_gives_the_same_code(world: World) -> None:
    wrong = send(fresh_id(1), devices=(9,))
    together = await asyncio.gather(world.say(wrong), world.say(send(fresh_id(1))))
    assert set(together) == {Answer("rejected", "not_listed")}
    for _ in range(2):
        assert await world.say(send(fresh_id(1))) == Answer("rejected", "not_listed")
        await world.restart()
    assert await world.rows(BOB) == []
    stored = [refusal for batch in world.timeline.batches for _, refusal in batch.refusals]
    assert stored == [Refusal(CONVERSATION, fresh_id(1), ALICE, 1, "not_listed")]
    assert (await world.sent(send(fresh_id(2)))).conv_seq == 1


async def test_nobody_to_send_to_stores_nothing_so_the_same_message_goes_once_somebody_comes(
    world: World,
) -> None:
    lost = send(fresh_id(1), to=STRANGER)
    for _ in range(2):
        assert await world.say(lost) == Answer("rejected", "unknown_recipient")
    await world.set_devices(STRANGER, 1, 1)
    assert (await world.say(lost)).kind == "sent"
    await world.sent(send(fresh_id(2), to=STRANGER))


async def test_an_id_is_found_again_wherever_it_went(tmp_path: Path) -> None:
    """Memory reaches back a few ids, the store holds many segments of them."""
    config = DeliveryConfig(recent_ids=4, cached=2)
    async with running(tmp_path, config) as world:
        firsts = []
        for n in range(60):
            world.pass_ms(1000)
            firsts.append(await world.sent(send(fresh_id(n, NOW_MS + 1000 * n))))
        for crash in (False, True):
            for n, first in enumerate(firsts):
                answer = await world.say(send(fresh_id(n, NOW_MS + 1000 * n)))
                assert answer == Answer("repeated", accepted=first)
            if not crash:
                await world.restart()
        assert len(await world.rows(BOB)) == 60
        world.timeline.wanted_ids.clear()
        world.pass_ms(1000)
        await world.sent(send(fresh_id(99, NOW_MS + 61_000)))
        assert world.timeline.wanted_ids == set()


# ---- time


async def test_a_wall_clock_40_days_ahead_for_a_second_harms_nobody(world: World) -> None:
    await world.sent(send(fresh_id(1)))
    world.wall_s += 40 * DAY_MS / 1000
    fooled = await world.sent(send(fresh_id(2, NOW_MS + 40 * DAY_MS)))
    honest = await world.sent(send(fresh_id(3)))
    assert fooled.server_timestamp == honest.server_timestamp == NOW_MS
    waited = await world.timeline.retain(int(world.wall_s * 1000), 30 * DAY_MS)
    assert waited.waiting
    world.wall_s -= 40 * DAY_MS / 1000
    assert (await world.sent(send(fresh_id(4)))).server_timestamp == NOW_MS
    again = await world.say(send(fresh_id(2, NOW_MS + 40 * DAY_MS)))
    assert again == Answer("repeated", accepted=fooled)
    refused = await world.say(send(fresh_id(5, NOW_MS + 40 * DAY_MS)))
    assert refused == Answer("rejected", "id_time")
    retained = await world.timeline.retain(NOW_MS, 30 * DAY_MS)
    assert (retained.waiting, retained.dropped_rows) == ("", 0)
    assert [row.accepted.conv_seq for row in await world.rows(BOB)] == [1, 2, 3, 4]


async def test_a_wall_clock_set_back_keeps_server_time_from_falling(world: World) -> None:
    await world.sent(send(fresh_id(1)))
    world.wall_s -= 3600
    assert (await world.sent(send(fresh_id(2)))).server_timestamp == NOW_MS
    world.pass_ms(1000)
    await world.restart()
    again = await world.sent(send(fresh_id(3, NOW_MS - 3_600_000)))
    assert again.server_timestamp == NOW_MS


async def test_an_id_whose_time_was_refused_is_judged_anew_and_never_looked_up(
    world: World,
) -> None:
    far = send(fresh_id(1, NOW_MS + DAY_MS))
    for _ in range(2):
        assert await world.say(far) == Answer("rejected", "id_time")
    assert await world.say(send(fresh_id(2, 0))) == Answer("rejected", "id_time")
    assert all(not batch.refusals for batch in world.timeline.batches)
    await world.sent(send(fresh_id(3)))
    assert fresh_id(3) not in world.timeline.wanted_ids
    world.pass_ms(DAY_MS)
    await world.sent(far)


# ---- sets


async def test_a_stale_message_stores_nothing_and_its_id_is_taken_when_right(world: World) -> None:
    await world.set_devices(BOB, 2, 1, 2)
    stale = await world.say(send(fresh_id(1)))
    assert stale == Answer("rejected", "devices_changed", (2, 1))
    assert await world.rows(BOB) == []
    outcome = await world.sent(send(fresh_id(1), sets=(2, 1), devices=(1, 2)))
    assert (outcome.conv_seq, outcome.sets) == (1, (2, 1))


async def test_a_set_change_repeated_by_the_relay_changes_nothing(world: World) -> None:
    await world.set_devices(BOB, 2, 1, 2)
    await world.sent(send(fresh_id(1), sets=(2, 1), devices=(1, 2)))
    stored = len(world.timeline.batches)
    for number, devices in ((2, (1, 2)), (1, (1,))):
        await world.set_devices(BOB, number, *devices)
    assert len(world.timeline.batches) == stored
    await world.restart()
    await world.set_devices(BOB, 1, 1)
    assert (await world.sent(send(fresh_id(2), sets=(2, 1), devices=(1, 2)))).sets == (2, 1)


async def test_a_set_change_is_in_force_for_what_waits_with_it(world: World) -> None:
    tried = world.say(send(fresh_id(1)))
    await world.set_devices(BOB, 2, 1, 2)
    assert (await tried).kind in ("sent", "rejected")
    assert (await world.say(send(fresh_id(2)))).code == "devices_changed"


async def test_a_laptop_linked_later_begins_at_the_first_message_after_it(world: World) -> None:
    for n in range(3):
        await world.sent(send(fresh_id(n)))
    await world.set_devices(BOB, 2, 1, 2)
    loaded = await world.delivery.watermarks([CONVERSATION], ALICE)
    assert loaded == [Delivered(ALICE, CONVERSATION, BOB, ())]
    await world.sent(send(fresh_id(4), sets=(2, 1), devices=(1, 2)))
    for _ in range(2):
        await world.ack(await world.read(BOB, device=2))
        assert await world.ticks(CONVERSATION) == ((4, 4),)
        await world.restart()
    await world.ack(await world.read(BOB, device=1))
    assert await world.ticks(CONVERSATION) == ((1, 4),)


async def test_a_revoked_device_keeps_its_ticks_and_the_next_begins_anew(world: World) -> None:
    await world.set_devices(BOB, 2, 1, 2)
    await world.sent(send(fresh_id(1), sets=(2, 1), devices=(1, 2)))
    await world.ack(await world.read(BOB, device=2))
    await world.set_devices(BOB, 3, 1, 3)
    await world.sent(send(fresh_id(2), sets=(3, 1), devices=(1, 3)))
    await world.ack(await world.read(BOB, device=3))
    assert await world.ticks(CONVERSATION) == ((1, 2),)
    head = world.delivery.memory.heads[CONVERSATION]
    assert head.members[BOB].starts == {1: 1, 2: 1, 3: 2}


async def test_a_laptops_ack_claims_nothing_that_only_the_phone_was_sent(world: World) -> None:
    await world.set_devices(BOB, 2, 1, 2)
    await world.sent(send(fresh_id(1), sets=(2, 1), devices=(1, 2)))
    await world.sent(send(fresh_id(2), sets=None, devices=(1,), mode=NARROWED))
    await world.sent(send(fresh_id(3), sets=(2, 1), devices=(1, 2)))
    await world.ack(await world.read(BOB, device=2))
    assert await world.ticks(CONVERSATION) == ((1, 1), (3, 3))
    await world.ack(await world.read(BOB, device=1))
    assert await world.ticks(CONVERSATION) == ((1, 3),)


async def test_control_messages_have_no_number_and_no_tick(world: World) -> None:
    control = await world.sent(send(fresh_id(1), sets=None, mode=CONTROL))
    assert control.conv_seq == 0
    assert (await world.sent(send(fresh_id(2)))).conv_seq == 1
    await world.ack(await world.read(BOB))
    assert await world.ticks(CONVERSATION) == ((1, 1),)


async def test_notes_to_self_reach_the_other_devices_and_tick(world: World) -> None:
    await world.set_devices(ALICE, 2, 1, 2)
    note = await world.sent(send(fresh_id(1), to=ALICE, sets=(2, 2), devices=(2,)))
    (row,) = await world.rows(ALICE)
    assert row.parts == [Part(2, 2, b"for 2")]
    run = Run(ALICE, 1, 1, row.position)
    await world.ack(Committed(ALICE, 2, row.position, {note.conversation: [run]}))
    assert await world.ticks(note.conversation) == ((1, 1),)


# ---- ticks


async def test_delivered_is_told_to_the_sender_once_it_is_durable(world: World) -> None:
    for n in range(3):
        await world.sent(send(fresh_id(n)))
    batch_count = len(world.timeline.batches)
    world.delivery.ack(await world.read(BOB))
    assert world.delivered == []
    await world.settle()
    assert world.delivered == [Delivered(ALICE, CONVERSATION, BOB, ((1, 3),))]
    (batch,) = world.timeline.batches[batch_count:]
    assert batch.cursors == [Cursor(BOB, 1, (await world.rows(BOB))[-1].position)]
    assert await world.ticks(CONVERSATION) == ((1, 3),)


async def test_acks_that_wait_together_are_joined(world: World) -> None:
    for n in range(4):
        await world.sent(send(fresh_id(n)))
    held = [row.position for row in await world.rows(BOB)]
    world.commits.clear()
    for since, until in zip([0, *held], held, strict=False):
        world.delivery.ack(await world.read(BOB, since=since, until=until))
    await world.settle()
    assert sum(acks for _, acks in world.commits) <= len(held)
    assert await world.ticks(CONVERSATION) == ((1, 4),)


async def test_acks_in_any_order_lower_nothing(world: World) -> None:
    for n in range(4):
        await world.sent(send(fresh_id(n)))
    held = [row.position for row in await world.rows(BOB)]
    early, late = await world.read(BOB, until=held[1]), await world.read(BOB, since=held[1])
    await world.ack(await world.read(BOB))
    await world.ack(early)
    await world.ack(late)
    assert await world.ticks(CONVERSATION) == ((1, 4),)
    _, cursor = await world.arrival(BOB, 1)
    assert cursor == Cursor(BOB, 1, held[-1])


async def test_a_crash_between_ack_and_watermark_loses_only_time(world: World) -> None:
    for n in range(3):
        await world.sent(send(fresh_id(n)))
    world.timeline.refuses_commits = True
    world.delivery.ack(await world.read(BOB))
    with pytest.raises(Unavailable):
        await world.set_devices(CAROL, 2, 1, 2)
    await world.restart()
    world.timeline.refuses_commits = False
    assert await world.ticks(CONVERSATION) == ()
    _, cursor = await world.arrival(BOB, 1)
    assert cursor.acked == 0
    await world.ack(await world.read(BOB, since=cursor.acked))
    assert await world.ticks(CONVERSATION) == ((1, 3),)


async def test_watermarks_are_told_only_to_members(world: World) -> None:
    await world.sent(send(fresh_id(1)))
    await world.ack(await world.read(BOB))
    assert await world.delivery.watermarks([CONVERSATION], CAROL) == []
    assert await world.delivery.watermarks([b"no such conversation"], ALICE) == []
    assert await world.ticks(CONVERSATION, BOB) == ()


async def test_an_ack_in_an_unknown_conversation_begins_where_it_begins(world: World) -> None:
    run = Run(ALICE, 5, 6, 3)
    await world.ack(Committed(BOB, 1, 3, {CONVERSATION: [run]}))
    assert world.delivered == [Delivered(ALICE, CONVERSATION, BOB, ((5, 6),))]


# ---- retention below a cursor


async def test_rows_expired_below_a_cursor_leave_a_hole_and_no_false_tick(world: World) -> None:
    for n in range(3):
        await world.sent(send(fresh_id(n)))
    read_to = (await world.rows(BOB))[1].position
    await world.ack(await world.read(BOB, until=read_to))
    for _ in range(32):
        world.pass_ms(DAY_MS)
        await world.timeline.retain(NOW_MS + _ms(world), 30 * DAY_MS)
    assert await world.rows(BOB) == []
    late = await world.sent(send(fresh_id(9, NOW_MS + _ms(world))))
    assert late.conv_seq == 4
    (row,) = await world.rows(BOB, since=read_to)
    assert row.prev > read_to
    ack = await world.read(BOB, since=read_to)
    assert ack.gap == row.prev
    await world.ack(ack)
    for _ in range(2):
        assert await world.ticks(CONVERSATION) == ((1, 2), (4, 4))
        _, cursor = await world.arrival(BOB, 1)
        assert cursor == Cursor(BOB, 1, row.position, row.prev)
        await world.restart()


def _ms(world: World) -> int:
    return int(world.wall_s * 1000) - NOW_MS


async def test_acks_from_before_and_after_a_resync_are_not_joined_over_it(world: World) -> None:
    for n in range(9):
        await world.sent(send(fresh_id(n)))
    held = [row.position for row in await world.rows(BOB)]
    lost_to = held[6]
    world.delivery.ack(await world.read(BOB, until=held[2]))
    world.delivery.ack(Committed(BOB, 1, lost_to, {}, lost_to))
    world.delivery.ack(await world.read(BOB, since=held[6]))
    await world.settle()
    assert await world.ticks(CONVERSATION) == ((1, 3), (8, 9))


# ---- a store that refuses


async def test_a_refused_commit_leaves_no_trace_and_the_next_one_succeeds(world: World) -> None:
    await world.sent(send(fresh_id(1)))
    world.timeline.refuses_commits = True
    refused = await asyncio.gather(
        world.say(send(fresh_id(2))), world.say(send(fresh_id(3), devices=(9,)))
    )
    assert set(refused) == {Answer("rejected", "unavailable")}
    with pytest.raises(Unavailable):
        await world.set_devices(BOB, 2, 1, 2)
    assert len(await world.rows(BOB)) == 1
    world.timeline.refuses_commits = False
    again = await world.sent(send(fresh_id(2)))
    assert (again.conv_seq, again.sets) == (2, (1, 1))
    entries = [entry for batch in world.timeline.batches for entry in batch.entries]
    assert [entry.position for entry in entries] == [1, 2, 3, 4]
    assert [entry.prev for entry in entries] == [0, 0, 1, 2]


async def test_a_refused_read_is_unavailable_too() -> None:
    async with running() as world:
        await world.restart()
        world.timeline.refuses_loads = True
        assert await world.say(send(fresh_id(1))) == Answer("rejected", "unavailable")
        world.timeline.refuses_loads = False
        await world.sent(send(fresh_id(1)))


async def test_acks_wait_for_a_store_that_refuses_and_are_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inline, "_RETRY_S", 0.01)
    async with running() as world:
        for n in range(2):
            await world.sent(send(fresh_id(n)))
        held = [row.position for row in await world.rows(BOB)]
        world.timeline.refuses_commits = True
        world.heard.clear()
        world.delivery.ack(await world.read(BOB))
        assert (await world.say(send(fresh_id(9)))).code == "unavailable"
        world.delivery.ack(Committed(BOB, 1, held[0], {}))
        assert world.delivered == []
        world.timeline.refuses_commits = False
        async with asyncio.timeout(5):
            await world.heard.wait()
        assert world.delivered == [Delivered(ALICE, CONVERSATION, BOB, ((1, 2),))]
        assert await world.arrival(BOB, 1) == (held[1], Cursor(BOB, 1, held[1]))


async def test_an_ack_rides_with_the_next_message() -> None:
    async with running(config=DeliveryConfig(ack_wait_s=60)) as world:
        await world.sent(send(fresh_id(1)))
        world.commits.clear()
        world.delivery.ack(await world.read(BOB))
        await asyncio.sleep(0)
        assert world.commits == []
        await world.sent(send(fresh_id(2)))
        assert world.commits == [(1, 1)]


async def test_an_ack_that_no_message_comes_for_is_committed_alone() -> None:
    async with running(config=DeliveryConfig(ack_wait_s=0.001)) as world:
        await world.sent(send(fresh_id(1)))
        world.heard.clear()
        world.delivery.ack(await world.read(BOB))
        await world.heard.wait()
        assert world.commits[-1] == (0, 1)


async def test_a_stop_does_not_wait_for_acks_that_the_store_refuses() -> None:
    async with running() as world:
        world.timeline.refuses_commits = True
        world.delivery.ack(Committed(BOB, 1, 1, {}))
        async with asyncio.timeout(5):
            await world.restart()
        world.timeline.refuses_commits = False


async def test_whoever_stopped_waiting_for_a_set_change_harms_nobody(world: World) -> None:
    for refuses in (False, True):
        world.timeline.refuses_commits = refuses
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await world.set_devices(BOB, 3 if refuses else 2, 1, 2)
        with suppress(Unavailable):
            await world.settle()
    world.timeline.refuses_commits = False
    assert (await world.say(send(fresh_id(1)))).sets == (2, 1)


async def test_a_full_disk_refuses_and_recovers_in_place(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        first = await world.sent(send(fresh_id(1)))
        await _limit_pages(world, 2)
        big = send(fresh_id(2))
        big.parts = [Part(1, 2, bytes(100_000))]
        assert await world.say(big) == Answer("rejected", "unavailable")
        assert await world.say(send(fresh_id(1))) == Answer("repeated", accepted=first)
        await _limit_pages(world, 1 << 20)
        assert (await world.sent(big)).conv_seq == 2
        held = await world.rows(BOB)
        assert [row.prev for row in held] == [0, held[0].position]


async def _limit_pages(world: World, spare: int) -> None:
    assert world._database is not None

    def limit(connection: apsw.Connection) -> None:
        count = connection.execute("PRAGMA page_count").get
        connection.execute(f"PRAGMA max_page_count = {count + spare}")

    await world._database.write(limit)


# ---- mailboxes and epochs


async def test_a_device_that_arrives_hears_its_head_and_its_cursor(world: World) -> None:
    assert await world.arrival(CAROL, 1) == (0, Cursor(CAROL, 1))
    await world.sent(send(fresh_id(1), to=CAROL))
    (row,) = await world.rows(CAROL)
    await world.ack(await world.read(CAROL))
    expected = (row.position, Cursor(CAROL, 1, row.position))
    for _ in range(2):
        assert await world.arrival(CAROL, 1) == expected
        await world.restart()


async def test_a_device_that_is_not_listed_does_not_arrive(world: World) -> None:
    for _ in range(2):
        assert await world.delivery.arrival(CAROL, 2) is None
        assert await world.delivery.arrival(STRANGER, 1) is None
        await world.restart()


@pytest.mark.parametrize(
    ("forgotten", "missing"),
    [("sets", "cursors"), ("mailboxes", "cursors"), ("cursors", "mailboxes")],
)
async def test_what_is_forgotten_while_a_device_arrives_is_still_told(
    forgotten: str, missing: str
) -> None:
    async with running() as world:
        await world.sent(send(fresh_id(1)))
        await world.ack(await world.read(BOB))
        expected = await world.arrival(BOB, 1)
        memory = world.delivery.memory
        getattr(memory, missing).clear()  # so that it must read

        class Forgets(Faulty):
            async def load(self, wanted: Wanted) -> Loaded:
                getattr(memory, forgotten).clear()
                return await super().load(wanted)

        world.delivery._timeline = Forgets(world.timeline)
        assert await world.arrival(BOB, 1) == expected


async def test_many_cursors_above_the_head_raise_the_epoch_once(world: World) -> None:
    await world.sent(send(fresh_id(1)))
    await world.delivery.raise_epoch(2)
    assert world.delivery.epoch == 0
    await asyncio.gather(*(world.delivery.raise_epoch(100 + n) for n in range(40)))
    assert world.delivery.epoch == 1
    await world.delivery.raise_epoch((3 << 48) + 5)
    assert world.delivery.epoch == 4
    await world.sent(send(fresh_id(2)))
    await world.restart()
    assert world.delivery.epoch == 4
    await world.sent(send(fresh_id(3)))
    held = await world.rows(BOB)
    assert [row.prev for row in held] == [0, *(row.position for row in held[:-1])]
    assert held[1].position > 4 << 48


async def test_an_epoch_raised_during_a_commit_is_not_forgotten() -> None:
    class Slow(Faulty):
        async def commit(self, batch: Batch) -> None:
            await asyncio.sleep(0)
            await super().commit(batch)

    async with running() as world:
        slow = Slow(world.timeline)
        world.delivery._timeline = slow
        answer = world.say(send(fresh_id(1)))
        await asyncio.sleep(0)
        await world.delivery.raise_epoch(1 << 20)
        await answer
        await world.sent(send(fresh_id(2)))
        positions = [row.position for row in await world.rows(BOB)]
        assert positions[-1] > 1 << 48
