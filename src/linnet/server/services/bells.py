"""Bells: wake who waits for something to happen to a key, inside this process.

A ring may be lost (another process did the work): whoever waits looks for itself once a second.
Knows nothing of what happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from linnet.wire.errors import RequestRefused

T = TypeVar("T")

AT_ONE_KEY = 4
"""Who may wait for one key: both ends, each with a connection it gave up and the one after it."""


class Bells:
    """At most `most` wait at once, AT_ONE_KEY for one key; one more is `rate_limited`."""

    def __init__(self, most: int, look_every_s: float = 1.0) -> None:
        self._most = most
        self._look_every_s = look_every_s
        self._waiting: dict[bytes, set[asyncio.Event]] = {}
        self._count = 0
        self._stopped = False

    def ring(self, key: bytes) -> None:
        """Let all who wait for `key` look now."""
        for event in self._waiting.get(key, ()):
            event.set()

    def stop(self) -> None:
        """Let everybody look a last time; from now on nobody waits."""
        self._stopped = True
        for key in self._waiting:
            self.ring(key)

    async def wait(
        self,
        key: bytes,
        wait_s: float,
        look: Callable[[], Awaitable[T]],
        enough: Callable[[T], bool],
    ) -> T:
        """Look until that is enough or `wait_s` seconds are over; what was seen last.

        Looks at once, at each ring, and now and then. Raises `rate_limited` if too many wait.
        """
        event = self._enter(key)
        try:
            end_s = asyncio.get_running_loop().time() + wait_s
            while True:
                event.clear()
                seen = await look()
                left_s = end_s - asyncio.get_running_loop().time()
                if enough(seen) or left_s <= 0 or self._stopped:
                    return seen
                await _rung(event, min(left_s, self._look_every_s))
        finally:
            self._leave(key, event)

    def _enter(self, key: bytes) -> asyncio.Event:
        waiting = self._waiting.get(key, set())
        if self._count >= self._most or len(waiting) >= AT_ONE_KEY:
            raise RequestRefused("rate_limited", retry_after_s=1)
        event = asyncio.Event()
        self._waiting[key] = waiting | {event}
        self._count += 1
        return event

    def _leave(self, key: bytes, event: asyncio.Event) -> None:
        self._count -= 1
        self._waiting[key] = self._waiting[key] - {event}
        if not self._waiting[key]:
            del self._waiting[key]


async def _rung(event: asyncio.Event, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return
