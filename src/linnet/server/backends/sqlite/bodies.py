"""Bodies: group messages, each stored once beside the rows that point to it.

A segment has a table of them and is dropped with it. The pointer in a row is the position of the
message's first row; which devices the row is for stands with the body, in the order of the rows.
Runs SQL it is handed a connection for; keeps no transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import msgspec

from linnet.server.ports.timeline import Accepted, Entry, Numbered, Spread, spread_entry

_MAILBOX_BYTES = 16
_POINTER_BYTES = 8


class _Body(msgspec.Struct, array_like=True, gc=False):
    accepted: Accepted
    body: bytes
    devices: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Body).decode
_json = msgspec.json.Encoder().encode


def create(connection: apsw.Connection, number: int) -> None:
    """Make the table of a segment, if it is not there: segments were once made without."""
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS body_{number} (position INTEGER PRIMARY KEY,"
        " conversation BLOB NOT NULL, conv_seq INTEGER NOT NULL, body BLOB NOT NULL) STRICT"
    )
    connection.execute(
        f"CREATE INDEX IF NOT EXISTS body_{number}_seq ON body_{number} (conversation, conv_seq)"
    )


def drop(connection: apsw.Connection, number: int) -> None:
    """Forget the bodies of a segment."""
    connection.execute(f"DROP TABLE body_{number}")


def append(connection: apsw.Connection, number: int, spread: Spread) -> None:
    """Add a message and its rows to a segment, the rows in one statement.

    A statement a row costs twice as much, because each lets go of the interpreter's lock.
    """
    accepted, last = spread.accepted, len(spread.mailboxes) - 1
    connection.execute(
        f"INSERT INTO body_{number} VALUES (?, ?, ?, ?)",
        (
            spread.first,
            accepted.conversation,
            accepted.conv_seq,
            _encode((accepted, spread.body, spread.devices)),
        ),
    )
    connection.execute(
        f"INSERT INTO entry_{number} SELECT ?1 + key, substr(?2, key * {_MAILBOX_BYTES} + 1,"
        f" {_MAILBOX_BYTES}), value, CASE WHEN key = ?3 THEN ?4 END, ?5 FROM json_each(?6)",
        (
            spread.first,
            b"".join(spread.mailboxes),
            last,
            accepted.id,
            spread.first.to_bytes(_POINTER_BYTES, "big"),
            _json(spread.prevs).decode(),
        ),
    )


def is_pointer(body: bytes) -> bool:
    """Whether a row's body points here. A position begins with a zero byte, an entry never."""
    return body[0] == 0


class Bodies:
    """Reads the bodies of one segment; remembers the last, whose rows stand next to each other."""

    def __init__(self, connection: apsw.Connection, number: int) -> None:
        self._connection = connection
        self._number = number
        self._held: tuple[bytes, _Body] | None = None

    def accepted(self, pointer: bytes) -> Accepted:
        """The message that a row points to."""
        return self._at(pointer).accepted

    def entry(self, position: int, mailbox: bytes, prev: int, pointer: bytes) -> Entry:
        """A row of a group message."""
        held = self._at(pointer)
        devices = held.devices[position - int.from_bytes(pointer, "big")]
        return spread_entry(mailbox, position, prev, held.accepted, held.body, devices)

    def _at(self, pointer: bytes) -> _Body:
        if self._held is None or self._held[0] != pointer:
            query = f"SELECT body FROM body_{self._number} WHERE position = ?"
            ((body,),) = self._connection.execute(query, (int.from_bytes(pointer, "big"),))
            self._held = pointer, _decode(body)
        return self._held[1]


def numbered(
    connection: apsw.Connection, number: int, group: bytes, first: int, last: int
) -> Iterator[Numbered]:
    """Messages of a group in one segment, by number."""
    for (body,) in connection.execute(
        f"SELECT body FROM body_{number} WHERE conversation = ? AND conv_seq BETWEEN ? AND ?"
        " ORDER BY conv_seq",
        (group, first, last),
    ):
        held = _decode(body)
        yield held.accepted, held.body
