"""Kept: what the server stores of a message, read from its database as anybody with the disk could.

Opens the file read-only, beside the running server; asks the server nothing.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from linnet.server.backends.sqlite import rows
from linnet.wire.ids import MessageId

DATABASE = "linnet.db"


def ciphertexts(data: Path, id: MessageId) -> list[bytes]:
    """Every device's ciphertext of a message, in the order they are stored; none if it is not."""
    connection = apsw.Connection(str(data / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5_000)
        return _found(connection, id)
    finally:
        connection.close()


def _found(connection: apsw.Connection, id: MessageId) -> list[bytes]:
    found: list[bytes] = []
    for (number,) in connection.execute("SELECT number FROM segment ORDER BY number").fetchall():
        # An id stands in one row only of its message, so every row is looked into.
        query = f"SELECT body FROM entry_{number} WHERE mailbox IS NOT NULL ORDER BY position"
        for (body,) in connection.execute(query):
            entry = rows.entry(0, b"", 0, body)
            if entry.accepted.id == id:
                found.extend(part.ciphertext for part in entry.parts)
    return found
