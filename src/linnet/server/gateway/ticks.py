"""Ticks: what members of groups have committed, told to senders at most twice a second.

A message to a thousand members is acknowledged a thousand times; its sender hears of those that
came together in one frame. Pure bookkeeping: the gateway has the clock and the sockets.
"""

from __future__ import annotations

from collections.abc import Iterator

from linnet.server.ports.bus import Delivered
from linnet.wire.frames import GroupStatus, Interval

EVERY_S = 0.5
"""Between two frames of one conversation to one sender."""
ACCOUNTS_A_FRAME = 256
"""Members told of in one frame: with every interval that may be kept, it stays within bounds."""

_Waiting = dict[bytes, tuple[Interval, ...]]
_Key = tuple[bytes, bytes]
"""(sender, conversation)"""


class GroupTicks:
    """Keeps what waits: one entry a member, so no more than a group has. A newer one replaces an
    older."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, _Waiting] = {}
        self._told_s: dict[_Key, float] = {}

    def note(self, told: Delivered) -> None:
        """A member has committed something."""
        waiting = self._waiting.setdefault((told.to, told.conversation), {})
        waiting[told.account] = told.intervals

    def due(self, now_s: float) -> list[tuple[bytes, GroupStatus]]:
        """Frames to send now, each with the account it is for: of what was not told of lately."""
        frames: list[tuple[bytes, GroupStatus]] = []
        self._told_s = {key: at for key, at in self._told_s.items() if now_s - at < EVERY_S}
        for key in self._waiting.keys() - self._told_s.keys():
            self._told_s[key] = now_s
            sender, conversation = key
            told = self._waiting.pop(key)
            frames += [(sender, frame) for frame in statuses(conversation, list(told.items()))]
        return frames

    def __bool__(self) -> bool:
        """Whether something waits for its time."""
        return bool(self._waiting)


def statuses(
    conversation: bytes, told: list[tuple[bytes, tuple[Interval, ...]]]
) -> Iterator[GroupStatus]:
    """What members have committed, in as many frames as it takes."""
    for start in range(0, len(told), ACCOUNTS_A_FRAME):
        some = told[start : start + ACCOUNTS_A_FRAME]
        yield GroupStatus(conversation, [(account, list(spans)) for account, spans in some])
