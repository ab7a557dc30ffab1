"""CPU and memory of a process, from Linux's /proc: every thread of it, children not included.

Totals come from the scheduler's nanoseconds; clock ticks only say how a total splits into user
and system time, because a quiet server uses less than a few ticks in a whole window.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# proc(5), /proc/PID/stat: utime and stime are fields 14 and 15; the name, field 2, ends in ")".
_UTIME, _STIME = 14 - 3, 15 - 3


@dataclass(frozen=True, slots=True)
class Reading:
    """What a process had used at one moment."""

    total_ns: int
    user_ticks: int
    sys_ticks: int


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU time between two readings, in microseconds."""

    user_us: float
    sys_us: float

    @property
    def total_us(self) -> float:
        """User and system time."""
        return self.user_us + self.sys_us


def read(pid: int) -> Reading:
    """CPU used by all live threads of `pid`. Raises OSError when there is no such process."""
    user, system = _ticks(Path(f"/proc/{pid}/stat").read_text())
    total = sum(_thread_ns(Path(entry.path)) for entry in os.scandir(f"/proc/{pid}/task"))
    return Reading(total or (user + system) * _TICK_NS, user, system)


def spent(start: Reading, end: Reading) -> Spent:
    """What was used in between; without a single tick to split by, all of it is user time."""
    user, system = end.user_ticks - start.user_ticks, end.sys_ticks - start.sys_ticks
    total_us = max(end.total_ns - start.total_ns, 0) / 1000
    share = user / (user + system) if user + system else 1.0
    return Spent(total_us * share, total_us * (1 - share))


def rss_bytes(pid: int) -> int:
    """Resident memory of `pid`, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _ticks(stat: str) -> tuple[int, int]:
    fields = stat.rpartition(")")[2].split()
    return int(fields[_UTIME]), int(fields[_STIME])


def _thread_ns(task: Path) -> int:
    try:
        return int((task / "schedstat").read_text().split()[0])
    except (OSError, IndexError):
        return 0  # the thread ended meanwhile, or the kernel keeps no schedstat
