"""Pacer: calls at an even rate, to tens of microseconds.

uvloop's own timers count in milliseconds, which is as long as what a quiet server is measured
for; this one is a Linux timerfd that wakes the loop like a socket.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_NONBLOCKING = 0o4000
_EXPIRATIONS = struct.Struct("=Q")


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Schedule(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("first", _Timespec)]


class Pacer:
    """From now until `stop`, `due(moment)` for every moment; late ones are caught up, not lost."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, rate: float, due: Callable[[float], None]
    ) -> None:
        """`rate` calls a second; `moment` is in seconds of `time.monotonic`. Raises OSError."""
        self._loop = loop
        self._due = due
        self._interval = 1 / rate
        self._first = time.monotonic() + self._interval
        self._done = 0
        libc = ctypes.CDLL(None, use_errno=True)
        self._timer = libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCKING)
        schedule = _Schedule(_timespec(self._interval), _timespec(self._first))
        if self._timer < 0 or libc.timerfd_settime(
            self._timer, _ABSOLUTE, ctypes.byref(schedule), None
        ):
            raise OSError(ctypes.get_errno(), "timerfd")
        loop.add_reader(self._timer, self._ready)

    def stop(self) -> None:
        """No more calls."""
        self._loop.remove_reader(self._timer)
        os.close(self._timer)

    def _ready(self) -> None:
        os.read(self._timer, _EXPIRATIONS.size)
        # Counted from the clock, not from expirations: their interval is rounded.
        passed = int((time.monotonic() - self._first) / self._interval) + 1
        for number in range(self._done, passed):
            self._due(self._first + number * self._interval)
        self._done = max(self._done, passed)


def _timespec(seconds: float) -> _Timespec:
    whole = int(seconds)
    return _Timespec(whole, max(int((seconds - whole) * 1e9), 0 if whole else 1))
