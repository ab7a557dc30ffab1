"""Requests: what handlers read besides the body: the token, ids in paths, the peer's address."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from litestar import Request

from linnet.server.services.addresses import Network, client_address
from linnet.wire import ids
from linnet.wire.errors import RequestRefused

Call = Request[Any, Any, Any]


DELIVERY_KEY = "linnet-delivery-key"
"""The header of sealed requests: base64 of 16 bytes."""


def bearer(request: Call) -> str:
    """The access token of `Authorization: Bearer`. Raises `unauthorized`, or `malformed` where a
    delivery key is shown beside it."""
    if DELIVERY_KEY in request.headers:
        raise RequestRefused("malformed", "A request with a token shows no delivery key.")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise RequestRefused("unauthorized")
    return token


def delivery_key(request: Call) -> bytes:
    """The key that a sealed request shows. Raises `unauthorized`, or `malformed` where a token is
    shown beside it."""
    if "authorization" in request.headers:
        raise RequestRefused("malformed", "A sealed request shows no token.")
    try:
        return base64.b64decode(request.headers.get(DELIVERY_KEY, ""), validate=True)
    except (binascii.Error, ValueError):
        raise RequestRefused("unauthorized") from None


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
