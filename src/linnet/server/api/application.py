"""Application: the resources put together into one ASGI application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Litestar, Router
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from linnet.server.api.certificates import certificates
from linnet.server.api.contacts import contacts
from linnet.server.api.devices import devices
from linnet.server.api.groups import groups
from linnet.server.api.health import health
from linnet.server.api.keys import keys
from linnet.server.api.links import links
from linnet.server.api.messages import messages
from linnet.server.api.problems import HANDLERS
from linnet.server.api.registrations import registrations
from linnet.server.api.schema import schema
from linnet.server.api.sealed import sealed
from linnet.server.api.services import Services
from linnet.server.api.tokens import tokens
from linnet.server.services.addresses import Network
from linnet.server.services.metrics import Metrics

# Answers hold keys and tokens; nothing between here and the client may keep them.
_HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


def build(
    services: Services,
    ready: Callable[[], bool],
    request_bytes: int,
    metrics: Metrics | None = None,
    trusted: tuple[Network, ...] = (),
) -> ASGIApp:
    """The HTTP edge as an ASGI application; it needs no lifespan events.

    `ready` is asked by `/readyz`. A body above `request_bytes` is refused as `too_large`.
    `trusted` proxies are believed about whom they speak for.
    """
    metrics = metrics or Metrics()
    resources: list[Router] = [
        registrations(services.accounts, services.recovery, trusted),
        tokens(services.tokens, services.callers),
        keys(services.keys, services.callers),
        devices(services.devices, services.callers),
        links(services.links, services.callers, trusted),
        groups(services.groups, services.group_views, services.group_pages, services.callers),
        sealed(services.sealed, services.callers, trusted),
        certificates(services.certificates, services.callers),
        contacts(services.contacts, services.callers),
        messages(services.sync, services.callers),
    ]
    app = Litestar(
        route_handlers=[Router("/v1", route_handlers=resources), health(ready, metrics)],
        exception_handlers=HANDLERS,
        openapi_config=schema(),
        request_max_body_size=request_bytes,
        logging_config=None,
    )
    return _wrapped(app, metrics)


def _wrapped(app: ASGIApp, metrics: Metrics) -> ASGIApp:
    """Add headers to every answer, and count it by route, never by path: paths hold ids."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                labels = _labels(scope, message["status"])
                metrics.http_requests.labels(*labels).inc()
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await app(scope, receive, note)

    return wrapped


def _labels(scope: Any, status: int) -> tuple[str, str, str]:
    known = scope["method"] in ("GET", "POST", "PUT", "DELETE")
    return (
        scope["method"] if known else "other",
        scope.get("path_template") or "none",
        str(status),
    )
