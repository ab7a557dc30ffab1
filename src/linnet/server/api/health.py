"""`/healthz`, `/readyz`, `/metrics`: for whoever runs the server; no token, nothing about users."""

from __future__ import annotations

from collections.abc import Callable

from litestar import Response, Router, get

from linnet.server.services.metrics import CONTENT_TYPE, Metrics
from linnet.wire.errors import RequestRefused


def health(ready: Callable[[], bool], metrics: Metrics) -> Router:
    """Alive, ready, and the counters."""

    @get("/healthz", media_type="text/plain")
    async def healthz() -> str:
        """Tell that the process answers."""
        return "ok"

    @get("/readyz", media_type="text/plain")
    async def readyz() -> str:
        """Tell that requests may be sent here; 503 before start-up ended and while draining."""
        if not ready():
            raise RequestRefused("unavailable", "Not ready.")
        return "ready"

    @get("/metrics", include_in_schema=False)
    async def show() -> Response[bytes]:
        """Prometheus text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return Router("/", route_handlers=[healthz, readyz, show], tags=["health"])
