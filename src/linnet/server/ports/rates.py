"""Rates: how often something may happen."""

from __future__ import annotations

from typing import Protocol

from linnet.server.config import Rate


class Rates(Protocol):
    """Token buckets by name. Forgetting one early only ever allows more, never loses data."""

    async def take(self, bucket: str, rate: Rate, now_ms: int, cost: int = 1) -> float:
        """0.0 and the tokens are taken, or the seconds until they could be."""
