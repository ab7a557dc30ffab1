"""Lost: messages that this device could not decrypt, and what is known to check a resend against.

Kept without their ciphertext, for as long as asking may help; what lies parked for want of a sender
key is asked for as well. When to ask is `linnet.client.healing`'s.
"""

from dataclasses import dataclass
from typing import Final

import apsw
import msgspec

from linnet.client.groups import keys
from linnet.client.sealed.frames import restored, stored
from linnet.client.sql import every, first
from linnet.crypto import sender_keys
from linnet.crypto.errors import CryptoError
from linnet.crypto.sender_key_record import SenderKeyBinding
from linnet.wire.frames import SENDER_KEY, Deliver

KEEP_MS: Final = 14 * 86_400_000
ASKS: Final = 3
"""A message is asked for so many times."""
ASK_AGAIN_MS: Final = 3_600_000
"""Of one device so often."""
MOST: Final = 1000
"""Of one account so many are remembered; the oldest give way."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask one device for."""

    account: bytes
    device: int
    ids: tuple[bytes, ...]


def add(db: apsw.Connection, frame: Deliver, now_ms: int) -> None:
    """Remember a message that could not be decrypted."""
    kept = msgspec.structs.replace(frame, ciphertext=b"")
    db.execute(
        "INSERT OR IGNORE INTO lost (sender, id, device, frame, lost_ms) VALUES (?, ?, ?, ?, ?)",
        (frame.sender, frame.id, frame.device, stored(kept), now_ms),
    )
    db.execute(
        "DELETE FROM lost WHERE rowid IN (SELECT rowid FROM lost WHERE sender = ?"
        " ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
        (frame.sender, MOST),
    )


def find(db: apsw.Connection, sender: bytes, device: int, id: bytes) -> Deliver | None:
    """The frame of a lost message, without its ciphertext."""
    row = first(
        db,
        "SELECT frame FROM lost WHERE sender = ? AND id = ? AND device = ?",
        (sender, id, device),
    )
    return None if row is None else restored(row[0])


def remove(db: apsw.Connection, sender: bytes, id: bytes) -> None:
    """It is lost no longer."""
    db.execute("DELETE FROM lost WHERE sender = ? AND id = ?", (sender, id))


def due(db: apsw.Connection, now_ms: int, most_ids: int) -> list[Request]:
    """What may be asked for now: of each device that was not asked within the hour, the oldest."""
    rows = every(
        db,
        "SELECT l.sender, l.device, l.id FROM lost l"
        " LEFT JOIN asked a ON a.account = l.sender AND a.device = l.device"
        " WHERE l.asks < ? AND (a.asked_ms IS NULL OR a.asked_ms <= ?)"
        " ORDER BY l.rowid LIMIT 10000",
        (ASKS, now_ms - ASK_AGAIN_MS),
    )
    wanted: dict[tuple[bytes, int], list[bytes]] = {}
    for sender, device, id in rows:
        wanted.setdefault((sender, device), []).append(id)
    return [Request(*whom, tuple(ids[:most_ids])) for whom, ids in wanted.items()]


def asked(db: apsw.Connection, request: Request, now_ms: int) -> None:
    """The request is in the outbox."""
    db.execute(
        "INSERT OR REPLACE INTO asked VALUES (?, ?, ?)", (request.account, request.device, now_ms)
    )
    db.executemany(
        "UPDATE lost SET asks = asks + 1 WHERE sender = ? AND id = ?",
        [(request.account, id) for id in request.ids],
    )


def add_parked(db: apsw.Connection, parked_before_ms: int, now_ms: int) -> None:
    """Count what has been parked since then for want of a sender key as lost too."""
    for (data,) in every(
        db,
        "SELECT frame FROM parked WHERE parked_ms <= ? AND NOT EXISTS (SELECT 1 FROM lost"
        " WHERE lost.sender = parked.sender AND lost.id = parked.id) LIMIT 1000",
        (parked_before_ms,),
    ):
        frame = restored(data)
        if frame.kind == SENDER_KEY and not _has_key(db, frame):
            add(db, frame, now_ms)


def _has_key(db: apsw.Connection, frame: Deliver) -> bool:
    """It waits for the log of its group then, which its sender does not give."""
    try:
        message = sender_keys.parse_message(frame.ciphertext)
    except CryptoError:
        return True  # and nothing will make it readable
    binding = SenderKeyBinding(frame.conversation, frame.sender, frame.device)
    record = keys.given(db, message.distribution_id, binding)
    return record is not None and sender_keys.is_signed(record, message)


def prune(db: apsw.Connection, now_ms: int) -> None:
    """Give up what was lost too long ago."""
    db.execute("DELETE FROM lost WHERE lost_ms < ?", (now_ms - KEEP_MS,))
    db.execute("DELETE FROM asked WHERE asked_ms < ?", (now_ms - ASK_AGAIN_MS,))
