"""Devices: signed lists, what is on them, and the set changes that delivery must hear of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from linnet.wire.rest import KeyUpload


class StoredList(msgspec.Struct, frozen=True):
    """The newest signed device list of an account, as received."""

    body: bytes
    sig: bytes
    version: int
    set: int


class Device(msgspec.Struct, frozen=True):
    """A device that is or was listed; `revoked` once a newer list leaves it out."""

    account: bytes
    device: int
    identity: bytes
    registration_id: int
    revoked: bool = False
    ticket: bytes | None = None
    """SHA-256 of the ticket that its first login needs; None of an account's first device."""


class Admission(msgspec.Struct, frozen=True):
    """A list that brings one new device, and all that makes that device reachable."""

    account: bytes
    expected_version: int
    """Version of the list that this one follows."""
    list: StoredList
    devices: tuple[int, ...]
    """All that the list names."""
    device: int
    """The new one."""
    identity: bytes
    registration_id: int
    keys: KeyUpload
    ticket: bytes
    """SHA-256."""


class SetChange(msgspec.Struct, frozen=True):
    """A device set that delivery has not yet decided: the outbox row beside the list."""

    number: int
    """Order of the change; `decided` takes it."""
    account: bytes
    mailbox: bytes
    set: int
    devices: tuple[int, ...]


class Devices(Protocol):
    """Device lists, one newest per account."""

    async def newest(self, account: bytes) -> StoredList | None:
        """The account's list."""

    async def get(self, account: bytes, device: int) -> Device | None:
        """One device, revoked or not."""

    async def replace(
        self, account: bytes, expected_version: int, new: StoredList, devices: Sequence[int]
    ) -> bool:
        """Store the list if the newest has `expected_version`; with a new set number also its
        set change, and devices left out become revoked. All or none. False: somebody was first.
        The identical list again is True and changes nothing."""

    async def changes(self, limit: int) -> Sequence[SetChange]:
        """Set changes not yet decided, oldest first."""

    async def decided(self, numbers: Sequence[int]) -> None:
        """Forget set changes, once their records were decided (never earlier)."""
