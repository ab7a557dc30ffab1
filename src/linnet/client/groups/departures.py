"""Departures: a device that left a member's list is as gone from its groups as a member who left.

Read from the changes noted where lists are adopted (`linnet.client.device_changes`). Every member
rotates then; what those rotations superseded is erased here after a day. Members who leave are seen
in the log (`linnet.client.groups.log`), our own rotation is `linnet.client.groups.sealing`'s.
"""

import apsw

from linnet.client import device_changes, facts
from linnet.client.facts import Fact
from linnet.client.groups import book, keys


class SeenDepartures(Fact, frozen=True, kw_only=True):
    """Number of the last change of devices that groups were looked through for."""

    seq: int = 0


def follow(db: apsw.Connection, now_ms: int) -> None:
    """Have the old chains of every group erased in a day that a device left since the last time."""
    changes = device_changes.since(db, facts.get_or(db, SeenDepartures()).seq)
    if not changes:
        return
    facts.put(db, SeenDepartures(seq=changes[-1].seq))
    left = {change.account for change in changes if not change.joined}
    for id in book.ids(db) if left else ():
        group = book.group(db, id)
        if group is not None and not left.isdisjoint(group.settled.members):
            keys.supersede(db, id, now_ms)
