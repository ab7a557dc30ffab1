"""Segments: mailbox rows in append-only tables, dropped whole when they are old.

While a segment is open its rows are found through a small index in memory, because keeping a
table clustered or indexed by mailbox costs several times the append itself; when it closes, the
index is built once, sorted. Runs SQL it is handed a connection for; keeps no transaction.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import apsw
import msgspec

from linnet.server.backends.sqlite import bodies
from linnet.server.backends.sqlite.rows import EntryRow
from linnet.server.ports.timeline import Batch, Entry, Spread
from linnet.wire.ids import message_time_ms

ROWS_MOST = 250_000
"""Rows in a segment: an index over so many is built in about 0.1 s."""
AGE_MOST_MS = 24 * 3600 * 1000


class Closed(msgspec.Struct, frozen=True):
    """A segment that takes no more rows. `latest_ms` is the newest time in it, of a message or
    inside an id: an outcome is kept for as long as its id could be taken for new."""

    number: int
    last_position: int
    latest_ms: int
    first_id_ms: int
    last_id_ms: int


class Open(msgspec.Struct):
    """The segment that rows are appended to, and where each mailbox's rows are in it."""

    number: int
    rows: int = 0
    since_ms: int = 0
    latest_ms: int = 0
    first_id_ms: int = 1 << 62
    last_id_ms: int = 0
    last_position: int = 0
    positions: dict[bytes, array[int]] = {}
    fresh: list[tuple[Sequence[bytes], Sequence[int]]] = []
    """Mailboxes and positions of batches not yet in `positions`: put there when somebody reads,
    because most rows are pushed from memory and never read."""

    def note_batch(self, batch: Batch) -> None:
        """A batch was committed."""
        for rows in batch.rows():
            if isinstance(rows, Spread):
                self._note_spread(rows)
            elif rows:
                self._note_entries(rows)
        for position, refusal in batch.refusals:
            self.note(position, None)
            self.note_time(refusal.id, 0)

    def _note_entries(self, entries: list[Entry]) -> None:
        self.rows += len(entries)
        self.last_position = entries[-1].position
        self.fresh.append(([e.mailbox for e in entries], [e.position for e in entries]))
        ids = [entry.accepted.id for entry in entries]
        newest_ms = max([entry.accepted.server_timestamp for entry in entries])
        self.note_time(min(ids), newest_ms)
        self.note_time(max(ids), newest_ms)

    def _note_spread(self, spread: Spread) -> None:
        self.rows += len(spread.mailboxes)
        self.last_position = spread.last
        self.fresh.append((spread.mailboxes, range(spread.first, spread.last + 1)))
        self.note_time(spread.accepted.id, spread.accepted.server_timestamp)

    def note(self, position: int, mailbox: bytes | None) -> None:
        """A row was committed."""
        self.rows += 1
        if position > self.last_position:
            self.last_position = position
        if mailbox is not None:
            self._index(mailbox, position)

    def _index(self, mailbox: bytes, position: int) -> None:
        held = self.positions.get(mailbox)
        if held is None:
            held = self.positions[mailbox] = array("q")
        held.append(position)

    def note_time(self, id: bytes, server_ms: int) -> None:
        """An id, and the time of its message if it became one, are now in this segment."""
        born = message_time_ms(id)
        if born < self.first_id_ms:
            self.first_id_ms = born
        if born > self.last_id_ms:
            self.last_id_ms = born
        newest = server_ms if server_ms > born else born
        if newest > self.latest_ms:
            self.latest_ms = newest
        if not self.since_ms:
            self.since_ms = server_ms or born

    def after(self, mailbox: bytes, since: int, most: int) -> Sequence[int]:
        """Positions of the mailbox's rows after `since`, oldest first."""
        fresh, self.fresh = self.fresh, []
        for mailboxes, positions in fresh:
            for owner, position in zip(mailboxes, positions, strict=True):
                self._index(owner, position)
        held = self.positions.get(mailbox)
        if held is None:
            return ()
        start = bisect_right(held, since)
        return held[start : start + most]

    def is_full(self, now_ms: int, rows_most: int) -> bool:
        """Whether the next commit should go to a new segment. A clock that jumped makes it full
        too, once, or the age of what follows could not be told."""
        age_ms = abs(now_ms - self.since_ms)
        return self.rows >= rows_most or (self.rows > 0 and age_ms > AGE_MOST_MS)


def create(connection: apsw.Connection, number: int) -> None:
    """Make the tables of a segment."""
    connection.execute(
        f"CREATE TABLE entry_{number} (position INTEGER PRIMARY KEY, mailbox BLOB,"
        " prev INTEGER NOT NULL, id BLOB, body BLOB NOT NULL) STRICT"
    )
    connection.execute(
        f"CREATE INDEX entry_{number}_id ON entry_{number} (id) WHERE id IS NOT NULL"
    )
    bodies.create(connection, number)
    connection.execute("INSERT INTO segment VALUES (?, 0, 0, 0, 0)", (number,))


def close(connection: apsw.Connection, segment: Open) -> Closed:
    """Build the segment's index and mark it closed."""
    number = segment.number
    connection.execute(
        f"CREATE INDEX entry_{number}_mailbox ON entry_{number} (mailbox, position)"
        " WHERE mailbox IS NOT NULL"
    )
    closed = Closed(
        number,
        segment.last_position,
        segment.latest_ms,
        segment.first_id_ms,
        segment.last_id_ms,
    )
    connection.execute(
        "UPDATE segment SET last_position = ?, latest_ms = ?, first_id_ms = ?, last_id_ms = ?"
        " WHERE number = ?",
        (*msgspec.structs.astuple(closed)[1:], number),
    )
    return closed


def numbers(connection: apsw.Connection) -> set[int]:
    """The segments that retention has not dropped, as of this transaction."""
    return {number for (number,) in connection.execute("SELECT number FROM segment")}


def drop(connection: apsw.Connection, segment: Closed) -> int:
    """Forget a segment; returns how many rows were in it."""
    rows: int = connection.execute(f"SELECT count(*) FROM entry_{segment.number}").get
    connection.execute(f"DROP TABLE entry_{segment.number}")
    bodies.drop(connection, segment.number)
    connection.execute("DELETE FROM segment WHERE number = ?", (segment.number,))
    return rows


def append(connection: apsw.Connection, number: int, rows: Iterator[EntryRow]) -> None:
    """Add rows of entries or refusals to a segment."""
    connection.executemany(f"INSERT INTO entry_{number} VALUES (?, ?, ?, ?, ?)", rows)


def rows_by_id(
    connection: apsw.Connection, number: int, id: bytes
) -> Iterator[tuple[bytes | None, bytes]]:
    """(mailbox, body) of each row under an id."""
    return connection.execute(f"SELECT mailbox, body FROM entry_{number} WHERE id = ?", (id,))


def rows_at(
    connection: apsw.Connection, number: int, positions: Sequence[int]
) -> Iterator[tuple[int, bytes, int, bytes]]:
    """(position, mailbox, prev, body) at these positions of an open segment."""
    query = f"SELECT position, mailbox, prev, body FROM entry_{number} WHERE position = ?"
    for position in positions:
        yield from connection.execute(query, (position,))


def rows_after(
    connection: apsw.Connection, number: int, mailbox: bytes, since: int, most: int
) -> Iterator[tuple[int, bytes, int, bytes]]:
    """(position, mailbox, prev, body) of a mailbox in a closed segment."""
    return connection.execute(
        f"SELECT position, mailbox, prev, body FROM entry_{number}"
        " WHERE mailbox = ? AND position > ? ORDER BY position LIMIT ?",
        (mailbox, since, most),
    )
