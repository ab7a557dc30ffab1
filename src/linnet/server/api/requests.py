"""Requests: what handlers read besides the body: the token, ids in paths, the peer's address."""

from __future__ import annotations

from typing import Any

from litestar import Request

from linnet.server.services.addresses import Network, client_address
from linnet.wire import ids
from linnet.wire.errors import RequestRefused

Call = Request[Any, Any, Any]


def bearer(request: Call) -> str:
    """The access token of `Authorization: Bearer`. Raises `unauthorized`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise RequestRefused("unauthorized")
    return token


def path_id(text: str) -> bytes:
    """The id in a path, written as a UUID. Raises `malformed`."""
    try:
        identifier = ids.parse(text)
    except ValueError:
        raise RequestRefused("malformed", "Ids in paths are UUIDs.") from None
    if ids.show(identifier) != text.lower():
        raise RequestRefused("malformed", "Ids in paths are UUIDs.")
    return identifier


def host(request: Call, trusted: tuple[Network, ...]) -> str:
    """The client's network address. Headers that claim one are believed of `trusted` peers."""
    peer = request.client.host if request.client else ""
    forwarded = ",".join(request.headers.getall("x-forwarded-for", []))
    return client_address(peer, forwarded, trusted)
