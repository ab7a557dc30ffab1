"""History: what was said, as rows of the store, unique by (conversation, sender, id).

A conversation is shown in the order of conv_seq, what has none yet at its end. States only go
forward, except that `unknown` becomes `sent` when the server's word arrives after all.
"""

from datetime import UTC, datetime
from typing import Any

import apsw
import msgspec

from linnet.client.events import Arrived, Damaged, Message, State, Undecryptable
from linnet.client.sql import every, first
from linnet.client.watermarks import Interval, covers, union
from linnet.crypto.bodies import read_text
from linnet.signing.packing import Value, pack, unpack
from linnet.wire.ids import AccountId, ConversationId, DeviceId, MessageId

_COLUMNS = (
    "conversation, sender, device, id, conv_seq, kind, body, state, reason, note,"
    " sent_ms, received_ms"
)


class Row(msgspec.Struct, kw_only=True):
    """A message to be stored. `body` is nil where it could not be read."""

    conversation: bytes
    sender: bytes
    device: int
    id: bytes
    conv_seq: int | None
    kind: str
    body: Value
    author_key: bytes | None
    state: State
    reason: str = ""
    note: str = ""
    arrived: bool
    sent_ms: int
    received_ms: int | None

    def __repr__(self) -> str:
        return f"Row(kind={self.kind!r}, state={self.state!r})"


def add(db: apsw.Connection, row: Row) -> bool:
    """Store a message. False, and nothing changes, if it is there already."""
    db.execute(
        "INSERT INTO messages (conversation, sender, device, id, conv_seq, kind, body, author_key,"
        " state, reason, note, arrived, sent_ms, received_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            row.conversation,
            row.sender,
            row.device,
            row.id,
            row.conv_seq,
            row.kind,
            pack(row.body),
            row.author_key,
            row.state.value,
            row.reason,
            row.note,
            int(row.arrived),
            row.sent_ms,
            row.received_ms,
        ),
    )
    return bool(db.changes())


def heal(db: apsw.Connection, row: Row) -> bool:
    """What could not be decrypted has come after all: it takes that row's place, and its number.
    False, and nothing changes, if there is no such row."""
    if row.state is State.UNDECRYPTABLE:
        return False
    db.execute(
        "UPDATE messages SET kind = ?, body = ?, author_key = ?, state = ?, reason = ?, note = ?,"
        " sent_ms = ?, received_ms = ? WHERE conversation = ? AND sender = ? AND id = ?"
        " AND state = 'undecryptable'",
        (
            row.kind,
            pack(row.body),
            row.author_key,
            row.state.value,
            row.reason,
            row.note,
            row.sent_ms,
            row.received_ms,
            row.conversation,
            row.sender,
            row.id,
        ),
    )
    return bool(db.changes())


def remove_unread(db: apsw.Connection, conversation: bytes, sender: bytes, id: bytes) -> bool:
    """What could not be decrypted is nothing to show. False if there is no such row."""
    db.execute(
        "DELETE FROM messages WHERE conversation = ? AND sender = ? AND id = ?"
        " AND state = 'undecryptable'",
        (conversation, sender, id),
    )
    return bool(db.changes())


def entry(db: apsw.Connection, conversation: bytes, sender: bytes, id: bytes) -> Arrived | None:
    """One message."""
    row = first(
        db,
        f"SELECT {_COLUMNS} FROM messages WHERE conversation = ? AND sender = ? AND id = ?",
        (conversation, sender, id),
    )
    return None if row is None else _shown(row)


def holds(db: apsw.Connection, conversation: bytes, sender: bytes, id: bytes) -> bool:
    """Whether this message is stored."""
    found = first(
        db,
        "SELECT 1 FROM messages WHERE conversation = ? AND sender = ? AND id = ?",
        (conversation, sender, id),
    )
    return found is not None


def arrived_after(db: apsw.Connection, seq: int, limit: int = 64) -> list[tuple[int, Arrived]]:
    """Messages that arrived here after row number `seq`, with their row numbers."""
    rows = every(
        db,
        f"SELECT seq, {_COLUMNS} FROM messages WHERE arrived = 1 AND seq > ? ORDER BY seq LIMIT ?",
        (seq, limit),
    )
    return [(row[0], _shown(row[1:])) for row in rows]


def page(
    db: apsw.Connection, conversation: bytes, before: int | bytes | None, limit: int
) -> list[Arrived]:
    """The last `limit` messages of a conversation, in order; before a conv_seq or a message's id.

    Numbered messages stand in the order of their numbers. Where some were sealed, which have none,
    all stand in the order of the server's time, then of numbers and ids.
    """
    if isinstance(before, bytes) or _has_sealed(db, conversation):
        return _page_by_time(db, conversation, before, limit)
    rows = every(
        db,
        f"SELECT {_COLUMNS} FROM messages WHERE conversation = ? AND (? IS NULL OR conv_seq < ?)"
        " ORDER BY conv_seq IS NULL DESC, conv_seq DESC, seq DESC LIMIT ?",
        (conversation, before, before, limit),
    )
    return [_shown(row) for row in reversed(rows)]


_PLACE = "received_ms IS NULL, ifnull(received_ms, seq), ifnull(conv_seq, 0), id"
"""What has no place yet is at the end, as it was written."""


def _has_sealed(db: apsw.Connection, conversation: bytes) -> bool:
    found = first(
        db,
        "SELECT 1 FROM messages WHERE conversation = ? AND conv_seq IS NULL"
        " AND received_ms IS NOT NULL LIMIT 1",
        (conversation,),
    )
    return found is not None


def _page_by_time(
    db: apsw.Connection, conversation: bytes, before: int | bytes | None, limit: int
) -> list[Arrived]:
    column = "id" if isinstance(before, bytes) else "conv_seq"
    rows = every(
        db,
        f"WITH o AS (SELECT *, row_number() OVER (ORDER BY {_PLACE}) AS place FROM messages"
        " WHERE conversation = ?1)"
        f" SELECT {_COLUMNS} FROM o WHERE ?2 IS NULL"
        f" OR place < (SELECT place FROM o WHERE {column} = ?2)"
        " ORDER BY place DESC LIMIT ?3",
        (conversation, before, limit),
    )
    return [_shown(row) for row in reversed(rows)]


def state(db: apsw.Connection, account: bytes, id: bytes) -> State | None:
    """How far a message sent by this account has come; None if there is no such message."""
    row = first(db, "SELECT state FROM messages WHERE id = ? AND sender = ?", (id, account))
    return None if row is None else State(row[0])


def mark_sent(
    db: apsw.Connection, account: bytes, id: bytes, conv_seq: int, server_ms: int
) -> bool:
    """The server accepted a message of ours. False if it is none of history."""
    db.execute(
        "UPDATE messages SET state = 'sent', reason = '', conv_seq = ?, received_ms = ?"
        " WHERE id = ? AND sender = ?",
        (conv_seq or None, server_ms, id, account),
    )
    return bool(db.changes())


def mark_not_sent(db: apsw.Connection, account: bytes, id: bytes, to: State, reason: str) -> bool:
    """A message of ours will not be sent, or nobody can tell. False if it is none of history."""
    db.execute(
        "UPDATE messages SET state = ?, reason = ? WHERE id = ? AND sender = ?",
        (to.value, reason, id, account),
    )
    return bool(db.changes())


def unite_mark(
    db: apsw.Connection, conversation: bytes, account: bytes, reported: list[Interval]
) -> None:
    """Keep what a member reports to have, for good."""
    known = mark(db, conversation, account)
    united = union(known, reported)
    if united != known:
        db.execute(
            "INSERT OR REPLACE INTO marks VALUES (?, ?, ?)",
            (conversation, account, msgspec.msgpack.encode(united)),
        )


def mark(db: apsw.Connection, conversation: bytes, account: bytes) -> tuple[Interval, ...]:
    """What a member is known to have of a conversation."""
    row = first(
        db,
        "SELECT intervals FROM marks WHERE conversation = ? AND account = ?",
        (conversation, account),
    )
    return () if row is None else msgspec.msgpack.decode(row[0], type=tuple[Interval, ...])


def marked(db: apsw.Connection, conversation: bytes) -> list[bytes]:
    """Members of whom it is known that they have something of a conversation."""
    rows = every(db, "SELECT account FROM marks WHERE conversation = ?", (conversation,))
    return [row[0] for row in rows]


def tick(db: apsw.Connection, me: bytes, peer: bytes, conversation: bytes) -> list[MessageId]:
    """Turn `sent` into `delivered` where `peer` has the message; those that turned."""
    known = mark(db, conversation, peer)
    if not known:
        return []
    rows = every(
        db,
        "SELECT id, conv_seq FROM messages"
        " WHERE conversation = ? AND state = 'sent' AND sender = ? AND conv_seq <= ?",
        (conversation, me, known[-1][1]),
    )
    ticked = [MessageId(id) for id, conv_seq in rows if covers(known, conv_seq)]
    for id in ticked:
        mark_delivered(db, me, id)
    return ticked


def mark_delivered(db: apsw.Connection, me: bytes, id: bytes) -> None:
    """Everybody it was for has it."""
    db.execute("UPDATE messages SET state = 'delivered' WHERE id = ? AND sender = ?", (id, me))


def unticked(db: apsw.Connection) -> list[bytes]:
    """Conversations with messages that are sent and not known to be delivered."""
    numbered = (
        "state = 'sent' AND conv_seq IS NOT NULL"  # what is sealed the server must not hear of
    )
    rows = every(db, f"SELECT DISTINCT conversation FROM messages WHERE {numbered}")
    return [row[0] for row in rows]


def _shown(row: tuple[Any, ...]) -> Arrived:
    conversation, sender, device, id, conv_seq, kind, packed, name, *rest = row
    reason, note, sent_ms, at_ms = rest
    where = State(name)
    base = {
        "conversation": ConversationId(conversation),
        "sender": AccountId(sender),
        "device": DeviceId(device),
        "id": MessageId(id),
        "conv_seq": conv_seq,
        "sent_at": _time(sent_ms),
        "received_at": None if at_ms is None else _time(at_ms),
        "state": where,
        "reason": reason,
        "note": note,
    }
    if where is State.UNDECRYPTABLE:
        return Undecryptable(**base)
    if where is State.DAMAGED:
        return Damaged(**base)
    body = unpack(packed)
    text = read_text(body) if kind == "text" else None
    return Message(**base, kind=kind, text=text)


def _time(ms: int) -> datetime:
    """As UTC; a time that no calendar has, as the last one that it has."""
    return datetime.fromtimestamp(min(ms, 253_402_300_799_000) / 1000, UTC)
