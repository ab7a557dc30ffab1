"""✓✓ in groups: when everybody a message was encrypted for, and who is still a member, has it."""

from collections.abc import Iterator

import apsw

from linnet.client import accepted, history
from linnet.client.groups import book
from linnet.client.sql import every
from linnet.client.watermarks import Interval, covers
from linnet.wire.ids import MessageId


class _Marks:
    """What members have of a group, looked up once each."""

    def __init__(self, db: apsw.Connection, group: bytes) -> None:
        self._db, self._group = db, group
        self._known: dict[bytes, tuple[Interval, ...]] = {}

    def cover(self, account: bytes, conv_seq: int) -> bool:
        if account not in self._known:
            self._known[account] = history.mark(self._db, self._group, account)
        return covers(self._known[account], conv_seq)


def tick(
    db: apsw.Connection, me: bytes, group: bytes, only: bytes | None = None
) -> list[MessageId]:
    """Turn `sent` into `delivered` where all have the message (or look at one alone); those that
    turned. One that nobody is left to have stays sent."""
    held = book.group(db, group)
    if held is None:
        return []
    marks, ticked = _Marks(db, group), []
    here = held.settled.members.keys() - {me}
    rows = every(
        db,
        "SELECT id, conv_seq FROM messages"
        " WHERE conversation = ?1 AND state = 'sent' AND sender = ?2"
        " AND (?3 IS NULL OR id = ?3) ORDER BY conv_seq",
        (group, me, only),
    )
    for id, conv_seq in rows:
        kept = accepted.find(db, id)
        if kept is None:
            continue
        # The first that lacks it ends the look: of a thousand members most lack what is new.
        if _all_of_some(marks.cover(it[0], conv_seq) for it in kept.addressees if it[0] in here):
            history.mark_delivered(db, me, id)
            ticked.append(MessageId(id))
    return ticked


def _all_of_some(answers: Iterator[bool]) -> bool:
    return next(answers, False) and all(answers)
