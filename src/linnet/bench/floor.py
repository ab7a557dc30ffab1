"""The floor: the least a picows server can do with the same frames.

A relay in one process: `hello` names an account and is welcomed, a `message` becomes `sent` to
its sender and `message` to its recipient, an `ack` becomes `status` to the sender of what it
covers. Same codec, same frame sizes, same write coalescing as the gateway; **no** store, no
accounts, no checks, no limits, nothing kept for who is away. What a server costs above it is
what durability and its rules cost.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop
from picows import (
    WSListener,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from linnet.bench.sockets import BACKLOG, QUIET, READ_BUFFER_BYTES, server_frame
from linnet.wire.codec import MSGPACK
from linnet.wire.frames import (
    Ack,
    ClientFrame,
    Deliver,
    Hello,
    Ping,
    Pong,
    Send,
    Sent,
    Status,
    Welcome,
)
from linnet.wire.ids import AccountId, direct_conversation
from linnet.wire.limits import FRAME_BYTES, SessionLimits

DIRTY_MOST = 64
"""Connections with unwritten frames; one more writes all of them at once. Deferring more than
this until the end of the loop pass costs more in cache misses than it saves in system calls."""

FIRST_POSITION = 1 << 48
"""Positions as wide as a server's."""

_decode = msgspec.msgpack.Decoder(ClientFrame).decode
_encode = msgspec.msgpack.Encoder().encode


class _Conversation:
    """One direction of a pair."""

    __slots__ = ("id", "position", "recipient", "sender", "sequence")

    def __init__(self, sender: bytes, recipient: bytes) -> None:
        self.id = direct_conversation(AccountId(sender), AccountId(recipient))
        self.sender = sender
        self.recipient = recipient
        self.sequence = 0
        self.position = 0


class Relay:
    """Who is connected, and which connections have frames to write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.connected: dict[bytes, Connection] = {}
        self.position = FIRST_POSITION
        self._dirty: list[Connection] = []
        self._loop = loop

    def dirty(self, connection: Connection) -> None:
        """Write this connection's frames at the end of the loop pass, or now if many wait."""
        waiting = self._dirty
        if not waiting:
            self._loop.call_soon(self._flush)
        waiting.append(connection)
        if len(waiting) >= DIRTY_MOST:
            self._flush()

    def _flush(self) -> None:
        waiting, self._dirty = self._dirty, []
        for connection in waiting:
            connection.flush()


class Connection(WSListener):
    """One socket of the relay."""

    __slots__ = ("_account", "_conversations", "_frames", "_relay", "_unacknowledged", "_write")

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._account = b""
        self._write: Callable[[bytes], None] | None = None
        self._frames: list[bytes] = []
        self._conversations: dict[bytes, _Conversation] = {}
        self._unacknowledged: deque[tuple[int, int, _Conversation]] = deque()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._write = transport.underlying_transport.write

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._write = None
        self._relay.connected.pop(self._account, None)

    def on_ws_frame(self, transport: WSTransport, frame: Any) -> None:
        # Reading the frame's type costs more than decoding: only what is no frame of ours asks.
        try:
            said = _decode(frame.get_payload_as_bytes())
        except msgspec.DecodeError:
            transport.disconnect()
            return
        kind = type(said)
        if kind is Send:
            self._message(said)
        elif kind is Ack:
            self._ack(said.position)
        elif kind is Hello:
            self._hello(said)
        elif kind is Ping:
            self._push(_encode(Pong(self._relay.position, b"")))

    def flush(self) -> None:
        """Write what is queued in one go."""
        frames, self._frames = self._frames, []
        if self._write is not None and frames:
            self._write(frames[0] if len(frames) == 1 else b"".join(frames))

    def _hello(self, hello: Hello) -> None:
        self._account = bytes.fromhex(hello.token)
        self._relay.connected[self._account] = self
        self._push(_encode(Welcome(self._relay.position, b"", _now_ms(), SessionLimits())))

    def _message(self, said: Send) -> None:
        relay, now = self._relay, _now_ms()
        talk = self._conversations.get(said.to)
        if talk is None:
            talk = self._conversations[said.to] = _Conversation(self._account, said.to[1:])
        talk.sequence = sequence = talk.sequence + 1
        relay.position = position = relay.position + 1
        prev, talk.position = talk.position, position
        id, commitment, sets = said.id, said.commitment, said.sets
        self._push(_encode(Sent(id, sequence, now, commitment, sets, 0, position, prev)))
        recipient = relay.connected.get(talk.recipient)
        if recipient is not None:
            recipient._deliver(said, talk, prev, now)

    def _deliver(self, said: Send, talk: _Conversation, prev: int, now: int) -> None:
        part = said.parts[0]
        self._unacknowledged.append((talk.position, talk.sequence, talk))
        row = Deliver(
            talk.position,
            prev,
            talk.id,
            talk.sequence,
            said.id,
            talk.sender,
            1,
            said.mode,
            part.kind,
            part.ciphertext,
            said.commitment,
            said.timestamp,
            now,
            said.sets,
        )
        self._push(_encode(row))

    def _ack(self, position: int) -> None:
        """One status per conversation for what a cumulative ack newly covers."""
        waiting = self._unacknowledged
        covered: tuple[int, int, _Conversation] | None = None
        while waiting and waiting[0][0] <= position:
            if covered is not None and covered[2] is not waiting[0][2]:
                self._status(covered[1], covered[2])
            covered = waiting.popleft()
        if covered is not None:
            self._status(covered[1], covered[2])

    def _status(self, sequence: int, talk: _Conversation) -> None:
        sender = self._relay.connected.get(talk.sender)
        if sender is not None:
            sender._push(_encode(Status(talk.id, self._account, [(1, sequence)])))

    def _push(self, payload: bytes) -> None:
        frames = self._frames
        frames.append(server_frame(payload))
        if len(frames) == 1:
            self._relay.dirty(self)  # after the frame is there: this may write at once


def _now_ms() -> int:
    return int(time.time() * 1000)


def say_listening(url: str, port: int) -> None:
    """The line that tells whoever started this process where it answers."""
    line = msgspec.json.encode({"event": "listening", "url": url, "port": port})
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()


async def serve(until: asyncio.Event, announce: Callable[[str, int], None]) -> None:
    """Relay on a free loopback port until told to stop; `announce(url, port)` once it answers."""
    relay = Relay(asyncio.get_running_loop())

    def accept(_request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": MSGPACK})
        return WSUpgradeResponseWithListener(response, Connection(relay))

    server = await ws_create_server(
        accept,
        "127.0.0.1",
        0,
        logger_name=QUIET,
        max_frame_size=FRAME_BYTES,
        read_buffer_init_size=READ_BUFFER_BYTES,
        use_aiofastnet=False,
        backlog=BACKLOG,
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        announce(f"http://127.0.0.1:{port}", port)
        await until.wait()


def main() -> None:
    """Relay until the input ends."""
    gc.freeze()
    gc.disable()  # nothing here makes cycles, and a server's collector is tuned away as well

    async def run() -> None:
        until = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), until.set)
        await serve(until, say_listening)

    uvloop.run(run())


if __name__ == "__main__":
    main()
