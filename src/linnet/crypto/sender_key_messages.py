"""The two formats of sender keys, byte for byte: the distribution of a key, and a group message.

    distribution  version ‖ protobuf; sent pairwise, it opens everything from its iteration on
    message       version ‖ protobuf ‖ XEdDSA signature (64) over both

Parsing keeps the received bytes, because the signature is over those. No keys are used here.
"""

from dataclasses import dataclass, field
from typing import Final

from linnet.crypto.errors import Malformed
from linnet.crypto.protobuf import STRING, VARINT, Fields, decode, encode
from linnet.signing.keys import KEY_TYPE, PUBLIC_BYTES
from linnet.signing.xeddsa import SIGNATURE_BYTES

VERSION: Final = b"\x33"
DISTRIBUTION_ID_BYTES: Final = 16
CHAIN_KEY_BYTES: Final = 32
MAX_BYTES: Final = 2**18

_DISTRIBUTION: Final = {1: STRING, 2: VARINT, 3: VARINT, 4: STRING, 5: STRING}
_MESSAGE: Final = {1: STRING, 2: VARINT, 3: VARINT, 4: STRING}


@dataclass(frozen=True, slots=True)
class Distribution:
    """A sender key as others get it. `repr` shows no chain key."""

    distribution_id: bytes
    chain_id: int
    iteration: int
    chain_key: bytes = field(repr=False)
    signing_key: bytes


@dataclass(frozen=True, slots=True)
class SenderKeyMessage:
    """One parsed group message. `covered` is what the signature is over, as received."""

    distribution_id: bytes
    chain_id: int
    iteration: int
    ciphertext: bytes = field(repr=False)
    covered: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def encode_distribution(distribution: Distribution) -> bytes:
    """Encode a distribution message."""
    return VERSION + encode(
        (
            (1, distribution.distribution_id),
            (2, distribution.chain_id),
            (3, distribution.iteration),
            (4, distribution.chain_key),
            (5, distribution.signing_key),
        )
    )


def parse_distribution(data: bytes) -> Distribution:
    """Parse a distribution message. Raises Malformed."""
    _check_frame(data, len(data))
    fields = decode(data, 1, len(data), _DISTRIBUTION)
    try:
        distribution = Distribution(*_place(fields), fields.strings[4], fields.strings[5])
    except KeyError:
        raise Malformed("a field is missing") from None
    key = distribution.signing_key
    if len(distribution.chain_key) != CHAIN_KEY_BYTES:
        raise Malformed("not a chain key")
    if len(key) != PUBLIC_BYTES or key[0] != KEY_TYPE:
        raise Malformed("not a signing key")
    return distribution


def encode_message(
    distribution_id: bytes, chain_id: int, iteration: int, ciphertext: bytes
) -> bytes:
    """Encode a group message up to its signature: these bytes are what is signed."""
    return VERSION + encode(((1, distribution_id), (2, chain_id), (3, iteration), (4, ciphertext)))


def parse_message(data: bytes) -> SenderKeyMessage:
    """Parse a group message. Raises Malformed; nothing in it is authentic yet."""
    covered_size = len(data) - SIGNATURE_BYTES
    _check_frame(data, covered_size)
    fields = decode(data, 1, covered_size, _MESSAGE)
    try:
        return SenderKeyMessage(
            *_place(fields), fields.strings[4], data[:covered_size], data[covered_size:]
        )
    except KeyError:
        raise Malformed("a field is missing") from None


def _place(fields: Fields) -> tuple[bytes, int, int]:
    distribution_id = fields.strings[1]
    if len(distribution_id) != DISTRIBUTION_ID_BYTES:
        raise Malformed("not a distribution id")
    return distribution_id, fields.numbers[2], fields.numbers[3]


def _check_frame(data: bytes, covered_size: int) -> None:
    if covered_size < 1 or len(data) > MAX_BYTES:
        raise Malformed("too short or too long")
    if data[:1] != VERSION:
        raise Malformed("another version")
