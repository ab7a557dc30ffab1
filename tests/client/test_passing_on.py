"""What one own device told before another was linked is told again by the main device."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from tests.client.post_office import Device
from tests.client.town import House, Town, held

from linnet.client import facts, synced
from linnet.client.environment import Environment
from linnet.client.facts import StorageKey
from linnet.client.joining import joined_inbox
from linnet.client.own_channel import OwnChannel, read_own
from linnet.client.passing_on import PassOn


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    town = Town(tmp_path)
    yield town
    await town.close()


def channel(town: Town, house: House, device: Device) -> OwnChannel:
    world = Environment(now_ms=lambda: town.clock.now_ms, rng=device.sessions.rng)
    return OwnChannel(house[1].account, world)


def passing_on(town: Town, house: House, device: Device) -> None:
    reader = PassOn(channel(town, house, device), read_own)
    device.inbox = joined_inbox(device.sessions, more={"sync": reader})


async def theme(device: Device) -> bytes:
    return await device.store.read(lambda db: synced.value(db, "setting", b"theme"))


@pytest.mark.parametrize("linked_before", [False, True])
async def test_a_setting_reaches_a_device_that_was_linked_while_it_was_under_way(
    town: Town, linked_before: bool
) -> None:
    house = await town.account()
    laptop = await town.link(house)
    main = house[1]
    passing_on(town, house, main)
    await town.fetch(main, main.account)

    def write(db: apsw.Connection) -> None:
        channel(town, house, laptop).write(db, "setting", b"theme", b"dark")

    await laptop.store.write(write)
    if not linked_before:
        await town.send(laptop)  # the server took it for those who are listed now
    tablet = await town.link(house)
    await town.fetch(main, main.account)
    await town.settle(laptop, main, tablet)
    assert [await theme(it) for it in (main, laptop, tablet)] == [b"dark"] * 3
    said_again = [frame for device, frame in town.left if device is main]
    assert len(said_again) == (0 if linked_before else 1)


async def test_a_setting_of_a_removed_device_that_some_took_reaches_the_others(town: Town) -> None:
    house = await town.account()
    laptop, tablet = await town.link(house), await town.link(house)
    main = house[1]
    for device in (main, laptop):
        passing_on(town, house, device)
        await town.fetch(device, main.account)

    def write(db: apsw.Connection) -> None:
        channel(town, house, tablet).write(db, "setting", b"theme", b"dark")

    await tablet.store.write(write)
    await town.settle(tablet, laptop)
    assert [await theme(it) for it in (main, laptop)] == [b"", b"dark"]
    before = await held(main, main.account)
    town.relist(house, without=3)
    await town.fetch(main, main.account)
    after = await held(main, main.account)

    def tell(db: apsw.Connection) -> None:
        facts.put(db, StorageKey(key=bytes(32), version=0))
        channel(town, house, main).list_changed(db, before, after)

    await main.store.write(tell)
    await town.settle(main, laptop)
    assert [await theme(it) for it in (main, laptop)] == [b"dark"] * 2
