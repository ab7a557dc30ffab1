"""Rates in memory: the reference of port `rates`, and what one process needs."""

from __future__ import annotations

from linnet.server.config import Rate

MOST = 100_000
"""Buckets kept; beyond, the one unused for longest is forgotten, which only ever allows more."""


class MemoryRates:
    """A bucket is the one number "when it will be full again" (the leaky bucket as a meter)."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._full_at_ms: dict[str, float] = {}

    async def take(self, bucket: str, rate: Rate, now_ms: int, cost: int = 1) -> float:
        every_ms = rate.every_s * 1000
        whole_ms = rate.burst * every_ms
        # A clock that stepped back must not close a bucket for longer than one that is empty.
        full_at = min(max(self._full_at_ms.pop(bucket, now_ms), now_ms), now_ms + whole_ms)
        after = full_at + cost * every_ms
        wait_ms = after - whole_ms - now_ms
        self._full_at_ms[bucket] = after if wait_ms <= 0 else full_at
        if len(self._full_at_ms) > self._most:
            del self._full_at_ms[next(iter(self._full_at_ms))]
        return max(wait_ms, 0.0) / 1000
