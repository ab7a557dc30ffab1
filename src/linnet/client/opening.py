"""Opening: one delivered message, from ciphertext to a row of history or to its reader, inside one
transaction.

The sender's device list decides which identity key may speak for the device that the frame names.
Without that list the ciphertext is parked (`linnet.client.parking`). What cannot be read is stored
as such and blocks nothing.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import apsw

from linnet.client import device_alerts, health, history, lists, parking, reading
from linnet.client.errors import NotTrusted
from linnet.client.events import Event, IdentityChanged, State
from linnet.client.health import Count
from linnet.client.lists import Adopted, Held
from linnet.client.reading import Readers, Received
from linnet.client.sessions import Sessions
from linnet.crypto.bodies import read_text
from linnet.crypto.content import Content, Damaged, Refused, check_frame, committed, open_content
from linnet.crypto.errors import CryptoError, Malformed, NoSenderKey
from linnet.crypto.messages import PREKEY
from linnet.crypto.session import sender_identity
from linnet.signing.errors import Malformed as NotAList
from linnet.signing.list_format import decode_list
from linnet.signing.packing import Value
from linnet.wire.frames import CONTROL, SENDER_KEY, Deliver
from linnet.wire.ids import (
    TO_ACCOUNT,
    AccountId,
    GroupId,
    direct_conversation,
    to_account,
    to_group,
)

_log = logging.getLogger(__name__)


class Filed(Enum):
    """What became of a delivered message."""

    SHOWN = "a new row of history, readable or not"
    KNOWN = "it was filed before"
    PARKED = "kept until its sender's device list is there"
    READ = "a reader took it; nothing to show"
    DROPPED = "nothing to show: it may not come this way, or nobody reads it"


@dataclass(slots=True)
class Learned:
    """What else a message brought: events to tell, and accounts of whom a list or key is new, so
    that what is parked of them may now be read."""

    events: list[Event] = field(default_factory=list)
    about: set[bytes] = field(default_factory=set)


Cipher = Callable[[apsw.Connection, Deliver, bytes, int], bytes]
"""Decrypts one kind of ciphertext, given the frame, the identity key of the device that it names,
and the time. Raises NoSenderKey to have it parked, another CryptoError if it cannot be read."""


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens with this device's sessions, and `ciphers` by kind for what is not pairwise."""

    sessions: Sessions
    readers: Readers = field(default_factory=dict)
    ciphers: Mapping[int, Cipher] = field(default_factory=dict)

    def file(self, db: apsw.Connection, frame: Deliver, now_ms: int, learned: Learned) -> Filed:
        """Open a message and store what it is, with the session and pre-keys that this moved.

        What else it brought is added to `learned`.
        """
        if _known(db, frame):
            return Filed.KNOWN
        held = lists.held(db, frame.sender)
        identity = _speaker(held, frame)
        if held is None or identity is None:
            parking.park(db, frame, now_ms)
            return Filed.PARKED
        try:
            z = self._decrypt(db, frame, identity, now_ms)
        except NoSenderKey:
            parking.park(db, frame, now_ms)
            return Filed.PARKED
        except CryptoError as error:
            health.count(db, Count.UNDECRYPTABLE)
            return _unread(db, frame, held, State.UNDECRYPTABLE, error, now_ms)
        try:
            content = self._checked(frame, z, held)
            return self._take(db, Received(frame, content, held, now_ms), learned)
        except CryptoError as error:
            health.count(db, Count.DAMAGED)
            return _unread(db, frame, held, State.DAMAGED, error, now_ms)

    def stranger(self, db: apsw.Connection, frame: Deliver) -> bool:
        """Whether `file` would park this message for want of a list."""
        return not _known(db, frame) and _speaker(lists.held(db, frame.sender), frame) is None

    def _decrypt(self, db: apsw.Connection, frame: Deliver, identity: bytes, now_ms: int) -> bytes:
        try:
            cipher = self.ciphers.get(frame.kind)
            if cipher is not None:
                return cipher(db, frame, identity, now_ms)
            peer = (frame.sender, frame.device)
            return self.sessions.decrypt(db, peer, identity, frame.kind, frame.ciphertext, now_ms)
        except (CryptoError, apsw.Error):
            raise
        except Exception as error:  # hostile bytes must not stop the mailbox, whatever our bug
            _log.error("decrypting failed unexpectedly: %s", type(error).__name__)
            raise Malformed("unexpected") from None

    def _checked(self, frame: Deliver, z: bytes, held: Held) -> Content:
        """The content of Z, if it is what the frame says it is."""
        if not committed(z, frame.commitment):
            raise Damaged("another commitment")
        content = open_content(z)
        me = self.sessions.me.account
        to = _address(frame, content, me)
        check_frame(
            content,
            id=frame.id,
            to=to,
            sender=frame.sender,
            device=frame.device,
            mode=frame.mode,
            own=me,
            primary=frame.device == held.list.primary,
        )
        if content.kind == "text":
            read_text(content.body)
        return content

    def _take(self, db: apsw.Connection, received: Received, learned: Learned) -> Filed:
        """Have it read, or make it a row of history, and learn what it quotes."""
        frame, content = received.frame, received.content
        self._learn(db, content, received.now_ms, learned)
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
        ours = frame.sender == self.sessions.me.account
        state = State.SENT if ours else State.RECEIVED
        author = received.held.list.key
        return _store(db, frame, author, state, kind=content.kind, body=content.body)

    def _learn(self, db: apsw.Connection, content: Content, now_ms: int, learned: Learned) -> None:
        """Take lists that came along, and note claims of newer ones."""
        for obj in content.attached or ():
            try:
                if decode_list(obj.body).account != content.sender:
                    continue
                adopted = lists.adopt(db, content.sender, obj, now_ms, fetched=False)
                if adopted is Adopted.CHANGED_KEY:
                    learned.events.append(IdentityChanged(AccountId(content.sender)))
                if adopted is Adopted.NEW:
                    learned.about.add(content.sender)
                    learned.events += device_alerts.untold(db)
            except (NotTrusted, NotAList):
                continue  # the claim stays a claim, and the server is asked
        lists.doubt(db, content.sender, version=content.own_list[0])
        if content.peer_list is not None and content.to[0] == TO_ACCOUNT:
            lists.doubt(db, content.to[1:], version=content.peer_list[0])


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


def _known(db: apsw.Connection, frame: Deliver) -> bool:
    key = (frame.conversation, frame.sender, frame.id)
    return history.holds(db, *key) or parking.holds(db, *key) or reading.seen(db, frame)


def _speaker(held: Held | None, frame: Deliver) -> bytes | None:
    """The identity key of the device that the frame names, if the held list can tell."""
    listed = held and held.list.device(frame.device)
    if not listed:
        return None
    if frame.kind == PREKEY:
        try:
            if sender_identity(frame.ciphertext) != listed.key:
                return None
        except CryptoError:
            pass  # no list will make it readable: it is filed as undecryptable
    return listed.key


def _unread(
    db: apsw.Connection,
    frame: Deliver,
    held: Held,
    state: State,
    error: CryptoError,
    now_ms: int,
) -> Filed:
    """File a message that could not be opened, or is not what it claims to be."""
    if frame.mode == CONTROL:
        reading.remember(db, frame, now_ms)
        health.dropped(db, _name(error))
        return Filed.DROPPED
    return _store(db, frame, held.list.key, state, reason=_name(error))


def _store(
    db: apsw.Connection,
    frame: Deliver,
    author_key: bytes,
    state: State,
    *,
    kind: str = "",
    body: Value = None,
    reason: str = "",
) -> Filed:
    row = history.Row(
        conversation=frame.conversation,
        sender=frame.sender,
        device=frame.device,
        id=frame.id,
        conv_seq=frame.conv_seq,
        kind=kind,
        body=body,
        author_key=author_key,
        state=state,
        reason=reason,
        arrived=True,
        sent_ms=frame.timestamp,
        received_ms=frame.server_timestamp,
    )
    return Filed.SHOWN if history.add(db, row) else Filed.KNOWN


def placeholder(db: apsw.Connection, frame: Deliver, now_ms: int) -> Filed:
    """File a message whose sender never proved to be listed as "could not be verified"."""
    if frame.mode == CONTROL:
        reading.remember(db, frame, now_ms)
        health.dropped(db, "unverified")
        return Filed.DROPPED
    return _store(db, frame, b"", State.UNDECRYPTABLE, reason="unverified")


def _name(error: CryptoError) -> str:
    """Why, as a stable word for the application: never anything that came with the message."""
    return type(error).__name__.lower()
