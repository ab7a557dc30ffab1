"""Open a session, encrypt, decrypt: what the rest of Linnet uses of the end-to-end protocol.

State out, state in: every function returns a new record and never changes the one it was given.
On any failure a `CryptoError` is raised and the record passed in is still the valid one. The
caller stores; what it must store together, and when, is said at each function. Sessions are
keyed by (account, device, identity key), and the caller has checked that key on a device list.
"""

from dataclasses import dataclass, field
from typing import Final

from linnet.crypto import pqxdh, triple
from linnet.crypto.errors import (
    BadMac,
    CryptoError,
    Duplicate,
    Malformed,
    NoSession,
    Replayed,
    StaleSession,
    TooFarAhead,
    UnknownPreKey,
    Untrusted,
)
from linnet.crypto.messages import (
    PREKEY,
    WHISPER,
    Address,
    PreKeySignalMessage,
    address_field,
    check_addresses,
    encode_prekey,
    parse_prekey,
    parse_signal,
)
from linnet.crypto.prekeys import (
    KemPreKey,
    LastResortUse,
    LocalIdentity,
    OneTimePreKey,
    PreKeyBundle,
    PreKeyLookup,
    SignedPreKey,
    verify_bundle,
)
from linnet.crypto.ratchet import Parties
from linnet.crypto.record import Pending, Session, SessionRecord
from linnet.crypto.steps import Steps
from linnet.crypto.triple import Incoming, TripleRatchet
from linnet.signing.keys import KeyPair, Rng, generate

MAX_UNANSWERED_MS: Final = 30 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """`type` is `PREKEY` until the peer has answered, then `WHISPER`."""

    type: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decrypted:
    """A plaintext, and all that must be stored in one transaction with it.

    `used_pre_key` and `used_kem` are ids of one-time pre-keys to delete; `last_resort_use` is to
    be remembered for as long as that key is kept.
    """

    record: SessionRecord
    plaintext: bytes = field(repr=False)
    identity_key: bytes
    used_pre_key: int | None = None
    used_kem: int | None = None
    last_resort_use: LastResortUse | None = None


def initiate(
    local: LocalIdentity, bundle: PreKeyBundle, record: SessionRecord | None, now_ms: int, rng: Rng
) -> SessionRecord:
    """Open a session with the device of `bundle`; one that was current is archived.

    Raises BadKey if a key or signature of the bundle is bad, Untrusted if `record` belongs to
    another identity key.
    """
    verify_bundle(bundle)
    _check_identity(record, bundle.identity_key)
    base = generate(rng)
    agreed, kem_ciphertext = pqxdh.initiate(local.key, base, bundle)
    session = Session(
        remote_identity=bundle.identity_key,
        remote_registration_id=bundle.registration_id,
        initiator=True,
        base_key=base.public,
        created_ms=now_ms,
        ratchet=triple.start_as_initiator(agreed, bundle.signed_pre_key, rng),
        pending=Pending(
            bundle.pre_key_id, bundle.signed_pre_key_id, bundle.kem_pre_key_id, kem_ciphertext
        ),
    )
    return _with_new(record, session)


def encrypt(
    record: SessionRecord,
    local: LocalIdentity,
    local_addr: Address,
    remote_addr: Address,
    plaintext: bytes,
    now_ms: int,
    rng: Rng,
) -> tuple[SessionRecord, Ciphertext]:
    """Encrypt under the current session.

    Store the record before the ciphertext leaves: the same state must never encrypt twice.
    Raises StaleSession when the peer has not answered for 30 days.
    """
    session = record.current
    if session.pending and now_ms - session.created_ms > MAX_UNANSWERED_MS:
        raise StaleSession("unanswered for 30 days")
    moved, message = triple.encrypt(
        session.ratchet,
        _parties(local, session),
        plaintext,
        address_field(local_addr, remote_addr),
        rng,
    )
    after = record.with_used(0, _moved(session, moved, session.pending))
    if session.pending is None:
        return after, Ciphertext(WHISPER, message)
    return after, Ciphertext(PREKEY, _wrap(local, session, session.pending, message))


def decrypt(
    record: SessionRecord | None,
    local: LocalIdentity,
    local_addr: Address,
    remote_addr: Address,
    type: int,
    data: bytes,
    prekeys: PreKeyLookup,
    now_ms: int,
    *,
    require_addresses: bool = True,
) -> Decrypted:
    """Decrypt what `remote_addr` sent; a pre-key message may open a session.

    Store all of the result in one transaction, then acknowledge to the server. Raises a
    subclass of CryptoError. `require_addresses` is False only for peers of before 0.91 in tests.
    """
    if type == PREKEY:
        first = parse_prekey(data)
        check_addresses(first.message, remote_addr, local_addr, required=require_addresses)
        return _decrypt_first(record, local, first, prekeys, now_ms)
    if type != WHISPER:
        raise Malformed("an unknown type of ciphertext")
    message = parse_signal(data)
    check_addresses(message, remote_addr, local_addr, required=require_addresses)
    if record is None:
        raise NoSession("no session with this device")
    after, plaintext = _decrypt_with(record, local, triple.read(message, first=False))
    return Decrypted(after, plaintext, record.remote_identity)


def sender_identity(data: bytes) -> bytes:
    """Return the identity key (33 bytes) that a pre-key message claims, to find its record.

    Raises Malformed. The claim is proven only when the message decrypts.
    """
    return parse_prekey(data).identity_key


def _decrypt_first(
    record: SessionRecord | None,
    local: LocalIdentity,
    first: PreKeySignalMessage,
    prekeys: PreKeyLookup,
    now_ms: int,
) -> Decrypted:
    _check_identity(record, first.identity_key)
    incoming = triple.read(first.message, first=True)
    if record is not None:
        for place, session in record.holding(first.base_key):
            if session.base_key == first.base_key and not session.initiator:
                after, plaintext = _decrypt_in(record, place, session, local, incoming)
                return Decrypted(after, plaintext, first.identity_key)
    return _accept(record, local, first, incoming, prekeys, now_ms)


def _accept(
    record: SessionRecord | None,
    local: LocalIdentity,
    first: PreKeySignalMessage,
    incoming: Incoming,
    prekeys: PreKeyLookup,
    now_ms: int,
) -> Decrypted:
    signed, one_time, kem_pre_key = _look_up(first, prekeys)
    use = LastResortUse(first.kem_pre_key_id, first.signed_pre_key_id, first.base_key)
    if kem_pre_key.last_resort and prekeys.seen(use):
        raise Replayed("this first message was accepted before")
    agreed = pqxdh.accept(local.key, first, signed, one_time, kem_pre_key)
    session = Session(
        remote_identity=first.identity_key,
        remote_registration_id=first.registration_id,
        initiator=False,
        base_key=first.base_key,
        created_ms=now_ms,
        ratchet=triple.start_as_responder(agreed, KeyPair(signed.private, signed.public)),
        pending=None,
    )
    parties = _parties(local, session)
    moved, plaintext = triple.decrypt(session.ratchet, parties, incoming, Steps())
    return Decrypted(
        record=_with_new(record, _moved(session, moved, None)),
        plaintext=plaintext,
        identity_key=first.identity_key,
        used_pre_key=first.pre_key_id,
        used_kem=None if kem_pre_key.last_resort else kem_pre_key.id,
        last_resort_use=use if kem_pre_key.last_resort else None,
    )


def _look_up(
    first: PreKeySignalMessage, prekeys: PreKeyLookup
) -> tuple[SignedPreKey, OneTimePreKey | None, KemPreKey]:
    signed = prekeys.signed(first.signed_pre_key_id)
    kem_pre_key = prekeys.kem(first.kem_pre_key_id)
    one_time = None if first.pre_key_id is None else prekeys.one_time(first.pre_key_id)
    if signed is None or kem_pre_key is None or (one_time is None) != (first.pre_key_id is None):
        raise UnknownPreKey("a pre-key that is not there, or not any more")
    return signed, one_time, kem_pre_key


def _decrypt_with(
    record: SessionRecord, local: LocalIdentity, incoming: Incoming
) -> tuple[SessionRecord, bytes]:
    """Decrypt with the session that knows the ratchet key, or else with any that can turn to it."""
    ratchet_key = incoming.message.ratchet_key
    for place, session in record.holding(ratchet_key):
        if session.ratchet.double.knows(ratchet_key):
            return _decrypt_in(record, place, session, local, incoming)
    steps = Steps()
    failure: CryptoError = BadMac("no session authenticates this message")
    for place, session in record.sessions():
        try:
            return _decrypt_in(record, place, session, local, incoming, steps)
        except (BadMac, Duplicate):  # another session's message may have a number this one has read
            continue
        except TooFarAhead as error:
            failure = error
    raise failure


def _decrypt_in(
    record: SessionRecord,
    place: int,
    session: Session,
    local: LocalIdentity,
    incoming: Incoming,
    steps: Steps | None = None,
) -> tuple[SessionRecord, bytes]:
    parties = _parties(local, session)
    moved, plaintext = triple.decrypt(session.ratchet, parties, incoming, steps or Steps())
    # That the peer can encrypt under this session proves that it has it: nothing is pending.
    return record.with_used(place, _moved(session, moved, None)), plaintext


def _moved(session: Session, moved: TripleRatchet, pending: Pending | None) -> Session:
    return Session(
        session.remote_identity,
        session.remote_registration_id,
        session.initiator,
        session.base_key,
        session.created_ms,
        moved,
        pending,
    )


def _wrap(local: LocalIdentity, session: Session, pending: Pending, message: bytes) -> bytes:
    return encode_prekey(
        registration_id=local.registration_id,
        pre_key_id=pending.pre_key_id,
        signed_pre_key_id=pending.signed_pre_key_id,
        kem_pre_key_id=pending.kem_pre_key_id,
        kem_ciphertext=pending.kem_ciphertext,
        base_key=session.base_key,
        identity_key=local.key.public,
        message=message,
    )


def _parties(local: LocalIdentity, session: Session) -> Parties:
    return Parties(local.key.public, session.remote_identity)


def _check_identity(record: SessionRecord | None, identity_key: bytes) -> None:
    if record is not None and record.remote_identity != identity_key:
        raise Untrusted("the record of sessions belongs to another identity key")


def _with_new(record: SessionRecord | None, session: Session) -> SessionRecord:
    return SessionRecord(session) if record is None else record.with_new(session)
