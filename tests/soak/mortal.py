"""Stores that die: a device's process ends at some write, before it or just after its commit.

Afterwards nothing reaches the file any more, whatever of the client is still running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import apsw
import pytest
from tests.client.post_office import Killed

from linnet.client import account
from linnet.client.errors import StoreUnavailable
from linnet.client.store import Store

T = TypeVar("T")


@dataclass(eq=False)
class Fate:
    """When a process dies: at its n-th write; 0 for never."""

    at_write: int = 0
    after_commit: bool = False
    writes: int = 0
    died: asyncio.Event = field(default_factory=asyncio.Event)
    store: Store | None = None

    async def end(self) -> None:
        """What the end of a process does: its lock is free."""
        if self.store is not None:
            await self.store.close()


class FatedStore(Store):
    """A store with a fate, by directory."""

    fates: dict[Path, Fate]

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._fate = self.fates.get(directory, Fate())
        self._fate.store = self

    async def write(
        self, work: Callable[[apsw.Connection], T], then: Callable[[T], None] | None = None
    ) -> T:
        """As Store. Raises Killed once, and says StoreUnavailable from then on."""
        fate = self._fate
        if fate.died.is_set():
            raise StoreUnavailable("dead")
        fate.writes += 1
        if fate.writes != fate.at_write:
            return await super().write(work, then)
        if fate.after_commit:
            await super().write(work)
        fate.died.set()
        raise Killed


def install(monkeypatch: pytest.MonkeyPatch) -> dict[Path, Fate]:
    """Give every client opened from now on such a store; the fates, to be filled in."""
    fates: dict[Path, Fate] = {}
    kind = type("Installed", (FatedStore,), {"fates": fates})
    monkeypatch.setattr(account, "Store", kind)
    return fates
