"""Groups in the driver: rosters, one body, a row for every member, ticks, and what may be asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.backends.people import blob
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    DAY_MS,
    GROUP,
    NOW_MS,
    device_set,
    fresh_id,
    mailbox_of,
    roster_of,
    send,
    to_all,
)
from tests.server.services.delivery.world import Answer, World, running

from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.ports import Unavailable
from linnet.server.ports.timeline import Entry, Roster, Seat
from linnet.server.services.delivery.asked import GroupMessages
from linnet.server.services.delivery.view import view
from linnet.wire.frames import SENDER_KEY, Deliver, Own, Row

pytestmark = pytest.mark.timeout(20)
THREE = roster_of(1, ALICE=(1, 2), BOB=(1,), CAROL=(1,))


@pytest.fixture(params=["memory", "sqlite"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path if request.param == "sqlite" else None) as made:
        await made.delivery.change_roster(THREE)
        yield made


def numbers(rows: list[Entry]) -> list[int]:
    return [row.accepted.conv_seq for row in rows]


# ---- rows


async def test_a_message_is_one_body_and_a_row_for_every_member(world: World) -> None:
    accepted = await world.sent(to_all(fresh_id(1), body=b"hello"))
    assert (accepted.conv_seq, accepted.roster, accepted.sets) == (1, 1, None)
    for account in (ALICE, BOB, CAROL):
        (row,) = await world.rows(account)
        assert row.accepted == accepted
        assert row.prev == 0
    (spread,) = world.timeline.batches[-1].spreads
    assert spread.body == b"hello"
    assert world.timeline.batches[-1].entries == []


async def test_a_commit_takes_only_so_many_rows_of_groups() -> None:
    async with running(config=DeliveryConfig(batch_rows=7)) as world:
        await world.delivery.change_roster(THREE)
        before = len(world.timeline.batches)
        frames = [to_all(fresh_id(n)) for n in range(5)] + [send(fresh_id(5))]
        answers = await asyncio.gather(*(world.say(frame) for frame in frames))
        assert [answer.kind for answer in answers] == ["sent"] * 6
        taken = [len(batch.spreads) for batch in world.timeline.batches[before:]]
        assert taken == [2, 2, 1]
        assert numbers(await world.rows(CAROL)) == [1, 2, 3, 4, 5]


async def test_a_group_of_more_rows_than_a_commit_takes_is_written_to_all_the_same() -> None:
    async with running(config=DeliveryConfig(batch_rows=2)) as world:
        await world.delivery.change_roster(THREE)
        frames = [send(fresh_id(0)), *(to_all(fresh_id(n)) for n in range(1, 3))]
        answers = await asyncio.gather(*(world.say(frame) for frame in frames))
        assert [answer.kind for answer in answers] == ["sent"] * 3


async def test_own_devices_see_it_as_a_message_and_the_sending_one_as_its_own(
    world: World,
) -> None:
    await world.sent(to_all(fresh_id(1), body=b"hello"))
    (mine,), (hers,) = await world.rows(ALICE), await world.rows(BOB)
    assert isinstance(view(mine, ALICE, 1), Own)
    for shown in (view(mine, ALICE, 2), view(hers, BOB, 1)):
        assert isinstance(shown, Deliver)
        assert (shown.kind, shown.ciphertext, shown.roster) == (SENDER_KEY, b"hello", 1)
    # A device that the roster did not name has nothing there.
    assert isinstance(view(hers, BOB, 2), Row)


async def test_groups_and_others_share_one_numbering_of_a_mailbox(world: World) -> None:
    answers = []
    for n in range(12):
        frame = to_all(fresh_id(n)) if n % 3 else send(fresh_id(n))
        answers.append(world.say(frame))
    assert {(await answer).kind for answer in answers} == {"sent"}
    for account in (ALICE, BOB, CAROL):
        rows = await world.rows(account)
        assert [row.prev for row in rows] == [0, *(row.position for row in rows[:-1])]
        of_group = [row for row in rows if row.accepted.conversation == GROUP]
        assert numbers(of_group) == list(range(1, 9))
    assert len(await world.rows(BOB)) == 12
    assert len(await world.rows(CAROL)) == 8


async def test_numbering_rows_and_rosters_survive_a_crash(world: World) -> None:
    for n in range(30):  # over a fold and a roll
        await world.sent(to_all(fresh_id(n)))
    await world.restart()
    await world.sent(send(fresh_id(40)))
    accepted = await world.sent(to_all(fresh_id(41)))
    assert accepted.conv_seq == 31
    for account in (ALICE, BOB, CAROL):
        rows = await world.rows(account)
        assert [row.prev for row in rows] == [0, *(row.position for row in rows[:-1])]
        assert numbers([it for it in rows if it.accepted.conversation == GROUP]) == [*range(1, 32)]
    stale = await world.say(to_all(fresh_id(42), 2))
    assert stale.code == "group_changed"


async def test_a_repeat_is_answered_from_what_is_stored(world: World) -> None:
    first = await world.sent(to_all(fresh_id(1)))
    for _ in range(2):
        again = await world.say(to_all(fresh_id(1), 9))
        assert (again.kind, again.accepted) == ("repeated", first)
        await world.restart()
    assert numbers(await world.rows(BOB)) == [1]


async def test_a_refused_commit_leaves_no_trace_and_the_same_id_is_accepted_later(
    world: World,
) -> None:
    world.timeline.refuses_commits = True
    assert (await world.say(to_all(fresh_id(1)))).code == "unavailable"
    with pytest.raises(Unavailable):
        await world.delivery.change_roster(roster_of(2, ALICE=(1,)))
    world.timeline.refuses_commits = False
    assert (await world.sent(to_all(fresh_id(1)))).conv_seq == 1
    assert len(await world.rows(BOB)) == 1


async def test_what_memory_has_forgotten_is_read_again() -> None:
    async with running(config=DeliveryConfig(cached=2)) as world:
        await world.delivery.change_roster(THREE)
        for n in range(6):
            assert (await world.sent(to_all(fresh_id(n)))).conv_seq == n + 1
        assert not world.delivery.memory.groups
        rows = await world.rows(CAROL)
        assert [row.prev for row in rows] == [0, *(row.position for row in rows[:-1])]


# ---- rosters


async def test_roster_7_retried_after_8_changes_nothing(world: World) -> None:
    await world.delivery.change_roster(roster_of(7, ALICE=(1,), BOB=(1,)))
    await world.delivery.change_roster(roster_of(8, ALICE=(1,), CAROL=(1,)))
    world.regrouped.clear()
    await world.delivery.change_roster(roster_of(7, ALICE=(1,), BOB=(1,)))
    await world.delivery.change_roster(roster_of(8, ALICE=(1,), BOB=(1,)))
    assert world.regrouped == []
    answer = await world.say(to_all(fresh_id(1), 7))
    assert answer == Answer("rejected", "group_changed", roster=8)
    await world.sent(to_all(fresh_id(1), 8))
    assert await world.rows(BOB) == []
    await world.restart()
    await world.delivery.change_roster(roster_of(7, ALICE=(1,), BOB=(1,)))
    assert (await world.say(to_all(fresh_id(2), 8))).kind == "sent"


async def test_what_is_placed_after_a_removal_never_reaches_the_removed(world: World) -> None:
    before = [world.say(to_all(fresh_id(n))) for n in range(3)]
    await before[0]
    before += [world.say(to_all(fresh_id(n))) for n in range(20, 23)]
    gone = asyncio.gather(world.delivery.change_roster(roster_of(2, ALICE=(1,), CAROL=(1,))))
    await asyncio.sleep(0)
    after = [world.say(to_all(fresh_id(n), n % 3)) for n in range(3, 12)]
    await gone
    answers = [await it for it in (*before, *after)]
    accepted = [it.accepted for it in answers if it.accepted is not None]
    assert {it.roster for it in accepted} == {1, 2}
    reached = {row.accepted.id for row in await world.rows(BOB)}
    for it in accepted:
        assert (it.id in reached) == (it.roster < 2)
    assert [it.conv_seq for it in accepted] == list(range(1, len(accepted) + 1))
    assert {row.accepted.id for row in await world.rows(CAROL)} == {it.id for it in accepted}


async def test_the_removed_may_not_send_but_hears_of_its_removal(world: World) -> None:
    await world.delivery.change_roster(roster_of(2, ALICE=(1,)))
    (told,) = world.regrouped[1:]
    assert (told.roster, sorted(told.accounts)) == (2, sorted((ALICE, BOB, CAROL)))
    assert (await world.say(to_all(fresh_id(1), 2), BOB)).code == "not_member"
    # The refusal is no outcome: back in the group, the same id is accepted.
    await world.delivery.change_roster(roster_of(3, ALICE=(1,), BOB=(1,)))
    await world.sent(to_all(fresh_id(1), 3), BOB)


async def test_a_message_that_overtakes_the_roster_that_brings_its_sender_is_tried_again(
    world: World,
) -> None:
    stranger = blob("account", 9)
    assert (await world.say(to_all(fresh_id(1), 2), stranger)).code == "not_member"
    seats = (*THREE.seats, Seat(stranger, mailbox_of(stranger), 1, (1,)))
    await world.delivery.change_roster(Roster(GROUP, 2, 2, b"h" * 32, seats))
    await world.sent(to_all(fresh_id(1), 2), stranger)
    assert numbers(await world.rows(stranger)) == [1]


async def test_a_link_and_a_group_add_at_once_reach_both_devices_from_one_number_on(
    world: World,
) -> None:
    dan = blob("account", 9)
    await world.sent(to_all(fresh_id(1)))
    seats = (*THREE.seats, Seat(dan, mailbox_of(dan), 2, (1, 2)))
    await asyncio.gather(
        world.delivery.change_set(device_set(dan, 2, (1, 2))),
        world.delivery.change_roster(Roster(GROUP, 2, 2, b"h" * 32, seats)),
    )
    await world.sent(to_all(fresh_id(2), 2))
    (row,) = await world.rows(dan)
    for device in (1, 2):
        shown = view(row, dan, device)
        assert isinstance(shown, Deliver)
        assert shown.conv_seq == 2
        found = await world.delivery.group_messages(GROUP, dan, device, 1, 2)
        assert found.not_entitled == [(1, 1)]


async def test_a_roster_with_one_seat_twice_is_a_bug_and_is_refused(world: World) -> None:
    twice = Roster(GROUP, 2, 2, b"h" * 32, (THREE.seats[0], THREE.seats[0]))
    with pytest.raises(ValueError, match="twice"):
        await world.delivery.change_roster(twice)


async def test_a_group_that_everybody_left_takes_nothing(world: World) -> None:
    await world.delivery.change_roster(roster_of(2))
    assert (await world.say(to_all(fresh_id(1), 2))).code == "not_member"


# ---- ticks


async def ticks(world: World, account: bytes, asker: bytes = ALICE) -> object:
    told = await world.delivery.watermarks([GROUP], asker)
    return {it.account: it.intervals for it in told}[account]


async def test_every_sender_an_ack_covers_is_told_what_the_member_has(world: World) -> None:
    await world.sent(to_all(fresh_id(1)))
    await world.sent(to_all(fresh_id(2)), BOB)
    await world.sent(to_all(fresh_id(3)), CAROL)
    await world.ack(await world.read(CAROL))
    told = {(it.to, it.account): (it.intervals, it.group) for it in world.delivered}
    # What lies between was the device's own, or is still to come.
    assert told == {(to, CAROL): (((1, 2),), True) for to in (ALICE, BOB)}
    assert await ticks(world, CAROL) == ((1, 2),)
    assert await ticks(world, BOB) == ()


async def test_ticks_are_for_members_alone(world: World) -> None:
    await world.sent(to_all(fresh_id(1)))
    await world.delivery.change_roster(roster_of(2, ALICE=(1,), CAROL=(1,)))
    assert await world.delivery.watermarks([GROUP], BOB) == []
    assert await world.delivery.watermarks([GROUP], blob("account", 9)) == []
    assert await ticks(world, BOB) == ()


async def test_nobody_has_committed_what_came_while_it_was_out(world: World) -> None:
    for n in range(2):
        await world.sent(to_all(fresh_id(n)))
    await world.delivery.change_roster(roster_of(2, ALICE=(1,), CAROL=(1,)))
    for n in range(2, 5):
        await world.sent(to_all(fresh_id(n), 2))
    await world.delivery.change_roster(roster_of(3, ALICE=(1,), BOB=(1,), CAROL=(1,)))
    await world.sent(to_all(fresh_id(5), 3))
    await world.ack(await world.read(BOB))
    assert await ticks(world, BOB) == ((1, 2), (6, 6))
    assert world.delivered[-1].intervals == ((1, 2), (6, 6))
    await world.restart()
    await world.sent(to_all(fresh_id(6), 3))
    await world.ack(await world.read(BOB))
    assert await ticks(world, BOB) == ((1, 2), (6, 7))


async def test_a_device_linked_later_claims_nothing_from_before_it(world: World) -> None:
    await world.sent(to_all(fresh_id(1)))
    await world.set_devices(BOB, 2, 1, 2)
    await world.delivery.change_roster(roster_of(2, ALICE=(1, 2), BOB=(1, 2), CAROL=(1,)))
    await world.sent(to_all(fresh_id(2), 2))
    await world.ack(await world.read(BOB, device=2))
    assert await ticks(world, BOB) == ((2, 2),)


# ---- by number


async def test_messages_are_found_by_number_as_far_as_they_were_for_the_device(
    world: World,
) -> None:
    for n in range(2):
        await world.sent(to_all(fresh_id(n), body=b"%d" % n))
    await world.delivery.change_roster(roster_of(2, ALICE=(1,), CAROL=(1,)))
    await world.sent(to_all(fresh_id(2), 2))
    await world.delivery.change_roster(roster_of(3, ALICE=(1,), BOB=(1, 2)))
    await world.sent(to_all(fresh_id(3), 3, body=b"3"))
    ask = world.delivery.group_messages
    found = await ask(GROUP, BOB, 1, 1, 99)
    assert numbers(found.rows) == [1, 2, 4]
    assert (found.not_entitled, found.expired) == ([(3, 3)], [])
    shown = view(found.rows[-1], BOB, 1)
    assert isinstance(shown, Deliver)
    assert (shown.position, shown.prev, shown.ciphertext) == (0, 0, b"3")
    second = await ask(GROUP, BOB, 2, 0, 4)
    assert (numbers(second.rows), second.not_entitled) == ([4], [(1, 3)])
    assert numbers((await ask(GROUP, CAROL, 1, 2, 9)).rows) == [2, 3]
    assert isinstance(view((await ask(GROUP, ALICE, 1, 1, 1)).rows[0], ALICE, 1), Own)


async def test_strangers_and_unknown_groups_are_told_nothing(world: World) -> None:
    await world.sent(to_all(fresh_id(1)))
    stranger = await world.delivery.group_messages(GROUP, blob("account", 9), 1, 1, 1)
    assert stranger == GroupMessages([], [(1, 1)], [])
    unlisted = await world.delivery.group_messages(GROUP, BOB, 3, 1, 1)
    assert unlisted == GroupMessages([], [(1, 1)], [])
    nowhere = await world.delivery.group_messages(b"nowhere" * 2, BOB, 1, 1, 9)
    assert nowhere == GroupMessages([], [], [])


async def test_what_is_not_kept_any_more_has_expired(world: World) -> None:
    for n in range(30):
        await world.sent(to_all(fresh_id(n)))
    world.pass_ms(DAY_MS)
    for n in range(30, 34):
        await world.sent(to_all(fresh_id(n, NOW_MS + DAY_MS)))
    for day in range(1, 33):
        await world.timeline.retain(NOW_MS + day * DAY_MS, 30 * DAY_MS)
    found = await world.delivery.group_messages(GROUP, BOB, 1, 1, 40)
    (gone,) = found.expired
    assert gone[0] == 1
    assert numbers(found.rows) == list(range(gone[1] + 1, 35))
    assert found.not_entitled == []


async def test_a_page_by_number_ends_where_it_is_full(world: World) -> None:
    for n in range(12):
        await world.sent(to_all(fresh_id(n), body=bytes(120_000)))
    first = await world.delivery.group_messages(GROUP, BOB, 1, 1, 12)
    assert 1 <= len(first.rows) < 12
    assert (first.not_entitled, first.expired) == ([], [])
    rest = await world.delivery.group_messages(GROUP, BOB, 1, numbers(first.rows)[-1] + 1, 12)
    assert numbers([*first.rows, *rest.rows]) == list(range(1, 13))
