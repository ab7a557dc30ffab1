"""Rosters: which groups need a new one, the newest of each, and which delivery has not decided.

A mark says that members or device sets of a group may have changed since its roster was made. It
is set by whoever commits such a change and carries a ticket, so that one set again while a roster
is being made is not cleared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from linnet.server.ports.timeline import Roster


class Mark(msgspec.Struct, frozen=True):
    """A group whose roster must be made anew. Tickets rise; a mark set again has a new one."""

    group: bytes
    ticket: int


class Rosters(Protocol):
    """Marks, and one newest roster a group."""

    async def enqueue(self, accounts: Sequence[bytes]) -> None:
        """Mark every group that any of these accounts is a member of, all or none."""

    async def marks(self, limit: int) -> Sequence[Mark]:
        """Marks, oldest ticket first."""

    async def clear(self, mark: Mark) -> None:
        """Forget this mark: the roster is right as it is. One set again since stays."""

    async def newest(self, group: bytes) -> Roster | None:
        """The newest roster, decided or not."""

    async def write(self, roster: Roster, mark: Mark) -> bool:
        """Store the roster as undecided, and clear the mark, if the newest is the one numbered
        just below it (0: there is none yet). False: somebody was first; nothing changes.

        The identical roster again is True and changes nothing more.
        """

    async def undecided(self, limit: int) -> Sequence[Roster]:
        """Newest rosters that delivery has not decided. One that was overtaken before it was
        decided is not among them: delivery needs none but the newest."""

    async def is_settled(self, group: bytes) -> bool:
        """Whether there is neither a mark nor an undecided roster."""

    async def decided(self, rosters: Sequence[Roster]) -> None:
        """Delivery has decided these (and whatever is numbered lower)."""
