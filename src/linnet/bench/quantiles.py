"""Quantiles: the numbers a latency distribution is told by. Exact over all samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """A distribution of `count` latencies, in milliseconds; zeros where there were none."""

    count: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` (0 < share ≤ 1) of them do not exceed."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def spread_of(seconds: Sequence[float]) -> Spread:
    """The spread of latencies given in seconds, in any order."""
    if not seconds:
        return Spread()
    ordered = sorted(seconds)
    return Spread(
        count=len(ordered),
        p50_ms=_ms(nearest_rank(ordered, 0.50)),
        p99_ms=_ms(nearest_rank(ordered, 0.99)),
        max_ms=_ms(ordered[-1]),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
