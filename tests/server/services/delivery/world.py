"""A delivery service with people who send, read and acknowledge, on a clock that tests set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    NOW_MS,
    device_set,
    mailbox_of,
    record,
)

from linnet.server.backends.memory.bus import MemoryBus
from linnet.server.backends.memory.timeline import MemoryTimeline
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.timeline import SqliteTimeline
from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.ports import Unavailable
from linnet.server.ports.bus import Delivered, Notices, Regrouped
from linnet.server.ports.timeline import (
    Accepted,
    Batch,
    Cursor,
    Entry,
    Loaded,
    Numbered,
    Opened,
    Retained,
    Spread,
    Timeline,
    Wanted,
)
from linnet.server.services.clock import Clock
from linnet.server.services.delivery.inline import Inline
from linnet.server.services.delivery.view import view
from linnet.server.services.delivery.watermark import Run
from linnet.server.services.delivery.work import Committed
from linnet.wire.frames import Own, Row, Send, Sets


class Answer(NamedTuple):
    """What a sender hears of one try."""

    kind: str
    code: str = ""
    sets: Sets | None = None
    accepted: Accepted | None = None
    roster: int = 0


class Try:
    """One frame on its way; resolves to its answer."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def repeated(self, first: Accepted) -> None:
        self.answer.set_result(Answer("repeated", accepted=first))

    def rejected(self, id: bytes, code: str, sets: Sets | None, roster: int = 0) -> None:
        self.answer.set_result(Answer("rejected", code, sets, roster=roster))


class Faulty:
    """A timeline that can be told to refuse. Counts what it was asked."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.refuses_commits = self.refuses_loads = False
        self.batches: list[Batch] = []
        self.wanted_ids: set[bytes] = set()

    async def open(self, recent_most: int) -> Opened:
        return await self.timeline.open(recent_most)

    async def load(self, wanted: Wanted) -> Loaded:
        if self.refuses_loads:
            raise Unavailable("told to")
        self.wanted_ids |= wanted.ids
        return await self.timeline.load(wanted)

    async def commit(self, batch: Batch) -> None:
        if self.refuses_commits:
            raise Unavailable("told to")
        await self.timeline.commit(batch)
        self.batches.append(batch)

    async def page(
        self, mailbox: bytes, since: int, most_rows: int, most_bytes: int
    ) -> Sequence[Entry]:
        return await self.timeline.page(mailbox, since, most_rows, most_bytes)

    async def numbered(
        self, group: bytes, first: int, last: int, most_rows: int, most_bytes: int
    ) -> Sequence[Numbered]:
        return await self.timeline.numbered(group, first, last, most_rows, most_bytes)

    async def raise_epoch(self) -> int:
        return await self.timeline.raise_epoch()

    async def retain(self, now_ms: int, keep_ms: int, trust_clock: bool = False) -> Retained:
        return await self.timeline.retain(now_ms, keep_ms, trust_clock)


class World:
    """Alice, Bob and Carol, with one device each until their sets change."""

    def __init__(self, directory: Path | None, config: DeliveryConfig) -> None:
        self.wall_s = self.monotonic_s = NOW_MS / 1000
        self.config = config
        self.delivered: list[Delivered] = []
        self.notices: list[Entry] = []
        self.spreads: list[Spread] = []
        self.regrouped: list[Regrouped] = []
        self.commits: list[tuple[int, int]] = []
        self._directory = directory
        self._database: Database | None = None
        self.heard = asyncio.Event()
        self._waiting: dict[tuple[bytes, bytes, int], list[Try]] = {}
        self._running: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup
        self.timeline = Faulty(MemoryTimeline())
        self.delivery: Inline

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        if self._directory is not None:
            self._database = Database(self._directory / "linnet.db")
            await self._database.open()
            self.timeline.timeline = SqliteTimeline(self._database, rows_most=40, fold_after=25)
        bus = MemoryBus()
        bus.subscribe(self._hear)
        clock = Clock(lambda: self.wall_s, lambda: self.monotonic_s)
        self.delivery = Inline(self.timeline, bus, self.config, clock)
        self.delivery.on_commit = lambda it: self.commits.append((it.records, it.acks))
        await self.delivery.open()
        self._running = tasks.create_task(self.delivery.run())

    async def stop(self) -> None:
        """Let the service end and close its store, folding nothing: as a crash would."""
        assert self._running is not None
        self.delivery.stop()
        await self._running
        if self._database is not None:
            await self._database.close()

    async def restart(self) -> None:
        """Crash and recover; the clocks start equal again."""
        await self.stop()
        self.monotonic_s = self.wall_s
        await self.start(self._tasks)

    def pass_ms(self, ms: int) -> None:
        """Time goes by."""
        self.wall_s += ms / 1000
        self.monotonic_s += ms / 1000

    def _hear(self, notices: Notices) -> None:
        self.delivered += notices.delivered
        self.notices += notices.entries
        self.spreads += notices.spreads
        self.regrouped += notices.regrouped
        self.heard.set()
        told: list[Entry | Spread] = [*notices.entries, *notices.spreads]
        for accepted in {id(it.accepted): it.accepted for it in told}.values():
            tries = self._waiting.get((accepted.id, accepted.sender, accepted.device), ())
            first = next((it for it in tries if not it.answer.done()), None)
            if first is not None:
                first.answer.set_result(Answer("sent", accepted=accepted))

    # ---- what people do

    def say(self, frame: Send, sender: bytes = ALICE, device: int = 1) -> asyncio.Future[Answer]:
        """Submit a frame; the future is its answer."""
        tried = Try()
        self._waiting.setdefault((frame.id, sender, device), []).append(tried)
        self.delivery.submit(record(frame, sender, device, 0, 0), tried)
        return tried.answer

    async def sent(self, frame: Send, sender: bytes = ALICE, device: int = 1) -> Accepted:
        """Submit a frame that is accepted."""
        answer = await self.say(frame, sender, device)
        assert answer.kind == "sent", answer
        assert answer.accepted is not None
        return answer.accepted

    async def set_devices(self, account: bytes, number: int, *devices: int) -> None:
        """The account's list changed."""
        await self.delivery.change_set(device_set(account, number, devices))

    async def settle(self) -> None:
        """Return once everything before was decided: a set change that is old news is last."""
        await self.set_devices(ALICE, 0, 1)

    async def rows(self, account: bytes, since: int = 0) -> list[Entry]:
        """What is in somebody's mailbox."""
        return list(await self.timeline.page(mailbox_of(account), since, 1000, 1 << 30))

    async def read(
        self, account: bytes, device: int = 1, since: int = 0, until: int = 1 << 53
    ) -> Committed:
        """The ack of a device that reads its mailbox on from `since`, minding resyncs."""
        runs: dict[bytes, list[Run]] = {}
        position, gap = since, 0
        for entry in await self.rows(account, since):
            if entry.position > until:
                break
            gap = entry.prev if entry.prev > position else gap
            position, seen = entry.position, entry.accepted
            frame = view(entry, account, device)
            if type(frame) is not Own and seen.conv_seq and seen.sender != account:
                run = Run(seen.sender, seen.conv_seq, seen.conv_seq, position, type(frame) is Row)
                runs.setdefault(seen.conversation, []).append(run)
        return Committed(account, device, position, runs, gap)

    async def ack(self, committed: Committed) -> None:
        """Acknowledge, and wait until that is durable."""
        self.delivery.ack(committed)
        await self.settle()

    async def arrival(self, account: bytes, device: int) -> tuple[int, Cursor]:
        """The head and the cursor of a listed device."""
        found = await self.delivery.arrival(account, device)
        assert found is not None
        assert found.mailbox == mailbox_of(account)
        return found.head, found.cursor

    async def ticks(self, conversation: bytes, asker: bytes = ALICE) -> tuple[tuple[int, int], ...]:
        """What the other side has committed."""
        (told,) = await self.delivery.watermarks([conversation], asker)
        return told.intervals


@asynccontextmanager
async def running(
    directory: Path | None = None, config: DeliveryConfig | None = None
) -> AsyncIterator[World]:
    """A world in which everybody has registered."""
    world = World(directory, config or DeliveryConfig())
    async with asyncio.TaskGroup() as tasks:
        await world.start(tasks)
        for account in (ALICE, BOB, CAROL):
            await world.set_devices(account, 1, 1)
        yield world
        await world.stop()
