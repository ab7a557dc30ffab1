"""Unfolded: newest heads, mailboxes, marks and cursors that are not yet in their tables.

They are durable all the same: each follows from rows or from the log written by the commits.
"""

from __future__ import annotations

import apsw

from linnet.server.backends.sqlite import rows
from linnet.server.ports.timeline import (
    Accepted,
    Batch,
    Cursor,
    Entry,
    Head,
    Loaded,
    Mark,
    Spread,
    Wanted,
)


class Unfolded:
    """What to put over the tables when reading, and to write into them when folding."""

    def __init__(self) -> None:
        self.rows = 0
        self._accepted: dict[bytes, Accepted] = {}
        self._numbers: dict[bytes, int] = {}
        self._mailboxes: dict[bytes, int] = {}
        self._marks: dict[tuple[bytes, bytes], dict[int, Mark]] = {}
        self._cursors: dict[tuple[bytes, int], Cursor] = {}

    def see_entry(self, entry: Entry) -> None:
        """A row that was committed."""
        self.rows += 1
        accepted = entry.accepted
        self._mailboxes[entry.mailbox] = entry.position
        self._accepted[accepted.conversation] = accepted
        if accepted.conv_seq:
            self._numbers[accepted.conversation] = accepted.conv_seq

    def see_mark(self, mark: Mark) -> None:
        """A watermark that was committed."""
        self.rows += 1
        self._marks.setdefault((mark.conversation, mark.account), {})[mark.device] = mark

    def see_cursor(self, cursor: Cursor) -> None:
        """A cursor that was committed."""
        self.rows += 1
        self._cursors[(cursor.account, cursor.device)] = cursor

    def see_batch(self, batch: Batch) -> None:
        """All of a commit. In bulk: this runs for every message."""
        for piece in batch.rows():
            if isinstance(piece, Spread):
                self._see_spread(piece)
            else:
                self._see_entries(piece)
        self.rows += len(batch.marks) + len(batch.cursors)
        for mark in batch.marks:
            self._marks.setdefault((mark.conversation, mark.account), {})[mark.device] = mark
        self._cursors.update([((it.account, it.device), it) for it in batch.cursors])

    def _see_entries(self, entries: list[Entry]) -> None:
        self.rows += len(entries)
        self._mailboxes.update([(entry.mailbox, entry.position) for entry in entries])
        accepted = [entry.accepted for entry in entries]
        self._accepted.update([(it.conversation, it) for it in accepted])
        self._numbers.update([(it.conversation, it.conv_seq) for it in accepted if it.conv_seq])

    def _see_spread(self, spread: Spread) -> None:
        self.rows += len(spread.mailboxes)
        positions = range(spread.first, spread.last + 1)
        self._mailboxes.update(zip(spread.mailboxes, positions, strict=True))
        accepted = spread.accepted
        self._accepted[accepted.conversation] = accepted
        self._numbers[accepted.conversation] = accepted.conv_seq

    def overlay(self, wanted: Wanted, loaded: Loaded) -> None:
        """Put what is newer than the tables over what was read from them."""
        for conversation in wanted.heads & self._accepted.keys():
            held = loaded.heads.get(conversation) or Head(conversation)
            loaded.heads[conversation] = Head(
                conversation,
                self._numbers.get(conversation, held.conv_seq),
                max(held.clock, self._accepted[conversation].server_timestamp),
                held.members,
                held.roster,
            )
        for mailbox in wanted.mailboxes & self._mailboxes.keys():
            loaded.mailboxes[mailbox] = self._mailboxes[mailbox]
        for key in wanted.marks & self._marks.keys():
            read = {mark.device: mark for mark in loaded.marks.get(key, [])}
            loaded.marks[key] = list((read | self._marks[key]).values())
        for device in wanted.cursors & self._cursors.keys():
            loaded.cursors[device] = self._cursors[device]

    def write(self, connection: apsw.Connection, folded_position: int, clock_ms: int) -> None:
        """Fold into the tables; keys in order, because that is how the tables are clustered."""
        connection.executemany(
            "INSERT INTO conversation VALUES (?, ?, ?, x'80', 0) ON CONFLICT (id)"
            " DO UPDATE SET conv_seq = max(conv_seq, excluded.conv_seq),"
            " clock = max(clock, excluded.clock)",
            (
                (conversation, self._numbers.get(conversation, 0), accepted.server_timestamp)
                for conversation, accepted in sorted(
                    self._accepted.items(), key=lambda item: item[0]
                )
            ),
        )
        connection.executemany(
            "REPLACE INTO mailbox VALUES (?, ?)", sorted(self._mailboxes.items())
        )
        connection.executemany(
            "REPLACE INTO mark VALUES (?, ?, ?, ?, ?)",
            (
                rows.mark_row(mark)
                for key in sorted(self._marks)
                for mark in self._marks[key].values()
            ),
        )
        connection.executemany(
            "REPLACE INTO cursor VALUES (?, ?, ?, ?)",
            ((*key, c.acked, c.gap) for key, c in sorted(self._cursors.items())),
        )
        connection.execute("DELETE FROM mark_log")
        connection.execute(
            "UPDATE timeline SET folded_position = ?, clock_ms = ?", (folded_position, clock_ms)
        )
