"""A machine whose clock was set between two runs, against the real server."""

import time

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.waiting import wait_for

from linnet.client import Client, ClockOff, ConnectionState, Environment, Sent
from linnet.client.events import Connection

pytestmark = pytest.mark.slow

ALICE, BOB = "+15550100001", "+15550100002"
DAY_MS = 86_400_000


def world(days: int) -> Environment:
    """A machine whose clock is so many days off."""
    return Environment(now_ms=lambda: time.time_ns() // 1_000_000 + days * DAY_MS)


@pytest.mark.parametrize(("was", "now"), [(0, 10), (40, 0)])
async def test_what_is_written_before_the_first_welcome_is_sent(
    served: Town, was: int, now: int
) -> None:
    async with await served.register("bob", BOB) as bob:
        pass
    async with await served.register("alice", ALICE, world(was)) as alice:
        async for event in alice.events():
            if isinstance(event, ConnectionState) and event.state is Connection.ONLINE:
                break
    alice = await Client.open(served.home / "alice", world=world(now))
    id = await alice.send(bob.account, "written at once")
    async with alice:
        assert (await wait_for(alice.events(), Sent)).id == id


async def test_a_clock_days_behind_registers(served: Town) -> None:
    async with await served.register("alice", ALICE, world(-2)) as alice:
        assert [device.id for device in await alice.devices.all()] == [1]


@pytest.mark.parametrize("days", [-40, 40])
async def test_a_wrong_clock_is_named_when_devices_change_and_the_right_one_goes_on(
    served: Town, days: int
) -> None:
    async with await served.register("alice", ALICE):
        pass
    async with await Client.open(served.home / "alice", world=world(days)) as alice:
        for name in ("kitchen", "garden"):
            with pytest.raises(ClockOff, match=r"this device's clock .* Set the clock"):
                await alice.devices.rename(1, name)
    async with await served.open("alice") as alice:
        await alice.devices.rename(1, "garden")
        assert [device.name for device in await alice.devices.all()] == ["garden"]
