"""Rosters follow members and devices, whatever is interrupted and whoever comes between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from tests.server.services.reached import ANN, BEN, CAT, GROUP, Chance, Crash, Fate, Town

from linnet.server.ports.timeline import Roster


@pytest.fixture
async def town() -> Town:
    town = Town()
    await town.settle()
    return town


async def test_a_roster_says_where_the_log_was_and_who_has_which_devices(town: Town) -> None:
    rosters, _ = town.process(Fate())
    await town.lists(BEN, 2, 1, 3)
    await town.members(ANN, BEN)
    await rosters.carry()
    roster = town.delivery.rosters[GROUP]
    head = await town.groups.head(GROUP)
    assert head is not None
    assert (roster.number, roster.version, roster.hash) == (1, head.version, head.hash)
    assert head.roster == 1
    seats = {seat.account: (seat.set, seat.devices) for seat in roster.seats}
    assert seats == {ANN: (1, (1,)), BEN: (2, (1, 3))}
    assert [seat.account for seat in roster.seats] == sorted(seats)
    listing = await town.accounts.get(ANN)
    assert listing is not None
    assert listing.mailbox in {seat.mailbox for seat in roster.seats}


async def test_a_set_change_is_in_the_roster_before_it_is_forgotten(town: Town) -> None:
    _, relay = town.process(Fate())
    await town.members(ANN, BEN)
    await relay.carry()
    await town.lists(BEN, 2, 1, 2)
    await relay.carry()
    assert town.reached() == {ANN: (1,), BEN: (1, 2)}
    await town.lists(BEN, 3, 2)
    await relay.carry()
    assert town.reached() == {ANN: (1,), BEN: (2,)}
    assert await town.is_quiet()


async def test_what_changes_nothing_makes_no_roster(town: Town) -> None:
    rosters, _ = town.process(Fate())
    await town.members(ANN, BEN)
    await rosters.carry()
    await rosters.sets_changed([ANN, BEN])
    await rosters.sets_changed([CAT])
    assert town.delivery.rosters[GROUP].number == 1
    assert await town.is_quiet()


async def test_numbers_rise_and_versions_never_fall(town: Town) -> None:
    rosters, relay = town.process(Fate())
    seen: list[Roster] = []
    for number, members in enumerate([(ANN,), (ANN, BEN), (ANN,), (ANN, CAT)], start=2):
        await town.members(*members)
        await rosters.carry()
        seen.append(town.delivery.rosters[GROUP])
        await town.lists(ANN, number, 1, number)
        await relay.carry()
        seen.append(town.delivery.rosters[GROUP])
    assert [roster.number for roster in seen] == list(range(1, 9))
    assert [roster.version for roster in seen] == [1, 1, 2, 2, 3, 3, 4, 4]


async def test_the_newest_roster_is_settled_before_it_is_told(town: Town) -> None:
    rosters, _ = town.process(Fate())
    await town.members(ANN)
    roster = await rosters.newest(GROUP)
    assert roster == town.delivery.rosters[GROUP]
    assert await town.is_quiet()
    assert await rosters.newest(bytes(16)) is None


async def test_many_groups_are_carried_in_one_call(town: Town) -> None:
    for number in range(250):
        town.rosters.mark(number.to_bytes(16, "big"))
    await town.members(ANN)
    rosters, _ = town.process(Fate())
    await rosters.carry()
    assert town.reached() == {ANN: (1,)}
    assert not await town.rosters.marks(9)


# ---- crashes


async def story(town: Town, done: int, fate: Fate) -> int:
    """A group is made, Ben links a laptop, Cat is added, Ann is removed, Ben revokes his phone.

    Goes on after the `done`th chapter; tells how far it came. A commit and what a process does
    after it are apart, so that a crash lies between them too.
    """
    rosters, relay = town.process(fate)
    chapters: list[tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]] = [
        (lambda: town.members(ANN, BEN), rosters.carry),
        (lambda: town.lists(BEN, 2, 1, 2), relay.carry),
        (lambda: town.members(ANN, BEN, CAT), rosters.carry),
        (lambda: town.members(BEN, CAT), rosters.carry),
        (lambda: town.lists(BEN, 3, 2), relay.carry),
    ]
    try:
        for commit, carry in chapters[done:]:
            await commit()
            done += 1
            await carry()
            assert await town.is_quiet()
    except Crash:
        pass
    return done


async def start(town: Town, fate: Fate) -> None:
    """What a process does before it serves."""
    rosters, relay = town.process(fate)
    await relay.carry()
    await rosters.carry()


async def test_a_crash_anywhere_loses_nothing() -> None:
    whole = Fate()
    town = Town()
    await town.settle()
    await story(town, 0, whole)
    assert town.reached() == {BEN: (2,), CAT: (1,)}
    for at in range(1, whole.steps + 1):
        town = Town()
        await town.settle()
        done = await story(town, 0, Fate(at))
        await start(town, Fate())
        assert await town.is_quiet(), at
        await agrees(town)
        assert await story(town, done, Fate()) == 5
        assert town.reached() == {BEN: (2,), CAT: (1,)}, at


async def test_a_crash_while_recovering_from_one_loses_nothing() -> None:
    for at in range(1, 60, 7):
        steps = 1
        while True:
            town = Town()
            await town.settle()
            await story(town, 0, Fate(at))
            try:
                await start(town, Fate(steps))
            except Crash:
                steps += 1
                await start(town, Fate())
                await agrees(town)
            else:
                break


async def agrees(town: Town) -> None:
    """Delivery reaches exactly the members as committed, by their devices as committed."""
    if GROUP not in town.delivery.rosters:
        assert await town.groups.head(GROUP) is None
        return
    expected = {}
    for who in town.now:
        held = await town.devices.newest(who)
        assert held is not None
        expected[who] = {1: (1,), 2: (1, 2), 3: (2,)}[held.set]
    assert town.reached() == expected


# ---- at once


@pytest.mark.parametrize("first_seed", range(0, 200, 50))
async def test_a_link_and_an_addition_at_once_end_with_both(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 50):
        town = Town()
        await town.settle()
        chance = Chance(random.Random(seed))
        rosters, relay = town.process(chance)
        await town.members(ANN)
        await rosters.carry()

        await asyncio.gather(
            _in_turn(chance.step(), town.lists(BEN, 2, 1, 2), relay.carry()),
            _in_turn(chance.step(), town.members(ANN, BEN), rosters.carry()),
        )
        assert town.reached() == {ANN: (1,), BEN: (1, 2)}, seed
        assert await town.is_quiet(), seed


@pytest.mark.parametrize("first_seed", range(0, 200, 50))
async def test_two_processes_that_make_rosters_at_once_lose_nothing(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 50):
        town = Town()
        await town.settle()
        chance = Chance(random.Random(seed))
        one, other = town.process(chance), town.process(chance)
        await town.members(ANN, BEN)
        await asyncio.gather(one[0].carry(), other[0].carry())
        await asyncio.gather(
            _in_turn(*(chance.step() for _ in "12345"), town.lists(BEN, 2, 1, 2), one[1].carry()),
            _in_turn(chance.step(), town.members(ANN, BEN, CAT), other[0].carry()),
            _in_turn(chance.step(), town.lists(ANN, 2, 1, 4), other[1].carry()),
        )
        assert town.reached() == {ANN: (1, 4), BEN: (1, 2), CAT: (1,)}, seed
        assert await town.rosters.newest(GROUP) == town.delivery.rosters[GROUP], seed


async def _in_turn(*steps: Awaitable[object]) -> None:
    for step in steps:
        await step
