"""Read marks of sealed messages: how far each account has read, by (server_timestamp, id).

They stand beside the marks by conv_seq (`linnet.client.read_marks`), which sealed messages have
none of, and only rise, like those.
"""

import apsw

from linnet.client.device_events import Read
from linnet.client.sql import every, first
from linnet.wire.ids import AccountId, ConversationId, MessageId

Mark = tuple[int, bytes]
"""(server_timestamp, MessageId)."""


def raise_to(db: apsw.Connection, conversation: bytes, account: bytes, mark: Mark) -> list[Read]:
    """Keep that `account` has read up to this message; the event if that is news."""
    if mark <= of(db, conversation, account):
        return []
    db.execute(
        "INSERT INTO sealed_marks (conversation, account, server_ms, id) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (conversation, account) DO UPDATE SET server_ms = excluded.server_ms,"
        " id = excluded.id",
        (conversation, account, *mark),
    )
    return [Read(ConversationId(conversation), AccountId(account), 0, MessageId(mark[1]))]


def of(db: apsw.Connection, conversation: bytes, account: bytes) -> Mark:
    """The last sealed message that an account is known to have read; (0, b"") if none."""
    row = first(
        db,
        "SELECT server_ms, id FROM sealed_marks WHERE conversation = ? AND account = ?",
        (conversation, account),
    )
    return (0, b"") if row is None else (row[0], row[1])


def place(db: apsw.Connection, conversation: bytes, id: bytes) -> Mark | None:
    """Where a sealed message stands; None if it is none, or has no place yet."""
    row = first(
        db,
        "SELECT received_ms FROM messages WHERE conversation = ? AND id = ?"
        " AND conv_seq IS NULL AND received_ms IS NOT NULL",
        (conversation, id),
    )
    return None if row is None else (row[0], id)


def read_here(db: apsw.Connection, conversation: bytes, account: bytes, id: bytes) -> bool:
    """The person has read up to this message on this device; whether that is news."""
    mark = place(db, conversation, id)
    if mark is None or not raise_to(db, conversation, account, mark):
        return False
    db.execute(
        "UPDATE sealed_marks SET unsaid = 1 WHERE conversation = ? AND account = ?",
        (conversation, account),
    )
    return True


def unsaid(db: apsw.Connection, account: bytes) -> list[tuple[bytes, Mark]]:
    """This device's own marks that were not told to anybody yet."""
    rows = every(
        db,
        "SELECT conversation, server_ms, id FROM sealed_marks WHERE account = ? AND unsaid = 1",
        (account,),
    )
    return [(conversation, (server_ms, id)) for conversation, server_ms, id in rows]


def said(db: apsw.Connection, conversation: bytes, account: bytes) -> None:
    """What was read here is on its way to whom it concerns."""
    db.execute(
        "UPDATE sealed_marks SET unsaid = 0 WHERE conversation = ? AND account = ?",
        (conversation, account),
    )


def all_of(db: apsw.Connection, account: bytes) -> list[tuple[bytes, int, bytes]]:
    """Conversations in which an account has read sealed messages, and up to where; at most 500."""
    rows = every(
        db,
        "SELECT conversation, server_ms, id FROM sealed_marks WHERE account = ?"
        " ORDER BY server_ms DESC LIMIT 500",
        (account,),
    )
    return [(conversation, server_ms, id) for conversation, server_ms, id in rows]
