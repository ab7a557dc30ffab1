"""What the main device tells the others when its list has changed."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from tests.client.post_office import Device
from tests.client.town import Town, held

from linnet.client import facts
from linnet.client.environment import Environment
from linnet.client.facts import StorageKey
from linnet.client.joining import joined_inbox
from linnet.client.own_channel import OwnChannel, read_own


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    town = Town(tmp_path)
    yield town
    await town.close()


async def holds(device: Device, key: StorageKey) -> None:
    await device.store.write(lambda db: facts.put(db, key))


async def storage_key(device: Device) -> StorageKey | None:
    return await device.store.read(lambda db: facts.get(db, StorageKey))


async def test_a_device_linked_while_another_was_removed_is_given_the_new_storage_key(
    town: Town,
) -> None:
    house = await town.account()
    main, laptop = house[1], await town.link(house)
    await town.fetch(main, main.account)
    town.relist(house, without=2)
    await town.fetch(main, main.account)
    await holds(main, StorageKey(key=b"n" * 32, version=3))
    before = await held(main, main.account)
    tablet = await town.link(house)
    tablet.inbox = joined_inbox(tablet.sessions, more={"sync": read_own})
    await holds(tablet, StorageKey(key=b"o" * 32, version=2))  # as its link granted it
    await town.fetch(main, main.account)
    after = await held(main, main.account)
    world = Environment(now_ms=lambda: town.clock.now_ms, rng=main.sessions.rng)

    def changed(db: apsw.Connection) -> None:
        OwnChannel(main.account, world).list_changed(db, before, after)

    await main.store.write(changed)
    await town.settle(main, tablet)
    assert await storage_key(tablet) == StorageKey(key=b"n" * 32, version=3)
    assert await storage_key(laptop) is None
