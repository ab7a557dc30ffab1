"""Shelves: a timeline that can be restarted, of either kind, and how tests look at one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.backends.timelines import MAILBOXES

from linnet.server.backends.memory.timeline import MemoryTimeline
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.timeline import SqliteTimeline
from linnet.server.ports.timeline import Entry, Loaded, Opened, Timeline

ROWS_MOST, FOLD_AFTER = 6, 9


class MemoryShelf:
    """A memory timeline; a restart keeps it, because nothing could keep more."""

    def __init__(self) -> None:
        self.timeline: Timeline = MemoryTimeline()

    async def open(self, recent_most: int = 100) -> Opened:
        return await self.timeline.open(recent_most)

    async def restart(self, crash: bool = False, recent_most: int = 100) -> Opened:
        return await self.timeline.open(recent_most)

    async def close(self) -> None:
        pass


class SqliteShelf:
    """A file, opened again at each restart; after a crash nothing was folded."""

    def __init__(
        self, directory: Path, rows_most: int = ROWS_MOST, fold_after: int = FOLD_AFTER
    ) -> None:
        self._directory = directory
        self._bounds = rows_most, fold_after
        self.database: Database
        self.timeline: SqliteTimeline

    async def open(self, recent_most: int = 100) -> Opened:
        self.database = Database(self._directory / "linnet.db")
        await self.database.open()
        self.timeline = SqliteTimeline(self.database, *self._bounds)
        return await self.timeline.open(recent_most)

    async def restart(self, crash: bool = False, recent_most: int = 100) -> Opened:
        if not crash:
            await self.timeline.close()
        await self.database.close()
        return await self.open(recent_most)

    async def close(self) -> None:
        await self.database.close()


Shelf = MemoryShelf | SqliteShelf


async def rows(timeline: Timeline, mailbox: int, since: int = 0) -> list[Entry]:
    return list(await timeline.page(MAILBOXES[mailbox], since, 1000, 1 << 30))


def there(loaded: Loaded) -> dict[str, Any]:
    """What was loaded, with absent and empty the same and marks in order."""
    return {
        "heads": loaded.heads,
        "mailboxes": loaded.mailboxes,
        "sets": loaded.sets,
        "marks": {k: sorted(v, key=lambda m: m.device) for k, v in loaded.marks.items() if v},
        "cursors": loaded.cursors,
        "gatherings": loaded.gatherings,
        "outcomes": {key: value for key, value in loaded.outcomes.items() if value},
    }
