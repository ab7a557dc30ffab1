"""Failures: what a person is told instead of a traceback.

Only for what can go wrong without a bug. Anything else stays a traceback, to be reported.
"""

from __future__ import annotations


class Failure(Exception):
    """The command ends with exit code 1. `what` happened, `why`, and what to `do`."""

    def __init__(self, what: str, why: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.do = do

    def told(self) -> str:
        """What goes to standard error: one to three lines."""
        return "\n  ".join(line for line in (f"linnet: {self.what}", self.why, self.do) if line)
