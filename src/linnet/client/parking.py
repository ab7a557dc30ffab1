"""Parking: ciphertexts whose sender's device list or sender key is missing, kept until it is there.

They are committed and acknowledged, never shown before verified, at most `PARK_MESSAGES` and
`PARK_BYTES` an account. What waits longer than `PARK_MS`, or has to make room, becomes "could not
be verified" (`linnet.client.opening`).
"""

from typing import Final

import apsw

from linnet.client.sealed.frames import Unsealed, restored, stored
from linnet.client.sql import every, first
from linnet.wire.frames import SENDER_KEY, Deliver

PARK_MS: Final = 14 * 86_400_000
PARK_MESSAGES: Final = 200
PARK_BYTES: Final = 4 * 1024 * 1024


def park(db: apsw.Connection, frame: Deliver, now_ms: int) -> list[Deliver]:
    """Keep the frame. The oldest of this sender make room if it has too many: those."""
    db.execute(
        "INSERT OR IGNORE INTO parked VALUES (?, ?, ?, ?, ?)",
        (frame.conversation, frame.sender, frame.id, stored(frame), now_ms),
    )
    gone: list[Deliver] = []
    while True:
        count, size = every(
            db,
            "SELECT count(*), ifnull(sum(length(frame)), 0) FROM parked WHERE sender = ?",
            (frame.sender,),
        )[0]
        if count <= PARK_MESSAGES and size <= PARK_BYTES:
            return gone
        oldest = (
            "DELETE FROM parked WHERE rowid ="
            " (SELECT rowid FROM parked WHERE sender = ? ORDER BY rowid LIMIT 1) RETURNING frame"
        )
        gone += [restored(data) for (data,) in every(db, oldest, (frame.sender,))]


def holds(db: apsw.Connection, conversation: bytes, sender: bytes, id: bytes) -> bool:
    """Whether this message is parked."""
    found = first(
        db,
        "SELECT 1 FROM parked WHERE conversation = ? AND sender = ? AND id = ?",
        (conversation, sender, id),
    )
    return found is not None


def newest_ms(db: apsw.Connection) -> int | None:
    """Since when the newest of all waits; None if nothing does."""
    row = first(db, "SELECT max(parked_ms) FROM parked")
    return None if row is None else row[0]


def any_sealed(db: apsw.Connection, sender: bytes) -> bool:
    """Whether anything sealed is parked of a sender."""
    rows = every(db, "SELECT frame FROM parked WHERE sender = ?", (sender,))
    return any(isinstance(restored(data), Unsealed) for (data,) in rows)


def senders(db: apsw.Connection) -> list[bytes]:
    """Accounts with parked messages."""
    return [row[0] for row in every(db, "SELECT DISTINCT sender FROM parked")]


def groups(db: apsw.Connection) -> list[bytes]:
    """The groups that something parked is for."""
    rows = every(db, "SELECT conversation, min(frame) FROM parked GROUP BY conversation")
    return [id for id, data in rows if restored(data).kind == SENDER_KEY]


def take(db: apsw.Connection, sender: bytes) -> list[tuple[Deliver, int]]:
    """Remove and return what is parked of a sender, oldest first, with the time of parking."""
    rows = every(
        db, "SELECT frame, parked_ms FROM parked WHERE sender = ? ORDER BY rowid", (sender,)
    )
    db.execute("DELETE FROM parked WHERE sender = ?", (sender,))
    return [(restored(data), parked_ms) for data, parked_ms in rows]


def keep_time(db: apsw.Connection, frame: Deliver, parked_ms: int) -> None:
    """It was parked before: its fourteen days began then."""
    db.execute(
        "UPDATE parked SET parked_ms = ? WHERE conversation = ? AND sender = ? AND id = ?",
        (parked_ms, frame.conversation, frame.sender, frame.id),
    )


def remove(db: apsw.Connection, frame: Deliver) -> None:
    """It waits no longer."""
    db.execute(
        "DELETE FROM parked WHERE conversation = ? AND sender = ? AND id = ?",
        (frame.conversation, frame.sender, frame.id),
    )
