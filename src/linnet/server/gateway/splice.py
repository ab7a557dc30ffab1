"""Splice: one group message for many sockets, encoded once.

Position and prev stand first in a `message` and are all that differs, so the frame of a socket is
a shared front, these two numbers and a shared tail. Numbers take their widest form, which makes
all frames of a message the same size. MessagePack only; JSON is encoded a socket at a time.
"""

from __future__ import annotations

import struct

from linnet.server.gateway.outbound import BINARY, header
from linnet.server.ports.timeline import Spread, spread_entry
from linnet.server.services.delivery.view import view
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.frames import Deliver

_encode = CODECS[MSGPACK].encode
_FRONT_BYTES = 3 + 8
"""An array of 16 fields and a tag, and the tag "message"."""
_UINT64 = 0xCF
_numbers = struct.Struct(">BQBQ")
_pack = _numbers.pack
_NOBODY = b"\0" * 16


class Spliced:
    """A message on its way to many; `size` is that of the payload for each."""

    __slots__ = (
        "accepted",
        "device",
        "devices",
        "first",
        "front",
        "prevs",
        "sender",
        "size",
        "spread",
        "tail",
    )

    def __init__(self, spread: Spread) -> None:
        whole = _encode(_message(spread))
        self.spread = spread
        self.accepted = spread.accepted
        self.sender, self.device = spread.accepted.sender, spread.accepted.device
        self.first, self.prevs, self.devices = spread.first, spread.prevs, spread.devices
        self.tail = whole[_FRONT_BYTES + 2 :]
        self.size = _FRONT_BYTES + _numbers.size + len(self.tail)
        self.front = header(BINARY, self.size) + whole[:_FRONT_BYTES]

    def frame(self, position: int, prev: int) -> bytes:
        """The whole WebSocket frame of the row at `position`."""
        return self.front + _pack(_UINT64, position, _UINT64, prev) + self.tail


def _message(spread: Spread) -> Deliver:
    """The message as any device that did not send it is shown it, at position 0."""
    entry = spread_entry(b"", 0, 0, spread.accepted, spread.body, b"\x01")
    shown = view(entry, _NOBODY, 1)
    assert isinstance(shown, Deliver)
    return shown
