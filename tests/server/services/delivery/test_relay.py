"""Set changes reach delivery once each, in order, whatever is interrupted."""

from __future__ import annotations

import pytest
from tests.backends.people import account, first_device
from tests.server.services.delivery.records import ALICE, fresh_id, send
from tests.server.services.delivery.world import World, running

from linnet.server.backends.memory.accounts import MemoryAccounts
from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.ports import Unavailable
from linnet.server.ports.devices import StoredList
from linnet.server.services.delivery.relay import Relay

ME = account(7)


async def devices_of_me() -> MemoryDevices:
    """A devices store in which account 7 has registered and then listed a second device."""
    devices = MemoryDevices()
    await MemoryAccounts(devices).register(ME, first_device(7))
    assert await devices.replace(ME.id, 1, StoredList(b"list", b"sig", 2, 2), [1, 2])
    return devices


async def current(world: World) -> object:
    """What a sender is told to name."""
    answer = await world.say(send(fresh_id(1), to=ME.id, sets=None), ALICE)
    return answer.sets


async def test_a_change_is_decided_and_then_forgotten() -> None:
    async with running() as world:
        devices = await devices_of_me()
        await Relay(devices, world.delivery).carry()
        assert await current(world) == (2, 1)
        assert await devices.changes(9) == []


async def test_a_change_that_could_not_be_decided_is_carried_again() -> None:
    async with running() as world:
        devices = await devices_of_me()
        relay = Relay(devices, world.delivery)
        world.timeline.refuses_commits = True
        with pytest.raises(Unavailable):
            await relay.carry()
        assert len(await devices.changes(9)) == 2
        world.timeline.refuses_commits = False
        await relay.carry()
        assert await current(world) == (2, 1)
        assert await devices.changes(9) == []
