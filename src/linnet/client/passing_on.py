"""Passing on: what another own device told before a device was linked, the main device tells again.

It was encrypted for those that were listed then, and may arrive after the main device has told the
new one everything (`linnet.client.own_channel`): without this, that one would never learn it.
"""

from dataclasses import dataclass

import apsw

from linnet.client import facts
from linnet.client.events import Event
from linnet.client.facts import Identity
from linnet.client.own_channel import KIND, OwnChannel
from linnet.client.own_list import own_held
from linnet.client.reading import Reader, Received
from linnet.crypto.bodies import Read
from linnet.crypto.bodies_sync import SyncEntries, SyncRead, SyncReadSealed, read_sync
from linnet.crypto.body import Body, read_body


@dataclass(frozen=True, slots=True)
class PassOn:
    """A reader of `sync` or `read` that reads with another one, and passes on what is owed."""

    channel: OwnChannel
    reader: Reader

    def __call__(self, db: apsw.Connection, received: Received) -> list[Event]:
        """The reader. Raises Damaged or Refused."""
        told = self.reader(db, received)
        self.channel.greet(db)  # it may have brought a list
        if received.content.sender == self.channel.account and _owed(db, received):
            for body in _again(received):
                self.channel.tell(db, body)
        return told


def _owed(db: apsw.Connection, received: Received) -> bool:
    """Whether this is the main device, and the message older than its list of devices."""
    me, held = facts.get(db, Identity), own_held(db).list
    assert me is not None
    return me.device == held.primary and received.content.own_list[0] < held.version


def _again(received: Received) -> list[Body]:
    content = received.content
    if content.kind != KIND:
        body = read_body(Read, content.body)
        marks: list[Body] = [SyncRead(((received.frame.conversation, body.up_to),))]
        return marks if body.up_to else []
    told = read_sync(content.body)
    return [told] if isinstance(told, SyncEntries | SyncRead | SyncReadSealed) else []
