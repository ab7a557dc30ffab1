"""The loss test: a server killed with -9 under load loses, doubles and reorders nothing.

`LINNET_CHAOS_KILLS` says how often it is killed (3; 20 at night), `LINNET_CHAOS_SEED` repeats a
run's choices. A failure prints the seed. docs/guides/loss-test.md has the whole story.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from tests.chaos.checker import check
from tests.chaos.fleet import Fleet
from tests.chaos.history import (
    Changed,
    Gathered,
    Gone,
    History,
    Killed,
    Listed,
    Refused,
    SealedShown,
    Sent,
    Shown,
    Told,
)
from tests.chaos.house import House
from tests.chaos.phone import Broken
from tests.chaos.speakers import Speakers
from tests.chaos.violations import Kind

KILLS = int(os.environ.get("LINNET_CHAOS_KILLS", "3"))
ACCOUNTS = 20
GROUPS = 3
PAUSE_S = 0.1
DRAIN_S = 40.0
SPEAKERS = 3
LOSSES = {Kind.MISSING, Kind.HOLE, Kind.NUMBERS, Kind.CHAIN, Kind.OUTCOME}


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("LINNET_CHAOS_SEED", secrets.randbelow(1 << 32)))


def count(history: History, kind: type) -> int:
    return sum(isinstance(event, kind) for event in history)


async def kill_and_start(house: House, fleet: Fleet, rng: random.Random) -> None:
    """At some moment; now and then again while it starts, and with a device linked meanwhile."""
    await asyncio.sleep(rng.uniform(0.3, 2.0))
    await house.kill()
    fleet.killed()
    if rng.random() < 0.5:
        await fleet.link()
    if rng.random() < 0.3:
        await house.launch()
        await asyncio.sleep(rng.uniform(0.2, 1.0))
        await house.kill()
    await house.open()


async def play(house: House, place: Path, rng: random.Random) -> tuple[History, History]:
    """The whole run; what the phones saw, and what is in the speakers' stores."""
    fleet = Fleet(house, rng, PAUSE_S)
    speakers = Speakers(house, place, rng)
    await fleet.settle(ACCOUNTS)
    await house.open()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        await speakers.register(stack, SPEAKERS)
        fleet.start(tasks)
        await fleet.gather(GROUPS)
        speaking = tasks.create_task(speakers.speak(0.1))
        await asyncio.sleep(1.0)
        for _ in range(KILLS):
            await kill_and_start(house, fleet, rng)
        await asyncio.sleep(1.0)
        await fleet.drain(DRAIN_S)
        await speakers.drain(DRAIN_S)
        encrypted = await speakers.history()
        await fleet.stop()
        speaking.cancel()
    return fleet.history, encrypted


@pytest.mark.slow
@pytest.mark.timeout(120 + 15 * KILLS)
@pytest.mark.parametrize("kind", ["shipped", "tight"])
async def test_nothing_is_lost_when_the_server_is_killed_under_load(
    tmp_path: Path, seed: int, kind: str
) -> None:
    print(f"LINNET_CHAOS_SEED={seed}")  # pytest shows it if this fails
    house = House(tmp_path, kind)
    try:
        history, encrypted = await play(house, tmp_path, random.Random(seed))
    finally:
        await house.close()
    assert check(history) == []
    assert check(encrypted) == []
    assert house.integrity() == ["ok"]
    if os.environ.get("LINNET_CHAOS_SHOW"):
        print({kind.__name__: count(history, kind) for kind in {type(it) for it in history}})
    # It was a real load, or the above says little.
    assert count(history, Killed) == KILLS
    assert count(history, Sent) > 100 * KILLS
    assert count(history, Shown) > 100 * KILLS
    assert count(history, Told) > 10 * KILLS
    assert count(history, Changed) > KILLS
    assert count(history, Gathered) > KILLS
    assert count(history, SealedShown) > KILLS
    assert count(history, Gone) + count(history, Listed) > ACCOUNTS + KILLS
    assert any(isinstance(event, Sent) and event.roster > 1 for event in history)
    assert any(isinstance(event, Refused) and event.code == "group_changed" for event in history)
    assert count(encrypted, Shown) > 5 * KILLS


@pytest.mark.slow
async def test_a_server_that_forgets_is_caught(tmp_path: Path, seed: int) -> None:
    print(f"LINNET_CHAOS_SEED={seed}")
    house = House(tmp_path, "forgetful")
    rng = random.Random(seed)
    fleet = Fleet(house, rng, PAUSE_S)
    await fleet.settle(ACCOUNTS)
    await house.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            fleet.start(tasks)
            await fleet.gather(GROUPS)
            await asyncio.sleep(1.5)
            await kill_and_start(house, fleet, rng)
            with suppress(AssertionError):  # what is lost may be waited for in vain
                await fleet.drain(3.0)
            await fleet.stop()
    except* Broken:
        pass  # a cursor that its store never reached, perhaps
    finally:
        await house.close()
    assert {violation.kind for violation in check(fleet.history)} & LOSSES
