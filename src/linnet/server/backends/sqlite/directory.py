"""Directory in SQLite: port `directory`, over tables that accounts and devices write."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from linnet.server.backends.sqlite.database import Database
from linnet.server.ports.devices import StoredList
from linnet.server.ports.directory import Listing


class SqliteDirectory:
    """Tables accounts and device_lists, read together."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, accounts: Sequence[bytes]) -> dict[bytes, Listing]:
        def job(connection: apsw.Connection) -> dict[bytes, Listing]:
            rows = connection.execute(
                "SELECT id, key, mailbox, body, sig, version, device_lists.number "
                "FROM accounts JOIN device_lists ON device_lists.account = accounts.id "
                f"WHERE id IN ({','.join('?' * len(accounts))})",
                tuple(accounts),
            )
            return {
                id: Listing(id, key, mailbox, StoredList(*newest))
                for id, key, mailbox, *newest in rows
            }

        return await self._db.read(job)
