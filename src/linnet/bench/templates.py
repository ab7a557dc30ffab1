"""Client frames made ahead: a message costs its generator one copy and two patches.

Only the id and the timestamp of a message differ from the one before, and only the position of
an ack. Every frame decodes to what the wire codec would have made.
"""

from __future__ import annotations

import struct

import msgspec

from linnet.bench.job import CIPHERTEXT_BYTES
from linnet.bench.sockets import client_frame
from linnet.wire.frames import FULL, Ack, Part, Ping, Send
from linnet.wire.ids import AccountId, GroupId, to_account, to_group

_encode = msgspec.msgpack.Encoder().encode
_HOLE = b"\xa5" * 16
_WIDE = (1 << 52) + 0x5A5A5A5A5A
"""A number as wide as any position or time: msgpack then gives it eight bytes."""
_U64 = struct.Struct(">Q")
_ID = struct.Struct(">QQ")

PING = client_frame(_encode(Ping()))


class MessageTemplate:
    """Messages of one sender to one account's only device or a group, all with one ciphertext.

    Ids are UUIDv7: the time, then 24 bits of `run` (random for each run), 16 of `pair` and 32 of
    a counter.
    """

    __slots__ = ("_frame", "_high", "_id_at", "_low", "_time_at", "ciphertext")

    def __init__(self, to: bytes, rng_bytes: bytes, pair: int, *, group: bool = False) -> None:
        """`rng_bytes`: 32 of commitment, 3 that tell this run's ids apart, then the ciphertext.
        `to` is an account, or a group whose roster is number 1."""
        commitment, run, self.ciphertext = rng_bytes[:32], rng_bytes[32:35], rng_bytes[35:]
        assert len(self.ciphertext) == CIPHERTEXT_BYTES
        noise = int.from_bytes(run, "big")
        self._high = 0x7 << 12 | noise >> 12
        self._low = 0b10 << 62 | (noise & 0xFFF) << 48 | (pair & 0xFFFF) << 32
        if group:
            address = to_group(GroupId(to))
            body = self.ciphertext
            message = Send(_HOLE, address, FULL, commitment, _WIDE, roster=1, body=body)
        else:
            parts = [Part(1, 2, self.ciphertext)]
            address = to_account(AccountId(to))
            message = Send(_HOLE, address, FULL, commitment, _WIDE, (1, 1), parts)
        self._frame = bytearray(client_frame(_encode(message)))
        self._id_at = self._frame.index(_HOLE)
        self._time_at = self._frame.index(_U64.pack(_WIDE))

    def message(self, now_ms: int, counter: int) -> tuple[bytes, bytes]:
        """(id, WebSocket frame) of the message with this counter."""
        id = _ID.pack(now_ms << 16 | self._high, self._low | counter)
        frame = self._frame
        frame[self._id_at : self._id_at + 16] = id
        _U64.pack_into(frame, self._time_at, now_ms)
        return id, bytes(frame)


def ack(position: int) -> bytes:
    """The WebSocket frame of an ack."""
    return _ACK_HEAD + _U64.pack(position)


_ACK_HEAD = client_frame(_encode(Ack(_WIDE)))[:-8]
RANDOM_BYTES = 32 + 3 + CIPHERTEXT_BYTES
"""How many random bytes a template is made of."""
