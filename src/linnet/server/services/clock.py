"""Clock: the two times a record is judged by.

`wall` is the machine's clock; `steady` started equal to it and then ran with the monotonic clock,
so a step of the wall clock parts them. What is judged "too old" takes the earlier, "too far
ahead" the later (docs/protocol/delivery.md, Identity).
"""

from __future__ import annotations

import time
from collections.abc import Callable


def _uptime_s() -> float:
    """Monotonic, and counting while the machine sleeps, where the system has such a clock."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Clock:
    """Milliseconds since the epoch, two ways."""

    def __init__(
        self,
        wall_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = _uptime_s,
    ) -> None:
        self._wall_s = wall_s
        self._monotonic_s = monotonic_s
        self._offset_s = wall_s() - monotonic_s()

    def wall_ms(self) -> int:
        """The machine's clock."""
        return int(self._wall_s() * 1000)

    def steady_ms(self) -> int:
        """The machine's clock as it would be had nobody set it since the start."""
        return int((self._monotonic_s() + self._offset_s) * 1000)

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never steps."""
        return self._monotonic_s()
