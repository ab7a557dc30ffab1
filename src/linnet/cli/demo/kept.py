"""Kept: what the server stores of a message, read from its database as anybody with the disk could.

Opens the file read-only, beside the running server; asks the server nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from linnet.server.backends.sqlite import rows
from linnet.server.backends.sqlite.bodies import Bodies, is_pointer
from linnet.wire.ids import MessageId

DATABASE = "linnet.db"


def ciphertexts(data: Path, id: MessageId) -> list[bytes]:
    """Every ciphertext of a message, in the order they are stored: one a device, or one for a
    whole group. None if it is not there."""
    connection = apsw.Connection(str(data / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5_000)
        return _found(connection, id)
    finally:
        connection.close()


def _found(connection: apsw.Connection, id: MessageId) -> list[bytes]:
    found: dict[bytes, None] = {}
    segments: list[Any] = connection.execute(
        "SELECT number FROM segment ORDER BY number"
    ).fetchall()
    for (number,) in segments:
        shared = Bodies(connection, number)
        # An id stands in one row only of its message, so every row is looked into.
        columns = f"SELECT position, mailbox, prev, body FROM entry_{number}"
        for row in connection.execute(f"{columns} WHERE mailbox IS NOT NULL ORDER BY position"):
            entry = shared.entry(*row) if is_pointer(row[-1]) else rows.entry(*row)
            if entry.accepted.id == id:
                found |= dict.fromkeys(part.ciphertext for part in entry.parts)
    return list(found)
