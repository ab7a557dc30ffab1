"""Accepted: what the server took of ours, kept so that it can be sent again to whom it was for.

For every message: the exact content Z that was accepted, whom it was encrypted for, under which
account key, and which devices were left out because sending was narrowed. Of control messages only
that they were sent, and to whom: what they carried is not kept.
"""

from dataclasses import dataclass
from typing import Any, Final

import apsw

from linnet.client import addressees as sets
from linnet.client.addressees import Addressee as Addressee
from linnet.client.sql import every, first

KEEP_MS: Final = 35 * 86_400_000
"""As long as a device that was left out may still get it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted message. `z` is empty for control messages.

    `peer_key` is the account key of the recipient's list that it was encrypted by; None in groups.
    """

    id: bytes
    conversation: bytes
    peer: bytes
    kind: str
    z: bytes
    addressees: tuple[Addressee, ...]
    peer_key: bytes | None
    conv_seq: int
    accepted_ms: int

    def __repr__(self) -> str:
        return f"Accepted(kind={self.kind!r})"


_COLUMNS: Final = (
    "id, conversation, peer, kind, z, addressees, peer_key, conv_seq, accepted_ms FROM accepted"
)


def keep(db: apsw.Connection, message: Accepted, packed: bytes = b"") -> None:
    """Store it; `packed` are its addressees as its try kept them."""
    db.execute(
        "INSERT OR REPLACE INTO accepted"
        " (id, conversation, peer, kind, z, addressees, peer_key, conv_seq, accepted_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.id,
            message.conversation,
            message.peer,
            message.kind,
            message.z,
            packed or sets.packed(db, message.addressees),
            message.peer_key,
            message.conv_seq,
            message.accepted_ms,
        ),
    )


def find(db: apsw.Connection, id: bytes) -> Accepted | None:
    """The accepted message with this id."""
    row = first(db, f"SELECT {_COLUMNS} WHERE id = ?", (id,))
    return None if row is None else _accepted(db, row)


def peer(db: apsw.Connection, id: bytes) -> bytes | None:
    """To whom an accepted message went."""
    row = first(db, "SELECT peer FROM accepted WHERE id = ?", (id,))
    return None if row is None else bytes(row[0])


def since(db: apsw.Connection, after_ms: int, limit: int = 1000) -> list[Accepted]:
    """The newest messages accepted after `after_ms`, oldest first; no control messages."""
    rows = every(
        db,
        f"SELECT {_COLUMNS} WHERE accepted_ms > ? AND length(z) > 0"
        " ORDER BY accepted_ms DESC LIMIT ?",
        (after_ms, limit),
    )
    return [_accepted(db, row) for row in reversed(rows)]


# ---- devices that were left out


def withhold(db: apsw.Connection, id: bytes, devices: tuple[Addressee, ...]) -> None:
    """These devices did not get the message, because sending was narrowed."""
    db.executemany(
        "INSERT OR IGNORE INTO withheld VALUES (?, ?, ?, ?)", [(id, *entry) for entry in devices]
    )


def withheld(db: apsw.Connection, id: bytes, entry: Addressee) -> bool:
    """Whether this device was left out of the message and did not get it since."""
    found = first(
        db,
        "SELECT 1 FROM withheld WHERE id = ? AND account = ? AND device = ? AND identity = ?",
        (id, *entry),
    )
    return found is not None


def withheld_accounts(db: apsw.Connection) -> list[bytes]:
    """Accounts with devices that were left out of something."""
    return [row[0] for row in every(db, "SELECT DISTINCT account FROM withheld")]


def withheld_from(db: apsw.Connection, account: bytes) -> list[tuple[bytes, int, bytes]]:
    """(message id, device, identity key) of what an account's devices were left out of."""
    return every(
        db,
        "SELECT w.id, w.device, w.identity FROM withheld w JOIN accepted a ON a.id = w.id"
        " WHERE w.account = ? ORDER BY a.accepted_ms LIMIT 1000",
        (account,),
    )


def given(db: apsw.Connection, id: bytes, account: bytes, device: int) -> None:
    """The device is not left out of it any more."""
    db.execute(
        "DELETE FROM withheld WHERE id = ? AND account = ? AND device = ?", (id, account, device)
    )


# ---- who proved to have it


def note_read(db: apsw.Connection, id: bytes, account: bytes, device: int) -> None:
    """A device proved that it has a message of ours: by a reply or `receipt`."""
    db.execute(
        "INSERT OR IGNORE INTO proven_read SELECT id, ?, ? FROM accepted WHERE id = ?",
        (account, device, id),
    )


def was_read(db: apsw.Connection, id: bytes, account: bytes, device: int | None = None) -> bool:
    """Whether that device proved to have it; without a device, any of that account."""
    found = first(
        db,
        "SELECT 1 FROM proven_read WHERE id = ? AND account = ? AND (? IS NULL OR device = ?)",
        (id, account, device, device),
    )
    return found is not None


def prune(db: apsw.Connection, now_ms: int) -> None:
    """Forget what can no longer be asked for."""
    db.execute("DELETE FROM accepted WHERE accepted_ms < ?", (now_ms - KEEP_MS,))
    for table in ("withheld", "proven_read", "resent"):
        db.execute(f"DELETE FROM {table} WHERE id NOT IN (SELECT id FROM accepted)")
    sets.prune(db)


def _accepted(db: apsw.Connection, row: tuple[Any, ...]) -> Accepted:
    id, conversation, to, kind, z, packed, peer_key, conv_seq, accepted_ms = row
    addressees = sets.unpacked(db, packed)
    return Accepted(id, conversation, to, kind, z, addressees, peer_key, conv_seq, accepted_ms)
