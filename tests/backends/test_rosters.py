"""Contract of port `rosters`."""

import asyncio

import pytest
from tests.backends.conftest import Stores
from tests.backends.logs import ANN, BEN, CAT, roster, step
from tests.backends.people import blob

from linnet.server.ports.rosters import Mark, Rosters

ONE, TWO = blob("group", 0), blob("group", 1)
STALE = Mark(ONE, 0)


@pytest.fixture
async def rosters(stores: Stores) -> Rosters:
    """Ann is in two groups, Ben in one, and no mark is set."""
    await stores.groups.create(step(1, joined=(ANN, BEN)))
    await stores.groups.create(step(1, group=1, joined=(ANN,)))
    for mark in await stores.rosters.marks(9):
        await stores.rosters.clear(mark)
    return stores.rosters


async def marked(rosters: Rosters) -> list[bytes]:
    return [mark.group for mark in await rosters.marks(9)]


async def test_a_change_of_an_account_marks_the_groups_it_is_in(rosters: Rosters) -> None:
    await rosters.enqueue([BEN])
    assert await marked(rosters) == [ONE]
    await rosters.enqueue([ANN, BEN])
    assert sorted(await marked(rosters)) == sorted([ONE, TWO])
    await rosters.enqueue([])
    assert len(await marked(rosters)) == 2


async def test_who_is_in_no_group_marks_none(rosters: Rosters, stores: Stores) -> None:
    await stores.groups.append(step(2, step(1), left=(BEN,)))
    for mark in await rosters.marks(9):
        await rosters.clear(mark)
    await rosters.enqueue([BEN, CAT])
    assert await marked(rosters) == []


async def test_marks_come_in_the_order_of_their_tickets(rosters: Rosters) -> None:
    await rosters.enqueue([ANN])
    await rosters.enqueue([BEN])
    marks = await rosters.marks(9)
    assert [mark.group for mark in marks] == [TWO, ONE]
    assert marks[0].ticket < marks[1].ticket
    assert await rosters.marks(1) == marks[:1]


async def test_a_mark_set_again_is_not_cleared_with_the_old_one(rosters: Rosters) -> None:
    await rosters.enqueue([BEN])
    (old,) = await rosters.marks(9)
    await rosters.enqueue([BEN])
    await rosters.clear(old)
    (new,) = await rosters.marks(9)
    assert new.ticket > old.ticket
    await rosters.clear(new)
    assert await rosters.marks(9) == []


async def test_a_ticket_is_not_given_again(rosters: Rosters) -> None:
    await rosters.enqueue([BEN])
    (old,) = await rosters.marks(9)
    await rosters.clear(old)
    await rosters.enqueue([BEN])
    (new,) = await rosters.marks(9)
    assert new.ticket > old.ticket


async def test_a_roster_is_stored_and_its_mark_cleared(rosters: Rosters) -> None:
    await rosters.enqueue([ANN])
    mine = next(mark for mark in await rosters.marks(9) if mark.group == ONE)
    assert await rosters.newest(ONE) is None
    assert await rosters.write(roster(1), mine)
    assert await rosters.newest(ONE) == roster(1)
    assert await marked(rosters) == [TWO]
    assert await rosters.undecided(9) == [roster(1)]


async def test_a_mark_set_while_its_roster_was_made_stays(rosters: Rosters) -> None:
    await rosters.enqueue([BEN])
    (mark,) = await rosters.marks(9)
    await rosters.enqueue([BEN])
    assert await rosters.write(roster(1), mark)
    assert await marked(rosters) == [ONE]


async def test_of_two_rosters_at_once_one_wins(rosters: Rosters) -> None:
    mine, theirs = roster(1), roster(1, devices=(1, 2))
    won = await asyncio.gather(rosters.write(mine, STALE), rosters.write(theirs, STALE))
    assert sorted(won) == [False, True]
    assert await rosters.newest(ONE) == (mine if won[0] else theirs)


async def test_a_roster_that_is_not_the_next_is_refused(rosters: Rosters) -> None:
    assert not await rosters.write(roster(2), STALE)
    assert await rosters.write(roster(1), STALE)
    assert await rosters.write(roster(2), STALE)
    await rosters.enqueue([BEN])
    (mark,) = await rosters.marks(9)
    assert not await rosters.write(roster(2, devices=(3,)), mark)
    assert not await rosters.write(roster(1), mark)
    assert await rosters.newest(ONE) == roster(2)
    assert await marked(rosters) == [ONE]


async def test_the_identical_roster_again_changes_nothing_more(rosters: Rosters) -> None:
    await rosters.write(roster(1), STALE)
    await rosters.decided([roster(1)])
    assert await rosters.write(roster(1), STALE)
    assert await rosters.undecided(9) == []


async def test_a_roster_is_undecided_until_it_is_decided(rosters: Rosters) -> None:
    await rosters.write(roster(1), STALE)
    await rosters.write(roster(1, group=1), Mark(TWO, 0))
    await rosters.decided([roster(1)])
    await rosters.decided([roster(1)])
    assert await rosters.undecided(9) == [roster(1, group=1)]
    assert await rosters.newest(ONE) == roster(1)
    await rosters.write(roster(2), STALE)
    assert len(await rosters.undecided(1)) == 1
    assert len(await rosters.undecided(9)) == 2


async def test_only_the_newest_of_several_is_left_to_decide(rosters: Rosters) -> None:
    for number in (1, 2, 3):
        await rosters.write(roster(number), STALE)
    await rosters.decided([roster(2)])
    assert await rosters.undecided(9) == [roster(3)]
    await rosters.decided([roster(3)])
    await rosters.decided([roster(1)])
    assert await rosters.undecided(9) == []


async def test_a_group_is_settled_without_mark_and_undecided_roster(rosters: Rosters) -> None:
    assert await rosters.is_settled(ONE)
    await rosters.enqueue([BEN])
    assert not await rosters.is_settled(ONE)
    assert await rosters.is_settled(TWO)
    (mark,) = await rosters.marks(9)
    await rosters.write(roster(1), mark)
    assert not await rosters.is_settled(ONE)
    await rosters.decided([roster(1)])
    assert await rosters.is_settled(ONE)
