"""Work: one batch being decided.

Values changed so far over the memory as of the last commit; nothing outside is touched until
`publish`, so a batch that could not be stored, or whose keys were not all in memory, is dropped
and nothing happened. Runs for every message and every ack: it reads dicts and makes few objects.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

import msgspec

from linnet.server.ports.bus import Delivered, Regrouped
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
    Roster,
    Spread,
    Wanted,
)
from linnet.server.services.clock import Clock
from linnet.server.services.delivery.decide import Decision, Record, Retry, Rows, decide
from linnet.server.services.delivery.decide_group import decide_group
from linnet.server.services.delivery.decide_sealed import decide_sealed
from linnet.server.services.delivery.group import Group, regrouped, within
from linnet.server.services.delivery.memory import Absent, Memory
from linnet.server.services.delivery.watermark import Intervals, Run, extend, union
from linnet.wire.frames import Sets

_log = logging.getLogger("linnet.delivery")


class Origin(Protocol):
    """Where a record came from, for answers that are not a row."""

    def repeated(self, first: Accepted) -> None:
        """The id was accepted before, or now of a sealed message, which gives its sender no row;
        this is that outcome."""

    def rejected(self, id: bytes, code: str, sets: Sets | None, roster: int = 0) -> None:
        """Nothing was stored for this try. `sets` or `roster` are the current ones where the try
        named others."""


class Committed(msgspec.Struct, gc=False):
    """A device's cumulative ack: rows up to `position`, and the runs among them that are others'
    messages, by conversation."""

    account: bytes
    device: int
    position: int
    runs: dict[bytes, list[Run]]
    gap: int = 0


Submitted = tuple[Record, Origin]
"""A record waiting for its batch, and who waits for its answer."""
Changing = tuple[DeviceSet | Roster, "asyncio.Future[None]"]
"""A change of a set or a roster, waiting for its batch."""


class Work:
    """See the module. `known` are outcomes stored under ids that may be repeats."""

    def __init__(
        self, memory: Memory, last: int, clock: Clock, known: dict[bytes, list[Outcome]]
    ) -> None:
        self.memory = memory
        self.position = last
        self.appended_ms = clock.steady_ms()
        self.stamped_ms = clock.wall_ms()
        self.batch = Batch(clock_ms=self.stamped_ms)
        self.known = known
        self.rejections: list[tuple[Origin, bytes, str, Sets | None, int]] = []
        self.repeats: list[tuple[Origin, Accepted]] = []
        self.sealed: list[tuple[Origin, Accepted]] = []
        self.delivered: dict[tuple[bytes, ...], Delivered] = {}
        self.regrouped: list[Regrouped] = []
        self._heads: dict[bytes, Head] = {}
        self._mailboxes: dict[bytes, int] = {}
        self._sets: dict[bytes, DeviceSet] = {}
        self._groups: dict[bytes, Group] = {}
        self._marks: dict[tuple[bytes, bytes], dict[int, Mark]] = {}
        self._folded: dict[tuple[bytes, bytes, int], Mark] = {}
        self._cursors: dict[tuple[bytes, int], Cursor] = {}
        self._ids: dict[bytes, list[Outcome]] = {}
        self._joined: set[bytes] = set()

    def missing(
        self, records: list[Submitted], acks: list[Committed], changes: list[Changing]
    ) -> Wanted:
        """What memory lacks to decide these. Whose mailbox is wanted is known only once sets and
        rosters are, so it may lack something still when this was loaded."""
        memory, wanted = self.memory, Wanted()
        accounts: set[bytes] = set()
        for change, _ in changes:
            if isinstance(change, Roster):
                wanted.heads.add(change.group)
                wanted.gatherings.add(change.group)
                wanted.mailboxes.update(seat.mailbox for seat in change.seats)
            else:
                accounts.add(change.account)
                wanted.mailboxes.add(change.mailbox)
        for record, _ in records:
            wanted.heads.add(record.conversation)
            if record.recipient:
                accounts.update((record.sender, record.recipient))
            else:
                wanted.gatherings.add(record.conversation)
            if memory.may_be_known(record.frame.id):
                wanted.ids.add(record.frame.id)
        for committed in acks:
            wanted.cursors.add((committed.account, committed.device))
            wanted.heads.update(committed.runs)
            wanted.marks.update(
                (conversation, committed.account) for conversation in committed.runs
            )
        for conversation in wanted.heads & memory.heads.keys():
            if memory.heads[conversation].roster:
                wanted.gatherings.add(conversation)
        for id in wanted.gatherings & memory.groups.keys():
            if (group := memory.groups[id]) is not None:
                wanted.mailboxes.update(group.mailboxes)
        for account in accounts & memory.sets.keys():
            if (held := memory.sets[account]) is not None:
                wanted.mailboxes.add(held.mailbox)
        wanted.sets = accounts - memory.sets.keys()
        wanted.gatherings -= memory.groups.keys()
        wanted.mailboxes -= memory.mailboxes.keys()
        wanted.heads -= memory.heads.keys()
        wanted.ids -= self.known.keys()
        wanted.cursors -= memory.cursors.keys()
        wanted.marks -= memory.marks.keys()
        return wanted

    def decide(
        self,
        records: list[Submitted],
        acks: list[Committed],
        changes: list[Changing],
    ) -> None:
        """All of it, in order: changes, messages, acks. Raises Absent: load what is missing and
        begin again with new work."""
        for change, _ in changes:
            if isinstance(change, Roster):
                self._change_roster(change)
            else:
                self._change_set(change)
        for record, origin in records:
            try:
                self._decide_one(record, origin)
            except Absent:
                raise
            except Exception:
                # One client's record must not stop everybody's commits; it changed nothing yet.
                _log.exception("a record could not be decided")
                self.rejections.append((origin, record.frame.id, "internal", None, 0))
        for committed in acks:
            self._fold(committed)
        self.batch.marks = list(self._folded.values())
        self.batch.cursors = list(self._cursors.values())
        self.batch.heads = [self._heads[conversation] for conversation in self._joined]

    def stores_something(self) -> bool:
        """Whether there is anything to commit."""
        it = self.batch
        rows = it.entries or it.spreads or it.refusals
        return bool(rows or it.sets or it.gatherings or it.marks or it.cursors)

    def _change_set(self, change: DeviceSet) -> None:
        held = self._set(change.account)
        # A relay repeats what it is not sure was decided; only a newer number means anything.
        if held is None or change.number > held.number:
            self._sets[change.account] = change
            self.batch.sets.append(change)

    def _change_roster(self, roster: Roster) -> None:
        group, held = roster.group, self._group(roster.group)
        if held is not None and roster.number <= held.roster.number:
            return
        head = self._heads.get(group) or self.memory.heads[group]
        self._heads[group] = Head(group, head.conv_seq, head.clock, {}, roster.number)
        self._groups[group] = changed = regrouped(held, roster, head.conv_seq + 1)
        self.batch.gatherings.append(changed.gathering)
        concerned = changed.seats.keys() | (held.seats.keys() if held is not None else ())
        self.regrouped.append(Regrouped(group, roster.number, frozenset(concerned)))

    def _decide_one(self, record: Record, origin: Origin) -> None:
        memory, frame = self.memory, record.frame
        id = frame.id
        known = self._ids.get(id)
        if known is None and memory.may_be_known(id):
            known = self.known.get(id)
            if known is None:
                raise Absent
        record.appended_ms = self.appended_ms
        record.stamped_ms = self.stamped_ms
        conversation = record.conversation
        head = self._heads.get(conversation) or memory.heads[conversation]
        group: Group | None = None
        if not record.device:
            decision = decide_sealed(head, known or (), self._set(record.recipient), record)
        elif record.recipient:
            sender = self._set(record.sender)
            if sender is None:
                self.rejections.append((origin, id, "unavailable", None, 0))
                return
            decision = decide(head, known or (), sender, self._set(record.recipient), record)
        else:
            group = self._group(conversation)
            decision = _decide_in(group, head, known or (), record)
        outcome = decision.outcome
        if type(outcome) is Accepted:
            if decision.repeat:
                self.repeats.append((origin, outcome))
                return
            if group is not None:
                self._spread(outcome, frame.body, group)
            else:
                self._place(outcome, decision.rows)
                if decision.head.members is not head.members:
                    self._joined.add(conversation)
            self._heads[conversation] = decision.head
            if not record.device:
                self.sealed.append((origin, outcome))
        else:
            assert isinstance(outcome, Refusal | Retry)
            retry = outcome if isinstance(outcome, Retry) else _NOTHING_NEW
            self.rejections.append((origin, id, outcome.code, retry.sets, retry.roster))
            if isinstance(outcome, Retry) or decision.repeat:
                return
            self.position += 1
            self.batch.refusals.append((self.position, outcome))
        self._ids[id] = [*known, outcome] if known else [outcome]

    def _set(self, account: bytes) -> DeviceSet | None:
        return self._sets.get(account) or self.memory.sets[account]

    def _group(self, id: bytes) -> Group | None:
        return self._groups.get(id) or self.memory.groups[id]

    def _place(self, accepted: Accepted, rows: Rows) -> None:
        mailboxes, entries, position = self._mailboxes, self.batch.entries, self.position
        for mailbox, parts in rows:
            prev = mailboxes.get(mailbox) or self.memory.mailboxes[mailbox]
            position += 1
            mailboxes[mailbox] = position
            entries.append(Entry(mailbox, position, prev, accepted, parts))
        self.position = position

    def _spread(self, accepted: Accepted, body: bytes, group: Group) -> None:
        """A row for every seat. In bulk: there may be a thousand."""
        placed, held, mailboxes = self._mailboxes, self.memory.mailboxes, group.mailboxes
        if placed:
            prevs = [placed.get(mailbox) or held[mailbox] for mailbox in mailboxes]
        else:
            prevs = [held[mailbox] for mailbox in mailboxes]
        first = self.position + 1
        self.position += len(mailboxes)
        placed.update(zip(mailboxes, range(first, first + len(mailboxes)), strict=True))
        spread = Spread(accepted, body, first, mailboxes, prevs, group.devices)
        self.batch.spreads.append(spread)

    def _fold(self, committed: Committed) -> None:
        account, device = committed.account, committed.device
        key = (account, device)
        cursor = self._cursors.get(key) or self.memory.cursors[key]
        gap = max(cursor.gap, committed.gap)
        for conversation, runs in committed.runs.items():
            mine = (conversation, account)
            marks = self._marks.get(mine) or self.memory.marks[mine]
            mark = marks.get(device) or Mark(conversation, account, device, (), 0)
            head = self._heads.get(conversation) or self.memory.heads[conversation]
            group = self._group(conversation) if head.roster else None
            members = group.members if group is not None else head.members
            member = members.get(account)
            start = member.starts.get(device, 0) if member is not None else 0
            for run in runs:
                mark = extend(mark, run, start or run.first, gap)
            self._folded[(conversation, account, device)] = mark
            self._marks[mine] = marks = {**marks, device: mark}
            told = _told(marks)
            if group is None:
                self.delivered[mine] = Delivered(runs[-1].sender, conversation, account, told)
                continue
            told = within(told, member.spans) if member is not None else told
            for sender in {run.sender for run in runs if not run.bare}:
                said = Delivered(sender, conversation, account, told, True)
                self.delivered[(conversation, account, sender)] = said
        if committed.position > cursor.acked or gap > cursor.gap:
            self._cursors[key] = Cursor(account, device, max(committed.position, cursor.acked), gap)

    def publish(self) -> None:
        """Make the batch what memory says."""
        memory = self.memory
        memory.heads.update(self._heads)
        memory.mailboxes.update(self._mailboxes)
        memory.sets.update(self._sets)
        for id, group in self._groups.items():
            memory.hold(id, group)
        memory.marks.update(self._marks)
        memory.cursors.update(self._cursors)
        memory.recent.update(dict.fromkeys(self._ids))


_NOTHING_NEW = Retry("")


def _decide_in(
    group: Group | None, head: Head, known: Sequence[Outcome], record: Record
) -> Decision:
    """Of a record to a group, which delivery may not have heard of."""
    if group is None:
        return decide_group(head, known, None, None, record)
    return decide_group(head, known, group.roster, group.seats.get(record.sender), record)


def _told(marks: dict[int, Mark]) -> Intervals:
    """The union over an account's devices; nearly always one device with one interval."""
    if len(marks) == 1:
        (mark,) = marks.values()
        if len(mark.intervals) == 1 and mark.intervals[0][0] <= mark.intervals[0][1]:
            return mark.intervals
    return union(interval for mark in marks.values() for interval in mark.intervals)
