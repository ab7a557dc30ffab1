"""✓✓ in groups: when everybody a message was encrypted for, and who is still a member, has it."""

import apsw

from linnet.client import accepted, history
from linnet.client.groups import book
from linnet.client.sql import every
from linnet.client.watermarks import Interval, covers
from linnet.wire.ids import MessageId


def tick(db: apsw.Connection, me: bytes, group: bytes) -> list[MessageId]:
    """Turn `sent` into `delivered` where all have the message; those that turned."""
    held = book.group(db, group)
    if held is None:
        return []
    marks: dict[bytes, tuple[Interval, ...]] = {}
    ticked = []
    rows = every(
        db,
        "SELECT id, conv_seq FROM messages"
        " WHERE conversation = ? AND state = 'sent' AND sender = ? ORDER BY conv_seq",
        (group, me),
    )
    for id, conv_seq in rows:
        kept = accepted.find(db, id)
        if kept is None:
            continue
        wanted = {it[0] for it in kept.addressees} & held.settled.members.keys() - {me}
        for account in wanted - marks.keys():
            marks[account] = history.mark(db, group, account)
        if all(covers(marks[account], conv_seq) for account in wanted):
            history.mark_delivered(db, me, id)
            ticked.append(MessageId(id))
    return ticked
