"""Inline: the embedded driver. Records in, one atomic commit, notices out.

Everything that arrives while a commit is under way forms the next one, so the cost of a durable
write is shared by all who wait for it. The driver is the timeline's only writer and has one batch
in flight; what a batch read and changed becomes visible when its commit returned, or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.ports import Unavailable
from linnet.server.ports.bus import Bus, Delivered, Notices
from linnet.server.ports.timeline import (
    Accepted,
    Batch,
    Cursor,
    DeviceSet,
    Entry,
    Head,
    Mark,
    Outcome,
    Refusal,
    Timeline,
    Wanted,
)
from linnet.server.services.clock import Clock
from linnet.server.services.delivery.decide import Delivery, Record, Retry, decide
from linnet.server.services.delivery.memory import Memory
from linnet.server.services.delivery.watermark import Run, extend, union
from linnet.wire.frames import Sets

_log = logging.getLogger("linnet.delivery")

import os as _o
PACE_FROM = int(_o.environ.get("PACE_FROM", 8))
PACE_S = float(_o.environ.get("PACE_S", 0.002))
_RETRY_S = 1.0
"""How long acks wait before a store that refused them is tried again."""


class Origin(Protocol):
    """Where a record came from, for answers that are not a row."""

    def repeated(self, first: Accepted) -> None:
        """The id was accepted before; this is that outcome."""

    def rejected(self, id: bytes, code: str, sets: Sets | None) -> None:
        """Nothing was stored for this try."""


class Submitted(msgspec.Struct, gc=False):
    """A record waiting for its batch."""

    record: Record
    origin: Origin


class Committed(msgspec.Struct, gc=False):
    """A device's cumulative ack: rows up to `position`, and the runs among them that are others'
    messages, by conversation."""

    account: bytes
    device: int
    position: int
    runs: dict[bytes, list[Run]]
    gap: int = 0


class Inline:
    """Group commit around `decide`. Run `run()` in a task; it ends when `stop()` was called and
    everything submitted before is settled."""

    def __init__(self, timeline: Timeline, bus: Bus, config: DeliveryConfig, clock: Clock) -> None:
        self._timeline = timeline
        self._bus = bus
        self._config = config
        self._clock = clock
        self._records: list[Submitted] = []
        self._acks: list[Committed] = []
        self._newest_ack: dict[tuple[bytes, int], Committed] = {}
        self._sets: list[tuple[DeviceSet, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._numbering = asyncio.Lock()
        self._last = 0
        self._crowd = 0
        self.epoch = 0
        self.memory: Memory
        self.on_commit: Callable[[int, int], None] = lambda records, acks: None
        """Called after each commit with its sizes, for metrics."""

    async def open(self) -> None:
        """Recover numbering. Before anything else."""
        opened = await self._timeline.open(self._config.recent_ids)
        self.epoch = opened.epoch
        self._last = opened.last_position
        self.memory = Memory(opened, self._config.cached, self._config.recent_ids)

    # ---- what comes in

    def submit(self, record: Record, origin: Origin) -> None:
        """Decide and store this record. Answers follow through the origin or the bus.

        With `pending_most` records waiting, it is rejected as `unavailable` at once.
        """
        if len(self._records) >= self._config.pending_most or self._stopping:
            origin.rejected(record.frame.id, "unavailable", None)
            return
        self._records.append(Submitted(record, origin))
        self._wake.set()

    def ack(self, committed: Committed) -> None:
        """Fold a device's ack into its watermarks; its senders hear once that is durable.

        Acks of one device waiting for a commit are joined, except over a resync, so there are
        hardly ever more of them than devices connected.
        """
        self._join_ack(committed)
        self._wake.set()

    def _join_ack(self, committed: Committed) -> None:
        key = (committed.account, committed.device)
        waiting = self._newest_ack.get(key)
        if waiting is None or committed.gap > waiting.gap:
            self._newest_ack[key] = committed
            self._acks.append(committed)
            return
        waiting.position = max(waiting.position, committed.position)
        for conversation, runs in committed.runs.items():
            waiting.runs.setdefault(conversation, []).extend(runs)

    async def change_set(self, change: DeviceSet) -> None:
        """Decide a device-set change; returns once messages are judged by it.

        Raises Unavailable: it was not stored.
        """
        if self._stopping:
            raise Unavailable("stopping")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sets.append((change, done))
        self._wake.set()
        await done

    def stop(self) -> None:
        """Take nothing more and let `run` end."""
        self._stopping = True
        self._wake.set()

    # ---- the loop

    async def run(self) -> None:
        """Commit batches until stopped."""
        now_s = asyncio.get_running_loop().time
        retry_s: float | None = None
        while not self._stopping or self._records or self._sets or (self._acks and not retry_s):
            try:
                async with asyncio.timeout_at(retry_s):
                    await self._wake.wait()
            except TimeoutError:
                retry_s = None  # try the waiting acks again
            self._wake.clear()
            while self._records or self._sets or (self._acks and retry_s is None):
                if self._crowd >= PACE_FROM:
                    await asyncio.sleep(PACE_S)
                async with self._numbering:
                    stored = await self._commit_one()
                retry_s = None if stored else now_s() + _RETRY_S

    async def _commit_one(self) -> bool:
        """One group commit; False if the store could not."""
        most = self._config.batch_most
        records, self._records = self._records[:most], self._records[most:]
        acks, self._acks, self._newest_ack = self._acks, [], {}
        sets, self._sets = self._sets, []
        self._crowd = len(records) + len(acks)
        work = _Work(self.memory, self._last, self._clock)
        try:
            while (wanted := work.missing(records, acks, sets)) is not None:
                self.memory.learn(wanted, loaded := await self._timeline.load(wanted))
                work.known.update({id: [] for id in wanted.ids})
                work.known.update(loaded.outcomes)
            work.decide(records, acks, sets)
            if work.stores_something():
                await self._timeline.commit(work.batch)
        except Unavailable as error:
            self._failed(records, acks, sets, error)
            return False
        self._last = work.position
        self._settle(work, sets)
        self.on_commit(len(records), len(acks))
        return True

    def _failed(
        self,
        records: list[Submitted],
        acks: list[Committed],
        sets: list[tuple[DeviceSet, asyncio.Future[None]]],
        error: Unavailable,
    ) -> None:
        """Nothing was stored, so nothing is told but that. Acks wait for the next batch, without
        a wake-up: a full disk is not to be tried in a loop."""
        newer, self._acks, self._newest_ack = self._acks, [], {}
        for committed in [*acks, *newer]:
            self._join_ack(committed)
        for submitted in records:
            submitted.origin.rejected(submitted.record.frame.id, "unavailable", None)
        for _, done in sets:
            if not done.done():
                done.set_exception(Unavailable(str(error)))

    def _settle(self, work: _Work, sets: list[tuple[DeviceSet, asyncio.Future[None]]]) -> None:
        """The commit returned: make it visible, then tell."""
        work.publish()
        self.memory.trim()
        for _, done in sets:
            if not done.done():
                done.set_result(None)
        if work.batch.entries or work.delivered:
            self._bus.publish(Notices(work.batch.entries, list(work.delivered.values())))
        for origin, id, code, newest in work.rejections:
            origin.rejected(id, code, newest)
        for origin, first in work.repeats:
            origin.repeated(first)

    # ---- reading

    async def mailbox(self, mailbox: bytes, account: bytes, device: int) -> tuple[int, Cursor]:
        """The mailbox's head and the device's cursor. Raises Unavailable."""
        memory, wanted = self.memory, Wanted()
        if mailbox not in memory.mailboxes:
            wanted.mailboxes.add(mailbox)
        if (account, device) not in memory.cursors:
            wanted.cursors.add((account, device))
        if not (wanted.mailboxes or wanted.cursors):
            return memory.mailboxes[mailbox], memory.cursors[(account, device)]
        loaded = await self._timeline.load(wanted)
        # A commit may have been settled meanwhile: what memory learned since is newer.
        head = memory.mailboxes.get(mailbox, loaded.mailboxes.get(mailbox, 0))
        cursor = memory.cursors.get((account, device)) or loaded.cursors.get((account, device))
        return head, cursor or Cursor(account, device)

    async def delivered(self, conversation: bytes, asker: bytes) -> list[Delivered]:
        """The other members' watermarks; empty unless the asker is a member. Raises Unavailable."""
        loaded = await self._timeline.load(Wanted(heads={conversation}))
        members = loaded.heads.get(conversation, Head(conversation)).members
        if asker not in members:
            return []
        others = [account for account in members if account != asker] or [asker]
        keys = {(conversation, account) for account in others}
        marks = (await self._timeline.load(Wanted(marks=keys))).marks
        return [
            Delivered(asker, conversation, account, _union(marks.get((conversation, account), [])))
            for account in others
        ]

    async def raise_epoch(self, above: int) -> None:
        """The store went back behind `above`, which it had given out: number above it.

        However many ask at once, no more epochs are used than it takes. Raises Unavailable.
        """
        async with self._numbering:
            while above > self._last:
                self.epoch = await self._timeline.raise_epoch()
                self._last = max(self._last, self.epoch << 48)


def _union(marks: list[Mark]) -> tuple[tuple[int, int], ...]:
    return union(interval for mark in marks for interval in mark.intervals)


_NOTHING = Wanted()


class _Work:
    """One batch being decided: values changed so far over the memory as of the last commit."""

    def __init__(self, memory: Memory, last: int, clock: Clock) -> None:
        self.memory = memory
        self.position = last
        self.appended_ms = clock.steady_ms()
        self.stamped_ms = clock.wall_ms()
        self.batch = Batch(clock_ms=self.stamped_ms)
        self.known: dict[bytes, list[Outcome]] = {}
        self.rejections: list[tuple[Origin, bytes, str, Sets | None]] = []
        self.repeats: list[tuple[Origin, Accepted]] = []
        self.delivered: dict[tuple[bytes, bytes], Delivered] = {}
        self._heads: dict[bytes, Head] = {}
        self._mailboxes: dict[bytes, int] = {}
        self._sets: dict[bytes, DeviceSet] = {}
        self._marks: dict[tuple[bytes, bytes], dict[int, Mark]] = {}
        self._folded: dict[tuple[bytes, tuple[bytes, int]], Mark] = {}
        self._cursors: dict[tuple[bytes, int], Cursor] = {}
        self._ids: dict[bytes, list[Outcome]] = {}
        self._joined: set[bytes] = set()

    def missing(
        self,
        records: list[Submitted],
        acks: list[Committed],
        sets: list[tuple[DeviceSet, asyncio.Future[None]]],
    ) -> Wanted | None:
        """What must be loaded before these can be decided; None for nothing. Asked until None,
        because whose mailbox is wanted is known only once the sets are."""
        memory, wanted = self.memory, Wanted()
        for change, _ in sets:
            if change.account not in memory.sets:
                wanted.sets.add(change.account)
        for submitted in records:
            record = submitted.record
            if record.conversation not in memory.heads:
                wanted.heads.add(record.conversation)
            for account in (record.sender, record.recipient):
                if account not in memory.sets:
                    wanted.sets.add(account)
                elif (held := memory.sets[account]) and held.mailbox not in memory.mailboxes:
                    wanted.mailboxes.add(held.mailbox)
            if memory.may_be_known(record.frame.id) and record.frame.id not in self.known:
                wanted.ids.add(record.frame.id)
        for committed in acks:
            if (committed.account, committed.device) not in memory.cursors:
                wanted.cursors.add((committed.account, committed.device))
            for conversation in committed.runs:
                if conversation not in memory.heads:
                    wanted.heads.add(conversation)
                if (conversation, committed.account) not in memory.marks:
                    wanted.marks.add((conversation, committed.account))
        return wanted if wanted != _NOTHING else None

    def decide(
        self,
        records: list[Submitted],
        acks: list[Committed],
        sets: list[tuple[DeviceSet, asyncio.Future[None]]],
    ) -> None:
        """All of it, in order: set changes, messages, acks."""
        for change, _ in sets:
            self._change_set(change)
        for submitted in records:
            try:
                self._decide_one(submitted)
            except Exception:
                # One client's record must not stop everybody's commits; it changed nothing yet.
                _log.exception("a record could not be decided")
                origin, id = submitted.origin, submitted.record.frame.id
                self.rejections.append((origin, id, "internal", None))
        for committed in acks:
            self._fold(committed)
        self.batch.marks = list(self._folded.values())
        self.batch.cursors = list(self._cursors.values())
        self.batch.heads = [self._heads[conversation] for conversation in self._joined]

    def stores_something(self) -> bool:
        """Whether there is anything to commit."""
        batch = self.batch
        return bool(batch.entries or batch.refusals or batch.sets or batch.marks or batch.cursors)

    def _change_set(self, change: DeviceSet) -> None:
        held = self._sets.get(change.account) or self.memory.sets.get(change.account)
        # A relay repeats what it is not sure was decided; only a newer number means anything.
        if held is None or change.number > held.number:
            self._sets[change.account] = change
            self.batch.sets.append(change)

    def _set(self, account: bytes) -> DeviceSet | None:
        return self._sets.get(account) or self.memory.sets.get(account)

    def _decide_one(self, submitted: Submitted) -> None:
        record, memory = submitted.record, self.memory
        frame = record.frame
        sender = self._sets.get(record.sender) or memory.sets[record.sender]
        if sender is None:
            self.rejections.append((submitted.origin, frame.id, "unavailable", None))
            return
        record.appended_ms = self.appended_ms
        record.stamped_ms = self.stamped_ms
        head = self._heads.get(record.conversation) or memory.heads[record.conversation]
        known = self._ids.get(frame.id) or self.known.get(frame.id) or []
        decision = decide(head, known, sender, self._set(record.recipient), record)
        outcome = decision.outcome
        if type(outcome) is Accepted:
            if decision.repeat:
                self.repeats.append((submitted.origin, outcome))
                return
            self._place(outcome, decision.rows)
            if decision.head.members is not head.members:
                self._joined.add(record.conversation)
            self._heads[record.conversation] = decision.head
        else:
            assert isinstance(outcome, Refusal | Retry)
            newest = outcome.sets if isinstance(outcome, Retry) else None
            self.rejections.append((submitted.origin, frame.id, outcome.code, newest))
            if isinstance(outcome, Retry) or decision.repeat:
                return
            self.position += 1
            self.batch.refusals.append((self.position, outcome))
        self._ids[frame.id] = [*known, outcome]

    def _place(self, accepted: Accepted, rows: list[Delivery]) -> None:
        for row in rows:
            mailbox = row.mailbox
            prev = self._mailboxes.get(mailbox)
            if prev is None:
                # A set that changed in this very batch may name a mailbox nobody used before.
                prev = self.memory.mailboxes.get(mailbox, 0)
            self.position += 1
            self._mailboxes[mailbox] = self.position
            self.batch.entries.append(Entry(mailbox, self.position, prev, accepted, row.parts))

    def _fold(self, committed: Committed) -> None:
        account, device = committed.account, committed.device
        key = (account, device)
        cursor = self._cursors.get(key) or self.memory.cursors[key]
        gap = max(cursor.gap, committed.gap)
        for conversation, runs in committed.runs.items():
            mine = (conversation, account)
            marks = self._marks.get(mine)
            if marks is None:
                marks = self._marks[mine] = dict(self.memory.marks[mine])
            mark = marks.get(device) or Mark(conversation, account, device, (), 0)
            for run in runs:
                mark = extend(mark, run, self._start(conversation, key, run.first), gap)
            marks[device] = self._folded[(conversation, key)] = mark
            told = union(i for m in marks.values() for i in m.intervals)
            self.delivered[mine] = Delivered(runs[-1].sender, conversation, account, told)
        if committed.position > cursor.acked or gap > cursor.gap:
            self._cursors[key] = Cursor(account, device, max(committed.position, cursor.acked), gap)

    def _start(self, conversation: bytes, device: tuple[bytes, int], first: int) -> int:
        head = self._heads.get(conversation) or self.memory.heads[conversation]
        member = head.members.get(device[0])
        return member.starts.get(device[1], first) if member is not None else first

    def publish(self) -> None:
        """Make the batch what memory says."""
        memory = self.memory
        memory.heads.update(self._heads)
        memory.mailboxes.update(self._mailboxes)
        memory.sets.update(self._sets)
        memory.marks.update(self._marks)
        memory.cursors.update(self._cursors)
        memory.recent.update(dict.fromkeys(self._ids))
