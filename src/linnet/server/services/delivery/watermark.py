"""Watermark: which messages of a conversation a device has committed, as intervals of conv_seq.

Pure arithmetic. A device's intervals start at its first message, grow with its acks, and a resync
(rows lost to retention) starts a new one, so that nothing is ever claimed that was not committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from linnet.server.ports.timeline import Mark
from linnet.wire.frames import Interval
from linnet.wire.limits import WATERMARK_INTERVALS

Intervals = tuple[Interval, ...]


class Run(NamedTuple):
    """Rows of one conversation, next to each other in a mailbox, that one ack covers.

    `sender` is whose messages they are, `first`..`last` their conv_seq, `at` the last position.
    A `bare` run held nothing for this device: it is committed, yet not delivered to it.
    """

    sender: bytes
    first: int
    last: int
    at: int
    bare: bool = False


def extend(mark: Mark, run: Run, start: int, gap: int) -> Mark:
    """The mark after committing a run; what lies between two runs were the device's own messages.

    `start` is the device's first conv_seq here: nothing below it was ever for this device. `gap`
    is the position its last resync jumped to: a mark last folded before it cannot reach over it.
    A run that was folded before changes nothing.
    """
    if run.at <= mark.at:
        return mark
    resynced = mark.at < gap < run.at
    if mark.intervals and not resynced:
        *before, (low, high) = mark.intervals
    else:
        before, low, high = list(mark.intervals), max(run.first, start) if resynced else start, 0
    if run.bare:
        # An interval that has begun and is still empty keeps the hole behind it open.
        before.append((low, max(high, run.first - 1)))
        low, high = max(run.last + 1, start), run.last
    else:
        high = max(high, run.last)
    if before:
        last = (low, high)
        intervals = union([*before, last]) if low <= high else (*union(before), last)
        intervals = intervals[-WATERMARK_INTERVALS:]
    else:
        intervals = ((low, high),)
    return Mark(mark.conversation, mark.account, mark.device, intervals, run.at)


def union(intervals: Iterable[Interval]) -> Intervals:
    """Sorted, disjoint, adjacent ones joined, empty ones left out; the highest
    `WATERMARK_INTERVALS` of them."""
    joined: list[Interval] = []
    for low, high in sorted(intervals):
        if low > high:
            continue
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined[-WATERMARK_INTERVALS:])
