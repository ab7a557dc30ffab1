"""All sessions with one identity key of one device: the current one, and up to 40 archived.

Archived sessions stay encoded until a message needs them: a record is loaded and stored with
every message, and they hardly ever change. Nothing here encrypts or decrypts.
"""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from linnet.crypto.errors import Malformed
from linnet.crypto.secret import SecretStruct
from linnet.crypto.triple import TripleRatchet

MAX_ARCHIVED: Final = 40
VERSION: Final = 2
"""Of a stored record. Version 1 had sessions without the post-quantum ratchet; none is left."""


class Pending(SecretStruct, frozen=True, array_like=True):
    """What every message of ours carries until the peer has answered once."""

    pre_key_id: int | None
    signed_pre_key_id: int
    kem_pre_key_id: int
    kem_ciphertext: bytes


class Session(SecretStruct, frozen=True, array_like=True):
    """One session: who, since when, opened by which base key, and its ratchet."""

    remote_identity: bytes
    remote_registration_id: int
    initiator: bool
    base_key: bytes
    created_ms: int
    ratchet: TripleRatchet
    pending: Pending | None


class SessionRecord(SecretStruct, frozen=True, array_like=True):
    """The sessions with one device under one identity key. Never empty."""

    current: Session
    archived: tuple[bytes, ...] = ()  # encoded, newest first

    @property
    def remote_identity(self) -> bytes:
        """The peer's identity key, 33 bytes: the same in every session of a record."""
        return self.current.remote_identity

    def to_bytes(self) -> bytes:
        """Encode for the local store. Contains private keys."""
        return _ENCODER.encode((VERSION, self.current, self.archived))

    @staticmethod
    def from_bytes(data: bytes) -> "SessionRecord":
        """Decode what `to_bytes` made. Raises Malformed."""
        try:
            _, current, archived = _DECODER.decode(data)
        except msgspec.MsgspecError:
            raise Malformed("not a session record") from None
        return SessionRecord(current, archived)

    def sessions(self) -> Iterator[tuple[int, Session]]:
        """Yield (place, session): the current one at 0, then archived ones, newest first."""
        yield 0, self.current
        for place, data in enumerate(self.archived, start=1):
            yield place, decode_session(data)

    def holding(self, key: bytes) -> Iterator[tuple[int, Session]]:
        """As `sessions`, but only those in whose encoding the public key `key` occurs."""
        yield 0, self.current
        for place, data in enumerate(self.archived, start=1):
            if key in data:
                yield place, decode_session(data)

    def with_new(self, session: Session) -> "SessionRecord":
        """Make `session` current and archive the one before; the oldest falls out."""
        archived = (_ENCODER.encode(self.current), *self.archived)
        return SessionRecord(session, archived[:MAX_ARCHIVED])

    def with_used(self, place: int, session: Session) -> "SessionRecord":
        """Put back the session from `place`, and make it current (Sesame, section 3.4)."""
        if place == 0:
            return SessionRecord(session, self.archived)
        others = self.archived[: place - 1] + self.archived[place:]
        return SessionRecord(session, (_ENCODER.encode(self.current), *others))


def decode_session(data: bytes) -> Session:
    """Decode one archived session. Raises Malformed."""
    try:
        return _SESSION_DECODER.decode(data)
    except msgspec.MsgspecError:
        raise Malformed("not a session") from None


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[Literal[2], Session, tuple[bytes, ...]])
_SESSION_DECODER: Final = msgspec.msgpack.Decoder(Session)
