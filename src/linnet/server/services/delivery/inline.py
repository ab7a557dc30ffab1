"""Inline: the embedded driver. Records in, one atomic commit, notices out.

Everything that arrives while a commit is under way forms the next one, so the cost of a durable
write is shared by all who wait for it. The driver is the timeline's only writer and has one batch
in flight; what a batch read and changed becomes visible when its commit returned, or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.ports import Unavailable
from linnet.server.ports.bus import Bus, Delivered, Notices
from linnet.server.ports.timeline import (
    Cursor,
    DeviceSet,
    Loaded,
    Outcome,
    Roster,
    Timeline,
    Wanted,
)
from linnet.server.services.clock import Clock
from linnet.server.services.delivery import asked
from linnet.server.services.delivery.asked import GroupMessages
from linnet.server.services.delivery.decide import Record, ciphertext_bytes
from linnet.server.services.delivery.memory import Absent, Memory
from linnet.server.services.delivery.work import Changing, Committed, Origin, Submitted, Work

_log = logging.getLogger("linnet.delivery")
_RETRY_S = 1.0
"""How long acks wait before a store that refused them is tried again."""


class Commit(NamedTuple):
    """One group commit: what it took in, how many messages it accepted, how long it took."""

    records: int
    acks: int
    accepted: int
    seconds: float


class Arrival(NamedTuple):
    """A device's mailbox, that mailbox's last position, what the device acknowledged, and the
    number of its account's set."""

    mailbox: bytes
    head: int
    cursor: Cursor
    set: int


class Inline:
    """Group commit around `decide`. Run `run()` in a task; it ends when `stop()` was called and
    everything submitted before is settled."""

    def __init__(self, timeline: Timeline, bus: Bus, config: DeliveryConfig, clock: Clock) -> None:
        self._timeline = timeline
        self._bus = bus
        self._config = config
        self._clock = clock
        self._records: list[Submitted] = []
        self._pending_bytes = 0
        self._acks: list[Committed] = []
        self._newest_ack: dict[tuple[bytes, int], Committed] = {}
        self._ride: asyncio.TimerHandle | None = None
        self._acks_due = False
        self._failing = False
        self._changes: list[Changing] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._numbering = asyncio.Lock()
        self._last = 0
        self.epoch = 0
        self.settled = 0
        """Commits told so far: unchanged means that nothing newer can be read."""
        self.memory: Memory
        self.on_commit: Callable[[Commit], None] = lambda commit: None
        """Called after each group commit, for metrics."""

    async def open(self) -> None:
        """Recover numbering. Before anything else."""
        opened = await self._timeline.open(self._config.recent_ids)
        self.epoch = opened.epoch
        self._last = opened.last_position
        self.memory = Memory(opened, self._config.cached, self._config.recent_ids)

    # ---- what comes in

    def submit(self, record: Record, origin: Origin) -> None:
        """Decide and store this record. Answers follow through the origin or the bus.

        With `pending_most` records or `pending_bytes` of ciphertext waiting, it is rejected as
        `unavailable` at once.
        """
        config = self._config
        full = (
            len(self._records) >= config.pending_most or self._pending_bytes >= config.pending_bytes
        )
        if full or self._stopping:
            origin.rejected(record.frame.id, "unavailable", None)
            return
        self._pending_bytes += ciphertext_bytes(record.frame)
        self._records.append((record, origin))
        self._wake.set()

    def ack(self, committed: Committed) -> None:
        """Fold a device's ack into its watermarks; its senders hear once that is durable.

        It rides with the next message's commit, and waits `ack_wait_s` for one: a quiet server
        then pays one commit a message instead of two.
        Acks of one device waiting for a commit are joined, except over a resync, so there are
        hardly ever more of them than devices connected.
        """
        self._join_ack(committed)
        if self._ride is None and not self._acks_due:
            wait_s = self._config.ack_wait_s
            self._ride = asyncio.get_running_loop().call_later(wait_s, self._end_ride)

    def _end_ride(self) -> None:
        """No message came for the acks to ride with: they are committed alone."""
        self._ride, self._acks_due = None, True
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
        await self._change(change)

    async def change_roster(self, roster: Roster) -> None:
        """Decide a roster; returns once messages to its group must name it. One that is not above
        the group's current one changes nothing.

        Raises Unavailable: it was not stored; ValueError: an account or mailbox sits twice.
        """
        seats = roster.seats
        for named in ({it.account for it in seats}, {it.mailbox for it in seats}):
            if len(named) != len(seats):
                raise ValueError("a roster with one seat twice")
        await self._change(roster)

    async def _change(self, change: DeviceSet | Roster) -> None:
        if self._stopping:
            raise Unavailable("stopping")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes.append((change, done))
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
        while not self._stopping or self._records or self._changes or (self._acks and not retry_s):
            if retry_s is None:
                await self._wake.wait()
            else:
                try:
                    async with asyncio.timeout_at(retry_s):
                        await self._wake.wait()
                except TimeoutError:
                    retry_s, self._acks_due = None, True  # try the waiting acks again
            self._wake.clear()
            if self._stopping:
                self._acks_due = True
            while (
                self._records
                or self._changes
                or (self._acks and self._acks_due and retry_s is None)
            ):
                async with self._numbering:
                    stored = await self._commit_one()
                retry_s = None if stored else now_s() + _RETRY_S

    async def _commit_one(self) -> bool:
        """One group commit; False if the store could not."""
        began_s = self._clock.monotonic_s()
        records = self._take()
        self._pending_bytes -= sum(ciphertext_bytes(record.frame) for record, _ in records)
        acks, self._acks, self._newest_ack = self._acks, [], {}
        changes, self._changes = self._changes, []
        self._acks_due = False
        if self._ride is not None:
            self._ride.cancel()
            self._ride = None
        try:
            work = await self._decide(records, acks, changes)
            if work.stores_something():
                await self._timeline.commit(work.batch)
        except Unavailable as error:
            if not self._failing:
                _log.error("nothing can be stored: %s", error)
            self._failing = True
            self._failed(records, acks, changes, error)
            return False
        except Exception:
            _log.critical("the store broke; the server ends", exc_info=True)
            raise
        if self._failing:
            _log.warning("the store takes messages again")
        self._failing = False
        self._last = work.position
        self.settled += 1
        self._settle(work, changes)
        accepted = len(records) - len(work.rejections) - len(work.repeats)
        took_s = self._clock.monotonic_s() - began_s
        self.on_commit(Commit(len(records), len(acks), accepted, took_s))
        return True

    def _take(self) -> list[Submitted]:
        """What the next commit takes. A thousand messages to a thousand members are a million
        rows: not in one commit, which everybody would wait for, and memory hold."""
        records, groups, rows = self._records, self.memory.groups, 0
        most = min(len(records), self._config.batch_most)
        for number in range(most if groups else 0):
            group = groups.get(records[number][0].conversation)
            if group is not None:
                rows += len(group.mailboxes)
                if number and rows > self._config.batch_rows:
                    most = number
                    break
        taken, self._records = records[:most], records[most:]
        return taken

    async def _decide(
        self, records: list[Submitted], acks: list[Committed], changes: list[Changing]
    ) -> Work:
        """Decide from memory; if something is not in it, load that and begin again."""
        known: dict[bytes, list[Outcome]] = {}
        while True:
            work = Work(self.memory, self._last, self._clock, known)
            try:
                work.decide(records, acks, changes)
            except Absent:
                wanted = work.missing(records, acks, changes)
                loaded = await self._timeline.load(wanted)
                self.memory.learn(wanted, loaded)
                known.update({id: loaded.outcomes.get(id, []) for id in wanted.ids})
            else:
                return work

    def _failed(
        self,
        records: list[Submitted],
        acks: list[Committed],
        changes: list[Changing],
        error: Unavailable,
    ) -> None:
        """Nothing was stored, so nothing is told but that. Acks wait for the next batch, without
        a wake-up: a full disk is not to be tried in a loop."""
        newer, self._acks, self._newest_ack = self._acks, [], {}
        for committed in [*acks, *newer]:
            self._join_ack(committed)
        for record, origin in records:
            origin.rejected(record.frame.id, "unavailable", None)
        for _, done in changes:
            if not done.done():
                done.set_exception(Unavailable(str(error)))

    def _settle(self, work: Work, changes: list[Changing]) -> None:
        """The commit returned: make it visible, then tell."""
        work.publish()
        self.memory.trim()
        for _, done in changes:
            if not done.done():
                done.set_result(None)
        batch = work.batch
        if batch.entries or work.delivered or batch.spreads or batch.sets or work.regrouped:
            told = list(work.delivered.values())
            self._bus.publish(
                Notices(batch.entries, told, batch.spreads, batch.sets, work.regrouped)
            )
        for origin, id, code, sets, roster in work.rejections:
            origin.rejected(id, code, sets, roster)
        for origin, first in (*work.repeats, *work.sealed):
            origin.repeated(first)

    # ---- reading

    async def arrival(self, account: bytes, device: int) -> Arrival | None:
        """Where a device that connects is; None if it is not listed. Raises Unavailable.

        At least as new as the last commit that was told before the call.
        """
        memory, wanted, key = self.memory, Wanted(), (account, device)
        held, cursor, head = memory.sets.get(account), memory.cursors.get(key), 0
        if held is None:
            wanted.sets.add(account)
        elif held.mailbox not in memory.mailboxes:
            wanted.mailboxes.add(held.mailbox)
        else:
            head = memory.mailboxes[held.mailbox]
        if cursor is None:
            wanted.cursors.add(key)
        loaded = Loaded()
        if wanted.sets or wanted.mailboxes or wanted.cursors:
            loaded = await self._timeline.load(wanted)
        # A commit may have been settled meanwhile: what memory learned since is newer, unless it
        # has forgotten again.
        held = memory.sets.get(account) or held or loaded.sets.get(account)
        if held is None or device not in held.devices:
            return None
        heads = memory.mailboxes, loaded.mailboxes
        head = max(head, *(known.get(held.mailbox, 0) for known in heads))
        cursor = memory.cursors.get(key) or cursor or loaded.cursors.get(key)
        return Arrival(held.mailbox, head, cursor or Cursor(account, device), held.number)

    async def watermarks(self, conversations: Iterable[bytes], asker: bytes) -> list[Delivered]:
        """See `asked.watermarks`."""
        return await asked.watermarks(self._timeline, conversations, asker)

    async def group_messages(
        self, group: bytes, account: bytes, device: int, first: int, last: int
    ) -> GroupMessages:
        """See `asked.group_messages`."""
        return await asked.group_messages(self._timeline, group, account, device, first, last)

    async def raise_epoch(self, above: int) -> None:
        """The store went back behind `above`, which it had given out: number above it.

        However many ask at once, no more epochs are used than it takes. Raises Unavailable.
        """
        async with self._numbering:
            while above > self._last:
                await self._next_epoch()

    async def begin_epoch(self) -> None:
        """Number above everything ever given out: for a store restored from a backup, before
        anybody is served. Raises Unavailable."""
        async with self._numbering:
            await self._next_epoch()

    async def _next_epoch(self) -> None:
        self.epoch = await self._timeline.raise_epoch()
        self._last = max(self._last, self.epoch << 48)
