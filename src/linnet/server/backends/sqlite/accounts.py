"""Accounts in SQLite: port `accounts`."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.devices import admit
from linnet.server.backends.sqlite.keys import store
from linnet.server.ports.accounts import Account, FirstDevice
from linnet.server.ports.devices import Admission

_COLUMNS = "id, mailbox, key, number, backup, created_ms, delivery_key"


class SqliteAccounts:
    """Table accounts; registering and recovering also write devices, device_lists, set_changes
    and pre_keys."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def register(self, account: Account, first: FirstDevice) -> Account:
        return await self._db.write(lambda connection: _register(connection, account, first))

    async def recover(self, number: bytes, admission: Admission, most: int) -> bool:
        def job(connection: apsw.Connection) -> bool:
            account = _get(connection, admission.account)
            if account is None or account.number != number or not admit(connection, admission):
                return False
            store(connection, account.id, admission.device, admission.keys, most)
            return True

        return await self._db.write(job)

    async def get(self, account: bytes) -> Account | None:
        return await self._db.read(lambda connection: _get(connection, account))

    async def set_delivery_key(self, account: bytes, hash: bytes) -> None:
        await self._db.write(
            lambda connection: connection.execute(
                "UPDATE accounts SET delivery_key = ? WHERE id = ?", (hash, account)
            )
        )

    async def by_numbers(self, numbers: Sequence[bytes]) -> dict[bytes, bytes]:
        def job(connection: apsw.Connection) -> dict[bytes, bytes]:
            marks = ",".join("?" * len(numbers))
            sql = f"SELECT number, id FROM accounts WHERE number IN ({marks})"
            return dict(connection.execute(sql, tuple(numbers)))

        return await self._db.read(job)


def _register(connection: apsw.Connection, account: Account, first: FirstDevice) -> Account:
    if (held := _get(connection, account.id)) is not None:
        return held
    connection.execute("UPDATE accounts SET number = NULL WHERE number = ?", (account.number,))
    connection.execute(
        f"INSERT INTO accounts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            account.id,
            account.mailbox,
            account.key,
            account.number,
            account.backup,
            account.created_ms,
            account.delivery_key,
        ),
    )
    connection.execute(
        "INSERT INTO devices (account, device, identity, registration_id) VALUES (?, ?, ?, ?)",
        (account.id, first.device, first.identity, first.registration_id),
    )
    connection.execute(
        "INSERT INTO device_lists (account, body, sig, version, number) VALUES (?, ?, ?, ?, ?)",
        (account.id, first.list_body, first.list_sig, first.version, first.set),
    )
    connection.execute(
        "INSERT INTO set_changes (account, mailbox, device_set, devices) VALUES (?, ?, ?, ?)",
        (account.id, account.mailbox, first.set, bytes((first.device,))),
    )
    return account


def _get(connection: apsw.Connection, account: bytes) -> Account | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM accounts WHERE id = ?", (account,)).fetchone()
    return None if row is None else Account(*row)
