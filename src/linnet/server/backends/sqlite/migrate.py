"""Migrations: numbered SQL files, applied in order, each in a transaction of its own.

`PRAGMA user_version` holds the number of the last one applied. A file never changes once it was
released; there is no way back down.
"""

from __future__ import annotations

from pathlib import Path

import apsw


class NewerSchema(Exception):
    """The database was written by a newer Linnet than this one."""


def migrate(connection: apsw.Connection, folder: Path) -> int:
    """Bring the schema up to the highest number in `folder`; returns that number.

    Raises NewerSchema and changes nothing if the database is above it. A file that fails
    leaves the schema at the one before.
    """
    scripts = _scripts(folder)
    held = int(connection.pragma("user_version"))
    if held > len(scripts):
        raise NewerSchema(f"the database has schema {held}, this Linnet knows {len(scripts)}")
    for number, script in enumerate(scripts[held:], start=held + 1):
        _apply(connection, number, script)
    return len(scripts)


def _scripts(folder: Path) -> list[str]:
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    numbers = [int(file.name[:4]) for file in files]
    if numbers != list(range(1, len(files) + 1)):
        raise ValueError(f"migrations must be numbered 1, 2, 3 …, not {numbers}")
    return [file.read_text(encoding="utf-8") for file in files]


def _apply(connection: apsw.Connection, number: int, script: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(script)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
