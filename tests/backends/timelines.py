"""Batches for timelines, numbered as the driver would number them."""

from __future__ import annotations

from tests.backends.people import blob

from linnet.server.ports.timeline import (
    Accepted,
    Batch,
    Cursor,
    DeviceSet,
    Entry,
    Gathering,
    Head,
    Mark,
    Member,
    Refusal,
    Roster,
    Seat,
    Spread,
    Wanted,
)
from linnet.wire.frames import CONTROL, FULL, Part
from linnet.wire.ids import MessageId, message_id

DAY_MS = 24 * 3600 * 1000
NOON_MS = 1_760_000_000_000
CONVERSATIONS = [blob("conversation", number) for number in range(3)]
ACCOUNTS = [blob("account", number) for number in range(3)]
MAILBOXES = [blob("mailbox", number) for number in range(3)]


class Writer:
    """Makes batches; `take` starts the next. Time stands still unless `now_ms` is set."""

    def __init__(self) -> None:
        self.now_ms = NOON_MS
        self.last = 0
        self.prev: dict[bytes, int] = {}
        self.conv_seq: dict[bytes, int] = {}
        self.ids: list[bytes] = []
        self.rosters: dict[bytes, int] = {}
        self.batch = Batch()
        self._members: dict[bytes, dict[bytes, Member]] = {}

    def take(self) -> Batch:
        """What was made since the last call, to be committed now."""
        taken, self.batch = self.batch, Batch()
        taken.clock_ms = self.now_ms
        taken.heads = [
            Head(
                where, self.conv_seq.get(where, 0), self.now_ms, members, self.rosters.get(where, 0)
            )
            for where, members in self._members.items()
        ]
        self._members = {}
        return taken

    def fresh_id(self, at_ms: int | None = None) -> MessageId:
        """An id nobody used, made now."""
        made = message_id(self.now_ms if at_ms is None else at_ms, blob("id", len(self.ids), 10))
        self.ids.append(made)
        return made

    def message(
        self,
        conversation: int = 0,
        sender: int = 0,
        to: tuple[int, ...] = (1, 0),
        *,
        mode: int = FULL,
        id: bytes | None = None,
        size: int = 3,
    ) -> Accepted:
        """An accepted message with a row in each mailbox of `to`."""
        where = CONVERSATIONS[conversation]
        number = 0
        if mode != CONTROL:
            number = self.conv_seq[where] = self.conv_seq.get(where, 0) + 1
        accepted = Accepted(
            where,
            number,
            id or self.fresh_id(),
            ACCOUNTS[sender],
            1,
            mode,
            self.now_ms - 5,
            self.now_ms,
            blob("commitment", number, 32),
            (1, 2),
        )
        for mailbox in to:
            self._place(MAILBOXES[mailbox], accepted, [Part(1, 2, b"x" * size)])
        return accepted

    def spread(
        self,
        conversation: int = 2,
        sender: int = 0,
        to: tuple[int, ...] = (0, 1, 2),
        *,
        devices: tuple[bytes, ...] = (b"\1", b"\1\2", b"\3"),
        id: bytes | None = None,
        size: int = 3,
    ) -> Spread:
        """A group message with a row in each mailbox of `to`."""
        where = CONVERSATIONS[conversation]
        number = self.conv_seq[where] = self.conv_seq.get(where, 0) + 1
        accepted = Accepted(
            where,
            number,
            id or self.fresh_id(),
            ACCOUNTS[sender],
            1,
            FULL,
            self.now_ms - 5,
            self.now_ms,
            blob("commitment", number, 32),
            None,
            7,
        )
        mailboxes = [MAILBOXES[n] for n in to]
        prevs = [self.prev.get(mailbox, 0) for mailbox in mailboxes]
        made = Spread(
            accepted, b"y" * size, self.last + 1, mailboxes, prevs, list(devices[: len(to)])
        )
        for mailbox in mailboxes:
            self.last += 1
            self.prev[mailbox] = self.last
        self.batch.spreads.append(made)
        return made

    def gather(self, conversation: int, number: int, accounts: tuple[int, ...]) -> Gathering:
        """The conversation is a group; these are in it."""
        where = CONVERSATIONS[conversation]
        seats = tuple(Seat(ACCOUNTS[n], MAILBOXES[n], number, (1, 2)) for n in accounts)
        made = Gathering(
            Roster(where, number, number + 3, blob("entry", number, 32), seats),
            {ACCOUNTS[n]: Member(number, {1: 1, 2: 4}, ((1, 2), (4, 0))) for n in accounts},
        )
        self.batch.gatherings.append(made)
        self.rosters[where] = number
        return made

    def _place(self, mailbox: bytes, accepted: Accepted, parts: list[Part]) -> None:
        self.last += 1
        prev = self.prev.get(mailbox, 0)
        self.prev[mailbox] = self.last
        self.batch.entries.append(Entry(mailbox, self.last, prev, accepted, parts))

    def refusal(self, sender: int = 0, id: bytes | None = None) -> Refusal:
        """A final refusal."""
        self.last += 1
        refusal = Refusal(
            CONVERSATIONS[0], id or self.fresh_id(), ACCOUNTS[sender], 1, "unknown_recipient"
        )
        self.batch.refusals.append((self.last, refusal))
        return refusal

    def join(self, conversation: int, members: dict[int, dict[int, int]]) -> None:
        """These are the members of the conversation from this batch on."""
        joined = {ACCOUNTS[n]: Member(1, starts) for n, starts in members.items()}
        self._members[CONVERSATIONS[conversation]] = joined

    def mark(self, conversation: int, account: int, device: int, last: int) -> Mark:
        """A device has committed 1 to `last`."""
        where = CONVERSATIONS[conversation]
        mark = Mark(where, ACCOUNTS[account], device, ((1, last),), self.last)
        self.batch.marks.append(mark)
        return mark

    def cursor(self, account: int, device: int, gap: int = 0) -> Cursor:
        """A device has acknowledged everything so far."""
        cursor = Cursor(ACCOUNTS[account], device, self.last, gap)
        self.batch.cursors.append(cursor)
        return cursor

    def change_set(self, account: int, number: int) -> DeviceSet:
        """An account's set is now `number`."""
        devices = tuple(range(1, number + 1))
        change = DeviceSet(ACCOUNTS[account], MAILBOXES[account], number, devices)
        self.batch.sets.append(change)
        return change

    def everything(self) -> Wanted:
        """All that was ever written, by key."""
        return Wanted(
            heads=set(CONVERSATIONS),
            mailboxes=set(MAILBOXES),
            sets=set(ACCOUNTS),
            marks={(c, a) for c in CONVERSATIONS for a in ACCOUNTS},
            cursors={(a, device) for a in ACCOUNTS for device in (1, 2)},
            ids=set(self.ids),
            gatherings=set(CONVERSATIONS),
        )
