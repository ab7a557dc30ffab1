"""`/v1/messages`: catching up without a socket."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter

from linnet.server.api.requests import Call, bearer
from linnet.server.api.schema import ACCESS
from linnet.server.api.services import Sync
from linnet.server.services.callers import Callers
from linnet.wire.limits import POSITION_END, SYNC_ROWS
from linnet.wire.rest import SyncPage


def messages(service: Sync, callers: Callers) -> Router:
    """Pages of the caller's mailbox."""

    @get("/sync")
    async def sync(
        request: Call,
        since: Annotated[int, QueryParameter(ge=0, lt=POSITION_END)] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=SYNC_ROWS)] = SYNC_ROWS,
    ) -> SyncPage:
        """Read rows after a cursor; reading acknowledges nothing."""
        return await service.sync(await callers.admit(bearer(request)), since, limit)

    return Router("/messages", route_handlers=[sync], security=ACCESS, tags=["messages"])
