"""Groups in memory: the reference of port `groups`."""

from __future__ import annotations

from collections.abc import Sequence

from linnet.server.backends.memory.rosters import MemoryRosters
from linnet.server.ports.groups import (
    CitedList,
    Folded,
    Head,
    LoggedEntry,
    LogPage,
    Membership,
    Step,
)


class MemoryGroups:
    """Logs in lists by group, lists in a dict by hash."""

    def __init__(self, rosters: MemoryRosters) -> None:
        self._rosters = rosters
        self._logs: dict[bytes, list[LoggedEntry]] = {}
        self._states: dict[bytes, bytes] = {}
        self._lists: dict[bytes, CitedList] = {}
        self._members: dict[tuple[bytes, bytes], Membership] = {}

    async def create(self, first: Step) -> bool:
        if (log := self._logs.get(first.group)) is not None:
            return log[0].body == first.entry.body
        self._store(first)
        return True

    async def append(self, step: Step) -> bool:
        log = self._logs.get(step.group, [])
        version = step.entry.version
        if 0 < version <= len(log):
            return log[version - 1].body == step.entry.body
        if not log or (log[-1].version, log[-1].hash) != (version - 1, step.prev):
            return False
        self._store(step)
        return True

    def _store(self, step: Step) -> None:
        self._logs.setdefault(step.group, []).append(step.entry)
        self._lists.setdefault(step.cited.hash, step.cited)
        self._states[step.group] = step.state
        for account in step.joined:
            self._members[step.group, account] = Membership(None)
            self._rosters.groups_of.setdefault(account, set()).add(step.group)
        for account in step.left:
            self._members[step.group, account] = Membership(step.entry.version)
            self._rosters.groups_of[account].discard(step.group)
        self._rosters.mark(step.group)

    async def get(self, group: bytes) -> Folded | None:
        head = await self.head(group)
        return None if head is None else Folded(head, self._states[group])

    async def head(self, group: bytes) -> Head | None:
        if group not in self._logs:
            return None
        newest = self._logs[group][-1]
        return Head(group, newest.version, newest.hash, self._rosters.number(group))

    async def entry(self, group: bytes, version: int) -> LoggedEntry | None:
        log = self._logs.get(group, [])
        return log[version - 1] if 0 < version <= len(log) else None

    async def membership(self, group: bytes, account: bytes) -> Membership | None:
        return self._members.get((group, account))

    async def log(
        self, group: bytes, since: int, until: int, most: int, most_bytes: int
    ) -> LogPage:
        entries: list[LoggedEntry] = []
        lists: dict[bytes, CitedList] = {}
        size = 0
        for entry in self._logs.get(group, [])[since:until][:most]:
            cited = self._lists[entry.list_hash]
            size += len(entry.body) + (0 if cited.hash in lists else len(cited.body))
            if entries and size > most_bytes:
                break
            entries.append(entry)
            lists[cited.hash] = cited
        return LogPage(entries, list(lists.values()))

    async def heads_of(self, account: bytes) -> Sequence[Head]:
        groups = sorted(self._rosters.groups_of.get(account, ()))
        heads = [await self.head(group) for group in groups]
        return [head for head in heads if head is not None]
