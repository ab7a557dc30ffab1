"""Fate: at which step of a process it dies, or its network fails, and in what way.

A step is a write to the store or a call over the network; a process counts its own. Steps are met
one after the other: a run dies at the first, the next at the second, until one lives to the end.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Killed(Exception):
    """The process died here."""


class At(StrEnum):
    """Which steps are counted."""

    STORE = "store"
    NETWORK = "network"


class How(StrEnum):
    """What becomes of a step."""

    BEFORE = "dies before it"
    MIDWAY = "dies when all is written and nothing is committed"
    AFTER = "dies after it, and never learns that it was done"
    LOST = "lives on, and the request is lost"
    UNANSWERED = "lives on, and the answer is lost"


DEATHS = {
    At.STORE: (How.BEFORE, How.MIDWAY, How.AFTER),
    At.NETWORK: (How.BEFORE, How.AFTER),
}
FAILURES = (How.LOST, How.UNANSWERED)
WAYS = [(at, how) for at, hows in DEATHS.items() for how in hows] + [
    (At.NETWORK, how) for how in FAILURES
]


@dataclass
class Fate:
    """What is in store for one process. `step` 0: a long life."""

    at: At
    how: How
    step: int
    met: int = 0
    dead: bool = False
    died: asyncio.Event = field(default_factory=asyncio.Event)
    steps: list[str] = field(default_factory=list)
    """The names of the counted steps, for whoever reads why a test failed."""
    remains: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """What an operating system would close."""

    @property
    def struck(self) -> bool:
        """Whether it was met."""
        return 0 < self.step <= self.met

    def now(self, at: At, name: str) -> How | None:
        """A step begins: what becomes of it, if this is the one. Raises Killed after a death."""
        if self.dead:
            raise Killed
        if at is not self.at:
            return None
        self.met += 1
        self.steps.append(name)
        return self.how if self.met == self.step else None

    def die(self) -> Killed:
        """The process is no more: nothing of it happens from here on."""
        self.dead = True
        self.died.set()
        return Killed()

    async def bury(self) -> None:
        """Close what the process left open."""
        while self.remains:
            await self.remains.pop()()


def long_life() -> Fate:
    """A process to which nothing happens."""
    return Fate(At.STORE, How.BEFORE, 0)
