"""Contract of port `directory`."""

from tests.backends.conftest import Stores
from tests.backends.people import account, blob, first_device

from linnet.server.ports.devices import StoredList
from linnet.server.ports.directory import Listing


async def test_accounts_are_found_with_their_newest_lists(stores: Stores) -> None:
    listings = {}
    for number in (1, 2, 3):
        await stores.accounts.register(account(number), first_device(number))
        who, first = account(number), first_device(number)
        listed = StoredList(first.list_body, first.list_sig, 1, 1)
        listings[who.id] = Listing(who.id, who.key, who.mailbox, listed)
    newer = StoredList(b"newer", bytes(64), 2, 5)
    await stores.devices.replace(account(2).id, 1, newer, [1])
    listings[account(2).id] = Listing(account(2).id, account(2).key, account(2).mailbox, newer)
    assert await stores.directory.find(list(listings)) == listings


async def test_who_does_not_exist_is_missing(stores: Stores) -> None:
    await stores.accounts.register(account(1), first_device(1))
    found = await stores.directory.find([account(1).id, account(2).id])
    assert list(found) == [account(1).id]
    assert await stores.directory.find([]) == {}


async def test_as_many_as_a_group_may_have_are_found_at_once(stores: Stores) -> None:
    await stores.accounts.register(account(1), first_device(1))
    asked = [account(1).id, *(blob("nobody", number) for number in range(1023))]
    assert list(await stores.directory.find(asked)) == [account(1).id]
