"""Groups in SQLite: port `groups`."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.rosters import set_marks
from linnet.server.ports.groups import (
    CitedList,
    Folded,
    Head,
    LoggedEntry,
    LogPage,
    Membership,
    Step,
)

_ENTRY = "version, hash, body, sig, list"
_HEADS = (
    "SELECT id, version, hash, coalesce(number, 0){more} FROM group_heads "
    "LEFT JOIN group_rosters ON group_rosters.of = id "
)
_HEAD = _HEADS.format(more="")
_FOLDED = _HEADS.format(more=", state")


class SqliteGroups:
    """Tables group_heads, group_entries, group_lists and group_members; sets marks."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, first: Step) -> bool:
        def job(connection: apsw.Connection) -> bool:
            if (held := _entry(connection, first.group, 1)) is not None:
                return held.body == first.entry.body
            connection.execute(
                "INSERT INTO group_heads (id, version, hash, state) VALUES (?, ?, ?, ?)",
                (first.group, first.entry.version, first.entry.hash, first.state),
            )
            _log(connection, first)
            return True

        return await self._db.write(job)

    async def append(self, step: Step) -> bool:
        def job(connection: apsw.Connection) -> bool:
            entry = step.entry
            if (held := _entry(connection, step.group, entry.version)) is not None:
                return held.body == entry.body
            connection.execute(
                "UPDATE group_heads SET version = ?, hash = ?, state = ? "
                "WHERE id = ? AND version = ? AND hash = ?",
                (entry.version, entry.hash, step.state, step.group, entry.version - 1, step.prev),
            )
            if connection.changes() != 1:
                return False
            _log(connection, step)
            return True

        return await self._db.write(job)

    async def get(self, group: bytes) -> Folded | None:
        def job(connection: apsw.Connection) -> Folded | None:
            row = connection.execute(_FOLDED + "WHERE id = ?", (group,)).fetchone()
            return None if row is None else Folded(Head(*row[:-1]), row[-1])

        return await self._db.read(job)

    async def head(self, group: bytes) -> Head | None:
        def job(connection: apsw.Connection) -> Head | None:
            row = connection.execute(_HEAD + "WHERE id = ?", (group,)).fetchone()
            return None if row is None else Head(*row)

        return await self._db.read(job)

    async def entry(self, group: bytes, version: int) -> LoggedEntry | None:
        return await self._db.read(lambda connection: _entry(connection, group, version))

    async def membership(self, group: bytes, account: bytes) -> Membership | None:
        def job(connection: apsw.Connection) -> Membership | None:
            row = connection.execute(
                "SELECT removed FROM group_members WHERE account = ? AND of = ?", (account, group)
            ).fetchone()
            return None if row is None else Membership(*row)

        return await self._db.read(job)

    async def log(
        self, group: bytes, since: int, until: int, most: int, most_bytes: int
    ) -> LogPage:
        return await self._db.read(
            lambda connection: _page(connection, group, (since, until, most), most_bytes)
        )

    async def heads_of(self, account: bytes) -> Sequence[Head]:
        def job(connection: apsw.Connection) -> list[Head]:
            rows = connection.execute(
                _HEAD + "WHERE id IN (SELECT of FROM group_members "
                "WHERE account = ? AND removed IS NULL) ORDER BY id",
                (account,),
            )
            return [Head(*row) for row in rows]

        return await self._db.read(job)


def _entry(connection: apsw.Connection, group: bytes, version: int) -> LoggedEntry | None:
    row = connection.execute(
        f"SELECT {_ENTRY} FROM group_entries WHERE of = ? AND version = ?", (group, version)
    ).fetchone()
    return None if row is None else LoggedEntry(*row)


def _log(connection: apsw.Connection, step: Step) -> None:
    """What a new entry leaves besides the head."""
    entry, cited = step.entry, step.cited
    connection.execute(
        f"INSERT INTO group_entries (of, {_ENTRY}) VALUES (?, ?, ?, ?, ?, ?)",
        (step.group, entry.version, entry.hash, entry.body, entry.sig, entry.list_hash),
    )
    connection.execute(
        "INSERT OR IGNORE INTO group_lists (hash, body, sig) VALUES (?, ?, ?)",
        (cited.hash, cited.body, cited.sig),
    )
    members = [(account, step.group, None) for account in step.joined]
    connection.executemany(
        "INSERT OR REPLACE INTO group_members (account, of, removed) VALUES (?, ?, ?)",
        [*members, *((account, step.group, entry.version) for account in step.left)],
    )
    set_marks(connection, (step.group,))


def _page(
    connection: apsw.Connection, group: bytes, span: tuple[int, int, int], most_bytes: int
) -> LogPage:
    entries: list[LoggedEntry] = []
    lists: dict[bytes, CitedList] = {}
    size = 0
    for row in connection.execute(
        f"SELECT {_ENTRY} FROM group_entries "
        "WHERE of = ? AND version > ? AND version <= ? ORDER BY version LIMIT ?",
        (group, *span),
    ):
        entry = LoggedEntry(*row)
        cited = lists.get(entry.list_hash) or _cited(connection, entry.list_hash)
        size += len(entry.body) + (0 if cited.hash in lists else len(cited.body))
        if entries and size > most_bytes:
            break
        entries.append(entry)
        lists[cited.hash] = cited
    return LogPage(entries, list(lists.values()))


def _cited(connection: apsw.Connection, hash: bytes) -> CitedList:
    (row,) = connection.execute("SELECT hash, body, sig FROM group_lists WHERE hash = ?", (hash,))
    return CitedList(*row)
