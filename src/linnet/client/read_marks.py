"""Read marks: how far each account is known to have read each conversation. They only rise."""

import apsw

from linnet.client.device_events import Read
from linnet.client.sql import every, first
from linnet.wire.ids import AccountId, ConversationId


def raise_to(db: apsw.Connection, conversation: bytes, account: bytes, up_to: int) -> list[Read]:
    """Keep that `account` has read up to this conv_seq; the event if that is news."""
    if up_to <= mark(db, conversation, account):
        return []
    db.execute(
        "INSERT INTO read_marks (conversation, account, up_to) VALUES (?, ?, ?)"
        " ON CONFLICT (conversation, account) DO UPDATE SET up_to = excluded.up_to",
        (conversation, account, up_to),
    )
    return [Read(ConversationId(conversation), AccountId(account), up_to)]


def mark(db: apsw.Connection, conversation: bytes, account: bytes) -> int:
    """The last conv_seq that an account is known to have read; 0 if none."""
    row = first(
        db,
        "SELECT up_to FROM read_marks WHERE conversation = ? AND account = ?",
        (conversation, account),
    )
    return 0 if row is None else int(row[0])


def of(db: apsw.Connection, account: bytes) -> list[tuple[bytes, int]]:
    """Conversations that an account has read, and up to where; the newest 500."""
    rows = every(
        db,
        "SELECT conversation, up_to FROM read_marks WHERE account = ? ORDER BY rowid DESC"
        " LIMIT 500",
        (account,),
    )
    return [(conversation, up_to) for conversation, up_to in rows]


def unsaid(db: apsw.Connection, account: bytes) -> list[tuple[bytes, int]]:
    """Of this device's own marks, those that were not told to anybody yet."""
    rows = every(
        db,
        "SELECT conversation, up_to FROM read_marks WHERE account = ? AND here > said",
        (account,),
    )
    return [(conversation, up_to) for conversation, up_to in rows]


def read_here(db: apsw.Connection, conversation: bytes, account: bytes, up_to: int) -> bool:
    """The person has read up to here on this device; whether that is news."""
    if not raise_to(db, conversation, account, up_to):
        return False
    db.execute(
        "UPDATE read_marks SET here = up_to WHERE conversation = ? AND account = ?",
        (conversation, account),
    )
    return True


def said(db: apsw.Connection, conversation: bytes, account: bytes) -> None:
    """What was read here is on its way to whom it concerns."""
    db.execute(
        "UPDATE read_marks SET said = here WHERE conversation = ? AND account = ?",
        (conversation, account),
    )
