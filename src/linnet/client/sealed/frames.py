"""A sealed message after its seal was opened: a frame that names its sender, as the sender's
certificate does.

It is stored apart from what the server says by a tag of its own, so that no frame of a server can
pass for one.
"""

from __future__ import annotations

from typing import Final

import msgspec

from linnet.wire.frames import SESSION, Deliver

NO_COMMITMENT: Final = bytes(32)
"""The server carries none for what is sealed."""


class Unsealed(Deliver, tag="unsealed"):
    """`conversation`, `sender`, `device`, `kind` and `ciphertext` are of the message inside;
    `identity` is the key that the certificate names. It has no conv_seq and no commitment."""

    identity: bytes = b""


_DECODER: Final = msgspec.msgpack.Decoder(Deliver | Unsealed)


def stored(frame: Deliver) -> bytes:
    """A frame as it is kept."""
    return msgspec.msgpack.encode(frame)


def restored(data: bytes) -> Deliver:
    """A frame that was kept."""
    frame: Deliver = _DECODER.decode(data)
    return frame


def passed_on(
    by: Deliver, conversation: bytes, id: bytes, device: int, sent_ms: int, server_ms: int
) -> Unsealed:
    """The frame that a sealed message would have come in, which came inside `by`."""
    return Unsealed(
        by.position,
        by.prev,
        conversation,
        0,
        id,
        by.sender,
        device,
        0,
        SESSION,
        b"",
        NO_COMMITMENT,
        sent_ms,
        server_ms,
    )


def numbered(frame: Unsealed, conv_seq: int, commitment: bytes) -> Deliver:
    """The same, of a message that was not sealed."""
    return Deliver(
        frame.position,
        frame.prev,
        frame.conversation,
        conv_seq,
        frame.id,
        frame.sender,
        frame.device,
        frame.mode,
        frame.kind,
        frame.ciphertext,
        commitment,
        frame.timestamp,
        frame.server_timestamp,
    )
