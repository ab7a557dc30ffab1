"""Rosters in SQLite: port `rosters`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw
import msgspec

from linnet.server.backends.sqlite.database import Database
from linnet.server.ports.rosters import Mark
from linnet.server.ports.timeline import Roster

_decoder = msgspec.msgpack.Decoder(Roster)


class SqliteRosters:
    """Tables group_marks and group_rosters; reads group_members."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def enqueue(self, accounts: Sequence[bytes]) -> None:
        def job(connection: apsw.Connection) -> None:
            marks = ",".join("?" * len(accounts))
            rows = connection.execute(
                "SELECT DISTINCT of FROM group_members "
                f"WHERE account IN ({marks}) AND removed IS NULL ORDER BY of",
                tuple(accounts),
            )
            groups: list[bytes] = [row[0] for row in rows]
            set_marks(connection, groups)

        await self._db.write(job)

    async def marks(self, limit: int) -> Sequence[Mark]:
        def job(connection: apsw.Connection) -> list[Mark]:
            rows = connection.execute(
                "SELECT of, ticket FROM group_marks ORDER BY ticket LIMIT ?", (limit,)
            )
            return [Mark(*row) for row in rows]

        return await self._db.read(job)

    async def clear(self, mark: Mark) -> None:
        await self._db.write(lambda connection: _clear(connection, mark))

    async def newest(self, group: bytes) -> Roster | None:
        return await self._db.read(lambda connection: _newest(connection, group))

    async def write(self, roster: Roster, mark: Mark) -> bool:
        return await self._db.write(lambda connection: _write(connection, roster, mark))

    async def undecided(self, limit: int) -> Sequence[Roster]:
        def job(connection: apsw.Connection) -> list[Roster]:
            rows = connection.execute(
                "SELECT roster FROM group_rosters WHERE decided < number LIMIT ?", (limit,)
            )
            return [_decoder.decode(row[0]) for row in rows]

        return await self._db.read(job)

    async def is_settled(self, group: bytes) -> bool:
        def job(connection: apsw.Connection) -> bool:
            open = connection.execute(
                "SELECT 1 FROM group_marks WHERE of = ?1 UNION ALL "
                "SELECT 1 FROM group_rosters WHERE of = ?1 AND decided < number",
                (group,),
            )
            return open.fetchone() is None

        return await self._db.read(job)

    async def decided(self, rosters: Sequence[Roster]) -> None:
        await self._db.write(
            lambda connection: connection.executemany(
                "UPDATE group_rosters SET decided = max(decided, ?) WHERE of = ?",
                [(roster.number, roster.group) for roster in rosters],
            )
        )


def set_marks(connection: apsw.Connection, groups: Iterable[bytes]) -> None:
    """Mark groups inside the transaction that changed them; a mark that is set gets a new
    ticket."""
    connection.executemany(
        "INSERT OR REPLACE INTO group_marks (of) VALUES (?)", [(group,) for group in groups]
    )


def _clear(connection: apsw.Connection, mark: Mark) -> None:
    connection.execute("DELETE FROM group_marks WHERE ticket = ?", (mark.ticket,))


def _newest(connection: apsw.Connection, group: bytes) -> Roster | None:
    row = connection.execute("SELECT roster FROM group_rosters WHERE of = ?", (group,)).fetchone()
    return None if row is None else _decoder.decode(row[0])


def _write(connection: apsw.Connection, roster: Roster, mark: Mark) -> bool:
    held = _newest(connection, roster.group)
    if held == roster:
        return True
    if roster.number != (0 if held is None else held.number) + 1:
        return False
    connection.execute(
        "INSERT INTO group_rosters (of, number, roster) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (of) DO UPDATE SET number = ?2, roster = ?3",
        (roster.group, roster.number, msgspec.msgpack.encode(roster)),
    )
    _clear(connection, mark)
    return True
