"""Pre-keys in SQLite: port `keys`."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from linnet.server.backends.sqlite.database import Database
from linnet.server.ports.keys import TakenKeys
from linnet.wire.rest import KemPreKey, KeyCount, KeyUpload, OneTimeKey, SignedKey

SIGNED, LAST_RESORT, ONE_TIME, KEM = 1, 2, 3, 4

Row = tuple[int, bytes, bytes | None]
"""id, key, signature."""


class SqliteKeys:
    """Tables pre_keys, and spent_pre_keys for the ids that are gone."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, account: bytes, device: int, upload: KeyUpload, most: int) -> None:
        await self._db.write(lambda connection: store(connection, account, device, upload, most))

    async def take(self, account: bytes, device: int) -> TakenKeys | None:
        def job(connection: apsw.Connection) -> TakenKeys | None:
            shelf = _Shelf(connection, account, device)
            signed, last_resort = shelf.oldest(SIGNED), shelf.oldest(LAST_RESORT)
            if signed is None or last_resort is None:
                return None
            kem, one_time = shelf.pop(KEM), shelf.pop(ONE_TIME)
            return TakenKeys(
                SignedKey(id=signed[0], key=signed[1], sig=signed[2] or b""),
                _kem(kem or last_resort),
                kem is None,
                None if one_time is None else OneTimeKey(id=one_time[0], key=one_time[1]),
            )

        return await self._db.write(job)

    async def count(self, account: bytes, device: int) -> KeyCount:
        def job(connection: apsw.Connection) -> KeyCount:
            shelf = _Shelf(connection, account, device)
            return KeyCount(one_time=shelf.count(ONE_TIME), kem=shelf.count(KEM))

        return await self._db.read(job)

    async def drop(self, account: bytes, device: int) -> None:
        def job(connection: apsw.Connection) -> None:
            for table in ("pre_keys", "spent_pre_keys"):
                connection.execute(
                    f"DELETE FROM {table} WHERE account = ? AND device = ?", (account, device)
                )

        await self._db.write(job)


def store(
    connection: apsw.Connection, account: bytes, device: int, upload: KeyUpload, most: int
) -> None:
    """As `put`, inside somebody's transaction."""
    shelf = _Shelf(connection, account, device)
    for kind, key in ((SIGNED, upload.signed), (LAST_RESORT, upload.last_resort)):
        if key is not None and not shelf.knows(kind, key.id):
            shelf.spend_all(kind)
            shelf.add(kind, ((key.id, key.key, key.sig),), 1)
    shelf.add(ONE_TIME, ((key.id, key.key, None) for key in upload.one_time), most)
    shelf.add(KEM, ((key.id, key.key, key.sig) for key in upload.kem), most)


class _Shelf:
    """One device's rows inside one transaction."""

    def __init__(self, connection: apsw.Connection, account: bytes, device: int) -> None:
        self._connection = connection
        self._of = (account, device)

    def knows(self, kind: int, id: int) -> bool:
        for table in ("pre_keys", "spent_pre_keys"):
            sql = f"SELECT 1 FROM {table} WHERE account = ? AND device = ? AND kind = ? AND id = ?"
            if self._connection.execute(sql, (*self._of, kind, id)).fetchone() is not None:
                return True
        return False

    def add(self, kind: int, rows: Iterable[Row], most: int) -> None:
        room = most - self.count(kind)
        for row in rows:
            if room > 0 and not self.knows(kind, row[0]):
                self._connection.execute(
                    "INSERT INTO pre_keys (account, device, kind, id, key, sig) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (*self._of, kind, *row),
                )
                room -= 1

    def oldest(self, kind: int) -> Row | None:
        row: Row | None = self._connection.execute(
            "SELECT id, key, sig FROM pre_keys WHERE account = ? AND device = ? AND kind = ? "
            "ORDER BY id LIMIT 1",
            (*self._of, kind),
        ).fetchone()
        return row

    def pop(self, kind: int) -> Row | None:
        if (row := self.oldest(kind)) is not None:
            self._spend("kind = ? AND id = ?", kind, row[0])
        return row

    def spend_all(self, kind: int) -> None:
        self._spend("kind = ?", kind)

    def count(self, kind: int) -> int:
        sql = "SELECT count(*) FROM pre_keys WHERE account = ? AND device = ? AND kind = ?"
        return int(self._connection.execute(sql, (*self._of, kind)).get)

    def _spend(self, which: str, *values: int) -> None:
        where = f"WHERE account = ? AND device = ? AND {which}"
        columns = "account, device, kind, id"
        self._connection.execute(
            f"INSERT INTO spent_pre_keys ({columns}) SELECT {columns} FROM pre_keys {where}",
            (*self._of, *values),
        )
        self._connection.execute(f"DELETE FROM pre_keys {where}", (*self._of, *values))


def _kem(row: Row) -> KemPreKey:
    return KemPreKey(id=row[0], key=row[1], sig=row[2] or b"")
