"""Opening: one delivered message, from ciphertext to a row of history, inside one transaction.

The sender's device list decides which identity key may speak for the device that the frame names.
Without that list the ciphertext is parked (`linnet.client.parking`). What cannot be read is stored
as such and blocks nothing.
"""

import logging
from dataclasses import dataclass
from enum import Enum

import apsw

from linnet.client import history, lists, parking
from linnet.client.errors import NotTrusted
from linnet.client.events import Event, IdentityChanged, State
from linnet.client.lists import Adopted, Held
from linnet.client.sessions import Sessions
from linnet.crypto.bodies import read_text
from linnet.crypto.content import Content, Damaged, Refused, check_frame, committed, open_content
from linnet.crypto.errors import CryptoError, Malformed
from linnet.crypto.messages import PREKEY
from linnet.crypto.session import sender_identity
from linnet.signing.errors import Malformed as NotAList
from linnet.signing.list_format import decode_list
from linnet.signing.packing import Value
from linnet.wire.frames import CONTROL, Deliver
from linnet.wire.ids import AccountId, direct_conversation, to_account

_log = logging.getLogger(__name__)


class Filed(Enum):
    """What became of a delivered message."""

    SHOWN = "a new row of history, readable or not"
    KNOWN = "it was filed before"
    PARKED = "kept until its sender's device list is there"
    DROPPED = "nothing to show: a control message, or one that may not come this way"


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens with this device's sessions."""

    sessions: Sessions

    def file(self, db: apsw.Connection, frame: Deliver, now_ms: int, events: list[Event]) -> Filed:
        """Open a message and store what it is, with the session and pre-keys that this moved.

        What else the application has to be told of it is added to `events`.
        """
        if _known(db, frame):
            return Filed.KNOWN
        held = lists.held(db, frame.sender)
        identity = _speaker(held, frame)
        if held is None or identity is None:
            parking.park(db, frame, now_ms)
            return Filed.PARKED
        return self._open(db, frame, held, identity, now_ms, events)

    def stranger(self, db: apsw.Connection, frame: Deliver) -> bool:
        """Whether `file` would park this message for want of a list."""
        return not _known(db, frame) and _speaker(lists.held(db, frame.sender), frame) is None

    def _open(
        self,
        db: apsw.Connection,
        frame: Deliver,
        held: Held,
        identity: bytes,
        now_ms: int,
        events: list[Event],
    ) -> Filed:
        author = held.list.key
        try:
            z = self._decrypt(db, frame, identity, now_ms)
        except CryptoError as error:
            return _store(db, frame, author, State.UNDECRYPTABLE, reason=_name(error))
        try:
            content = self._read(frame, z, held)
        except CryptoError as error:
            return _store(db, frame, author, State.DAMAGED, reason=_name(error))
        events += self._learn(db, content, now_ms)
        ours = frame.sender == self.sessions.me.account
        state = State.SENT if ours else State.RECEIVED
        return _store(db, frame, author, state, kind=content.kind, body=content.body)

    def _decrypt(self, db: apsw.Connection, frame: Deliver, identity: bytes, now_ms: int) -> bytes:
        try:
            peer = (frame.sender, frame.device)
            return self.sessions.decrypt(db, peer, identity, frame.kind, frame.ciphertext, now_ms)
        except (CryptoError, apsw.Error):
            raise
        except Exception as error:  # hostile bytes must not stop the mailbox, whatever our bug
            _log.error("decrypting failed unexpectedly: %s", type(error).__name__)
            raise Malformed("unexpected") from None

    def _read(self, frame: Deliver, z: bytes, held: Held) -> Content:
        """The content of Z, if it is what the frame says it is."""
        if not committed(z, frame.commitment):
            raise Damaged("another commitment")
        content = open_content(z)
        me = self.sessions.me.account
        # A copy of what another own device sent names its recipient only inside the encryption.
        to = content.to if frame.sender == me else to_account(AccountId(me))
        other = AccountId(to[1:] if frame.sender == me else frame.sender)
        if frame.conversation != direct_conversation(AccountId(me), other):
            raise Refused("another conversation")
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

    def _learn(self, db: apsw.Connection, content: Content, now_ms: int) -> list[Event]:
        """Take lists that came along, and note claims of newer ones; what is to be told of it."""
        told: list[Event] = []
        for obj in content.attached or ():
            try:
                if decode_list(obj.body).account != content.sender:
                    continue
                adopted = lists.adopt(db, content.sender, obj, now_ms, fetched=False)
                if adopted is Adopted.CHANGED_KEY:
                    told.append(IdentityChanged(AccountId(content.sender)))
            except (NotTrusted, NotAList):
                continue  # the claim stays a claim, and the server is asked
        lists.doubt(db, content.sender, version=content.own_list[0])
        if content.peer_list is not None and content.sender != self.sessions.me.account:
            lists.doubt(db, self.sessions.me.account, version=content.peer_list[0])
        return told


def _known(db: apsw.Connection, frame: Deliver) -> bool:
    key = (frame.conversation, frame.sender, frame.id)
    return history.holds(db, *key) or parking.holds(db, *key)


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
    if frame.mode == CONTROL:
        return Filed.DROPPED
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


def placeholder(db: apsw.Connection, frame: Deliver) -> Filed:
    """File a message whose sender never proved to be listed as "could not be verified"."""
    return _store(db, frame, b"", State.UNDECRYPTABLE, reason="unverified")


def _name(error: CryptoError) -> str:
    """Why, as a stable word for the application: never anything that came with the message."""
    return type(error).__name__.lower()
