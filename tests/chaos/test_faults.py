"""Faults of a real server under load that are not its death: a full disk, a restored backup."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.chaos.checker import check
from tests.chaos.fleet import Fleet
from tests.chaos.history import (
    Changed,
    Event,
    History,
    Refused,
    Resynced,
    SealedSent,
    Sent,
    Shown,
    Told,
    Tried,
)
from tests.chaos.house import House

ACCOUNTS = 12
GROUPS = 2
DAY_S = 24 * 3600.0
PAUSE_S = 0.1
DRAIN_S = 30.0

pytestmark = pytest.mark.slow


@asynccontextmanager
async def talking(
    house: House, seed: int, groups: int = 0, devices: bool = True
) -> AsyncIterator[Fleet]:
    """A fleet that talks; its server ends with it, in time and without an error. With groups,
    everything else too: sealed letters, devices that come and go."""
    fleet = Fleet(house, random.Random(seed), PAUSE_S)
    await fleet.settle(ACCOUNTS)
    await house.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            fleet.start(tasks)
            if groups:
                await fleet.gather(groups, devices)
            await asyncio.sleep(1.0)
            yield fleet
            await fleet.stop()
    finally:
        await house.close()


async def test_a_full_disk_refuses_by_name_and_loses_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with talking(house, 1, GROUPS) as fleet:
        before = len(fleet.history)
        house.fill_disk()
        await asyncio.sleep(1.0)
        full = fleet.history[before:]
        house.make_room()
        later = len(fleet.history)
        await asyncio.sleep(1.0)
        await fleet.drain(DRAIN_S)
    refused = [event.code for event in full if isinstance(event, Refused)]
    assert refused.count("unavailable") > 10
    assert {type(event) for event in fleet.history[later:]} >= {Sent, SealedSent, Changed}
    assert check(fleet.history) == []
    assert house.integrity() == ["ok"]


async def test_a_clock_that_leaps_loses_and_refuses_nothing(tmp_path: Path) -> None:
    """40 days ahead, then 40 days back, for a moment each: longer than anything is kept. Nobody
    links meanwhile: an offer to link may expire."""
    house = House(tmp_path, "leaping")
    async with talking(house, 3, GROUPS, devices=False) as fleet:
        for leap_s in (40 * DAY_S, -40 * DAY_S, 0.0):
            house.leap(leap_s)
            before = len(fleet.history)
            await asyncio.sleep(0.7)
            assert any(isinstance(event, Sent) for event in fleet.history[before:])
        await fleet.drain(DRAIN_S)
    codes = {event.code for event in fleet.history if isinstance(event, Refused)}
    assert codes <= {"group_changed", "devices_changed", "not_member"}
    assert check(fleet.history) == []
    stamps = [event.server_timestamp for event in fleet.history if isinstance(event, Sent)]
    assert max(stamps) < (time.time() + DAY_S) * 1000
    assert house.integrity() == ["ok"]


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
async def test_what_is_said_after_a_restore_is_not_lost(tmp_path: Path, told: bool) -> None:
    """The backup is the database of a killed server: what came after it is gone from the server.
    Not told of it, the server learns it from the first client that proves a higher head."""
    house = House(tmp_path)
    async with talking(house, 2) as fleet:
        await house.kill()
        house.back_up()
        await house.open()
        await asyncio.sleep(0.8)
        await house.kill()
        await asyncio.sleep(0.5)  # what the dead server said is still being read
        house.restore()
        fleet.restore()
        # Nobody speaks before everybody is back: see docs/guides/loss-test.md.
        fleet.talking = told
        cut = len(fleet.history)
        cursors = [Resynced(phone.device, phone.cursor) for phone in fleet.phones]
        await house.open(*(["--restored"] if told else []))
        await asyncio.sleep(1.0)
        fleet.talking = True
        await asyncio.sleep(0.8)
        await fleet.drain(DRAIN_S)
    later = said_after(fleet.history, cut, cursors)
    assert check(later) == []
    assert sum(isinstance(event, Sent) for event in later) > 100
    assert sum(isinstance(event, Shown) for event in later) > 100
    assert house.integrity() == ["ok"]


def said_after(history: History, cut: int, cursors: Sequence[Resynced]) -> History:
    """What happened since `cut` to messages first said since then. Numbers and ticks from before
    mean nothing any more: the restored store gives the same numbers to other messages."""
    before = {event.id for event in history[:cut] if isinstance(event, Tried)}
    known: list[Event] = [event for event in history[:cut] if not _of_a_message(event)]
    after = [
        event
        for event in history[cut:]
        if not isinstance(event, Told)
        and not (isinstance(event, Tried | Sent | Shown | Refused) and event.id in before)
    ]
    return [*known, *cursors, *after]


def _of_a_message(event: Event) -> bool:
    return hasattr(event, "id") or hasattr(event, "position") or isinstance(event, Told | Resynced)
