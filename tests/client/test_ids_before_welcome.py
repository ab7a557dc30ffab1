"""Ids of what is written before this run's `welcome`, where the clock was set meanwhile."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.client.post_office import START_MS, Clockwork, Device

from linnet.client import facts, outbox
from linnet.client.facts import Clock, Welcomed
from linnet.wire.ids import message_time_ms

DAY_MS = 86_400_000


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    made = await Device.make(tmp_path, 1, Clockwork())
    yield made
    await made.store.close()


async def last_welcome(device: Device, at_ms: int = START_MS) -> None:
    """The run before was told this time, on a machine that is a minute late."""
    await device.store.write(lambda db: facts.put(db, Clock(offset_ms=60_000)))
    await device.store.write(lambda db: facts.put(db, Welcomed(server_ms=at_ms, here=True)))


async def id_time_ms(device: Device, now_ms: int) -> int:
    rng = random.Random(9).randbytes
    return message_time_ms(await device.store.read(lambda db: outbox.new_id(db, now_ms, rng)))


@pytest.mark.parametrize("days", [-400, -40, -1, 1, 10, 19])
async def test_before_the_welcome_the_last_one_tells_the_time(device: Device, days: int) -> None:
    await last_welcome(device)
    await device.store.write(outbox.opened)
    assert await id_time_ms(device, START_MS + days * DAY_MS) == START_MS


@pytest.mark.parametrize("days", [20, 40])
async def test_who_was_away_for_long_goes_by_the_own_clock(device: Device, days: int) -> None:
    await last_welcome(device)
    await device.store.write(outbox.opened)
    now_ms = START_MS + days * DAY_MS
    assert await id_time_ms(device, now_ms) == now_ms + 60_000


async def test_from_the_welcome_on_the_clock_is_right(device: Device) -> None:
    await last_welcome(device)
    now_ms = START_MS + DAY_MS
    assert await id_time_ms(device, now_ms) == now_ms + 60_000


async def test_without_any_welcome_there_is_only_the_own_clock(device: Device) -> None:
    await device.store.write(outbox.opened)
    assert await id_time_ms(device, START_MS + DAY_MS) == START_MS + DAY_MS
