"""Directory: what is known of many accounts at once, read in one snapshot.

The accounts and devices stores write what is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from linnet.server.ports.devices import StoredList


class Listing(msgspec.Struct, frozen=True):
    """An account: its account key, its mailbox and its newest device list."""

    account: bytes
    key: bytes
    mailbox: bytes
    list: StoredList


class Directory(Protocol):
    """Accounts with their lists."""

    async def find(self, accounts: Sequence[bytes]) -> dict[bytes, Listing]:
        """By account id; who does not exist is missing. Holds every write that had returned
        before."""
