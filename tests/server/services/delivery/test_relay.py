"""Set changes reach delivery once each, in order, whatever is interrupted."""

from __future__ import annotations

import pytest
from tests.backends.people import account, first_device
from tests.server.services.delivery.records import ALICE, fresh_id, send
from tests.server.services.delivery.world import World, running

from linnet.server.backends.memory.accounts import MemoryAccounts
from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.directory import MemoryDirectory
from linnet.server.backends.memory.groups import MemoryGroups
from linnet.server.backends.memory.keys import MemoryKeys
from linnet.server.backends.memory.rosters import MemoryRosters
from linnet.server.ports import Unavailable
from linnet.server.ports.devices import StoredList
from linnet.server.services.delivery.relay import Relay
from linnet.server.services.rosters import Rosters

ME = account(7)


async def devices_of_me() -> MemoryDevices:
    """A devices store in which account 7 has registered and then listed a second device."""
    devices = MemoryDevices()
    await MemoryAccounts(devices, MemoryKeys()).register(ME, first_device(7))
    assert await devices.replace(ME.id, 1, StoredList(b"list", b"sig", 2, 2), [1, 2])
    return devices


def relay(devices: MemoryDevices, world: World) -> Relay:
    """A relay to the world's delivery; nobody is in a group."""
    marks = MemoryRosters()
    directory = MemoryDirectory(MemoryAccounts(devices, MemoryKeys()), devices)
    rosters = Rosters(MemoryGroups(marks), marks, directory, world.delivery.change_roster)
    return Relay(devices, world.delivery.change_set, rosters)


async def current(world: World) -> object:
    """What a sender is told to name."""
    answer = await world.say(send(fresh_id(1), to=ME.id, sets=None), ALICE)
    return answer.sets


async def test_a_change_is_decided_and_then_forgotten() -> None:
    async with running() as world:
        devices = await devices_of_me()
        await relay(devices, world).carry()
        assert await current(world) == (2, 1)
        assert await devices.changes(9) == []


async def test_a_change_that_could_not_be_decided_is_carried_again() -> None:
    async with running() as world:
        devices = await devices_of_me()
        carrier = relay(devices, world)
        world.timeline.refuses_commits = True
        with pytest.raises(Unavailable):
            await carrier.carry()
        assert len(await devices.changes(9)) == 2
        world.timeline.refuses_commits = False
        await carrier.carry()
        assert await current(world) == (2, 1)
        assert await devices.changes(9) == []
