"""Contract of port `groups`."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.backends.conftest import Stores
from tests.backends.logs import ANN, BEN, CAT, roster, step
from tests.backends.people import blob

from linnet.server.ports.groups import Folded, Groups, Head, Membership, Step
from linnet.server.ports.rosters import Mark

GROUP = blob("group", 0)
FIRST = step(1, joined=(ANN, BEN))
MUCH = 1 << 20


@pytest.fixture
async def groups(stores: Stores) -> Groups:
    assert await stores.groups.create(FIRST)
    return stores.groups


async def grown(groups: Groups, until: int, size: int = 100) -> list[Step]:
    """Append entries up to version `until`, two to a list."""
    steps = [FIRST]
    for version in range(2, until + 1):
        steps.append(step(version, steps[-1], cites=version // 2, size=size))
        assert await groups.append(steps[-1])
    return steps


async def test_a_group_stands_where_its_first_entry_left_it(groups: Groups) -> None:
    head = Head(GROUP, 1, FIRST.entry.hash, 0)
    assert await groups.get(GROUP) == Folded(head, FIRST.state)
    assert await groups.head(GROUP) == head
    assert await groups.entry(GROUP, 1) == FIRST.entry


async def test_making_the_same_group_twice_makes_one(groups: Groups, stores: Stores) -> None:
    (mark,) = await stores.rosters.marks(9)
    await stores.rosters.clear(mark)
    second = step(2, FIRST)
    await groups.append(second)
    (mark,) = await stores.rosters.marks(9)
    signed_again = replace(FIRST, entry=replace(FIRST.entry, sig=bytes(64)))
    assert await groups.create(signed_again)
    assert (await groups.entry(GROUP, 1)) == FIRST.entry
    assert await groups.head(GROUP) == Head(GROUP, 2, second.entry.hash, 0)
    assert await stores.rosters.marks(9) == [mark]


async def test_an_id_names_one_group(groups: Groups) -> None:
    assert not await groups.create(step(1, name="other"))
    assert await groups.entry(GROUP, 1) == FIRST.entry


async def test_an_entry_moves_the_head(groups: Groups) -> None:
    second = step(2, FIRST)
    assert await groups.append(second)
    assert await groups.get(GROUP) == Folded(Head(GROUP, 2, second.entry.hash, 0), second.state)
    assert await groups.entry(GROUP, 1) == FIRST.entry


async def test_of_two_entries_at_once_one_wins(groups: Groups) -> None:
    mine, theirs = step(2, FIRST, joined=(CAT,)), step(2, FIRST, name="theirs", left=(BEN,))
    won = await asyncio.gather(groups.append(mine), groups.append(theirs))
    assert sorted(won) == [False, True]
    winner = mine if won[0] else theirs
    assert await groups.entry(GROUP, 2) == winner.entry
    folded = await groups.get(GROUP)
    assert folded is not None
    assert folded.state == winner.state
    assert (await groups.membership(GROUP, CAT) is None) != won[0]


async def test_the_identical_entry_again_changes_nothing(groups: Groups, stores: Stores) -> None:
    steps = await grown(groups, 3)
    marks = await stores.rosters.marks(9)
    assert await groups.append(steps[1])
    assert await groups.head(GROUP) == Head(GROUP, 3, steps[2].entry.hash, 0)
    assert await stores.rosters.marks(9) == marks


@pytest.mark.parametrize("version", [1, 3, 7])
async def test_an_entry_that_is_not_the_next_is_refused(groups: Groups, version: int) -> None:
    assert not await groups.append(step(version, FIRST, name="other"))
    assert await groups.head(GROUP) == Head(GROUP, 1, FIRST.entry.hash, 0)


async def test_an_entry_upon_another_is_refused(groups: Groups) -> None:
    assert not await groups.append(step(2, step(1, name="other")))
    assert await groups.entry(GROUP, 2) is None


async def test_a_log_of_no_group_takes_nothing(stores: Stores) -> None:
    assert not await stores.groups.append(step(2, FIRST))
    assert not await stores.groups.append(FIRST)
    assert await stores.groups.get(GROUP) is None
    assert await stores.groups.head(GROUP) is None
    assert await stores.groups.entry(GROUP, 1) is None
    assert await stores.rosters.marks(9) == []


async def test_who_is_in_a_group_follows_its_entries(groups: Groups) -> None:
    assert await groups.membership(GROUP, ANN) == Membership(None)
    assert await groups.membership(GROUP, CAT) is None
    second = step(2, FIRST, joined=(CAT,), left=(BEN,))
    await groups.append(second)
    assert await groups.membership(GROUP, CAT) == Membership(None)
    assert await groups.membership(GROUP, BEN) == Membership(2)
    assert await groups.heads_of(BEN) == []
    await groups.append(step(3, second, joined=(BEN,)))
    assert await groups.membership(GROUP, BEN) == Membership(None)


async def test_an_account_finds_its_groups_by_id(groups: Groups, stores: Stores) -> None:
    other = step(1, group=1, joined=(BEN,))
    await groups.create(other)
    await stores.rosters.write(roster(1, group=1), Mark(other.group, 99))
    heads = sorted(
        [Head(GROUP, 1, FIRST.entry.hash, 0), Head(other.group, 1, other.entry.hash, 1)],
        key=lambda head: head.group,
    )
    assert await groups.heads_of(BEN) == heads
    assert [head.group for head in await groups.heads_of(ANN)] == [GROUP]
    assert await groups.heads_of(CAT) == []


async def test_a_page_holds_the_entries_asked_for_and_their_lists_once(groups: Groups) -> None:
    steps = await grown(groups, 6)
    page = await groups.log(GROUP, 1, 5, 10, MUCH)
    assert [entry.version for entry in page.entries] == [2, 3, 4, 5]
    assert page.entries == [it.entry for it in steps[1:5]]
    assert list(page.lists) == [steps[1].cited, steps[3].cited]
    assert [it.version for it in (await groups.log(GROUP, 1, 6, 2, MUCH)).entries] == [2, 3]


async def test_a_page_is_not_larger_than_asked_but_holds_one(groups: Groups) -> None:
    await grown(groups, 6, size=1000)
    pages = {most: await groups.log(GROUP, 1, 6, 10, most) for most in (1, 2199, 2200, 4400)}
    assert {most: len(page.entries) for most, page in pages.items()} == {
        1: 1,
        2199: 1,
        2200: 2,
        4400: 4,
    }


@pytest.mark.parametrize(("since", "until"), [(6, 6), (7, 6), (2**53 - 1, 6), (0, 0)])
async def test_nothing_after_the_end_is_an_empty_page(
    groups: Groups, since: int, until: int
) -> None:
    await grown(groups, 6)
    page = await groups.log(GROUP, since, until, 10, MUCH)
    assert (list(page.entries), list(page.lists)) == ([], [])


async def test_a_list_that_two_groups_cite_stays_as_it_came_first(groups: Groups) -> None:
    other = step(1, group=1)
    await groups.create(replace(other, cited=replace(other.cited, sig=bytes(64))))
    assert (await groups.log(other.group, 0, 1, 1, MUCH)).lists == [FIRST.cited]


async def test_every_entry_asks_for_a_roster(groups: Groups, stores: Stores) -> None:
    (first,) = await stores.rosters.marks(9)
    assert first.group == GROUP
    await groups.append(step(2, FIRST))
    (second,) = await stores.rosters.marks(9)
    assert second.group == GROUP
    assert second.ticket > first.ticket
