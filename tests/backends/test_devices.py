"""Contract of port `devices`."""

import asyncio

import pytest
from tests.backends.conftest import Stores
from tests.backends.people import account, blob, first_device

from linnet.server.ports.devices import StoredList

ME = account(1).id


@pytest.fixture
async def registered(stores: Stores) -> Stores:
    await stores.accounts.register(account(1), first_device(1))
    return stores


async def test_a_list_replaces_the_expected_version(registered: Stores) -> None:
    assert await registered.devices.replace(ME, 1, _list(2, set=1), [1])
    assert await registered.devices.newest(ME) == _list(2, set=1)


async def test_a_list_upon_another_version_is_refused(registered: Stores) -> None:
    await registered.devices.replace(ME, 1, _list(2, set=1), [1])
    assert not await registered.devices.replace(ME, 1, _list(3, set=1), [1])
    assert await registered.devices.newest(ME) == _list(2, set=1)


async def test_of_two_at_once_one_wins(registered: Stores) -> None:
    mine, theirs = _list(2, set=1), StoredList(b"other", bytes(64), 2, 1)
    answers = await asyncio.gather(
        registered.devices.replace(ME, 1, mine, [1]),
        registered.devices.replace(ME, 1, theirs, [1]),
    )
    assert sorted(answers) == [False, True]


async def test_the_identical_list_again_is_stored_once(registered: Stores) -> None:
    for _ in range(2):
        assert await registered.devices.replace(ME, 1, _list(2, set=2), [1])
    assert [change.set for change in await registered.devices.changes(10)] == [1, 2]


async def test_an_account_without_a_list_gets_none_this_way(stores: Stores) -> None:
    assert not await stores.devices.replace(ME, 0, _list(1, set=1), [1])
    assert await stores.devices.newest(ME) is None
    assert await stores.devices.changes(10) == []


async def test_signing_again_makes_no_set_change(registered: Stores) -> None:
    await registered.devices.replace(ME, 1, _list(2, set=1), [1])
    assert [change.set for change in await registered.devices.changes(10)] == [1]


async def test_a_device_left_out_is_revoked(registered: Stores) -> None:
    await registered.accounts.register(account(2), first_device(2))
    await registered.devices.replace(ME, 1, _list(2, set=2), [2])
    device = await registered.devices.get(ME, 1)
    assert device is not None
    assert device.revoked
    other = await registered.devices.get(account(2).id, 1)
    assert other is not None
    assert not other.revoked


async def test_changes_come_in_order_until_decided(registered: Stores) -> None:
    for version in (2, 3):
        await registered.devices.replace(ME, version - 1, _list(version, set=version), [1])
    changes = await registered.devices.changes(10)
    assert [change.set for change in changes] == [1, 2, 3]
    assert [change.mailbox for change in changes] == [account(1).mailbox] * 3
    assert await registered.devices.changes(2) == changes[:2]
    await registered.devices.decided([changes[0].number])
    await registered.devices.decided([changes[0].number])
    assert await registered.devices.changes(10) == changes[1:]


async def test_a_number_is_not_given_again_after_it_was_decided(registered: Stores) -> None:
    (first,) = await registered.devices.changes(10)
    await registered.devices.decided([first.number])
    await registered.devices.replace(ME, 1, _list(2, set=2), [1])
    (second,) = await registered.devices.changes(10)
    assert second.number > first.number


async def test_an_unknown_device_is_none(registered: Stores) -> None:
    assert await registered.devices.get(ME, 2) is None
    assert await registered.devices.get(account(2).id, 1) is None


def _list(version: int, set: int) -> StoredList:
    return StoredList(blob("list", version, 100), blob("sig", version, 64), version, set)
