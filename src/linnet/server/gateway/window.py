"""Window: the push rule and the bound on what one socket may have unacknowledged.

Pure bookkeeping of positions (docs/protocol/delivery.md, Mailboxes and gateways). A row is pushed
only if `prev ≤ pushed < position`; a socket that cannot take it is *behind* until a page read
from the store has caught up.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from linnet.server.ports.timeline import Accepted

Committed = tuple[int, Accepted, bool]
"""A row that was acknowledged: position, message, and whether it held nothing for the device."""


class Verdict(Enum):
    """What to do with a row."""

    PUSH = "push"
    DROP = "drop"
    BEHIND = "behind"


PUSH, DROP, BEHIND = Verdict

_NOTHING: deque[tuple[int, int, Accepted | None, bool]] = deque(maxlen=0)
"""Stands for no deque: an idle socket does not pay 700 bytes for an empty one."""


class Window:
    """Unacknowledged pushes of one socket, bounded in frames and bytes."""

    __slots__ = (
        "_bytes",
        "_bytes_most",
        "_frames_most",
        "_unacked",
        "acked",
        "behind",
        "gap",
        "noticed",
        "pushed",
    )

    def __init__(self, start: int, frames_most: int, bytes_most: int) -> None:
        self.pushed = start
        self.acked = start
        self.behind = True
        """Until the first page was read, nothing is pushed from notices."""
        self.gap = 0
        """Where the last resync of this socket let it jump to."""
        self.noticed = False
        """A notice came while behind: the page read meanwhile may not hold it."""
        self._frames_most = frames_most
        self._bytes_most = bytes_most
        self._bytes = 0
        self._unacked = _NOTHING

    def judge(self, prev: int, position: int) -> Verdict:
        """Whether a noticed row may be pushed now. BEHIND marks the socket so."""
        if not self.behind and prev <= self.pushed < position and self.has_room():
            return PUSH
        if position <= self.pushed:
            return DROP
        self.behind = self.noticed = True
        return BEHIND

    def has_room(self) -> bool:
        """Whether one more frame may go out; a frame larger than the window goes alone."""
        return len(self._unacked) < self._frames_most and self._bytes < self._bytes_most

    def is_clear(self) -> bool:
        """Whether everything pushed was acknowledged."""
        return not self._unacked

    def push(self, position: int, size: int, accepted: Accepted | None, bare: bool = False) -> None:
        """A row went out in a frame of `size` bytes. `accepted` unless it is the device's own;
        `bare` if it held nothing for the device."""
        self.pushed = position
        self._bytes += size
        if self._unacked is _NOTHING:
            self._unacked = deque()
        self._unacked.append((position, size, accepted, bare))

    def offer(self, prev: int, position: int, size: int, accepted: Accepted) -> bool:
        """`judge` and `push` in one, for a message of another device; False changes nothing, and
        the row is to be judged as any other."""
        if (
            self.behind
            or not prev <= self.pushed < position
            or len(self._unacked) >= self._frames_most
            or self._bytes >= self._bytes_most
        ):
            return False
        self.push(position, size, accepted)
        return True

    def jump(self, position: int) -> None:
        """Rows up to `position` have expired; the next one follows it."""
        self.pushed = self.gap = position

    def ack(self, position: int) -> list[Committed]:
        """Rows up to `position` are committed; those that were not the device's own, in order.

        Raises ValueError if `position` was never pushed on this socket.
        """
        if position > self.pushed:
            raise ValueError("ack above what was pushed")
        unacked = self._unacked
        others: list[Committed] = []
        while unacked and unacked[0][0] <= position:
            at, size, accepted, bare = unacked.popleft()
            self._bytes -= size
            if accepted is not None:
                others.append((at, accepted, bare))
        if position > self.acked:
            self.acked = position
        return others
