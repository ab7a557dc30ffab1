"""Signed objects: a body, and an XEdDSA signature over a label and that body.

Whoever receives one hashes and verifies the bytes received and never encodes them again. The
signature is randomised, so an object is named by the hash of its body alone. What a body means
is for the module that owns its format.
"""

from hashlib import sha256
from typing import Final

import msgspec

from linnet.signing import xeddsa
from linnet.signing.errors import Malformed, SignatureInvalid
from linnet.signing.keys import Rng
from linnet.signing.packing import pack, unpack

MAX_BODY_BYTES: Final = 65_536

_NAMES: Final = (
    "device-list device group join link frank direct title delivery "
    "group-secret invite-key invite-preview name backup refresh head"
)
LABELS: Final = {name: f"linnet/{name}/1\0".encode() for name in _NAMES.split()}


class SignedObject(msgspec.Struct, frozen=True):
    """A body and its signature, as received. JSON: `{body, sig}` in base64, as msgspec writes it.

    In MessagePack it is the array `[body, sig]`: `as_pair`, `to_msgpack`, `from_msgpack`.
    """

    body: bytes
    sig: bytes

    @property
    def hash(self) -> bytes:
        """SHA-256 of the body, 32 bytes: the name of the object."""
        return sha256(self.body).digest()

    def as_pair(self) -> list[bytes]:
        """Return `[body, sig]`, to nest the object in a packed array."""
        return [self.body, self.sig]

    def to_msgpack(self) -> bytes:
        """Encode as `[body, sig]`."""
        return pack(self.as_pair())

    @classmethod
    def from_pair(cls, pair: object) -> "SignedObject":
        """Take an unpacked `[body, sig]`. Raises Malformed unless it is one."""
        match pair:
            case [bytes(body), bytes(sig)]:
                return cls(body, sig).check_sizes()
            case _:
                raise Malformed("a signed object is [body, sig]")

    @classmethod
    def from_msgpack(cls, data: bytes) -> "SignedObject":
        """Decode `[body, sig]`. Raises Malformed."""
        return cls.from_pair(unpack(data, max_depth=1))

    @classmethod
    def from_json(cls, data: bytes | str) -> "SignedObject":
        """Decode `{body, sig}`. Raises Malformed."""
        try:
            return msgspec.json.decode(data, type=cls).check_sizes()
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Malformed("a signed object is {body, sig}") from None

    def check_sizes(self) -> "SignedObject":
        """Return self. Raises Malformed if the body is over 64 KiB or the signature not 64 B."""
        if len(self.body) > MAX_BODY_BYTES or len(self.sig) != xeddsa.SIGNATURE_BYTES:
            raise Malformed("a signed object has a bounded body and a signature of 64 bytes")
        return self


def label(name: str) -> bytes:
    """Return `linnet/<name>/1` ‖ 0x00, which starts every signed, keyed or hashed input.

    Raises KeyError for a name the protocol does not have: labels must never be made up.
    """
    return LABELS[name]


def sign_object(name: str, private: bytes, body: bytes, rng: Rng) -> SignedObject:
    """Sign `body` under the label `name` with a 32-byte private key."""
    return SignedObject(body, xeddsa.sign(private, label(name) + body, rng))


def verify_object(name: str, public: bytes, obj: SignedObject) -> None:
    """Raise SignatureInvalid unless `obj` was signed under this label by this 33-byte key."""
    if not xeddsa.verify(public, label(name) + obj.body, obj.sig):
        raise SignatureInvalid("signature is not by that key")
