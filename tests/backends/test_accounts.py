"""Contract of port `accounts`."""

import msgspec
from tests.backends.conftest import Stores
from tests.backends.people import account, blob, first_device

from linnet.server.ports.devices import Device, StoredList


async def test_a_registered_account_is_found_by_id_and_by_number(stores: Stores) -> None:
    registered = await stores.accounts.register(account(1), first_device(1))
    assert registered == account(1)
    assert await stores.accounts.get(account(1).id) == account(1)
    assert await stores.accounts.by_numbers([b"other", b"phone"]) == {b"phone": account(1).id}


async def test_nobody_is_found_before(stores: Stores) -> None:
    assert await stores.accounts.get(account(1).id) is None
    assert await stores.accounts.by_numbers([b"phone"]) == {}
    assert await stores.accounts.by_numbers([]) == {}


async def test_registering_stores_device_list_and_set_change_too(stores: Stores) -> None:
    await stores.accounts.register(account(1), first_device(1))
    first = first_device(1)
    assert await stores.devices.newest(account(1).id) == StoredList(
        first.list_body, first.list_sig, 1, 1
    )
    assert await stores.devices.get(account(1).id, 1) == Device(
        account(1).id, 1, first.identity, first.registration_id
    )
    (change,) = await stores.devices.changes(10)
    assert (change.account, change.mailbox) == (account(1).id, account(1).mailbox)
    assert (change.set, change.devices) == (1, (1,))


async def test_registering_again_returns_the_first_and_changes_nothing(stores: Stores) -> None:
    await stores.accounts.register(account(1), first_device(1))
    retried = msgspec.structs.replace(
        account(1), mailbox=blob("new", 1), number=b"another", created_ms=9
    )
    assert await stores.accounts.register(retried, first_device(2)) == account(1)
    assert await stores.accounts.get(account(1).id) == account(1)
    assert await stores.accounts.by_numbers([b"another"]) == {}
    assert len(await stores.devices.changes(10)) == 1


async def test_a_number_registered_again_moves_to_the_new_account(stores: Stores) -> None:
    await stores.accounts.register(account(1), first_device(1))
    await stores.accounts.register(account(2), first_device(2))
    assert await stores.accounts.by_numbers([b"phone"]) == {b"phone": account(2).id}
    assert await stores.accounts.get(account(1).id) == account(1, phone=None)
    assert await stores.accounts.get(account(2).id) == account(2)


async def test_a_late_retry_does_not_take_the_number_back(stores: Stores) -> None:
    await stores.accounts.register(account(1), first_device(1))
    await stores.accounts.register(account(2), first_device(2))
    assert await stores.accounts.register(account(1), first_device(1)) == account(1, phone=None)
    assert await stores.accounts.by_numbers([b"phone"]) == {b"phone": account(2).id}


async def test_a_delivery_key_is_set_and_replaced(stores: Stores) -> None:
    for number in (1, 2):
        await stores.accounts.register(account(number, phone=None), first_device(number))
    for key in (b"first", b"second"):
        await stores.accounts.set_delivery_key(account(1).id, key)
        expected = msgspec.structs.replace(account(1, phone=None), delivery_key=key)
        assert await stores.accounts.get(account(1).id) == expected
    await stores.accounts.set_delivery_key(account(3).id, b"nobody's")
    assert await stores.accounts.get(account(2).id) == account(2, phone=None)
    assert await stores.accounts.get(account(3).id) is None


async def test_accounts_without_a_number_live_side_by_side(stores: Stores) -> None:
    for number in (1, 2):
        await stores.accounts.register(account(number, phone=None), first_device(number))
    assert await stores.accounts.get(account(1).id) == account(1, phone=None)
    assert await stores.accounts.get(account(2).id) == account(2, phone=None)
