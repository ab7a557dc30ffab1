"""The reference timeline: lists and dicts. Nothing survives the process."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import dropwhile

from linnet.server.ports.timeline import (
    Accepted,
    Batch,
    Cursor,
    DeviceSet,
    Entry,
    Gathering,
    Head,
    Loaded,
    Mark,
    Numbered,
    Opened,
    Outcome,
    Retained,
    Spread,
    Wanted,
    clock_stepped,
    next_epoch,
)
from linnet.wire.ids import message_time_ms


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
        self._gatherings: dict[bytes, Gathering] = {}
        self._bodies: dict[bytes, list[Numbered]] = {}
        self._marks: dict[tuple[bytes, bytes], dict[int, Mark]] = {}
        self._cursors: dict[tuple[bytes, int], Cursor] = {}

    async def open(self, recent_most: int) -> Opened:
        ids = list(self._outcomes)
        older = ids[: max(0, len(ids) - recent_most)]
        until = max((message_time_ms(id) for id in older), default=0)
        return Opened(self._epoch, self._last, ids[len(older) :], until)

    async def load(self, wanted: Wanted) -> Loaded:
        sets = {key: self._sets[key] for key in wanted.sets if key in self._sets}
        held = self._gatherings
        gatherings = {key: held[key] for key in wanted.gatherings if key in held}
        mailboxes = wanted.mailboxes.union(
            (it.mailbox for it in sets.values()),
            (seat.mailbox for it in gatherings.values() for seat in it.roster.seats),
        )
        return Loaded(
            heads={key: self._heads[key] for key in wanted.heads if key in self._heads},
            mailboxes={key: self._mailboxes[key] for key in mailboxes if key in self._mailboxes},
            sets=sets,
            gatherings=gatherings,
            marks={
                key: list(self._marks[key].values()) for key in wanted.marks if key in self._marks
            },
            cursors={key: self._cursors[key] for key in wanted.cursors if key in self._cursors},
            outcomes={
                key: list(self._outcomes[key]) for key in wanted.ids if key in self._outcomes
            },
        )

    async def commit(self, batch: Batch) -> None:
        for rows in batch.rows():
            if isinstance(rows, Spread):
                self._bodies.setdefault(rows.accepted.conversation, []).append(
                    (rows.accepted, rows.body)
                )
                rows = [rows.entry(n) for n in range(len(rows.mailboxes))]
            for entry in rows:
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
        for gathering in batch.gatherings:
            self._gather(gathering)
        for mark in batch.marks:
            self._marks.setdefault((mark.conversation, mark.account), {})[mark.device] = mark
        for cursor in batch.cursors:
            self._cursors[(cursor.account, cursor.device)] = cursor
        if batch.clock_ms > self._clock_ms and not clock_stepped(self._clock_ms, batch.clock_ms):
            self._clock_ms = batch.clock_ms

    def _gather(self, gathering: Gathering) -> None:
        group, number = gathering.roster.group, gathering.roster.number
        self._gatherings[group] = gathering
        head = self._heads.get(group) or Head(group)
        self._heads[group] = Head(group, head.conv_seq, head.clock, head.members, number)

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
            held.roster,
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

    async def numbered(
        self, group: bytes, first: int, last: int, most_rows: int, most_bytes: int
    ) -> Sequence[Numbered]:
        found: list[Numbered] = []
        size = 0
        for accepted, body in self._bodies.get(group, []):
            if not first <= accepted.conv_seq <= last:
                continue
            size += len(body)
            if found and (len(found) >= most_rows or size > most_bytes):
                break
            found.append((accepted, body))
        return found

    async def raise_epoch(self) -> int:
        self._epoch = next_epoch(self._epoch)
        self._last = max(self._last, self._epoch << 48)
        return self._epoch

    async def retain(self, now_ms: int, keep_ms: int, trust_clock: bool = False) -> Retained:
        if not trust_clock and clock_stepped(self._clock_ms, now_ms):
            return Retained(0, "the clock has stepped")
        self._clock_ms = now_ms
        dropped = 0
        for mailbox, rows in self._rows.items():
            kept = list(dropwhile(lambda row: _time_ms(row.accepted) < now_ms - keep_ms, rows))
            dropped += len(rows) - len(kept)
            self._rows[mailbox] = kept
        for group, bodies in self._bodies.items():
            kept_bodies = dropwhile(lambda it: _time_ms(it[0]) < now_ms - keep_ms, bodies)
            self._bodies[group] = list(kept_bodies)
        for id, outcomes in list(self._outcomes.items()):
            self._outcomes[id] = [one for one in outcomes if _time_ms(one) >= now_ms - keep_ms]
            if not self._outcomes[id]:
                del self._outcomes[id]
        return Retained(dropped)


def _time_ms(outcome: Outcome) -> int:
    """When an outcome is from, for retention: kept while its id could be taken for new."""
    server_ms = outcome.server_timestamp if isinstance(outcome, Accepted) else 0
    return max(server_ms, message_time_ms(outcome.id))
