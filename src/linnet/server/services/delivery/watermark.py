"""Watermark: which messages of a conversation a device has committed, as intervals of conv_seq.

Pure arithmetic. A device's intervals start at its first message, grow with its acks, and a resync
(rows lost to retention) starts a new one, so that nothing is ever claimed that was not committed.
"""

from __future__ import annotations

from collections.abc import Iterable

from linnet.server.ports.timeline import Mark
from linnet.wire.frames import Interval
from linnet.wire.limits import WATERMARK_INTERVALS

Intervals = tuple[Interval, ...]


def extend(mark: Mark, first: int, last: int, at: int, start: int, gap: int) -> Mark:
    """The mark after committing rows up to position `at`, numbered `first`..`last`.

    `start` is the device's first conv_seq here, `gap` the position its last resync jumped to: a
    mark last folded before it cannot reach over it.
    """
    resynced = mark.at < gap
    intervals = mark.intervals
    if not intervals:
        intervals = ((first if resynced else start, last),)
    elif resynced:
        intervals = union([*intervals, (first, last)])
    else:
        low, high = intervals[-1]
        intervals = (*intervals[:-1], (low, max(high, last)))
    return Mark(mark.conversation, mark.account, mark.device, intervals, max(mark.at, at))


def union(intervals: Iterable[Interval]) -> Intervals:
    """Sorted, disjoint, adjacent ones joined; the highest `WATERMARK_INTERVALS` of them."""
    joined: list[Interval] = []
    for low, high in sorted(intervals):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined[-WATERMARK_INTERVALS:])
