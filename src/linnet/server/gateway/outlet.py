"""Outlet: the writing end of a socket. Frames wait until the end of the loop pass and leave in one
write; a close says why and is the last thing said. Knows nothing of messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from picows import WSListener, WSTransport

from linnet.server.gateway.outbound import BINARY, CLOSE, HEADERS, TEXT, header
from linnet.wire.codec import Codec
from linnet.wire.errors import CLOSES
from linnet.wire.frames import Frame
from linnet.wire.session import Session, Side

if TYPE_CHECKING:
    from linnet.server.gateway.gateway import Gateway


class Outlet(WSListener):
    """See the module. It has a line between the two calls of picows that open and end one."""

    __slots__ = (
        "_encode",
        "_headers",
        "_opcode",
        "_out",
        "_transport",
        "_write",
        "choked",
        "gateway",
        "session",
    )

    def __init__(self, gateway: Gateway, codec: Codec) -> None:
        self.gateway = gateway
        self.session = Session(Side.SERVER)
        self.choked = False
        """The kernel takes no more for now."""
        self._encode = codec.encode
        self._opcode = TEXT if codec.text else BINARY
        self._headers = HEADERS[self._opcode]
        self._out: list[bytes] = []
        self._transport: WSTransport | None = None
        self._write: Callable[[bytes], None] | None = None

    def send(self, frame: Frame) -> int:
        """Queue a frame for the end of the loop pass; its size in bytes."""
        payload = self._encode(frame)
        size = len(payload)
        out = self._out
        out.append(self._headers[size] if size < 1024 else header(self._opcode, size))
        out.append(payload)
        if len(out) == 2:
            # Only now: adding may write everything that waits at once.
            self.gateway.outbound.add(self)
        return size

    def flush(self) -> None:
        """Write what is queued, in one system call."""
        out, write = self._out, self._write
        if write is not None and out:
            write(b"".join(out))
            if self.choked:
                self.gateway.check_choked(self)
        out.clear()

    def close(self, name: str | None) -> None:
        """Say why (a row of CLOSES; None answers the peer's own close) and hang up."""
        if self._transport is None or self._write is None:
            return
        self.session.close()
        code = CLOSES[name].code if name is not None else 1000
        reason = (name or "").encode()
        self._out.append(header(CLOSE, 2 + len(reason)) + code.to_bytes(2, "big") + reason)
        self.flush()
        self._write = None  # nothing follows the close
        self._transport.disconnect()
        self.gateway.closed(name)

    def abort(self) -> None:
        """Let go of a peer that was told goodbye and does not read it."""
        if self._transport is not None:
            self._transport.disconnect(False)

    def unsent(self) -> int:
        """Bytes that wait for the kernel."""
        if self._transport is None:
            return 0
        return int(self._transport.underlying_transport.get_write_buffer_size())
