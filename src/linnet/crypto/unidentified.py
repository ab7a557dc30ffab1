"""What a sealed message holds: an encrypted message, and the certificate of who sent it.

Byte-compatible with libsignal's UnidentifiedSenderMessageContent. How it is sealed is in
`sealed_sender` and `sealed_sender_v2`; nothing here verifies.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from linnet.crypto.errors import Malformed
from linnet.crypto.messages import PREKEY, WHISPER
from linnet.crypto.protobuf import STRING, VARINT, decode, encode

SENDER_KEY: Final = 7
"""The type of a group message, beside `WHISPER` and `PREKEY`."""

_KNOWN: Final = {1: VARINT, 2: STRING, 3: STRING, 4: VARINT, 5: STRING}
_TO_WIRE: Final = {PREKEY: 1, WHISPER: 2, SENDER_KEY: 7}  # a pre-key message has another number
_FROM_WIRE: Final = {wire: type for type, wire in _TO_WIRE.items()}


class Hint(IntEnum):
    """What the receiver may do when it cannot decrypt the message inside."""

    DEFAULT = 0
    RESENDABLE = 1
    IMPLICIT = 2


@dataclass(frozen=True, slots=True)
class UnidentifiedContent:
    """`type` is `WHISPER`, `PREKEY` or `SENDER_KEY`; an unknown hint counts as the default."""

    type: int
    certificate: bytes = field(repr=False)
    message: bytes = field(repr=False)
    hint: int = Hint.DEFAULT
    group: bytes | None = field(default=None, repr=False)


def encode_unidentified(content: UnidentifiedContent) -> bytes:
    """Encode. Raises KeyError for another type of message."""
    return encode(
        (
            (1, _TO_WIRE[content.type]),
            (2, content.certificate),
            (3, content.message),
            (4, content.hint or None),
            (5, content.group or None),
        )
    )


def parse_unidentified(data: bytes) -> UnidentifiedContent:
    """Decode. Raises Malformed; an empty group is none."""
    numbers, strings = decode(data, 0, len(data), _KNOWN)
    hint = numbers.get(4, 0)
    try:
        return UnidentifiedContent(
            _FROM_WIRE[numbers[1]],
            strings[2],
            strings[3],
            hint if hint in tuple(Hint) else Hint.DEFAULT,
            strings.get(5) or None,
        )
    except KeyError:
        raise Malformed("a field is missing, or an unknown type of message") from None
