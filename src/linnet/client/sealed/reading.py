"""Readers of what sealed sending says: profile keys, and switches of a conversation."""

from typing import Final

import apsw

from linnet.client import facts
from linnet.client.events import Event
from linnet.client.facts import Identity
from linnet.client.reading import Readers, Received
from linnet.client.sealed import profile, state
from linnet.client.sealed.events import SealedChanged
from linnet.client.sealed.receipts import read_receipt
from linnet.crypto.bodies import Sealed
from linnet.crypto.bodies_control import ProfileKey
from linnet.crypto.body import read_body
from linnet.crypto.content import Refused
from linnet.wire.ids import AccountId, ConversationId

MOST_AHEAD: Final = 1_000_000
"""A switch may be numbered so far above the last one known: whoever jumps further would leave no
numbers to switch with."""


def readers() -> Readers:
    """The readers of sealed sending; that of copies needs all others, and is made with them."""
    return {"profile_key": read_profile_key, "sealed": read_switch, "receipt": read_receipt}


def read_profile_key(db: apsw.Connection, received: Received) -> list[Event]:
    """Somebody's profile key: the newest one holds. A reader; raises Damaged."""
    body, frame = read_body(ProfileKey, received.content.body), received.frame
    profile.learn(db, frame.sender, body, frame.server_timestamp)
    return []


def read_switch(db: apsw.Connection, received: Received) -> list[Event]:
    """A conversation is sealed from here on, or is not. A reader; raises Damaged, Refused."""
    body, me = read_body(Sealed, received.content.body), facts.get(db, Identity)
    sender = AccountId(received.content.sender)
    ours = me is not None and me.account == sender
    peer = received.content.to[1:] if ours else sender
    if body.number > state.number(db, peer) + MOST_AHEAD:
        raise Refused("a switch of a number far above the last")
    if not state.switch(db, peer, body):
        return []
    return [SealedChanged(ConversationId(received.frame.conversation), sender, body.on)]
