"""Own copies: what this device sent sealed, told to the own other devices.

A copy is a sealed message to the own mailbox, after a random delay, under an id and a franking key
of its own; inside is a `sync` with the exact Z, its recipient and its place among the others. The
server sees two messages that nothing but time connects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client import history, outbox
from linnet.client.events import Event
from linnet.client.outbox import Item, Way
from linnet.client.own_list import own_held
from linnet.client.reading import Reader, Received
from linnet.client.sealed import receipts
from linnet.client.sealed.frames import passed_on
from linnet.client.taking import Learned, Taker, known
from linnet.crypto.bodies_sync import SyncSent, read_sync
from linnet.crypto.body import body_of
from linnet.crypto.content import Refused, check_nested, open_content
from linnet.crypto.kinds import Channel, permitted
from linnet.signing.keys import Rng
from linnet.wire.ids import AccountId, direct_conversation, message_id, to_account

SOONEST_MS: Final = 1_000
LATEST_MS: Final = 10_000
LANE: Final = b"sealed copies"


def queue(
    db: apsw.Connection, me: AccountId, sent: Item, z: bytes, server_ms: int, now_ms: int, rng: Rng
) -> None:
    """Queue the copy of a message that was accepted; nothing if there is no other own device."""
    if len(own_held(db).list.devices) < 2:
        return
    delay_ms = SOONEST_MS + int.from_bytes(rng(4), "big") % (LATEST_MS - SOONEST_MS)
    # The id names the time of leaving: that of writing would connect it with the original.
    leaves_ms = outbox.server_ms(db, now_ms) + delay_ms
    copy = Item(
        id=message_id(leaves_ms, rng(10)),
        conversation=direct_conversation(me, me),
        peer=me,
        kind="sync",
        body=body_of(SyncSent(sent.peer, server_ms, z)),
        sent_ms=leaves_ms,
        way=Way.SEALED,
        lane=LANE,
    )
    outbox.enqueue_unshown(db, copy)
    outbox.hold_until(db, copy.id, now_ms + delay_ms)


@dataclass(frozen=True, slots=True)
class CopyReader:
    """Reads `sync`: a copy here, everything else with `other`. `readers` are for what may be in a
    copy."""

    me: bytes
    readers: Mapping[str, Reader]
    other: Reader

    def __call__(self, db: apsw.Connection, received: Received) -> list[Event]:
        """The reader. Raises Damaged or Refused."""
        match read_sync(received.content.body):
            case SyncSent(peer, server_ms, z):
                return self._take(db, received, peer, server_ms, z)
            case _:
                return self.other(db, received)

    def _take(
        self, db: apsw.Connection, received: Received, peer: bytes, server_ms: int, z: bytes
    ) -> list[Event]:
        content, me = open_content(z), AccountId(self.me)
        check_nested(content, account=me)
        allowed = permitted(content.kind, Channel.SEALED, own_account=False)
        if not allowed or content.to != to_account(AccountId(peer)) or peer == me:
            raise Refused("no copy of a sealed message to that account")
        if not content.counter:
            raise Refused("a counter is missing")
        conversation = direct_conversation(me, AccountId(peer))
        frame = passed_on(
            received.frame, conversation, content.id, content.device, content.sent_ms, server_ms
        )
        if known(db, frame):
            return []
        learned = Learned()
        inner = Received(frame, content, received.held, received.now_ms)
        Taker(self.me, self.readers).take(db, inner, learned)
        row = history.entry(db, conversation, self.me, content.id)
        if row is not None:
            learned.events.append(row)
        return [*learned.events, *receipts.tick(db, conversation, content.id)]
