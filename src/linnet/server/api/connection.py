"""HTTP connection: uvicorn's protocol with a bound on what is read before a request is whole.

uvicorn's httptools protocol takes headers of any size and waits for ever for the rest of a
request. Built on its class, which is not public: the version is pinned and a test connects.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 32 * 1024
"""Request line and headers together."""
REQUEST_WITHIN_S = 30.0
"""From the first byte of a request to its last."""


_unfinished: dict[LimitedHttp, float] = {}
"""Connections with a request under way and when each is given up, soonest first. One sweep for
all: a timer of its own would cost each socket 600 bytes after it became a WebSocket."""


async def give_up_unfinished() -> None:
    """Once a second, end the connections whose request is not whole in time. Runs for ever."""
    while True:
        await asyncio.sleep(1)
        now_s = time.monotonic()
        for connection, due_s in list(_unfinished.items()):
            if due_s > now_s:
                break
            _unfinished.pop(connection, None)
            connection.transport.abort()


class LimitedHttp(HttpToolsProtocol):
    """One connection; a request over a bound ends it."""

    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        _unfinished.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("Headers too large.")

    def handle_websocket_upgrade(self) -> None:
        _unfinished.pop(self, None)
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        self._in_head = True
        self._begin()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        _unfinished.pop(self, None)
        super().on_message_complete()

    def _begin(self) -> None:
        _unfinished.setdefault(self, time.monotonic() + REQUEST_WITHIN_S)
