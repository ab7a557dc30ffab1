"""Synced: what an account's own devices hold in common, as entries that the newest writing wins.

An entry has a scope (`setting`, `contact`, `verified`, `group`), a key, a value and the time of its
writing; the later writing wins on every device, of equal ones the greater value, so that all end
with the same whatever the order. What values mean is for the modules that own a scope; how entries
travel is `linnet.client.own_channel`.
"""

from dataclasses import dataclass

import apsw

from linnet.client.sql import every, first


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. No value: it was taken away. `stamp_ms` is by the clock of who wrote it."""

    scope: str
    key: bytes
    value: bytes
    stamp_ms: int


def merge(db: apsw.Connection, entry: Entry) -> bool:
    """Take an entry if it is the newer one. Whether it changed the value."""
    row = first(
        db,
        "SELECT value, stamp_ms FROM synced WHERE scope = ? AND key = ?",
        (entry.scope, entry.key),
    )
    if row is not None and (row[1], row[0]) >= (entry.stamp_ms, entry.value):
        return False
    db.execute(
        "INSERT OR REPLACE INTO synced VALUES (?, ?, ?, ?)",
        (entry.scope, entry.key, entry.value, entry.stamp_ms),
    )
    return (b"" if row is None else row[0]) != entry.value


def write(db: apsw.Connection, scope: str, key: bytes, value: bytes, now_ms: int) -> Entry | None:
    """Write here and now, above whatever was written before; None if that is what it is already."""
    row = first(db, "SELECT value, stamp_ms FROM synced WHERE scope = ? AND key = ?", (scope, key))
    if (b"" if row is None else row[0]) == value:
        return None
    entry = Entry(scope, key, value, now_ms if row is None else max(now_ms, row[1] + 1))
    merge(db, entry)
    return entry


def value(db: apsw.Connection, scope: str, key: bytes) -> bytes:
    """The value of an entry; nothing if there is none."""
    row = first(db, "SELECT value FROM synced WHERE scope = ? AND key = ?", (scope, key))
    return b"" if row is None else row[0]


def of_scope(db: apsw.Connection, scope: str) -> list[tuple[bytes, bytes]]:
    """Keys and values of a scope that have a value, by key."""
    rows = every(
        db, "SELECT key, value FROM synced WHERE scope = ? AND value != x'' ORDER BY key", (scope,)
    )
    return [(key, value) for key, value in rows]


def everything(db: apsw.Connection) -> list[Entry]:
    """All entries, those taken away included, for a device that has none."""
    rows = every(db, "SELECT scope, key, value, stamp_ms FROM synced ORDER BY scope, key")
    return [Entry(*row) for row in rows]
