"""A member whose device list nobody can show keeps no group waiting for good."""

import random

import pytest
from tests.client.groups.choir import Choir, Singer

from linnet.client import lists
from linnet.client.events import ListConflict
from linnet.client.groups import keys
from linnet.client.lists import Adopted
from linnet.signing.device_list import decode_list, first_list, next_list
from linnet.signing.keys import generate
from linnet.signing.objects import SignedObject
from linnet.wire.ids import GroupId

pytestmark = pytest.mark.slow


async def met(choir: Choir) -> tuple[list[Singer], GroupId]:
    singers = await choir.people(3)
    group = await singers[0].groups.create([it.account for it in singers[1:]])
    await choir.connect(*singers)
    await singers[0].text(group, "hello")
    await choir.gather(*singers)
    return singers, group


async def shown(singer: Singer, of: Singer, obj: SignedObject) -> Adopted:
    """A message brought this list of somebody."""
    now_ms = singer.device.clock.now_ms
    return await singer.device.store.write(
        lambda db: lists.adopt(db, of.account, obj, now_ms, fetched=False)
    )


async def quoted(singer: Singer, of: Singer, version: int) -> None:
    """Somebody quotes this version of a list."""
    await singer.device.store.write(lambda db: lists.doubt(db, of.account, version=version))


async def holders(singer: Singer, group: GroupId) -> set[bytes]:
    found = await singer.device.store.read(lambda db: keys.holders(db, group))
    return {it.account for it in found}


async def test_a_member_whose_lists_contradict_each_other_stops_no_group(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir)
    house = choir.houses[cleo.account]
    first = house.newest
    choir.relist(house)
    await choir.fetch(ada.device, cleo.account)
    choir.clock.now_ms += 1000
    assert await shown(ada, cleo, choir.relist(house, upon=first)) is Adopted.CONFLICT
    await quoted(ada, cleo, 99)
    await ada.text(group, "goes on")
    await choir.gather(ada, ben, cleo)
    assert "goes on" in await ben.read(group)
    assert "goes on" not in await cleo.read(group)
    assert await holders(ada, group) == {ben.account}
    assert choir.events(ada, ListConflict) == []  # it came with a message, which would tell


async def test_a_member_who_shows_another_account_key_stops_no_group(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir)
    rng = random.Random(7).randbytes
    now_s = choir.clock.now_ms // 1000
    choir.shown[cleo.account] = first_list(
        cleo.account, generate(rng), generate(rng), b"", now_s, rng
    )
    await quoted(ada, cleo, 99)
    await ada.text(group, "goes on")
    await choir.gather(ada, ben, cleo)
    assert "goes on" in await ben.read(group)
    assert await holders(ada, group) == {ben.account}


async def test_a_member_whose_list_cannot_be_had_is_waited_for_an_hour(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir)
    house = choir.houses[cleo.account]
    now_s, rng = choir.clock.now_ms // 1000, random.Random(8).randbytes
    devices = decode_list(house.newest.body).devices
    for _ in range(2):  # signed, and never shown to the server
        unpublished = next_list(house.newest, house.key, devices, now_s, rng)
    assert await shown(ada, cleo, unpublished) is Adopted.NEW
    await quoted(ada, cleo, 99)
    await ada.text(group, "goes on")
    await choir.gather(ada, ben, cleo)
    assert "goes on" not in await ben.read(group)
    choir.later(hours=1)
    await choir.gather(ada, ben, cleo)
    assert "goes on" in await ben.read(group)
    assert "goes on" in await cleo.read(group)  # the main device, by the list that is held
    await ada.text(group, "and on")
    await choir.gather(ada, ben, cleo)
    assert "and on" in await ben.read(group)


async def test_what_is_not_answered_is_not_asked_in_vain(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir)
    await choir.another(cleo)
    choir.later(hours=22 * 24)
    await ada.text(group, "to all of them")
    await choir.gather(ada, ben, cleo)
    assert "to all of them" in await ben.read(group)
    found = await ada.device.store.read(lambda db: keys.holders(db, group))
    assert {(it.account, it.device) for it in found} >= {(cleo.account, 1), (cleo.account, 2)}
