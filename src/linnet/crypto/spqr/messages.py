"""The field `pq_ratchet` of a message, version 1, byte for byte.

    0x01 ‖ varint epoch ‖ varint index ‖ type [‖ varint chunk number ‖ chunk 32]

A message of epoch e is encrypted with the key `index` of the chain of epoch e - 1; index 0 of
epoch 1 says that there is no such key yet. Only the one encoding of a message is accepted.
"""

from enum import IntEnum
from typing import Final

from linnet.crypto.errors import Malformed
from linnet.crypto.secret import SecretStruct
from linnet.crypto.spqr.erasure import MAX_CHUNKS, Chunk
from linnet.crypto.spqr.field import CHUNK_BYTES

VERSION: Final = 1
MAX_EPOCH: Final = 2**63 - 1
MAX_INDEX: Final = 2**32 - 1


class Kind(IntEnum):
    """What a message carries of the braid."""

    NONE = 0
    HEADER = 1
    KEY = 2
    KEY_AND_ACK = 3  # the acknowledgement is of the whole ct1
    ACK = 4
    CT1 = 5
    CT2 = 6


_KINDS: Final = tuple(Kind)
_WITHOUT_CHUNK: Final = (Kind.NONE, Kind.ACK)


class Message(SecretStruct, frozen=True, array_like=True):
    """One parsed message. There is a chunk unless `kind` is NONE or ACK."""

    epoch: int
    index: int
    kind: Kind
    chunk: Chunk | None


def encode(message: Message) -> bytes:
    """Encode a message."""
    head = b"\x01" + _varint(message.epoch) + _varint(message.index) + bytes((message.kind,))
    if message.chunk is None:
        return head
    return head + _varint(message.chunk.number) + message.chunk.data


def parse(data: bytes) -> Message:
    """Parse a message. Raises Malformed, also for no message and for other versions."""
    if data[:1] != b"\x01":
        raise Malformed("not version 1 of the post-quantum ratchet, or none")
    epoch, at = _read(data, 1, MAX_EPOCH)
    index, at = _read(data, at, MAX_INDEX)
    if epoch < 1 or at >= len(data) or data[at] >= len(_KINDS):
        raise Malformed("no message of the post-quantum ratchet")
    kind = _KINDS[data[at]]
    at += 1
    if kind in _WITHOUT_CHUNK:
        chunk = None
    else:
        number, start = _read(data, at, MAX_CHUNKS - 1)
        at = start + CHUNK_BYTES
        chunk = Chunk(number, data[start:at])
    if at != len(data):
        raise Malformed("too short or too long for the post-quantum ratchet")
    return Message(epoch, index, kind, chunk)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read(data: bytes, at: int, limit: int) -> tuple[int, int]:
    """Return (number, where it ended)."""
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a number without end")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    if number > limit or (byte == 0 and shift):
        raise Malformed("a number too large, or longer than it must be")
    return number, at
