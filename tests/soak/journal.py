"""Journal: what was done in a run, for who reads a failure."""

from __future__ import annotations

import collections
import time
from dataclasses import dataclass, field
from typing import Final

LAST: Final = 400


def wall_ms() -> int:
    """Now, by the clock that the server reads too."""
    return time.time_ns() // 1_000_000


@dataclass
class Journal:
    """The last actions in words, and how often each kind happened."""

    seed: int
    started_ms: int = field(default_factory=wall_ms)
    last: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=LAST))
    counts: collections.Counter[str] = field(default_factory=collections.Counter)

    def note(self, who: str, what: str, more: object = "") -> None:
        """Count `what`, and keep it with what `more` says."""
        self.counts[what] += 1
        at_s = (wall_ms() - self.started_ms) / 1000
        self.last.append(f"{at_s:8.2f} {who} {what} {more}".rstrip())

    def told(self) -> str:
        """For a person who looks for what went wrong."""
        counts = ", ".join(f"{name} {times}" for name, times in sorted(self.counts.items()))
        return "\n".join((*self.last, counts, f"LINNET_SOAK_SEED={self.seed}"))
