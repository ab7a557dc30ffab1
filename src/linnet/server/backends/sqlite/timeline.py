"""Timeline on SQLite: appends in the commit, everything else folded in later.

A commit only appends: mailbox rows to the open segment, watermarks and cursors to `mark_log`.
Heads, mailboxes, marks and cursors are kept in memory as `_Unfolded` and written to their tables
every FOLD_AFTER rows; after a crash they follow from the rows above `folded_position` and from
the log. One commit costs a few pages of WAL whatever the number of conversations it touches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile

import apsw

from linnet.server.backends.sqlite import bodies, rows, segments, statements
from linnet.server.backends.sqlite.bodies import Bodies
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.unfolded import Unfolded
from linnet.server.ports import Unavailable
from linnet.server.ports.epochs import Epochs
from linnet.server.ports.timeline import (
    Batch,
    Entry,
    Loaded,
    Numbered,
    Opened,
    Outcome,
    Retained,
    Wanted,
    clock_stepped,
    next_epoch,
)
from linnet.wire.ids import message_time_ms

FOLD_AFTER = 200_000
"""Rows between folds: about half a second of recovery."""


class SqliteTimeline:
    """See `linnet.server.ports.timeline.Timeline`."""

    def __init__(
        self,
        database: Database,
        rows_most: int = segments.ROWS_MOST,
        fold_after: int = FOLD_AFTER,
        epochs: Epochs | None = None,
    ) -> None:
        self._db = database
        self._epochs = epochs
        self._rows_most = rows_most
        self._fold_after = fold_after
        self._writing = asyncio.Lock()  # a pass of retention must not roll under a commit
        self._closed: list[segments.Closed] = []
        self._open = segments.Open(0)
        self._unfolded = Unfolded()
        self._epoch = 0
        self._clock_ms = 0

    # ---- recovery

    async def open(self, recent_most: int) -> Opened:
        recent, older_until = await self._db.write(lambda c: self._recover(c, recent_most))
        last = max(self._open.last_position, self._epoch << 48)
        return Opened(self._epoch, last, recent, older_until)

    def _recover(self, connection: apsw.Connection, recent_most: int) -> tuple[list[bytes], int]:
        state = connection.execute("SELECT epoch, folded_position, clock_ms FROM timeline").get
        self._epoch, folded, self._clock_ms = state
        found = list(connection.execute("SELECT * FROM segment ORDER BY number"))
        if not found:
            segments.create(connection, 1)
            found = [(1, 0, 0, 0, 0)]
        for number, *_ in found:
            bodies.create(connection, number)
        self._closed = [segments.Closed(*row) for row in found[:-1]]
        # Numbering goes on above what was folded even where retention dropped every row.
        self._open = segments.Open(found[-1][0], last_position=folded)
        held = Bodies(connection, self._open.number)
        for position, mailbox, _, id, body in connection.execute(
            f"SELECT * FROM entry_{self._open.number} ORDER BY position"
        ):
            self._open.note(position, mailbox)
            if position > folded and mailbox is not None:
                self._unfolded.see_entry(statements.entry(held, position, mailbox, 0, body))
            if id is not None:
                self._note_time(id, statements.outcome(held, mailbox, body))
        for row in connection.execute(
            "SELECT account, device, acked, gap, conversation, intervals, at FROM mark_log"
            " ORDER BY n"
        ):
            cursor, mark = rows.logged(row)
            if cursor is not None:
                self._unfolded.see_cursor(cursor)
            if mark is not None:
                self._unfolded.see_mark(mark)
        return self._recent(connection, recent_most)

    def _note_time(self, id: bytes, outcome: Outcome) -> None:
        server_ms: int = getattr(outcome, "server_timestamp", 0)
        self._open.note_time(id, server_ms)
        self._see_clock(server_ms)

    def _recent(self, connection: apsw.Connection, most: int) -> tuple[list[bytes], int]:
        """The newest ids of the open segment, and the newest time among all other ids."""
        query = (
            f"SELECT id FROM entry_{self._open.number} WHERE id IS NOT NULL"
            " ORDER BY position DESC LIMIT ?"
        )
        found = [id for (id,) in connection.execute(query, (most,))]
        older = max((closed.last_id_ms for closed in self._closed), default=0)
        if len(found) == most:
            older = max(older, self._open.last_id_ms)
        return found[::-1], older

    # ---- writing

    async def commit(self, batch: Batch) -> None:
        async with self._writing:
            if self._open.is_full(batch.clock_ms, self._rows_most):
                await self._roll()
            number = self._open.number
            await self._db.write(lambda connection: statements.write(connection, number, batch))
            self._note(batch)
            if self._unfolded.rows >= self._fold_after:
                # The batch is durable already: a store too full to fold is no reason to deny it.
                with suppress(Unavailable):
                    await self._fold()

    def _note(self, batch: Batch) -> None:
        """The batch is durable: reads may find it."""
        self._open.since_ms = self._open.since_ms or batch.clock_ms
        self._open.note_batch(batch)
        self._unfolded.see_batch(batch)
        self._see_clock(batch.clock_ms)

    def _see_clock(self, now_ms: int) -> None:
        """Something was stored at that time: the clock was right then, unless it had stepped."""
        if now_ms > self._clock_ms and not clock_stepped(self._clock_ms, now_ms):
            self._clock_ms = now_ms

    async def _roll(self) -> None:
        """Close the open segment and start the next, in one transaction."""
        full = self._open

        def roll(connection: apsw.Connection) -> segments.Closed:
            segments.create(connection, full.number + 1)
            return segments.close(connection, full)

        # Recovery folds from the open segment alone, so what is unfolded goes first.
        await self._fold()
        self._closed.append(await self._db.write(roll))
        self._open = segments.Open(full.number + 1, last_position=full.last_position)

    async def _fold(self) -> None:
        """Write what is unfolded to its tables and empty the log. Raises Unavailable."""
        unfolded, position, clock = self._unfolded, self._open.last_position, self._clock_ms
        await self._db.write(lambda connection: unfolded.write(connection, position, clock))
        self._unfolded = Unfolded()

    async def close(self) -> None:
        """Fold, so that the next start has nothing to recover."""
        async with self._writing:
            await self._fold()

    # ---- reading

    async def load(self, wanted: Wanted) -> Loaded:
        loaded, ids = Loaded(), self._segments_of(wanted.ids)
        unfolded = self._unfolded
        await self._db.read(lambda connection: statements.read(connection, wanted, ids, loaded))
        # Taken before the read: a fold in between only makes the tables as new as this.
        unfolded.overlay(statements.with_mailboxes(wanted, loaded), loaded)
        return loaded

    def _segments_of(self, ids: set[bytes]) -> list[tuple[bytes, int]]:
        """Where each id can be: segments whose ids' times include its own."""
        found = []
        for id in ids:
            born = message_time_ms(id)
            candidates: list[segments.Closed | segments.Open] = [*self._closed, self._open]
            for segment in candidates:
                if segment.first_id_ms <= born <= segment.last_id_ms:
                    found.append((id, segment.number))
        return found

    async def page(
        self, mailbox: bytes, since: int, most_rows: int, most_bytes: int
    ) -> Sequence[Entry]:
        older = [closed.number for closed in self._closed if closed.last_position > since]
        number = self._open.number
        newest = self._open.after(mailbox, since, most_rows)

        def read(connection: apsw.Connection) -> list[Entry]:
            found: list[Entry] = []
            size = 0
            for entry, weight in _rows(connection):
                size += weight
                if found and size > most_bytes:
                    break
                found.append(entry)
                if len(found) >= most_rows:
                    break
            return found

        def _rows(connection: apsw.Connection) -> Iterator[tuple[Entry, int]]:
            kept = segments.numbers(connection)
            for segment in older:
                if segment in kept:
                    held = Bodies(connection, segment)
                    found = segments.rows_after(connection, segment, mailbox, since, most_rows)
                    yield from (statements.weighed(held, row) for row in found)
            if number in kept:
                held = Bodies(connection, number)
                at = segments.rows_at(connection, number, newest)
                yield from (statements.weighed(held, row) for row in at)

        return await self._db.read(read)

    async def numbered(
        self, group: bytes, first: int, last: int, most_rows: int, most_bytes: int
    ) -> Sequence[Numbered]:
        numbers = [closed.number for closed in self._closed] + [self._open.number]

        def read(connection: apsw.Connection) -> list[Numbered]:
            found: list[Numbered] = []
            size, kept = 0, segments.numbers(connection)
            for number in numbers:
                if number not in kept:
                    continue
                for accepted, body in bodies.numbered(connection, number, group, first, last):
                    size += len(body)
                    if found and (len(found) >= most_rows or size > most_bytes):
                        return found
                    found.append((accepted, body))
            return found

        return await self._db.read(read)

    # ---- retention

    async def raise_epoch(self) -> int:
        begun = self._epochs.highest if self._epochs else 0
        epoch = next_epoch(max(self._epoch, begun))

        def begin(connection: apsw.Connection) -> None:
            # First where no backup comes over it: a store put back twice must not begin it twice.
            if self._epochs:
                self._epochs.begin(epoch)
            connection.execute("UPDATE timeline SET epoch = ?", (epoch,))

        await self._db.write(begin)
        self._epoch = epoch
        return epoch

    async def retain(self, now_ms: int, keep_ms: int, trust_clock: bool = False) -> Retained:
        async with self._writing:
            if not trust_clock and clock_stepped(self._clock_ms, now_ms):
                hours = (now_ms - self._clock_ms) // 3_600_000
                return Retained(0, f"the clock moved {hours} hours since it was last right")
            return await self._drop_older(now_ms, now_ms - keep_ms)

    async def _drop_older(self, now_ms: int, before_ms: int) -> Retained:
        if self._open.is_full(now_ms, self._rows_most):
            await self._roll()
        old = list(takewhile(lambda closed: closed.latest_ms < before_ms, self._closed))

        def drop(connection: apsw.Connection) -> int:
            connection.execute("UPDATE timeline SET clock_ms = ?", (now_ms,))
            return sum(segments.drop(connection, closed) for closed in old)

        dropped = await self._db.write(drop)
        self._closed = self._closed[len(old) :]
        self._clock_ms = now_ms
        return Retained(dropped)
