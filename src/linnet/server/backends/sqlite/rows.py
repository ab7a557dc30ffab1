"""Rows: how entries, refusals and folded state are written in columns, and read back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from linnet.server.ports.timeline import (
    Accepted,
    Batch,
    Cursor,
    Entry,
    Gathering,
    Head,
    Mark,
    Member,
    Outcome,
    Refusal,
    Roster,
    Seat,
)
from linnet.wire.frames import Interval, Part

EntryRow = tuple[int, bytes | None, int, bytes | None, bytes]
"""position, mailbox, prev, id, body."""
LogRow = tuple[bytes, int, int | None, int | None, bytes | None, bytes | None, int | None]
"""account, device, acked, gap, conversation, intervals, at."""


class _Body(msgspec.Struct, array_like=True, gc=False):
    accepted: Accepted
    parts: list[Part]


_encode = msgspec.msgpack.Encoder().encode
_body = msgspec.msgpack.Decoder(_Body)
_refusal = msgspec.msgpack.Decoder(Refusal)
_members = msgspec.msgpack.Decoder(dict[bytes, Member])
_seats = msgspec.msgpack.Decoder(tuple[Seat, ...])
_intervals = msgspec.msgpack.Decoder(tuple[Interval, ...])
_devices = msgspec.msgpack.Decoder(tuple[int, ...])


def entry_rows(entries: list[Entry]) -> Iterator[EntryRow]:
    """Rows of a segment. An id stands in the last row of its message, so it is indexed once."""
    last = len(entries) - 1
    for n, entry in enumerate(entries):
        accepted = entry.accepted
        id = None if n < last and entries[n + 1].accepted is accepted else accepted.id
        body = _encode((accepted, entry.parts))
        yield entry.position, entry.mailbox, entry.prev, id, body


def refusal_rows(batch: Batch) -> Iterator[EntryRow]:
    """Rows of refusals, in nobody's mailbox."""
    for position, refusal in batch.refusals:
        yield position, None, 0, refusal.id, _encode(refusal)


def log_rows(batch: Batch) -> Iterator[LogRow]:
    """Marks and cursors for mark_log, a cursor beside a mark of its device where there is one."""
    cursors = {(cursor.account, cursor.device): cursor for cursor in batch.cursors}
    for mark in batch.marks:
        cursor = cursors.pop((mark.account, mark.device), None)
        acked, gap = (cursor.acked, cursor.gap) if cursor else (None, None)
        intervals = _encode(mark.intervals)
        yield mark.account, mark.device, acked, gap, mark.conversation, intervals, mark.at
    for cursor in cursors.values():
        yield cursor.account, cursor.device, cursor.acked, cursor.gap, None, None, None


def entry(position: int, mailbox: bytes, prev: int, body: bytes) -> Entry:
    """An entry read back."""
    held = _body.decode(body)
    return Entry(mailbox, position, prev, held.accepted, held.parts)


def outcome(mailbox: bytes | None, body: bytes) -> Outcome:
    """The outcome in a row found by its id."""
    return _body.decode(body).accepted if mailbox is not None else _refusal.decode(body)


def logged(row: tuple[Any, ...]) -> tuple[Cursor | None, Mark | None]:
    """A row of mark_log."""
    account, device, acked, gap, conversation, intervals, at = row
    cursor = Cursor(account, device, acked, gap) if acked is not None else None
    if conversation is None:
        return cursor, None
    return cursor, Mark(conversation, account, device, _intervals.decode(intervals), at)


def mark(row: tuple[Any, ...]) -> Mark:
    """A row of mark: conversation, account, device, intervals, at."""
    conversation, account, device, intervals, at = row
    return Mark(conversation, account, device, _intervals.decode(intervals), at)


def mark_row(mark: Mark) -> tuple[Any, ...]:
    """The columns of mark."""
    return mark.conversation, mark.account, mark.device, _encode(mark.intervals), mark.at


def head(row: tuple[Any, ...]) -> Head:
    """A row of conversation."""
    id, conv_seq, clock, members, roster = row
    return Head(id, conv_seq, clock, _members.decode(members), roster)


def head_row(head: Head) -> tuple[Any, ...]:
    """The columns of conversation."""
    members = _encode(head.members)
    return head.conversation, head.conv_seq, head.clock, members, head.roster


def gathering(row: tuple[Any, ...]) -> Gathering:
    """A row of gathering: id, number, version, hash, seats, members."""
    id, number, version, hash, seats, members = row
    roster = Roster(id, number, version, hash, _seats.decode(seats))
    return Gathering(roster, _members.decode(members))


def gathering_row(gathering: Gathering) -> tuple[Any, ...]:
    """The columns of gathering."""
    it = gathering.roster
    seats, members = _encode(it.seats), _encode(gathering.members)
    return it.group, it.number, it.version, it.hash, seats, members


def pack_devices(devices: tuple[int, ...]) -> bytes:
    """The devices of a set."""
    return _encode(devices)


def unpack_devices(devices: bytes) -> tuple[int, ...]:
    """The devices of a set."""
    return _devices.decode(devices)
