"""What the SDK takes from the world: clocks, randomness, sleeping, the socket, HTTP.

Tests pass their own; an application never needs to.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import httpx

from linnet.client.transport import dial
from linnet.wire.codec import Unknown
from linnet.wire.frames import ServerFrame


class Link(Protocol):
    """An open socket that carries encoded frames."""

    def send(self, data: bytes) -> None:
        """Hand over one encoded client frame. Raises LinkClosed."""

    async def receive(self) -> ServerFrame | Unknown:
        """The next frame. Raises LinkClosed when there are no more, RemoteError for nonsense."""

    def waiting(self) -> bool:
        """Whether `receive` would return at once."""

    def close(self) -> None:
        """Close; `receive` then raises LinkClosed."""


def wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Environment:
    """The world. `http` replaces the network below HTTP requests when it is not None."""

    now_ms: Callable[[], int] = wall_ms
    monotonic_s: Callable[[], float] = time.monotonic
    rng: Callable[[int], bytes] = os.urandom
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    dial: Callable[[str], Awaitable[Link]] = dial
    http: httpx.AsyncBaseTransport | None = None

    def random(self) -> float:
        """A number in [0, 1) for jitter."""
        return int.from_bytes(self.rng(4), "big") / 2**32
