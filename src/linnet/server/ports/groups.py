"""Groups: the log of each group, who is in it, and where it stands.

The store keeps entries, the lists they cite and the state they fold to, as it is given them; what
may be appended is the service's to decide. Every change of a log also asks for a new roster (port
`rosters`), in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class CitedList(msgspec.Struct, frozen=True):
    """A signed device list that entries cite. `hash` is SHA-256 of the body, 32 bytes."""

    hash: bytes
    body: bytes
    sig: bytes


class LoggedEntry(msgspec.Struct, frozen=True):
    """An entry of a log, as received. `hash` is SHA-256 of the body."""

    version: int
    hash: bytes
    body: bytes
    sig: bytes
    list_hash: bytes


class Step(msgspec.Struct, frozen=True):
    """One more entry of a log and what it leaves: the folded state, and who came and went.

    `prev` is the hash of the entry before, 32 zero bytes for the first.
    """

    group: bytes
    entry: LoggedEntry
    prev: bytes
    cited: CitedList
    state: bytes
    joined: tuple[bytes, ...] = ()
    left: tuple[bytes, ...] = ()


class Head(msgspec.Struct, frozen=True):
    """Where a group stands: version and hash of its newest entry, number of its newest roster
    (0: none was made yet)."""

    group: bytes
    version: int
    hash: bytes
    roster: int


class Folded(msgspec.Struct, frozen=True):
    """A head, and the state that the log folds to there, as it was given."""

    head: Head
    state: bytes


class Membership(msgspec.Struct, frozen=True):
    """An account that is or was in a group; `removed` is the version of the entry that ended it,
    None for a member."""

    removed: int | None


class LogPage(msgspec.Struct, frozen=True):
    """Entries in order, and the lists they cite, each once."""

    entries: Sequence[LoggedEntry]
    lists: Sequence[CitedList]


class Groups(Protocol):
    """Logs by group."""

    async def create(self, first: Step) -> bool:
        """Store a group with its first entry. The identical entry again is True and changes
        nothing. False: the id names another group."""

    async def append(self, step: Step) -> bool:
        """Store the entry if it is the next after a head of version - 1 and hash `prev`.

        The identical entry again is True and changes nothing. False: another one was first, or
        there is no such group. A list already stored under its hash stays as it is.
        """

    async def get(self, group: bytes) -> Folded | None:
        """A group as of its newest entry."""

    async def head(self, group: bytes) -> Head | None:
        """The same without the state."""

    async def entry(self, group: bytes, version: int) -> LoggedEntry | None:
        """One entry."""

    async def membership(self, group: bytes, account: bytes) -> Membership | None:
        """What an account is to a group; None if it never was a member."""

    async def log(
        self, group: bytes, since: int, until: int, most: int, most_bytes: int
    ) -> LogPage:
        """Entries of versions above `since` up to `until`, at most `most`; with their lists at
        most about `most_bytes`, but at least one if there is one."""

    async def heads_of(self, account: bytes) -> Sequence[Head]:
        """The groups that an account is a member of, by id."""
