"""Taking: what an opened message becomes, once its content is what the frame says it is.

A row of history, or whatever the reader of its kind makes of it; the lists that came along are
taken, and those it quotes are noted. A message that comes by a resend is taken like one that came
itself. Decrypting is `linnet.client.opening`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import apsw

from linnet.client import accepted, claims, device_alerts, health, history, lists, parking, reading
from linnet.client.errors import NotTrusted
from linnet.client.events import Event, IdentityChanged, State
from linnet.client.list_alarms import conflict_event
from linnet.client.lists import Adopted, Held
from linnet.client.reading import Reader, Received
from linnet.client.sealed import receipts
from linnet.client.sealed.frames import Unsealed
from linnet.client.sealed.state import blocked
from linnet.crypto.bodies import read_text
from linnet.crypto.content import Content, Damaged, Refused, check_frame, committed, open_content
from linnet.signing.errors import Malformed as NotAList
from linnet.signing.list_format import decode_list
from linnet.signing.packing import Value
from linnet.wire.frames import CONTROL, NARROWED, SENDER_KEY, Deliver
from linnet.wire.ids import (
    TO_ACCOUNT,
    AccountId,
    GroupId,
    direct_conversation,
    to_account,
    to_group,
)

NOTE_NARROWED: Final = "narrowed"
"""It went to the primary of the recipient only."""
NOTE_RESENT: Final = "resent"
"""It was sent again, and nothing of the original is here to check it against."""


class Filed(Enum):
    """What became of a delivered message."""

    SHOWN = "a new row of history, readable or not"
    HEALED = "a row of history that could not be read before"
    KNOWN = "it was filed before"
    PARKED = "kept until its sender's device list is there"
    READ = "a reader took it; nothing to show"
    DROPPED = "nothing to show: it may not come this way, or nobody reads it"


@dataclass(slots=True)
class Learned:
    """What else a message brought: events to tell, and accounts of whom a list or key is new, so
    that what is parked of them may now be read. `lists`: a list is new; `shown`: other messages
    became rows of history."""

    events: list[Event] = field(default_factory=list)
    about: set[bytes] = field(default_factory=set)
    lists: bool = False
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Taker:
    """Takes messages for an account, with the readers that it has."""

    me: bytes
    readers: Mapping[str, Reader] = field(default_factory=dict)

    def checked(self, frame: Deliver, z: bytes, held: Held) -> Content:
        """The content of Z, if it is what the frame says it is. Raises Damaged or Refused."""
        if not isinstance(frame, Unsealed) and not committed(z, frame.commitment):
            raise Damaged("another commitment")
        content = open_content(z)
        self.check(frame, content, held)
        return content

    def check(self, frame: Deliver, content: Content, held: Held) -> None:
        """Compare content with the frame. Raises Damaged or Refused."""
        check_frame(
            content,
            id=frame.id,
            to=_address(frame, content, self.me),
            sender=frame.sender,
            device=frame.device,
            mode=frame.mode,
            own=self.me,
            primary=frame.device == held.list.primary,
            sealed=isinstance(frame, Unsealed),
        )
        if content.kind == "text":
            read_text(content.body)

    def take(
        self, db: apsw.Connection, received: Received, learned: Learned, note: str = ""
    ) -> Filed:
        """Have it read, or make it a row of history, in the place of one that could not be opened.

        Raises Damaged or Refused if its reader does.
        """
        frame, content = received.frame, received.content
        if frame.mode != CONTROL and frame.kind != SENDER_KEY and blocked(db, frame.sender):
            reading.remember(db, frame, received.now_ms)
            health.dropped(db, "blocked")
            return Filed.DROPPED
        self._learn(db, received, learned)
        if isinstance(frame, Unsealed) and frame.mode != CONTROL and frame.sender != self.me:
            receipts.owe(db, frame.sender, frame.id, received.now_ms)
        reader = self.readers.get(content.kind)
        if reader is not None:
            learned.events += reading.read(db, reader, received)
            if frame.mode == CONTROL:
                learned.about.add(frame.sender)
            return Filed.READ
        if frame.mode == CONTROL:
            reading.remember(db, frame, received.now_ms)
            health.dropped(db, "unread")
            return Filed.DROPPED
        state = State.SENT if frame.sender == self.me else State.RECEIVED
        narrowed = NOTE_NARROWED if frame.mode == NARROWED else ""
        return store(
            db,
            frame,
            received.held.list.key,
            state,
            kind=content.kind,
            body=content.body,
            note=note or narrowed,
        )

    def _learn(self, db: apsw.Connection, received: Received, learned: Learned) -> None:
        """Take lists that came along, note claims of newer ones, and that somebody replied."""
        content, frame = received.content, received.frame
        for obj in content.attached or ():
            try:
                if decode_list(obj.body).account != content.sender:
                    continue
                adopted = lists.adopt(db, content.sender, obj, received.now_ms, fetched=False)
                if adopted is Adopted.CHANGED_KEY:
                    learned.events.append(IdentityChanged(AccountId(content.sender)))
                if adopted is Adopted.CONFLICT:
                    learned.events.append(conflict_event(db, content.sender))
                if adopted is Adopted.NEW:
                    learned.about.add(content.sender)
                    learned.lists = True
                    learned.events += device_alerts.untold(db)
            except (NotTrusted, NotAList):
                continue  # the claim stays a claim, and the server is asked
        who, now_ms = (frame.sender, frame.device), received.now_ms
        claims.note(db, content.sender, content.own_list, *who, now_ms)
        if content.peer_list is not None and content.to[0] == TO_ACCOUNT:
            claims.note(db, content.to[1:], content.peer_list, *who, now_ms)
        if content.reply is not None and content.reply.account == self.me:
            accepted.note_read(db, content.reply.id, frame.sender, frame.device)


def store(
    db: apsw.Connection,
    frame: Deliver,
    author_key: bytes,
    state: State,
    *,
    kind: str = "",
    body: Value = None,
    reason: str = "",
    note: str = "",
) -> Filed:
    """Make it a row of history; one that could not be opened becomes it."""
    row = history.Row(
        conversation=frame.conversation,
        sender=frame.sender,
        device=frame.device,
        id=frame.id,
        conv_seq=frame.conv_seq or None,  # what is sealed has none
        kind=kind,
        body=body,
        author_key=author_key,
        state=state,
        reason=reason,
        note=note,
        arrived=True,
        sent_ms=frame.timestamp,
        received_ms=frame.server_timestamp,
    )
    if history.heal(db, row):
        return Filed.HEALED
    return Filed.SHOWN if history.add(db, row) else Filed.KNOWN


def _address(frame: Deliver, content: Content, me: bytes) -> bytes:
    """To whom the frame says that it goes. Raises Refused if its conversation is another.

    A copy of what another own device sent names its recipient only inside the encryption.
    """
    if frame.kind == SENDER_KEY:
        return to_group(GroupId(frame.conversation))
    to = content.to if frame.sender == me else to_account(AccountId(me))
    other = AccountId(to[1:] if frame.sender == me else frame.sender)
    if frame.conversation != direct_conversation(AccountId(me), other):
        raise Refused("another conversation")
    return to


def known(db: apsw.Connection, frame: Deliver) -> bool:
    """Whether the message was filed before."""
    key = (frame.conversation, frame.sender, frame.id)
    return history.holds(db, *key) or parking.holds(db, *key) or reading.seen(db, frame)
