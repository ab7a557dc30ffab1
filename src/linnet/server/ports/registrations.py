"""Registrations: attempts to prove a phone number."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Attempt(msgspec.Struct, frozen=True):
    """One code sent. The code is kept as a keyed hash; `account` is the id it may become."""

    id: bytes
    number: bytes
    code: bytes
    account: bytes
    started_ms: int
    expires_ms: int
    guesses: int = 0
    ticket: bytes | None = None
    """SHA-256 of the ticket, once the code was right."""


class Registrations(Protocol):
    """Attempts, kept for an hour and then forgotten."""

    async def start(self, attempt: Attempt, since_ms: int, most: int) -> bool:
        """Store the attempt, unless the number already has `most` started since `since_ms`."""

    async def get(self, id: bytes) -> Attempt | None:
        """One attempt."""

    async def guess(self, id: bytes, since_ms: int, most: int) -> bool:
        """Count a guess before it is looked at; False (and not counted) if the number's attempts
        started at or after `since_ms` already hold `most` guesses together."""

    async def prove(self, id: bytes, ticket: bytes) -> None:
        """Remember the hash of the ticket of a proven attempt; replaces an earlier one."""

    async def forget(self, before_ms: int) -> int:
        """Drop attempts started before; how many."""
