"""Line: one WebSocket client made by hand, which can say anything a good or bad client may say.

Reads only when asked, so it can be slow as well.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import NamedTuple

from linnet.wire.codec import CODECS, MSGPACK, Unknown
from linnet.wire.errors import CLOSES
from linnet.wire.frames import Frame, ServerFrame

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PATIENCE_S = 10.0
_NAMES = {close.code: name for name, close in CLOSES.items()}


class Refused(Exception):
    """The upgrade was refused; `status` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Closed(NamedTuple):
    """The server closed; `why` is the name of a row of CLOSES, or the bare code."""

    why: str
    reason: str = ""


class Line:
    """An upgraded socket."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: str
    ) -> None:
        self._reader, self._writer = reader, writer
        self.codec = CODECS[protocol]

    @classmethod
    async def open(
        cls,
        port: int,
        *,
        offers: str | None = MSGPACK,
        path: str = "/v1/connect",
        receives_bytes: int | None = None,
    ) -> Line:
        """Connect and upgrade. `receives_bytes`: how little the kernel takes in unread. Raises
        Refused."""
        end = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receives_bytes is not None:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives_bytes)
        end.setblocking(False)
        await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=end, limit=4096)
        offer = f"Sec-WebSocket-Protocol: {offers}\r\n" if offers is not None else ""
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{offer}"
            "\r\n".encode()
        )
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer.split()[1])
        if status != 101:
            writer.close()
            raise Refused(status)
        chosen = answer.lower().split(b"sec-websocket-protocol:")[1].split(b"\r\n")[0]
        return cls(reader, writer, chosen.strip().decode())

    # ---- saying

    def say(self, *frames: Frame) -> None:
        """Say frames of the protocol, in one write."""
        opcode = TEXT if self.codec.text else BINARY
        self._writer.write(b"".join(framed(opcode, self.codec.encode(it)) for it in frames))

    def raw(self, opcode: int, payload: bytes, fin: bool = True) -> None:
        """Say one WebSocket frame, whatever it holds."""
        self._writer.write(framed(opcode, payload, fin))

    def nonsense(self, data: bytes) -> None:
        """Say bytes that are perhaps no WebSocket frame at all."""
        self._writer.write(data)

    def end(self) -> None:
        """Cut the line without a word."""
        self._writer.transport.abort()

    async def leave(self) -> None:
        """Close as RFC 6455 asks, and wait until the server has gone."""
        self.raw(CLOSE, (1000).to_bytes(2, "big"))
        assert (await self.closed()).why == "1000"

    # ---- hearing

    async def hear(self) -> ServerFrame | Unknown | Closed:
        """The next thing the server says."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                opcode, payload = await self._frame()
                if opcode == CLOSE:
                    code = int.from_bytes(payload[:2], "big")
                    return Closed(_NAMES.get(code, str(code)), payload[2:].decode())
                if opcode in (TEXT, BINARY):
                    return self.codec.server_frame(payload)

    async def closed(self) -> Closed:
        """Why the server closed; what it says before is not listened to. The socket is cut."""
        while not isinstance(said := await self.hear(), Closed):
            pass
        self._writer.close()
        return said

    async def pong(self) -> bytes:
        """The payload of the next WebSocket pong."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                opcode, payload = await self._frame()
                if opcode == PONG:
                    return payload

    async def _frame(self) -> tuple[int, bytes]:
        """One frame; a cut line is read as a close with 1006."""
        try:
            first, second = await self._reader.readexactly(2)
            assert not second & 0x80, "a server does not mask"
            size = second
            if second == 126:
                size = int.from_bytes(await self._reader.readexactly(2), "big")
            elif second == 127:
                size = int.from_bytes(await self._reader.readexactly(8), "big")
            return first & 0x0F, await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return CLOSE, (1006).to_bytes(2, "big")


def framed(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """A masked WebSocket frame."""
    size = len(payload)
    first = opcode | (0x80 if fin else 0)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    key = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
    return head + mask + masked
