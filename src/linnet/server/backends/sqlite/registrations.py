"""Registrations in SQLite: port `registrations`."""

from __future__ import annotations

import apsw

from linnet.server.backends.sqlite.database import Database
from linnet.server.ports.registrations import Attempt

_COLUMNS = "id, number, code, account, started_ms, expires_ms, guesses, ticket"


class SqliteRegistrations:
    """Table registrations."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def start(self, attempt: Attempt, since_ms: int, most: int) -> bool:
        def job(connection: apsw.Connection) -> bool:
            connection.execute(
                f"INSERT INTO registrations ({_COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 "
                "WHERE (SELECT count(*) FROM registrations WHERE number = ?2 "
                "AND started_ms >= ?9) < ?10",
                (
                    attempt.id,
                    attempt.number,
                    attempt.code,
                    attempt.account,
                    attempt.started_ms,
                    attempt.expires_ms,
                    attempt.guesses,
                    attempt.ticket,
                    since_ms,
                    most,
                ),
            )
            return connection.changes() == 1

        return await self._db.write(job)

    async def get(self, id: bytes) -> Attempt | None:
        def job(connection: apsw.Connection) -> Attempt | None:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM registrations WHERE id = ?", (id,)
            ).fetchone()
            return None if row is None else Attempt(*row)

        return await self._db.read(job)

    async def guess(self, id: bytes, since_ms: int, most: int) -> bool:
        def job(connection: apsw.Connection) -> bool:
            connection.execute(
                "UPDATE registrations SET guesses = guesses + 1 WHERE id = ?1 AND "
                "(SELECT coalesce(sum(other.guesses), 0) FROM registrations AS other "
                "WHERE other.number = registrations.number AND other.started_ms >= ?2) < ?3",
                (id, since_ms, most),
            )
            return connection.changes() == 1

        return await self._db.write(job)

    async def prove(self, id: bytes, ticket: bytes) -> None:
        await self._db.write(
            lambda connection: connection.execute(
                "UPDATE registrations SET ticket = ? WHERE id = ?", (ticket, id)
            )
        )

    async def forget(self, before_ms: int) -> int:
        def job(connection: apsw.Connection) -> int:
            connection.execute("DELETE FROM registrations WHERE started_ms < ?", (before_ms,))
            return connection.changes()

        return await self._db.write(job)
