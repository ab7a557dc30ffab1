"""Ticks: sets of numbers as intervals, and how they are united."""

from __future__ import annotations

from collections.abc import Iterable

from linnet.wire.frames import Interval


def members(intervals: Iterable[Interval]) -> set[int]:
    """The numbers in intervals."""
    return {number for low, high in intervals for number in range(low, high + 1)}


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sorted, disjoint, adjacent ones joined."""
    joined: list[Interval] = []
    for low, high in sorted(intervals):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)
