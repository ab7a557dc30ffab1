"""Accounts: who exists, under which number, with which mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from linnet.server.ports.devices import Admission


class Account(msgspec.Struct, frozen=True):
    """One account. `number` is a keyed hash of the phone number, None once the number moved on."""

    id: bytes
    mailbox: bytes
    key: bytes
    number: bytes | None
    backup: bytes
    created_ms: int
    delivery_key: bytes | None = None
    """SHA-256 of the key that sealed requests must show; None before one was set."""


class FirstDevice(msgspec.Struct, frozen=True):
    """The device and the signed list that a registration brings."""

    device: int
    identity: bytes
    registration_id: int
    list_body: bytes
    list_sig: bytes
    version: int
    set: int


class Accounts(Protocol):
    """Accounts by id and by number."""

    async def register(self, account: Account, first: FirstDevice) -> Account:
        """Store account, device, list and the set change for delivery, all or none.

        Takes the number from the account that had it. The same account id again returns what
        was stored the first time and changes nothing.
        """

    async def recover(self, number: bytes, admission: Admission, most: int) -> bool:
        """Replace the account's list, list the new device with its ticket, publish its keys (up
        to `most` one-time ones of a kind), revoke the devices left out and leave the set change
        for delivery: all or none.

        False, and nothing changed: the account does not have this number (any more), or another
        list was first.
        """

    async def get(self, account: bytes) -> Account | None:
        """One account."""

    async def set_delivery_key(self, account: bytes, hash: bytes) -> None:
        """From now on sealed requests must show the key with this SHA-256."""

    async def by_numbers(self, numbers: Sequence[bytes]) -> dict[bytes, bytes]:
        """Hashed number → account id, for those that have one."""
