"""Timeline: a batch of delivery decisions, applied atomically; mailboxes read back in order.

The embedded counterpart of log, outcomes, bodies, mailboxes and watermarks (docs/protocol/
delivery.md). There is one writer: the inline driver, with one batch in flight.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from linnet.server.ports import Unavailable
from linnet.wire.frames import SENDER_KEY, Interval, Part, Sets

STEP_AHEAD_MS = 2 * 24 * 3600 * 1000
STEP_BACK_MS = 3600 * 1000
"""A clock further ahead of, or behind, where it was last right has stepped."""
EPOCH_END = 32
"""Epochs stay below this, so that positions stay below 2^53."""


class Accepted(msgspec.Struct, array_like=True, gc=False):
    """What was decided of one message, the same for everybody. Immutable once made."""

    conversation: bytes
    conv_seq: int
    id: bytes
    sender: bytes
    device: int
    mode: int
    timestamp: int
    server_timestamp: int
    commitment: bytes
    sets: Sets | None = None
    roster: int = 0
    stamp: bytes = b""


class Entry(msgspec.Struct, gc=False):
    """A row of a mailbox: one per (record, mailbox), with the parts for its account's devices."""

    mailbox: bytes
    position: int
    prev: int
    accepted: Accepted
    parts: list[Part]


class Refusal(msgspec.Struct, array_like=True, gc=False):
    """A final refusal: the outcome of an id that stored no message."""

    conversation: bytes
    id: bytes
    sender: bytes
    device: int
    code: str


Outcome = Accepted | Refusal


class Member(msgspec.Struct, array_like=True, frozen=True):
    """An account in a conversation: its set there, and the conv_seq each device begins at.

    `spans`, of groups alone, are the numbers that were for it; the last ends in 0 while it is in.
    """

    set: int
    starts: dict[int, int]
    spans: tuple[Interval, ...] = ()


class Head(msgspec.Struct, frozen=True, gc=False):
    """State of one conversation between decisions. `roster` is the current one's number where
    the conversation is a group; its members then stand in its Gathering."""

    conversation: bytes
    conv_seq: int = 0
    clock: int = 0
    members: dict[bytes, Member] = {}
    roster: int = 0


class DeviceSet(msgspec.Struct, frozen=True):
    """An account's set as delivery knows it: the number messages must name."""

    account: bytes
    mailbox: bytes
    number: int
    devices: tuple[int, ...]


class Seat(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One member account of a roster: where its rows go, and to which devices."""

    account: bytes
    mailbox: bytes
    set: int
    devices: tuple[int, ...]


class Roster(msgspec.Struct, frozen=True):
    """Numbered snapshot of who and which devices a group reaches. Only recompute makes one.

    `version` and `hash` are of the log entry it was made at. Numbers rise, with no meaning else.
    """

    group: bytes
    number: int
    version: int
    hash: bytes
    seats: tuple[Seat, ...]


class Gathering(msgspec.Struct, frozen=True):
    """A group as delivery knows it: its roster, and who is in it or was."""

    roster: Roster
    members: dict[bytes, Member]


class Spread(msgspec.Struct, gc=False):
    """One group message in many mailboxes: a body, and a row in each, at `first`, `first` + 1 …

    In columns, because a row each for 1,024 members would cost more than all the rest.
    """

    accepted: Accepted
    body: bytes
    first: int
    mailboxes: Sequence[bytes]
    prevs: Sequence[int]
    devices: Sequence[bytes]
    """Of each row, the devices that the body is for: a byte each."""

    @property
    def last(self) -> int:
        """Position of the last row."""
        return self.first + len(self.mailboxes) - 1

    def entry(self, n: int) -> Entry:
        """Row `n`, counted from 0, as it is read back."""
        mailbox, prev = self.mailboxes[n], self.prevs[n]
        return spread_entry(
            mailbox, self.first + n, prev, self.accepted, self.body, self.devices[n]
        )


def spread_entry(
    mailbox: bytes, position: int, prev: int, accepted: Accepted, body: bytes, devices: bytes
) -> Entry:
    """A row of a group message: every device is sent the one body."""
    parts = [Part(device, SENDER_KEY, body) for device in devices]
    return Entry(mailbox, position, prev, accepted, parts)


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How much of a conversation one device has committed. `at` is the position last folded."""

    conversation: bytes
    account: bytes
    device: int
    intervals: tuple[Interval, ...]
    at: int


class Cursor(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a device is in its mailbox; `gap` is where a resync last let it jump to."""

    account: bytes
    device: int
    acked: int = 0
    gap: int = 0


class Batch(msgspec.Struct):
    """Everything one group commit makes durable, all or none. Positions rise within each list."""

    entries: list[Entry] = []
    spreads: list[Spread] = []
    refusals: list[tuple[int, Refusal]] = []
    """(position, refusal): numbered like entries, in nobody's mailbox."""
    heads: list[Head] = []
    """Heads whose members changed; conv_seq and clock of the others follow from entries."""
    sets: list[DeviceSet] = []
    gatherings: list[Gathering] = []
    marks: list[Mark] = []
    cursors: list[Cursor] = []
    clock_ms: int = 0
    """Wall clock of the commit, for retention."""

    def rows(self) -> Iterator[list[Entry] | Spread]:
        """Entries and spreads in the order of their positions."""
        return in_order(self.entries, self.spreads)


class Opened(msgspec.Struct, frozen=True):
    """What the driver starts from."""

    epoch: int
    last_position: int
    recent: list[bytes]
    """Newest ids that have an outcome, oldest first."""
    older_ids_until_ms: int
    """No stored id outside `recent` has a larger time inside; 0 if there is none outside."""


class Wanted(msgspec.Struct):
    """Keys the driver does not hold in memory."""

    heads: set[bytes] = msgspec.field(default_factory=set)
    mailboxes: set[bytes] = msgspec.field(default_factory=set)
    sets: set[bytes] = msgspec.field(default_factory=set)
    marks: set[tuple[bytes, bytes]] = msgspec.field(default_factory=set)
    """(conversation, account): all devices' marks."""
    cursors: set[tuple[bytes, int]] = msgspec.field(default_factory=set)
    ids: set[bytes] = msgspec.field(default_factory=set)
    gatherings: set[bytes] = msgspec.field(default_factory=set)


class Loaded(msgspec.Struct):
    """The values of what was wanted; what is missing does not exist yet."""

    heads: dict[bytes, Head] = {}
    mailboxes: dict[bytes, int] = {}
    """Last position of each mailbox; also of those that belong to loaded sets and rosters."""
    sets: dict[bytes, DeviceSet] = {}
    gatherings: dict[bytes, Gathering] = {}
    marks: dict[tuple[bytes, bytes], list[Mark]] = {}
    cursors: dict[tuple[bytes, int], Cursor] = {}
    outcomes: dict[bytes, list[Outcome]] = {}
    """All outcomes stored under an id; scopes are compared by the driver."""


class Retained(msgspec.Struct, frozen=True):
    """What one retention pass did; `waiting` says why it did nothing."""

    dropped_rows: int
    waiting: str = ""


Numbered = tuple[Accepted, bytes]
"""A group message and its body, found by its number."""


class Timeline(Protocol):
    """Mailboxes, outcomes, heads, watermarks and cursors of the embedded server."""

    async def open(self, recent_most: int) -> Opened:
        """Recover, and tell where numbering goes on. Called once, before anything else."""

    async def load(self, wanted: Wanted) -> Loaded:
        """Values as of the last commit."""

    async def commit(self, batch: Batch) -> None:
        """Durable when it returns. Raises Unavailable: nothing of it is stored."""

    async def page(
        self, mailbox: bytes, since: int, most_rows: int, most_bytes: int
    ) -> Sequence[Entry]:
        """Rows after `since`, oldest first, at least one if there is one, never past a row that
        was not committed when the call began."""

    async def numbered(
        self, group: bytes, first: int, last: int, most_rows: int, most_bytes: int
    ) -> Sequence[Numbered]:
        """Messages of a group that are kept, with a conv_seq from `first` to `last`, in order, at
        least one if there is one."""

    async def raise_epoch(self) -> int:
        """The store went back in time: number from a new epoch on, one that was never begun,
        not even in a future that the store no longer knows. Returns it.

        Raises Unavailable where no epoch is left.
        """

    async def retain(self, now_ms: int, keep_ms: int, trust_clock: bool = False) -> Retained:
        """Drop what is older than `keep_ms`, or later: the oldest rows, never out of the middle
        of a mailbox, and an outcome never before the time inside its id is that old. After a step
        of the clock (docs/protocol/delivery.md, Retention) does nothing unless told to trust it.
        May be called while a batch is in flight."""


def in_order(entries: list[Entry], spreads: Sequence[Spread]) -> Iterator[list[Entry] | Spread]:
    """Entries and spreads merged by position: entries before a spread, the spread, and so on."""
    if not spreads:
        yield entries
        return
    start = 0
    for spread in spreads:
        end = bisect_left(entries, spread.first, lo=start, key=_position)
        if end > start:
            yield entries[start:end]
        yield spread
        start = end
    if start < len(entries):
        yield entries[start:]


def _position(entry: Entry) -> int:
    return entry.position


def clock_stepped(right_ms: int, now_ms: int) -> bool:
    """Whether a clock that was last right at `right_ms` (0: never seen) has stepped since."""
    return bool(right_ms) and not -STEP_BACK_MS <= now_ms - right_ms <= STEP_AHEAD_MS


def next_epoch(epoch: int) -> int:
    """The epoch after this one. Raises Unavailable: there is none."""
    if epoch + 1 >= EPOCH_END:
        raise Unavailable("no epoch is left; this store must be rebuilt")
    return epoch + 1


def outcomes_in_scope(
    outcomes: Iterable[Outcome], conversation: bytes, sender: bytes, device: int
) -> Outcome | None:
    """The outcome of this very (conversation, sender, device), if there is one."""
    for outcome in outcomes:
        if (outcome.conversation, outcome.sender, outcome.device) == (conversation, sender, device):
            return outcome
    return None
