"""Tokens: refresh-token families, one per device login. Only hashes are stored."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Family(msgspec.Struct, frozen=True):
    """A login. `current` is the hash of the refresh token that may be used next."""

    id: bytes
    account: bytes
    device: int
    current: bytes
    expires_ms: int
    revoked: bool = False
    previous: bytes | None = None
    """Hash of the token that `current` replaced, and the request that replaced it."""
    request: bytes | None = None
    rotated_ms: int = 0
    """When `current` became so."""


class Tokens(Protocol):
    """Refresh-token families."""

    async def start(self, family: Family) -> None:
        """Store a new family and revoke every other of the same (account, device). The same
        family id again changes nothing."""

    async def get(self, id: bytes) -> Family | None:
        """One family."""

    async def rotate(self, id: bytes, expected: bytes, new: Family) -> bool:
        """Replace the family if its current hash is `expected` and it is not revoked."""

    async def revoke(self, id: bytes) -> None:
        """No token of this family works again."""

    async def revoke_device(self, account: bytes, device: int) -> None:
        """No token of this device works again."""

    async def forget(self, before_ms: int) -> int:
        """Drop families that expired before; how many."""
