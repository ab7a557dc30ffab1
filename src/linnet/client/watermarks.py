"""Delivered watermarks: which messages of a conversation a member has, as intervals of conv_seq.

Pure. Watermarks only ever grow: what arrives late is united with what is known, so an old or
partial report lowers nothing.
"""

from collections.abc import Iterable, Sequence

Interval = tuple[int, int]
"""First and last conv_seq, both included."""


def union(known: Iterable[Interval], reported: Iterable[Interval]) -> tuple[Interval, ...]:
    """Unite intervals: ascending, apart from each other. Empty and reversed ones are ignored."""
    merged: list[Interval] = []
    for first, last in sorted((*known, *reported)):
        if last < first:
            continue
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def covers(intervals: Sequence[Interval], conv_seq: int) -> bool:
    """Whether a message is inside one of the intervals."""
    return any(first <= conv_seq <= last for first, last in intervals)
