"""The reference timeline: lists and dicts. Nothing survives the process."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from linnet.server.ports.timeline import (
    Batch,
    Cursor,
    DeviceSet,
    Entry,
    Head,
    Loaded,
    Mark,
    Opened,
    Outcome,
    Retained,
    Wanted,
)
from linnet.wire.ids import message_time_ms

STEP_MS = 2 * 24 * 3600 * 1000
"""A clock this much ahead of the last commit or pass, or an hour behind it, has stepped."""


class MemoryTimeline:
    """See `linnet.server.ports.timeline.Timeline`."""

    def __init__(self) -> None:
        self._epoch = 0
        self._last = 0
        self._clock_ms = 0
        self._rows: dict[bytes, list[Entry]] = {}
        self._outcomes: dict[bytes, list[Outcome]] = {}
        self._heads: dict[bytes, Head] = {}
        self._mailboxes: dict[bytes, int] = {}
        self._sets: dict[bytes, DeviceSet] = {}
        self._marks: dict[tuple[bytes, bytes], dict[int, Mark]] = {}
        self._cursors: dict[tuple[bytes, int], Cursor] = {}

    async def open(self, recent_most: int) -> Opened:
        ids = list(self._outcomes)
        older = ids[: max(0, len(ids) - recent_most)]
        until = max((message_time_ms(id) for id in older), default=0)
        return Opened(self._epoch, self._last, ids[len(older) :], until)

    async def load(self, wanted: Wanted) -> Loaded:
        return Loaded(
            heads={key: self._heads[key] for key in wanted.heads if key in self._heads},
            mailboxes={
                key: self._mailboxes[key] for key in wanted.mailboxes if key in self._mailboxes
            },
            sets={key: self._sets[key] for key in wanted.sets if key in self._sets},
            marks={
                key: list(self._marks[key].values()) for key in wanted.marks if key in self._marks
            },
            cursors={key: self._cursors[key] for key in wanted.cursors if key in self._cursors},
            outcomes={
                key: list(self._outcomes[key]) for key in wanted.ids if key in self._outcomes
            },
        )

    async def commit(self, batch: Batch) -> None:
        for entry in batch.entries:
            self._rows.setdefault(entry.mailbox, []).append(entry)
            self._mailboxes[entry.mailbox] = self._last = entry.position
            self._number(entry)
        for position, refusal in batch.refusals:
            self._last = max(self._last, position)
            self._outcomes.setdefault(refusal.id, []).append(refusal)
        for head in batch.heads:
            self._heads[head.conversation] = head
        for change in batch.sets:
            self._sets[change.account] = change
        for mark in batch.marks:
            self._marks.setdefault((mark.conversation, mark.account), {})[mark.device] = mark
        for cursor in batch.cursors:
            self._cursors[(cursor.account, cursor.device)] = cursor
        self._clock_ms = max(self._clock_ms, batch.clock_ms)

    def _number(self, entry: Entry) -> None:
        """One outcome an accepted message, and the head it leaves."""
        accepted = entry.accepted
        outcomes = self._outcomes.setdefault(accepted.id, [])
        if accepted not in outcomes:
            outcomes.append(accepted)
        held = self._heads.get(accepted.conversation) or Head(accepted.conversation)
        self._heads[accepted.conversation] = Head(
            accepted.conversation,
            max(held.conv_seq, accepted.conv_seq),
            max(held.clock, accepted.server_timestamp),
            held.members,
        )

    async def page(
        self, mailbox: bytes, since: int, most_rows: int, most_bytes: int
    ) -> Sequence[Entry]:
        rows = self._rows.get(mailbox, [])
        found: list[Entry] = []
        size = 0
        for entry in rows[bisect_right(rows, since, key=lambda row: row.position) :]:
            size += sum(len(part.ciphertext) for part in entry.parts)
            if found and (len(found) >= most_rows or size > most_bytes):
                break
            found.append(entry)
        return found

    async def raise_epoch(self) -> int:
        self._epoch += 1
        self._last = max(self._last, self._epoch << 48)
        return self._epoch

    async def retain(self, now_ms: int, keep_ms: int, trust_clock: bool = False) -> Retained:
        step = now_ms - self._clock_ms
        if not trust_clock and self._clock_ms and not -3_600_000 <= step <= STEP_MS:
            return Retained(0, "the clock has stepped")
        self._clock_ms = now_ms
        dropped = 0
        for mailbox, rows in self._rows.items():
            kept = [row for row in rows if row.accepted.server_timestamp >= now_ms - keep_ms]
            dropped += len(rows) - len(kept)
            self._rows[mailbox] = kept
        return Retained(dropped)
