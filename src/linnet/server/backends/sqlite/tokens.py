"""Token families in SQLite: port `tokens`."""

from __future__ import annotations

import apsw

from linnet.server.backends.sqlite.database import Database
from linnet.server.ports.tokens import Family

_COLUMNS = "id, account, device, current, expires_ms, revoked, previous, request, rotated_ms"


class SqliteTokens:
    """Table families."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def start(self, family: Family) -> None:
        await self._db.write(lambda connection: _start(connection, family))

    async def get(self, id: bytes) -> Family | None:
        return await self._db.read(lambda connection: _get(connection, id))

    async def rotate(self, id: bytes, expected: bytes, new: Family) -> bool:
        def job(connection: apsw.Connection) -> bool:
            connection.execute(
                "UPDATE families SET current = ?, expires_ms = ?, previous = ?, request = ?, "
                "rotated_ms = ? WHERE id = ? AND current = ? AND revoked = 0",
                (
                    new.current,
                    new.expires_ms,
                    new.previous,
                    new.request,
                    new.rotated_ms,
                    id,
                    expected,
                ),
            )
            return connection.changes() == 1

        return await self._db.write(job)

    async def revoke(self, id: bytes) -> None:
        await self._db.write(
            lambda connection: connection.execute(
                "UPDATE families SET revoked = 1 WHERE id = ?", (id,)
            )
        )

    async def revoke_device(self, account: bytes, device: int) -> None:
        await self._db.write(lambda connection: _revoke_device(connection, account, device))

    async def forget(self, before_ms: int) -> int:
        def job(connection: apsw.Connection) -> int:
            connection.execute("DELETE FROM families WHERE expires_ms < ?", (before_ms,))
            return connection.changes()

        return await self._db.write(job)


def _start(connection: apsw.Connection, family: Family) -> None:
    if _get(connection, family.id) is not None:
        return
    _revoke_device(connection, family.account, family.device)
    connection.execute(
        f"INSERT INTO families ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            family.id,
            family.account,
            family.device,
            family.current,
            family.expires_ms,
            int(family.revoked),
            family.previous,
            family.request,
            family.rotated_ms,
        ),
    )


def _get(connection: apsw.Connection, id: bytes) -> Family | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM families WHERE id = ?", (id,)).fetchone()
    if row is None:
        return None
    id, account, device, current, expires_ms, revoked, previous, request, rotated_ms = row
    return Family(
        id, account, device, current, expires_ms, bool(revoked), previous, request, rotated_ms
    )


def _revoke_device(connection: apsw.Connection, account: bytes, device: int) -> None:
    connection.execute(
        "UPDATE families SET revoked = 1 WHERE account = ? AND device = ?", (account, device)
    )
