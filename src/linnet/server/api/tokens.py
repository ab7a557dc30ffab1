"""`/v1/tokens`: going on with a login, and ending it."""

from __future__ import annotations

from litestar import Router, delete, post
from litestar.params import JSONBody

from linnet.server.api.requests import Call, bearer
from linnet.server.api.schema import ACCESS
from linnet.server.services.callers import Callers
from linnet.server.services.tokens import Tokens
from linnet.wire.rest import Login, Refresh


def tokens(service: Tokens, callers: Callers) -> Router:
    """Refresh and log out."""

    @post("/", status_code=200)
    async def refresh(data: JSONBody[Refresh]) -> Login:
        """Replace a refresh token; no access token is needed."""
        return await service.refresh(data)

    @delete("/", security=ACCESS)
    async def log_out(request: Call) -> None:
        """End every login of the calling device and close its socket."""
        await callers.log_out(bearer(request))

    return Router("/tokens", route_handlers=[refresh, log_out], tags=["tokens"])
