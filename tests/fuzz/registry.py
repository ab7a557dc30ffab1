"""The registry: every decoder of what comes from outside, or lies on a disk.

A function of `wire`, `signing` or `crypto` that is named like a decoder is covered here, or stands
in `ELSEWHERE` with a reason: `test_registry.py` compares.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.fuzz.decoder import Decoder, by_text
from tests.signing.people import Person, begun

from linnet.crypto import bodies, messages, sender_key_messages
from linnet.crypto import errors as crypto
from linnet.crypto import protobuf as crypto_protobuf
from linnet.crypto.bodies_sync import read_sync
from linnet.crypto.body import Body, body_of, read_body
from linnet.crypto.content import Damaged, open_content
from linnet.crypto.content_array import pack_content, unpack_content
from linnet.crypto.device_name import BadName, open_name
from linnet.crypto.group_secret import BadTitle, open_title
from linnet.crypto.kdf import hkdf
from linnet.crypto.linking import Channel, Grant, open_countersignature, open_grant
from linnet.crypto.record import SessionRecord, decode_session
from linnet.crypto.recovery import BadBackup, BadCode, from_text, open_backup, to_text
from linnet.crypto.safety_number import SafetyNumber
from linnet.crypto.sealed import open_sealed
from linnet.crypto.sealed_sender_v2_messages import (
    encode_received,
    encode_sent,
    parse_received,
    parse_sent,
)
from linnet.crypto.sender_key_record import SenderKeyRecord, SenderKeyState
from linnet.crypto.signals import BadSignal, open_signal
from linnet.crypto.spqr import messages as spqr
from linnet.crypto.triple import read as read_triple
from linnet.crypto.unidentified import parse_unidentified
from linnet.signing import protobuf
from linnet.signing.certificates import (
    CertificateRejected,
    read_sender_certificate,
    verify_sender_certificate,
    verify_server_certificate,
)
from linnet.signing.errors import Malformed
from linnet.signing.group_changes import decode_change, encode_change
from linnet.signing.group_entry import decode_entry, encode_entry
from linnet.signing.group_errors import EntryRefused
from linnet.signing.group_fold import read_entry
from linnet.signing.group_fork import read_fork
from linnet.signing.keys import generate
from linnet.signing.linking import LinkCode, Offer, decode_offer, encode_offer
from linnet.signing.list_alarm import read_conflict
from linnet.signing.list_format import decode_list, encode_list
from linnet.signing.objects import SignedObject, label
from linnet.signing.packing import Value, pack, unpack
from linnet.wire import ids, rest
from linnet.wire.codec import CODECS, JSON, MSGPACK, UNREADABLE, Unknown
from linnet.wire.errors import RemoteError

KEY: Final = bytes(range(32))
ID16: Final = bytes(range(16))
NOW_MS: Final = 1_800_000_000_000
DEVICE: Final = generate(random.Random("fuzz").randbytes)
GROUP: Final = begun(*(Person.named(name) for name in ("ann", "bob", "cid")))
CHANNEL: Final = Channel(ID16, KEY, KEY)
OFFER: Final = Offer(DEVICE.public, bytes(1568), 1, b"")
GRANT: Final = Grant(ID16, 2, DEVICE.public, 1, None, KEY, 1, KEY)
NUMBER: Final = SafetyNumber(KEY, KEY[::-1])
_KNOWN: Final = {1: protobuf.VARINT, 2: protobuf.STRING, 3: protobuf.FIXED64}

FAILED: Final = (crypto.CryptoError,)


def kinds(base: type[Any]) -> list[type[Any]]:
    """All classes below one."""
    return [it for sub in base.__subclasses__() for it in (sub, *kinds(sub))]


def boxed(key: bytes, about: bytes | None, plain: bytes) -> bytes:
    """Bytes as somebody would encrypt them who has the key: what is inside is still foreign."""
    return bytes(12) + AESGCM(key).encrypt(bytes(12), plain, about)


def all_bodies(data: bytes) -> None:
    """A packed value, read as the body of every kind there is."""
    value = unpack(data)
    for kind in kinds(Body):
        try:
            body = read_body(kind, value)
        except Damaged:
            continue
        assert read_body(kind, body_of(body)) == body
    for read in (
        bodies.read_text,
        bodies.read_sender_key,
        bodies.read_group_secret,
        bodies.read_group_secret_request,
        read_sync,
    ):
        try:
            cast(Callable[[Any], object], read)(value)
        except Damaged:
            continue


def all_rest(data: bytes) -> None:
    """A body of HTTP, read as each that there is."""
    for kind in kinds(rest.Body):
        try:
            body = msgspec.json.decode(data, type=kind)
        except UNREADABLE:
            continue
        assert msgspec.json.decode(msgspec.json.encode(body), type=kind) == body


def frame(name: str, side: str) -> Callable[[bytes], Any]:
    """One end of one subprotocol."""
    return cast(Callable[[bytes], Any], getattr(CODECS[name], side))


def framed(name: str) -> Callable[[Any], bytes]:
    """What it said, encoded again; nothing is left of what is unknown."""
    return lambda said: (
        b"\x91" + msgspec.msgpack.encode(said.type)
        if isinstance(said, Unknown) and name == MSGPACK
        else msgspec.json.encode({"type": said.type})
        if isinstance(said, Unknown)
        else CODECS[name].encode(said)
    )


def repacked_change(change: Any) -> bytes:
    """A change, packed again."""
    return pack(encode_change(change))


def backup(plain: bytes) -> object:
    """A backup that holds these bytes."""
    return open_backup(KEY, boxed(hkdf(KEY, label("backup"), 32), None, plain))


def signal(plain: bytes) -> object:
    """A signal that holds these bytes."""
    sealed = boxed(KEY, ID16 + ID16 + b"\x01", plain)
    return open_signal(KEY, ID16, ID16, 1, sealed, NOW_MS)


def name(plain: bytes) -> object:
    """A device's name that holds these bytes."""
    return open_name(KEY, ID16, 1, boxed(hkdf(KEY, label("name"), 32), ID16 + b"\x01", plain))


def title(plain: bytes) -> object:
    """A title that holds these bytes."""
    key = hkdf(KEY, label("title") + ID16 + bytes(8), 32)
    return open_title(KEY, ID16, 0, boxed(key, ID16, plain))


def grant(plain: bytes) -> object:
    """The main device's box with these bytes in it."""
    return open_grant(CHANNEL, boxed(KEY, ID16, plain)[12:])


def countersignature(plain: bytes) -> object:
    """The new device's box with these bytes in it."""
    return open_countersignature(CHANNEL, boxed(KEY, ID16, plain)[12:], GRANT, OFFER, b"")


def triple(data: bytes) -> object:
    """A message, and the field for SPQR in it."""
    message = messages.parse_signal(data)
    return read_triple(message, first=bool(len(data) % 2))


def value(packed: bytes) -> Value:
    """A packed value."""
    return cast(Value, unpack(packed))


W, S, C = "linnet.wire.", "linnet.signing.", "linnet.crypto."
_JSON_ENDS = [
    Decoder(f"wire-{form}-{side}", frame(codec, f"{side}_frame"), (RemoteError,),
            (f"{W}codec.{kind}.{side}_frame",), framed(codec), canonical=False)
    for form, codec, kind in (("msgpack", MSGPACK, "MsgpackCodec"), ("json", JSON, "JsonCodec"))
    for side in ("client", "server")
]  # fmt: skip

DECODERS: Final[tuple[Decoder, ...]] = (
    *_JSON_ENDS,
    Decoder("rest", all_rest, (), ()),
    Decoder("ids", by_text(ids.parse), (ValueError,), (f"{W}ids.parse",)),
    # ---- signing
    Decoder("packing", value, (Malformed,), (f"{S}packing.unpack",), pack),
    Decoder(
        "protobuf",
        lambda data: protobuf.decode(data, 0, len(data), _KNOWN),
        (Malformed,),
        (f"{S}protobuf.decode",),
    ),
    Decoder("list", decode_list, (Malformed,), (f"{S}list_format.decode_list",), encode_list),
    Decoder(
        "entry", decode_entry, (EntryRefused,), (f"{S}group_entry.decode_entry",), encode_entry
    ),
    Decoder(
        "entry-object",
        lambda data: read_entry(SignedObject(data, bytes(64))),
        (EntryRefused,),
        (f"{S}group_fold.read_entry",),
    ),
    Decoder(
        "change",
        lambda data: decode_change(unpack(data)),
        (Malformed, EntryRefused),
        (f"{S}group_changes.decode_change",),
        repacked_change,
    ),
    Decoder(
        "fork", lambda data: read_fork(GROUP, data), (Malformed,), (f"{S}group_fork.read_fork",)
    ),
    Decoder(
        "conflict",
        read_conflict,
        (Malformed,),
        (f"{S}list_alarm.read_conflict",),
        lambda proof: proof.to_bytes(),
    ),
    Decoder(
        "certificate",
        read_sender_certificate,
        (CertificateRejected,),
        (f"{S}certificates.read_sender_certificate",),
    ),
    Decoder(
        "certificate-verified",
        lambda data: (
            verify_sender_certificate(data, DEVICE.public, NOW_MS),
            verify_server_certificate(data, DEVICE.public),
        ),
        (CertificateRejected,),
        (),
    ),
    Decoder(
        "link-code",
        LinkCode.from_bytes,
        (Malformed,),
        (f"{S}linking.LinkCode.from_bytes",),
        lambda code: code.to_bytes(),
    ),
    Decoder(
        "link-text", by_text(LinkCode.from_text), (Malformed,), (f"{S}linking.LinkCode.from_text",)
    ),
    Decoder("offer", decode_offer, (Malformed,), (f"{S}linking.decode_offer",), encode_offer),
    # ---- crypto
    Decoder(
        "crypto-protobuf",
        lambda data: crypto_protobuf.decode(data, 0, len(data), _KNOWN),
        (crypto.Malformed,),
        (f"{C}protobuf.decode",),
    ),
    Decoder("signal-message", messages.parse_signal, FAILED, (f"{C}messages.parse_signal",)),
    Decoder("prekey-message", messages.parse_prekey, FAILED, (f"{C}messages.parse_prekey",)),
    Decoder("triple", triple, FAILED, (f"{C}triple.read",)),
    Decoder("spqr", spqr.parse, FAILED, (f"{C}spqr.messages.parse",), spqr.encode),
    Decoder(
        "session-record",
        SessionRecord.from_bytes,
        FAILED,
        (f"{C}record.SessionRecord.from_bytes",),
        lambda record: record.to_bytes(),
        canonical=False,
    ),
    Decoder("session", decode_session, FAILED, (f"{C}record.decode_session",)),
    Decoder(
        "sender-key-distribution",
        sender_key_messages.parse_distribution,
        FAILED,
        (f"{C}sender_key_messages.parse_distribution",),
        sender_key_messages.encode_distribution,
        canonical=False,
    ),
    Decoder(
        "sender-key-message",
        sender_key_messages.parse_message,
        FAILED,
        (f"{C}sender_key_messages.parse_message",),
    ),
    Decoder(
        "sender-key-state",
        SenderKeyState.from_bytes,
        FAILED,
        (f"{C}sender_key_record.SenderKeyState.from_bytes",),
        lambda state: state.to_bytes(),
        canonical=False,
    ),
    Decoder(
        "sender-key-record",
        SenderKeyRecord.from_bytes,
        FAILED,
        (f"{C}sender_key_record.SenderKeyRecord.from_bytes",),
        lambda record: record.to_bytes(),
        canonical=False,
    ),
    Decoder("unidentified", parse_unidentified, FAILED, (f"{C}unidentified.parse_unidentified",)),
    Decoder(
        "sealed",
        lambda data: open_sealed(DEVICE, data, DEVICE.public, NOW_MS),
        FAILED,
        (f"{C}sealed.open_sealed",),
    ),
    Decoder(
        "sealed-sent",
        parse_sent,
        FAILED,
        (f"{C}sealed_sender_v2_messages.parse_sent",),
        encode_sent,
        canonical=False,
    ),
    Decoder(
        "sealed-received",
        parse_received,
        FAILED,
        (f"{C}sealed_sender_v2_messages.parse_received",),
        encode_received,
        canonical=False,
    ),
    Decoder("content", open_content, (Damaged,), (f"{C}content.open_content",)),
    Decoder(
        "content-array",
        unpack_content,
        (Malformed,),
        (f"{C}content_array.unpack_content",),
        pack_content,
    ),
    Decoder(
        "bodies",
        all_bodies,
        (Malformed,),
        (
            f"{C}body.read_body",
            f"{C}bodies.read_text",
            f"{C}bodies.read_sender_key",
            f"{C}bodies.read_group_secret",
            f"{C}bodies.read_group_secret_request",
            f"{C}bodies_sync.read_sync",
        ),
    ),
    Decoder("signal", signal, (BadSignal,), (f"{C}signals.open_signal",)),
    Decoder("device-name", name, (BadName,), (f"{C}device_name.open_name",)),
    Decoder("title", title, (BadTitle,), (f"{C}group_secret.open_title",)),
    Decoder(
        "recovery-code",
        by_text(lambda text: to_text(from_text(text))),
        (BadCode,),
        (f"{C}recovery.from_text",),
    ),
    Decoder("backup", backup, (BadBackup,), (f"{C}recovery.open_backup",)),
    Decoder("grant", grant, FAILED, (f"{C}linking.open_grant",)),
    Decoder("countersignature", countersignature, FAILED, (f"{C}linking.open_countersignature",)),
    Decoder("safety-number", NUMBER.compare, FAILED, (f"{C}safety_number.SafetyNumber.compare",)),
)

ELSEWHERE: Final[dict[str, str]] = {
    f"{W}codec.Codec.client_frame": "the protocol of those that are here",
    f"{W}codec.Codec.server_frame": "the protocol of those that are here",
    f"{C}spqr.ring.decode_12": "a ring element, of a size that ML-KEM's own checks have seen",
    f"{C}spqr.ring.from_bits": "a plaintext of 32 bytes that this end made",
}
"""Named like decoders, and not here, with the reason."""
