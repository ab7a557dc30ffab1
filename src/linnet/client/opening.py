"""Opening: one delivered message, decrypted and handed on, inside one transaction.

The sender's device list decides which identity key may speak for the device that the frame names.
Without that list the ciphertext is parked (`linnet.client.parking`). What cannot be read is stored
as such, blocks nothing, and may be asked for again. What an opened message becomes is
`linnet.client.taking`'s.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import apsw

from linnet.client import health, lists, lost, parking, reading
from linnet.client.events import State
from linnet.client.health import Count
from linnet.client.lists import Held
from linnet.client.reading import Received
from linnet.client.sealed.frames import Unsealed
from linnet.client.sealed.opening import Unsealer
from linnet.client.sessions import Sessions
from linnet.client.taking import Filed, Learned, Taker, known, store
from linnet.crypto.errors import CryptoError, Malformed, NoSenderKey
from linnet.crypto.messages import PREKEY
from linnet.crypto.session import sender_identity
from linnet.wire.frames import CONTROL, SEALED, Deliver

Cipher = Callable[[apsw.Connection, Deliver, bytes, int], bytes]
"""Decrypts one kind of ciphertext, given the frame, the identity key of the device that it names,
and the time. Raises NoSenderKey to have it parked, another CryptoError if it cannot be read."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens with this device's sessions, and `ciphers` by kind for what is not pairwise."""

    sessions: Sessions
    taker: Taker
    ciphers: Mapping[int, Cipher] = field(default_factory=dict)

    def file(self, db: apsw.Connection, frame: Deliver, now_ms: int, learned: Learned) -> Filed:
        """Open a message and store what it is, with the session and pre-keys that this moved.

        What else it brought is added to `learned`.
        """
        if frame.kind == SEALED:
            try:
                frame = Unsealer(self.sessions)(db, frame)
            except CryptoError as error:
                health.dropped(db, f"sealed_{_name(error)}")
                return Filed.DROPPED
        if known(db, frame):
            return Filed.KNOWN
        held = lists.held(db, frame.sender)
        identity = _speaker(held, frame)
        if held is None or identity is None:
            return _parked(db, frame, now_ms, learned)
        try:
            z = self._decrypt(db, frame, identity, now_ms)
        except NoSenderKey:
            return _parked(db, frame, now_ms, learned)
        except CryptoError as error:
            health.count(db, Count.UNDECRYPTABLE)
            lost.add(db, frame, now_ms)
            return _unread(db, frame, held, State.UNDECRYPTABLE, error, now_ms)
        lost.remove(db, frame.sender, frame.id)  # it may have been asked for while parked
        try:
            content = self.taker.checked(frame, z, held)
            return self.taker.take(db, Received(frame, content, held, now_ms), learned)
        except CryptoError as error:
            health.count(db, Count.DAMAGED)
            return _unread(db, frame, held, State.DAMAGED, error, now_ms)

    def stranger(self, db: apsw.Connection, frame: Deliver) -> bool:
        """Whether `file` would park this message for want of a list. Of what is sealed nobody is
        asked about: the answer would tell the server who sent it."""
        if frame.kind == SEALED:
            return False
        return not known(db, frame) and _speaker(lists.held(db, frame.sender), frame) is None

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


def _speaker(held: Held | None, frame: Deliver) -> bytes | None:
    """The identity key of the device that the frame names, if the held list can tell."""
    listed = held and held.list.device(frame.device)
    if not listed or (isinstance(frame, Unsealed) and frame.identity != listed.key):
        return None
    if frame.kind == PREKEY:
        try:
            if sender_identity(frame.ciphertext) != listed.key:
                return None
        except CryptoError:
            pass  # no list will make it readable: it is filed as undecryptable
    return listed.key


def _parked(db: apsw.Connection, frame: Deliver, now_ms: int, learned: Learned) -> Filed:
    """Park it; what made room for it can be verified no more."""
    for gone in parking.park(db, frame, now_ms):
        learned.shown |= placeholder(db, gone, now_ms) is Filed.SHOWN
    return Filed.PARKED


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
    return store(db, frame, held.list.key, state, reason=_name(error))


def placeholder(db: apsw.Connection, frame: Deliver, now_ms: int) -> Filed:
    """File a message whose sender never proved to be listed as "could not be verified"."""
    if frame.mode == CONTROL:
        reading.remember(db, frame, now_ms)
        health.dropped(db, "unverified")
        return Filed.DROPPED
    health.count(db, Count.UNVERIFIED)
    return store(db, frame, b"", State.UNDECRYPTABLE, reason="unverified")


def _name(error: CryptoError) -> str:
    """Why, as a stable word for the application: never anything that came with the message."""
    return type(error).__name__.lower()
