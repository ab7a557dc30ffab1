"""Transport: one WebSocket to the server, as a queue of decoded frames.

picows, because the server's edge is picows too (one set of quirks to know) and because it is the
cheapest client measured. Sends are handed to the kernel at once (TCP_NODELAY). What a frame means,
and when to connect again, is not known here.
"""

import asyncio
import collections
import socket
from typing import Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from linnet.client.errors import LinkClosed, Offline
from linnet.wire.codec import CODECS, MSGPACK, Unknown
from linnet.wire.frames import ServerFrame
from linnet.wire.limits import FRAME_BYTES

HANDSHAKE_S: Final = 10.0
QUEUE_FRAMES: Final = 1024
"""Frames waiting to be taken; beyond, the socket is not read until half of them are gone."""
ABNORMAL: Final = 1006
_OVERHEAD_BYTES: Final = 64


async def dial(url: str) -> "Socket":
    """Open `/v1/connect` of the server at `url` (http or https). Raises Offline."""
    target = "ws" + url.removeprefix("http").rstrip("/") + "/v1/connect"
    link = Socket()  # picows forgets its listener when the line breaks just after the upgrade
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            await ws_connect(
                lambda: link,
                target,
                extra_headers={"Sec-WebSocket-Protocol": MSGPACK},
                max_frame_size=FRAME_BYTES + _OVERHEAD_BYTES,
                websocket_handshake_timeout=HANDSHAKE_S,
                max_redirects=0,
            )
    except (OSError, TimeoutError, ValueError) as error:
        raise Offline("the server cannot be reached") from error
    except Exception as error:  # picows' own errors share no public base with the above
        raise Offline("the server does not speak the protocol") from error
    return link


class Socket(WSListener):
    """A connected socket; a `Link`."""

    def __init__(self) -> None:
        super().__init__()
        self._codec = CODECS[MSGPACK]
        self._frames: collections.deque[bytes] = collections.deque()
        self._arrived = asyncio.Event()
        self._transport: WSTransport | None = None
        self._closed: int | None = None
        self._paused = False

    def send(self, data: bytes) -> None:
        """Hand over one encoded frame. Raises LinkClosed."""
        if self._transport is None or self._closed is not None:
            raise LinkClosed(self._closed or ABNORMAL)
        self._transport.send(WSMsgType.BINARY, data)

    async def receive(self) -> ServerFrame | Unknown:
        """The next frame; those that arrived before a close are still given."""
        while not self._frames:
            if self._closed is not None:
                raise LinkClosed(self._closed)
            self._arrived.clear()
            await self._arrived.wait()
        data = self._frames.popleft()
        if self._paused and len(self._frames) < QUEUE_FRAMES // 2:
            self._read_on(True)
        return self._codec.server_frame(data)

    def waiting(self) -> bool:
        """Whether a frame is there already."""
        return bool(self._frames)

    def close(self) -> None:
        """Say goodbye, unless the other end did, and close."""
        if self._transport is None:
            return
        if self._closed is None:
            self._transport.send_close()
        self._transport.disconnect()

    # ---- called by picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        raw = transport.underlying_transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            self._frames.append(frame.get_payload_as_bytes())
            if len(self._frames) >= QUEUE_FRAMES and not self._paused:
                self._read_on(False)
            self._arrived.set()
        elif frame.msg_type == WSMsgType.CLOSE:
            self._closed = int(frame.get_close_code())  # type: ignore[call-overload]
            self._arrived.set()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._closed is None:
            self._closed = ABNORMAL
        self._arrived.set()

    def _read_on(self, on: bool) -> None:
        if self._transport is None or self._closed is not None:
            return
        self._paused = not on
        raw = self._transport.underlying_transport
        (raw.resume_reading if on else raw.pause_reading)()
