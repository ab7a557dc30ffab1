"""Keys: published pre-keys, and who may still take one."""

from __future__ import annotations

from typing import Protocol

import msgspec

from linnet.wire.rest import KemPreKey, KeyCount, KeyUpload, OneTimeKey, SignedKey


class TakenKeys(msgspec.Struct, frozen=True):
    """What one take gives: one-time keys while there are any, else the last resort."""

    signed: SignedKey
    kem: KemPreKey
    last_resort: bool
    one_time: OneTimeKey | None


class Keys(Protocol):
    """Pre-keys per (account, device). A key id that was ever stored is not stored again, so a
    repeated upload changes nothing and a taken key never comes back."""

    async def put(self, account: bytes, device: int, upload: KeyUpload, most: int) -> None:
        """Replace signed and last-resort keys where given, add one-time keys up to `most` of
        each kind held. All or none; the identical upload twice is one."""

    async def take(self, account: bytes, device: int) -> TakenKeys | None:
        """Give and delete one one-time key of each kind, oldest id first; None if the device
        has no signed or no last-resort key. Two takes never give the same one-time key."""

    async def count(self, account: bytes, device: int) -> KeyCount:
        """One-time keys left."""

    async def drop(self, account: bytes, device: int) -> None:
        """Forget all keys of a device (revoked)."""
