"""Memory: what the inline driver holds between batches, so that most messages read nothing.

The timeline has one writer, this process, so what is cached here is the truth as of the last
commit. Each map forgets its least recently loaded keys when it is over its bound; a forgotten key
is loaded again when it is wanted.
"""

from __future__ import annotations

from itertools import islice
from typing import TypeVar

from linnet.server.ports.timeline import (
    Cursor,
    DeviceSet,
    Head,
    Loaded,
    Mark,
    Opened,
    Wanted,
)
from linnet.server.services.delivery.group import Group

K = TypeVar("K")
V = TypeVar("V")


class Absent(Exception):
    """A key is not in memory: load it."""


class Cache(dict[K, V]):
    """A dict that raises Absent, which no bug of ours raises, for a key it does not hold."""

    def __missing__(self, key: K) -> V:
        raise Absent


class Memory:
    """The last committed value of every key that was wanted lately."""

    def __init__(self, opened: Opened, cached: int, recent_ids: int) -> None:
        self._cached = cached
        self._recent_ids = recent_ids
        self.heads: Cache[bytes, Head] = Cache()
        self.mailboxes: Cache[bytes, int] = Cache()
        self.sets: Cache[bytes, DeviceSet | None] = Cache()
        self.groups: Cache[bytes, Group | None] = Cache()
        self._seats = 0
        self.marks: Cache[tuple[bytes, bytes], dict[int, Mark]] = Cache()
        self.cursors: Cache[tuple[bytes, int], Cursor] = Cache()
        self.recent = dict.fromkeys(opened.recent)
        self._newest_forgotten = opened.older_ids_until_ms.to_bytes(6, "big") + b"\xff" * 10

    def learn(self, wanted: Wanted, loaded: Loaded) -> None:
        """Keep what was loaded; what does not exist is remembered as new."""
        for conversation in wanted.heads:
            self.heads[conversation] = loaded.heads.get(conversation) or Head(conversation)
        owned = [held.mailbox for held in loaded.sets.values()]
        for group in wanted.gatherings:
            found = loaded.gatherings.get(group)
            self.hold(group, Group(found) if found is not None else None)
            owned += [seat.mailbox for seat in found.roster.seats] if found is not None else []
        for mailbox in (*wanted.mailboxes, *owned):
            self.mailboxes[mailbox] = loaded.mailboxes.get(mailbox, 0)
        for account in wanted.sets:
            self.sets[account] = loaded.sets.get(account)
        for key in wanted.marks:
            self.marks[key] = {mark.device: mark for mark in loaded.marks.get(key, [])}
        for device in wanted.cursors:
            self.cursors[device] = loaded.cursors.get(device) or Cursor(*device)

    def hold(self, id: bytes, group: Group | None) -> None:
        """Keep a group, in place of an older one; groups are bounded by their members."""
        if id in self.groups:
            self._seats -= _weight(self.groups[id])
        self._seats += _weight(group)
        self.groups[id] = group

    def may_be_known(self, id: bytes) -> bool:
        """Whether an outcome may be stored under this id. False is certain."""
        # Ids begin with their time, so they compare as times do.
        return id in self.recent or id <= self._newest_forgotten

    def trim(self) -> None:
        """Forget down to the bounds. Never called between a load and the decisions using it."""
        forgotten = _forget(self.recent, self._recent_ids)
        if forgotten:
            self._newest_forgotten = max(self._newest_forgotten, max(forgotten))
        _forget(self.heads, self._cached)
        _forget(self.mailboxes, self._cached)
        _forget(self.sets, self._cached)
        while self._seats > self._cached:
            oldest = next(iter(self.groups))
            self._seats -= _weight(self.groups.pop(oldest))
        _forget(self.marks, self._cached)
        _forget(self.cursors, self._cached)


def _weight(group: Group | None) -> int:
    """What a group counts for: its members, those who left included."""
    return 1 + (len(group.members) if group is not None else 0)


def _forget(cache: dict[K, V], most: int) -> list[K]:
    """Drop the oldest down to seven eighths when over the bound; what was dropped.

    Not one by one: finding the first key of a dict walks over all that were deleted before it.
    """
    if len(cache) <= most:
        return []
    oldest = list(islice(cache, len(cache) - most + most // 8))
    for key in oldest:
        del cache[key]
    return oldest
