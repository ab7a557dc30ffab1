"""Certificates of sealed senders: the server says which device holds which identity key.

    trust root ─signs→ server certificate ─signs→ sender certificate (24 h)

Byte-compatible with libsignal's. The server issues them; clients verify. That the key is also on
the sender's device list is the client's to check: a certificate is the server's word alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final
from uuid import UUID

from linnet.signing import xeddsa
from linnet.signing.errors import Malformed, SigningError
from linnet.signing.keys import KEY_TYPE, PUBLIC_BYTES, KeyPair, Rng
from linnet.signing.protobuf import FIXED64, STRING, VARINT, decode, encode, fixed64

MAX_BYTES: Final = 1_024

_SIGNED: Final = {1: STRING, 2: STRING}
_SERVER: Final = {1: VARINT, 2: STRING}
_SENDER: Final = {2: VARINT, 3: FIXED64, 4: STRING, 5: STRING, 6: STRING, 7: STRING}
_MAX_DEVICE: Final = 127


class CertificateReason(StrEnum):
    """Why a certificate is refused."""

    MALFORMED = "malformed"
    SERVER = "server"
    """The server certificate is not signed by the trust root."""
    SIGNATURE = "signature"
    """The sender certificate is not signed by the server certificate's key."""
    EXPIRED = "expired"


class CertificateRejected(SigningError):
    """A certificate must not be believed. `reason` names the first rule found broken."""

    def __init__(self, reason: CertificateReason) -> None:
        super().__init__(f"certificate refused: {reason.value}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What the trust root says: this key, under this number, may certify senders."""

    id: int
    key: bytes


@dataclass(frozen=True, slots=True)
class SenderCertificate:
    """What the server says: device `device` of `account` has this identity key (33 bytes)."""

    account: bytes
    device: int
    identity_key: bytes
    expires_ms: int
    server: ServerCertificate


def issue_server_certificate(trust_root: bytes, id: int, key: bytes, rng: Rng) -> bytes:
    """Certify a server's key (33 bytes) with the root's private key. `id` is a uint32."""
    return _signed(encode(((1, id), (2, key))), trust_root, rng)


def issue_sender_certificate(
    server: KeyPair,
    server_certificate: bytes,
    account: bytes,
    device: int,
    identity_key: bytes,
    expires_ms: int,
    rng: Rng,
) -> bytes:
    """Certify a device with the server's key; `server_certificate` goes inside."""
    body = (
        encode(((2, device),))
        + fixed64(3, expires_ms)
        + encode(((4, identity_key), (5, server_certificate), (6, _text_of(account))))
    )
    return _signed(body, server.private, rng)


def verify_server_certificate(data: bytes, trust_root: bytes) -> ServerCertificate:
    """Read a server certificate, by the root's public key (33 bytes).

    Raises CertificateRejected.
    """
    certificate = _verified_server(data, trust_root)
    if certificate is None:
        raise CertificateRejected(CertificateReason.SERVER)
    return certificate


def verify_sender_certificate(data: bytes, trust_root: bytes, now_ms: int) -> SenderCertificate:
    """Read a sender certificate, if it leads back to the root and has not expired.

    Raises CertificateRejected.
    """
    body, signature, certificate, server = _parse_sender(data)
    if _verified_server(server, trust_root) is None:
        raise CertificateRejected(CertificateReason.SERVER)
    if not xeddsa.verify(certificate.server.key, body, signature):
        raise CertificateRejected(CertificateReason.SIGNATURE)
    if now_ms > certificate.expires_ms:
        raise CertificateRejected(CertificateReason.EXPIRED)
    return certificate


def read_sender_certificate(data: bytes) -> SenderCertificate:
    """Read a sender certificate without believing it. Raises CertificateRejected if malformed."""
    return _parse_sender(data)[2]


@lru_cache(maxsize=64)  # public; every sender certificate carries the same one
def _verified_server(data: bytes, trust_root: bytes) -> ServerCertificate | None:
    body, signature, certificate = _parse_server(data)
    return certificate if xeddsa.verify(trust_root, body, signature) else None


def _signed(body: bytes, private: bytes, rng: Rng) -> bytes:
    return encode(((1, body), (2, xeddsa.sign(private, body, rng))))


def _parse_server(data: bytes) -> tuple[bytes, bytes, ServerCertificate]:
    body, signature = _parse_signed(data)
    try:
        fields = decode(body, 0, len(body), _SERVER)
        return body, signature, ServerCertificate(fields.numbers[1], _key(fields.strings[2]))
    except (Malformed, KeyError):
        raise CertificateRejected(CertificateReason.MALFORMED) from None


def _parse_sender(data: bytes) -> tuple[bytes, bytes, SenderCertificate, bytes]:
    body, signature = _parse_signed(data)
    try:
        numbers, strings = decode(body, 0, len(body), _SENDER)
        certificate = SenderCertificate(
            _account(strings.get(6), strings.get(7)),
            _device(numbers[2]),
            _key(strings[4]),
            numbers[3],
            _parse_server(strings[5])[2],
        )
        return body, signature, certificate, strings[5]
    except (Malformed, KeyError):
        raise CertificateRejected(CertificateReason.MALFORMED) from None


def _parse_signed(data: bytes) -> tuple[bytes, bytes]:
    try:
        if len(data) > MAX_BYTES:
            raise Malformed("too long")
        strings = decode(data, 0, len(data), _SIGNED).strings
        return strings[1], strings[2]
    except (Malformed, KeyError):
        raise CertificateRejected(CertificateReason.MALFORMED) from None


def _account(text: bytes | None, raw: bytes | None) -> bytes:
    """Take the AccountId from either form: one of them, never both."""
    if text is None and raw is not None and len(raw) == 16:
        return raw
    if text is None or raw is not None:
        raise Malformed("not one account")
    try:
        account = UUID(text.decode("ascii")).bytes
    except ValueError:
        raise Malformed("not a UUID") from None
    if _text_of(account) != text:
        raise Malformed("not the usual form of a UUID")
    return account


def _text_of(account: bytes) -> bytes:
    return str(UUID(bytes=account)).encode()


def _device(number: int) -> int:
    if not 1 <= number <= _MAX_DEVICE:
        raise Malformed("not a device")
    return number


def _key(key: bytes) -> bytes:
    if len(key) != PUBLIC_BYTES or key[0] != KEY_TYPE:
        raise Malformed("not a key")
    return key
