"""Accounts for the contract suites: ids are told apart by one number."""

import hashlib

from linnet.server.ports.accounts import Account, FirstDevice


def blob(name: str, number: int, size: int = 16) -> bytes:
    """`size` bytes that belong to this name and number."""
    return hashlib.shake_128(f"{name}{number}".encode()).digest(size)


def account(number: int, phone: bytes | None = b"phone") -> Account:
    """Account `number`; all share a phone number unless told."""
    return Account(
        id=blob("account", number),
        mailbox=blob("mailbox", number),
        key=blob("key", number, 33),
        number=phone,
        backup=b"backup",
        created_ms=1000 + number,
    )


def first_device(number: int) -> FirstDevice:
    """The first device of account `number`, id 1, list version 1, set 1."""
    return FirstDevice(
        device=1,
        identity=blob("identity", number, 33),
        registration_id=number,
        list_body=blob("list", number, 200),
        list_sig=blob("sig", number, 64),
        version=1,
        set=1,
    )
