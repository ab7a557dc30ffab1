"""Devices in SQLite: port `devices`."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from linnet.server.backends.sqlite.database import Database
from linnet.server.ports.devices import Admission, Device, SetChange, StoredList


class SqliteDevices:
    """Tables devices, device_lists and set_changes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def newest(self, account: bytes) -> StoredList | None:
        return await self._db.read(lambda connection: _newest(connection, account))

    async def get(self, account: bytes, device: int) -> Device | None:
        def job(connection: apsw.Connection) -> Device | None:
            row = connection.execute(
                "SELECT identity, registration_id, revoked, ticket FROM devices "
                "WHERE account = ? AND device = ?",
                (account, device),
            ).fetchone()
            if row is None:
                return None
            identity, registration_id, revoked, ticket = row
            return Device(account, device, identity, registration_id, bool(revoked), ticket)

        return await self._db.read(job)

    async def replace(
        self, account: bytes, expected_version: int, new: StoredList, devices: Sequence[int]
    ) -> bool:
        return await self._db.write(
            lambda connection: _replace(connection, account, expected_version, new, devices)
        )

    async def changes(self, limit: int) -> Sequence[SetChange]:
        def job(connection: apsw.Connection) -> list[SetChange]:
            rows = connection.execute(
                "SELECT number, account, mailbox, device_set, devices FROM set_changes "
                "ORDER BY number LIMIT ?",
                (limit,),
            )
            return [
                SetChange(number, account, mailbox, device_set, tuple(devices))
                for number, account, mailbox, device_set, devices in rows
            ]

        return await self._db.read(job)

    async def decided(self, numbers: Sequence[int]) -> None:
        await self._db.write(
            lambda connection: connection.executemany(
                "DELETE FROM set_changes WHERE number = ?", [(number,) for number in numbers]
            )
        )


def admit(connection: apsw.Connection, admission: Admission) -> bool:
    """The list, its new device and the set change; False if another list was first."""
    account = admission.account
    held = _newest(connection, account)
    if held is None or held.version != admission.expected_version:
        return False
    connection.execute(
        "INSERT INTO devices (account, device, identity, registration_id, ticket) "
        "VALUES (?, ?, ?, ?, ?)",
        (
            account,
            admission.device,
            admission.identity,
            admission.registration_id,
            admission.ticket,
        ),
    )
    _set_list(connection, account, admission.list)
    _change(connection, account, admission.list.set, admission.devices)
    return True


def _newest(connection: apsw.Connection, account: bytes) -> StoredList | None:
    row = connection.execute(
        "SELECT body, sig, version, number FROM device_lists WHERE account = ?", (account,)
    ).fetchone()
    return None if row is None else StoredList(*row)


def _replace(
    connection: apsw.Connection,
    account: bytes,
    expected_version: int,
    new: StoredList,
    devices: Sequence[int],
) -> bool:
    held = _newest(connection, account)
    if held is None or held == new:
        return held == new
    if held.version != expected_version:
        return False
    _set_list(connection, account, new)
    if new.set != held.set:
        _change(connection, account, new.set, devices)
    return True


def _set_list(connection: apsw.Connection, account: bytes, new: StoredList) -> None:
    connection.execute(
        "UPDATE device_lists SET body = ?, sig = ?, version = ?, number = ? WHERE account = ?",
        (new.body, new.sig, new.version, new.set, account),
    )


def _change(
    connection: apsw.Connection, account: bytes, number: int, devices: Sequence[int]
) -> None:
    connection.execute(
        "INSERT INTO set_changes (account, mailbox, device_set, devices) "
        "SELECT id, mailbox, ?, ? FROM accounts WHERE id = ?",
        (number, bytes(devices), account),
    )
    marks = ",".join("?" * len(devices))
    connection.execute(
        f"UPDATE devices SET revoked = 1 WHERE account = ? AND device NOT IN ({marks})",
        (account, *devices),
    )
