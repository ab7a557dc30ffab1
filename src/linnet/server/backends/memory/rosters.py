"""Rosters in memory: the reference of port `rosters`."""

from __future__ import annotations

from collections.abc import Sequence

from linnet.server.ports.rosters import Mark
from linnet.server.ports.timeline import Roster


class MemoryRosters:
    """Marks and rosters in dicts by group. `MemoryGroups` writes members, and marks too."""

    def __init__(self) -> None:
        self.groups_of: dict[bytes, set[bytes]] = {}
        """The groups that each account is a member of."""
        self._tickets: dict[bytes, int] = {}
        self._ticket = 0
        self._rosters: dict[bytes, Roster] = {}
        self._decided: dict[bytes, int] = {}

    def mark(self, group: bytes) -> None:
        """Set the mark of a group, anew if it is set."""
        self._tickets.pop(group, None)
        self._ticket += 1
        self._tickets[group] = self._ticket

    def number(self, group: bytes) -> int:
        """The number of the newest roster; 0 if there is none."""
        held = self._rosters.get(group)
        return 0 if held is None else held.number

    async def enqueue(self, accounts: Sequence[bytes]) -> None:
        for group in sorted({it for one in accounts for it in self.groups_of.get(one, ())}):
            self.mark(group)

    async def marks(self, limit: int) -> Sequence[Mark]:
        return [Mark(*item) for item in list(self._tickets.items())[:limit]]

    async def clear(self, mark: Mark) -> None:
        if self._tickets.get(mark.group) == mark.ticket:
            del self._tickets[mark.group]

    async def newest(self, group: bytes) -> Roster | None:
        return self._rosters.get(group)

    async def write(self, roster: Roster, mark: Mark) -> bool:
        held = self._rosters.get(roster.group)
        if held == roster:
            return True
        if roster.number != self.number(roster.group) + 1:
            return False
        self._rosters[roster.group] = roster
        await self.clear(mark)
        return True

    async def undecided(self, limit: int) -> Sequence[Roster]:
        open = [it for it in self._rosters.values() if it.number > self._decided.get(it.group, 0)]
        return open[:limit]

    async def is_settled(self, group: bytes) -> bool:
        return group not in self._tickets and self.number(group) == self._decided.get(group, 0)

    async def decided(self, rosters: Sequence[Roster]) -> None:
        for roster in rosters:
            known = self._decided.get(roster.group, 0)
            self._decided[roster.group] = max(known, roster.number)
