"""Sockets of the benchmark: WebSocket framing by hand, and many clients connected at once.

Frames are put together here, not by picows, so that several go out in one write. The clients mask
with a key of zero (RFC 6455 §5.3 asks for a fresh one against browsers' proxies): the server does
the same unmasking, the generator none. Nothing here measures.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from picows import WSListener, WSMsgType, WSTransport, ws_connect

from linnet.bench.job import Login
from linnet.wire.codec import MSGPACK
from linnet.wire.frames import Hello, ServerFrame, Welcome

ADDRESS_SOCKETS = 900
"""Sockets from one source address: below a server's limit per address, and its ports."""
CONNECTING_MOST = 64
CONNECT_WITHIN_S = 20
READ_BUFFER_BYTES = 2048
BACKLOG = 4096

_SHORT, _LONG = 126, 1 << 16
_BINARY = 0x82
_MASKED = 0x80
_NO_MASK = bytes(4)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ServerFrame).decode
_header16 = struct.Struct(">BBH").pack
_header64 = struct.Struct(">BBQ").pack


class _Quiet:
    """A logger that is not one: picows makes a child Logger per connection of a real one."""

    def isEnabledFor(self, level: int) -> bool:
        return False

    def _nothing(self, *args: object, **more: object) -> None:
        return None

    debug = info = warning = error = exception = log = _nothing


QUIET: Any = _Quiet()


def server_frame(payload: bytes) -> bytes:
    """An unmasked binary frame."""
    length = len(payload)
    if length < _SHORT:
        return bytes((_BINARY, length)) + payload
    if length < _LONG:
        return _header16(_BINARY, _SHORT, length) + payload
    return _header64(_BINARY, 127, length) + payload


def client_frame(payload: bytes) -> bytes:
    """A binary frame masked with zero."""
    length = len(payload)
    if length < _SHORT:
        return bytes((_BINARY, _MASKED | length)) + _NO_MASK + payload
    if length < _LONG:
        return _header16(_BINARY, _MASKED | _SHORT, length) + _NO_MASK + payload
    return _header64(_BINARY, _MASKED | 127, length) + _NO_MASK + payload


def source_address(index: int) -> str:
    """The loopback address the connection of this number comes from."""
    host = 2 + index // ADDRESS_SOCKETS
    return f"127.0.{host >> 8}.{host & 0xFF}"


class Client(WSListener):
    """A socket that says hello, and hears frames once it is welcome."""

    __slots__ = ("_hello", "transport", "welcome", "write")

    def __init__(self, login: Login, welcome: asyncio.Future[None]) -> None:
        self._hello = client_frame(_encode(Hello(login.token, 1)))
        self.welcome = welcome
        self.transport: WSTransport | None = None
        self.write: Callable[[bytes], None] = _unconnected

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.write = transport.underlying_transport.write
        self.write(self._hello)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.write = _unconnected
        if not self.welcome.done():
            self.welcome.set_exception(ConnectionError("closed before welcome"))
        self.closed()

    def on_ws_frame(self, transport: WSTransport, frame: Any) -> None:
        # Reading the frame's type costs more than decoding: only what is no frame of ours asks.
        try:
            said = _decode(frame.get_payload_as_bytes())
        except msgspec.DecodeError:
            self._not_a_frame(transport, frame)
            return
        self.heard(said, frame.last_in_buffer)

    def heard(self, said: ServerFrame | None, last: bool) -> None:
        """A frame; `last` of what one read of the socket brought."""
        if type(said) is Welcome and not self.welcome.done():
            self.welcome.set_result(None)

    def closed(self) -> None:
        """The socket is gone."""

    def _not_a_frame(self, transport: WSTransport, frame: Any) -> None:
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
            self.heard(None, frame.last_in_buffer)
        else:
            transport.disconnect()


def _unconnected(data: bytes) -> None:
    """What is written to a closed socket is missed as an answer later, and counted there."""


async def connect(url: str, clients: Sequence[Client]) -> dict[str, int]:
    """Open a socket for every client and wait for its welcome; what went wrong, by kind."""
    errors: dict[str, int] = {}
    numbered = iter(enumerate(clients))
    target = url.replace("http", "ws", 1) + "/v1/connect"

    async def work() -> None:
        for number, client in numbered:
            try:
                async with asyncio.timeout(CONNECT_WITHIN_S):
                    await _open(target, number, client)
            except Exception as error:  # a benchmark counts whatever fails
                kind = f"connect: {type(error).__name__}"
                errors[kind] = errors.get(kind, 0) + 1

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTING_MOST):
            group.create_task(work())
    return errors


async def _open(target: str, number: int, client: Client) -> None:
    await ws_connect(
        lambda: client,
        target,
        logger_name=QUIET,
        extra_headers={"Sec-WebSocket-Protocol": MSGPACK},
        read_buffer_init_size=READ_BUFFER_BYTES,
        enable_auto_pong=False,
        use_aiofastnet=False,
        local_addr=(source_address(number), 0),
    )
    await client.welcome
