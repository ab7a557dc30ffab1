"""Protocol: takes an upgraded socket from uvicorn and gives it to picows, tuned.

uvicorn parses HTTP; picows costs 5–6 µs a frame where uvicorn's own WebSockets cost 11–15. This
leans on picows' WSProtocol, which is not public: the version is pinned and a test connects.
"""

from __future__ import annotations

import asyncio
from typing import Any

from picows import (
    WSAutoPingStrategy,
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from linnet.server.gateway.connection import Connection
from linnet.server.gateway.gateway import Gateway
from linnet.server.services.addresses import Network, client_address, neighbourhood
from linnet.wire.codec import CODECS
from linnet.wire.limits import FRAME_BYTES

PATH = b"/v1/connect"
READ_BUFFER = 2048
"""picows' least. It grows for a large frame and shrinks again; 6 KB a socket instead of 23."""


class _Silent:
    """A logger that is not a logging.Logger: picows would make a child Logger per socket."""

    def isEnabledFor(self, level: int) -> bool:
        return False

    def log(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: frames are not for logs."""

    debug = info = warning = error = exception = log


_SILENT = _Silent()


def protocol_class(gateway: Gateway, trusted: tuple[Network, ...] = ()) -> type[asyncio.Protocol]:
    """The class for uvicorn's `ws` setting, bound to this gateway and the proxies it trusts."""

    class GatewayProtocol(WSProtocol):  # type: ignore[misc]
        """One upgraded socket."""

        def __init__(self, config: Any, server_state: Any, app_state: Any) -> None:
            super().__init__(
                None,
                None,
                False,
                self._accept,
                _SILENT,
                True,
                5.0,
                False,
                20.0,
                20.0,
                WSAutoPingStrategy.PING_WHEN_IDLE,
                True,
                2 * FRAME_BYTES,  # so that a frame over the limit is refused by us, with its reason
                None,
                READ_BUFFER,
            )

        def connection_made(self, transport: Any) -> None:
            _release(transport.get_protocol())
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            """uvicorn replays the request here; picows wants it in its own buffer."""
            view = memoryview(data)
            while view:
                buffer = self.get_buffer(-1)
                size = min(len(buffer), len(view))
                buffer[:size] = view[:size]
                self.buffer_updated(size)
                view = view[size:]

        def _accept(
            self, request: WSUpgradeRequest
        ) -> WSListener | WSUpgradeResponseWithListener | None:
            forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
            # Asked of the transport: an attribute here would cost every socket a dict.
            peer = self.transport.underlying_transport.get_extra_info("peername")
            address = client_address(peer[0] if peer else "", forwarded, trusted)
            return _accept(gateway, neighbourhood(address), request)

    return GatewayProtocol


def _release(http: Any) -> None:
    """Let uvicorn's HTTP protocol go at once: it and its parser hold each other, and until the
    garbage collector looks they cost 3 KB a socket."""
    http.parser = None
    http.scope = None
    http.headers = []


def _accept(
    gateway: Gateway, address: str, request: WSUpgradeRequest
) -> WSUpgradeResponseWithListener:
    if request.path.split(b"?")[0] != PATH:
        return _refuse(404, b"not here: GET /v1/connect")
    offered = [
        name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    ]
    name = next((name for name in CODECS if name in offered), None)
    if name is None:
        return _refuse(400, b"offer a subprotocol: " + ", ".join(CODECS).encode())
    if not gateway.admits(address):
        return _refuse(429, b"too many sockets from this address")
    response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": name})
    return WSUpgradeResponseWithListener(response, Connection(gateway, CODECS[name], address))


def _refuse(status: int, reason: bytes) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_error_response(status, reason)
    return WSUpgradeResponseWithListener(response, None)
