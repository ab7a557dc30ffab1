"""Linking a device, the formats: the code that a person carries over, and the offer it vouches for.

The new device shows the code as a QR or as text; the offer travels by the server, which could
change it, so the code carries its hash. Keys and encryption are in `linnet.crypto.linking`; here
is nothing secret but `q`.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

import msgspec

from linnet.signing.errors import Malformed, SigningError
from linnet.signing.keys import KEY_TYPE, PUBLIC_BYTES
from linnet.signing.list_format import MAX_KIND, MAX_NAME_BYTES
from linnet.signing.packing import pack, unpack

CODE_FORMAT: Final = 1
LINK_ID_BYTES: Final = 16
EXCHANGE_BYTES: Final = 32
Q_BYTES: Final = 32
HASH_BYTES: Final = 32
CODE_BYTES: Final = 1 + EXCHANGE_BYTES + LINK_ID_BYTES + Q_BYTES + HASH_BYTES
TEXT_CHARS: Final = 151
KEM_PUBLIC_BYTES: Final = 1_568
KEM_CIPHERTEXT_BYTES: Final = 1_568

_FORMAT: Final = 1
_TYPES: Final = [int, bytes, bytes, int, bytes]


class OfferSwapped(SigningError):
    """The offer is not the one that the code vouches for: somebody in between changed it."""


@dataclass(frozen=True, slots=True)
class LinkCode:
    """What a QR or a text carries: 113 bytes. Whoever sees it can answer it, once.

    `exchange` is an X25519 public key without prefix, made for this linking alone. `q` is known to
    those who saw the code and never sent to the server; `repr` does not show it.
    """

    exchange: bytes
    link_id: bytes
    q: bytes = field(repr=False)
    offer_hash: bytes

    def to_bytes(self) -> bytes:
        """0x01 ‖ exchange (32) ‖ link id (16) ‖ q (32) ‖ SHA-256(offer)."""
        parts = (self.exchange, self.link_id, self.q, self.offer_hash)
        return bytes((CODE_FORMAT,)) + b"".join(parts)

    def to_text(self) -> str:
        """base64url of the bytes, unpadded: 151 characters."""
        return urlsafe_b64encode(self.to_bytes()).rstrip(b"=").decode()

    @classmethod
    def of(cls, exchange: bytes, link_id: bytes, q: bytes, offer: bytes) -> "LinkCode":
        """Return the code that vouches for `offer`."""
        return cls(exchange, link_id, q, sha256(offer).digest())

    @classmethod
    def from_bytes(cls, data: bytes) -> "LinkCode":
        """Read what a QR held. Raises Malformed."""
        if len(data) != CODE_BYTES or data[0] != CODE_FORMAT:
            raise Malformed("not a linking code of format 1")
        return cls(data[1:33], data[33:49], data[49:81], data[81:])

    @classmethod
    def from_text(cls, text: str) -> "LinkCode":
        """Read a text form; white space, as of a broken line, does not matter. Raises Malformed."""
        joined = "".join(text.split())
        try:
            data = urlsafe_b64decode(joined + "=")
        except ValueError:
            raise Malformed("not a linking code") from None
        code = cls.from_bytes(data)
        # The decoder passes over what is no base64, and over bits that no byte needs.
        if code.to_text() != joined:
            raise Malformed("not a linking code")
        return code


class Offer(msgspec.Struct, frozen=True):
    """Who wants to be linked: device key, ML-KEM-1024 key (FIPS 203), kind and sealed name.

    The name is under a key from `q`, so that the server does not read it; it may be empty.
    """

    device_key: bytes
    kem_key: bytes
    kind: int
    name: bytes


def encode_offer(offer: Offer) -> bytes:
    """Return the offer: [1, device key, KEM key, kind, sealed name]."""
    return pack([_FORMAT, *msgspec.structs.astuple(offer)])


def decode_offer(data: bytes) -> Offer:
    """Read an offer that nothing vouches for yet. Raises Malformed."""
    return _offer(unpack(data, max_depth=1))


def check_offer(code: LinkCode, data: bytes) -> Offer:
    """Read the offer that a code vouches for. Raises OfferSwapped, Malformed."""
    if not compare_digest(sha256(data).digest(), code.offer_hash):
        raise OfferSwapped("the offer is not the one in the code")
    return decode_offer(data)


def transcript(code: LinkCode, offer: bytes, exchange: bytes, ciphertext: bytes) -> bytes:
    """SHA-256(code ‖ offer ‖ primary's X25519 key (32) ‖ KEM ciphertext (1,568)), 32 bytes."""
    return sha256(code.to_bytes() + offer + exchange + ciphertext).digest()


def _offer(row: Any) -> Offer:
    _need(type(row) is list and [type(item) for item in row] == _TYPES and row[0] == _FORMAT)
    offer = Offer(*row[1:])
    _need(len(offer.device_key) == PUBLIC_BYTES and offer.device_key[0] == KEY_TYPE)
    _need(len(offer.kem_key) == KEM_PUBLIC_BYTES and 0 <= offer.kind <= MAX_KIND)
    _need(len(offer.name) <= MAX_NAME_BYTES)
    return offer


def _need(condition: bool) -> None:
    if not condition:
        raise Malformed("not an offer of format 1")
