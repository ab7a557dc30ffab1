"""Application: the resources put together into one ASGI application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Litestar, Router
from litestar.enums import ScopeType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from linnet.server.api.contacts import contacts
from linnet.server.api.devices import devices
from linnet.server.api.health import health
from linnet.server.api.keys import keys
from linnet.server.api.messages import messages
from linnet.server.api.problems import HANDLERS
from linnet.server.api.registrations import registrations
from linnet.server.api.services import Services
from linnet.server.api.tokens import tokens
from linnet.server.services.metrics import Metrics

# Answers hold keys and tokens; nothing between here and the client may keep them.
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def build(
    services: Services,
    ready: Callable[[], bool],
    request_bytes: int,
    metrics: Metrics | None = None,
) -> ASGIApp:
    """The HTTP edge as an ASGI application; it needs no lifespan events.

    `ready` is asked by `/readyz`. A body above `request_bytes` is refused as `too_large`.
    """
    metrics = metrics or Metrics()
    resources: list[Router] = [
        registrations(services.accounts),
        tokens(services.tokens),
        keys(services.keys, services.tokens),
        devices(services.devices, services.tokens),
        contacts(services.contacts, services.tokens),
        messages(services.sync, services.tokens),
    ]
    app = Litestar(
        route_handlers=[Router("/v1", route_handlers=resources), health(ready, metrics)],
        exception_handlers=HANDLERS,
        openapi_config=_schema(),
        request_max_body_size=request_bytes,
        response_headers=_HEADERS,
        logging_config=None,
    )
    return _counted(app, metrics)


def _schema() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Linnet",
        version="v1",
        description="Bytes are standard base64, ids in paths are UUIDs; errors are RFC 9457.",
        path="/v1/schema",
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        components=Components(
            security_schemes={
                "access": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
            }
        ),
    )


def _counted(app: ASGIApp, metrics: Metrics) -> ASGIApp:
    """Count answers by route, never by path: paths hold ids."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                labels = _labels(scope, message["status"])
                metrics.http_requests.labels(*labels).inc()
            await send(message)

        await app(scope, receive, note)

    return counted


def _labels(scope: Any, status: int) -> tuple[str, str, str]:
    known = scope["method"] in ("GET", "POST", "PUT", "DELETE")
    return (
        scope["method"] if known else "other",
        scope.get("path_template") or "none",
        str(status),
    )
