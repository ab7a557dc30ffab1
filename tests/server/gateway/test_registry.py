"""Who is connected, by mailbox, account and address."""

from dataclasses import dataclass
from typing import cast

from tests.server.services.delivery.records import ALICE, BOB, mailbox_of

from linnet.server.gateway.connection import Connection
from linnet.server.gateway.registry import Registry


@dataclass(eq=False)
class Stub:
    account: bytes
    device: int

    @property
    def mailbox(self) -> bytes:
        return mailbox_of(self.account)


def connection(account: bytes, device: int = 1) -> Connection:
    return cast("Connection", Stub(account, device))


def test_a_device_is_found_by_all_its_names() -> None:
    registry, phone, laptop = Registry(), connection(ALICE), connection(ALICE, 2)
    assert registry.add(phone) is None
    assert registry.add(laptop) is None
    assert registry.of_mailbox(mailbox_of(ALICE)) == (phone, laptop)
    assert registry.of_account(ALICE) == (phone, laptop)
    assert registry.of_device(ALICE, 2) is laptop
    assert registry.of_device(BOB, 1) is None
    assert list(registry) == [phone, laptop]
    assert len(registry) == 2


def test_the_newest_connection_of_a_device_replaces_the_older() -> None:
    registry, older, newer = Registry(), connection(ALICE), connection(ALICE)
    registry.add(older)
    assert registry.add(newer) is older
    assert registry.of_account(ALICE) == (newer,)
    # The older one goes later, and takes nothing with it.
    registry.remove(older)
    assert registry.of_device(ALICE, 1) is newer


def test_nothing_is_kept_of_those_who_left() -> None:
    registry, phone = Registry(), connection(ALICE)
    registry.add(phone)
    registry.remove(phone)
    registry.remove(phone)
    assert (registry.by_mailbox, registry._by_account) == ({}, {})


def test_an_address_has_so_many_sockets_and_not_one_more() -> None:
    registry = Registry()
    assert [registry.arrive("a", 2) for _ in range(3)] == [True, True, False]
    assert registry.arrive("b", 2)
    registry.leave("a")
    assert registry.arrive("a", 2)
    for address in ("a", "a", "b"):
        registry.leave(address)
    assert not registry._addresses
