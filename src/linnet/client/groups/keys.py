"""Sender keys as this device holds them: its own for each group, and those it was given.

Our own chain goes to a device once, when that is first entitled to it; who holds it is kept, so
that a departure is seen by comparing (`linnet.crypto.sender_key_rotation`). Reading, moving and
storing a chain happen in one transaction.
"""

from collections.abc import Iterable
from typing import Final

import apsw

from linnet.client.sql import every, first, number
from linnet.crypto.sender_key_record import SenderKeyBinding, SenderKeyRecord, SenderKeyState
from linnet.crypto.sender_key_rotation import Holder

ERASE_AFTER_MS: Final = 24 * 3_600_000
"""How long superseded chains of others are kept once a removal was processed: what was sent
before it may still be on its way."""
FIRST_FEW: Final = 8
"""Of those who use one distribution id so many are looked at."""


def own(db: apsw.Connection, group: bytes) -> SenderKeyState | None:
    """Our sender key of a group, if there is one."""
    row = first(db, "SELECT state FROM sender_keys_own WHERE id = ?", (group,))
    return None if row is None else SenderKeyState.from_bytes(row[0])


def put_own(db: apsw.Connection, group: bytes, state: SenderKeyState) -> None:
    """Store it before anything encrypted under the one before leaves."""
    db.execute(
        "INSERT INTO sender_keys_own (id, state) VALUES (?, ?)"
        " ON CONFLICT (id) DO UPDATE SET state = excluded.state",
        (group, state.to_bytes()),
    )


def audience(db: apsw.Connection, group: bytes) -> bytes:
    """The name of the audience that holds our present chain, exactly; empty if it has none."""
    row = first(db, "SELECT audience FROM sender_keys_own WHERE id = ?", (group,))
    return b"" if row is None else bytes(row[0])


def put_audience(db: apsw.Connection, group: bytes, name: bytes) -> None:
    """Our present chain, which is stored, is held by this audience and nobody else."""
    db.execute("UPDATE sender_keys_own SET audience = ? WHERE id = ?", (name, group))


def drop_own(db: apsw.Connection, group: bytes) -> None:
    """Forget our key of a group that this account left."""
    db.execute("DELETE FROM sender_keys_own WHERE id = ?", (group,))
    forget_holders(db, group)


def holders(db: apsw.Connection, group: bytes) -> set[Holder]:
    """The devices that our present chain was given to."""
    rows = every(
        db,
        "SELECT account, account_key, device FROM sender_key_holders WHERE id = ?",
        (group,),
    )
    return {Holder(*row) for row in rows}


def add_holders(db: apsw.Connection, group: bytes, given: Iterable[Holder]) -> None:
    """Our chain is on its way to these."""
    db.executemany(
        "INSERT OR IGNORE INTO sender_key_holders VALUES (?, ?, ?, ?)",
        [(group, *holder) for holder in given],
    )


def forget_holders(db: apsw.Connection, group: bytes) -> None:
    """There is a new chain, and nobody has it."""
    db.execute("DELETE FROM sender_key_holders WHERE id = ?", (group,))
    put_audience(db, group, b"")


def given(db: apsw.Connection, distribution: bytes, by: SenderKeyBinding) -> SenderKeyRecord | None:
    """What was received of this very device, for this group, under a distribution id."""
    row = first(
        db,
        "SELECT record FROM sender_keys"
        " WHERE distribution = ? AND account = ? AND device = ? AND id = ?",
        (distribution, by.account, by.device, by.group),
    )
    return None if row is None else SenderKeyRecord.from_bytes(row[0])


def of_anybody(db: apsw.Connection, distribution: bytes) -> list[SenderKeyRecord]:
    """What the first few gave under a distribution id, whoever and for whichever group."""
    rows = every(
        db,
        "SELECT record FROM sender_keys WHERE distribution = ? ORDER BY rowid LIMIT ?",
        (distribution, FIRST_FEW),
    )
    return [SenderKeyRecord.from_bytes(row[0]) for row in rows]


def put_given(db: apsw.Connection, record: SenderKeyRecord) -> None:
    """Store what was received, or moved by a message."""
    by = record.binding
    db.execute(
        "INSERT INTO sender_keys (distribution, id, account, device, record)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (distribution, account, device, id)"
        " DO UPDATE SET record = excluded.record",
        (record.distribution_id, by.group, by.account, by.device, record.to_bytes()),
    )


def strangers(db: apsw.Connection) -> int:
    """How many are of groups that are not known here."""
    return number(db, "SELECT count(*) FROM sender_keys WHERE id NOT IN (SELECT id FROM groups)")


def of_group(db: apsw.Connection, group: bytes) -> int:
    """How many are of this group."""
    return number(db, "SELECT count(*) FROM sender_keys WHERE id = ?", (group,))


def supersede(db: apsw.Connection, group: bytes, now_ms: int) -> None:
    """A removal was processed: every member rotates, and what is superseded is erased in a day."""
    db.execute(
        "UPDATE sender_keys SET erase_old_at_ms = ? WHERE id = ? AND erase_old_at_ms IS NULL",
        (now_ms + ERASE_AFTER_MS, group),
    )


def erase_superseded(db: apsw.Connection, now_ms: int) -> None:
    """Erase the chains whose day is over; the newest of each device stays."""
    due = "SELECT rowid, record FROM sender_keys WHERE erase_old_at_ms <= ?"
    for row, data in every(db, due, (now_ms,)):
        record = SenderKeyRecord.from_bytes(data).without_superseded()
        db.execute(
            "UPDATE sender_keys SET record = ?, erase_old_at_ms = NULL WHERE rowid = ?",
            (record.to_bytes(), row),
        )
