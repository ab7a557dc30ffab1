"""`/v1/groups`: logs of groups, and whom a message to one must be encrypted for."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from linnet.server.api.requests import Call, bearer, path_id
from linnet.server.api.schema import ACCESS
from linnet.server.api.services import GroupPages
from linnet.server.services.callers import Callers
from linnet.server.services.group_views import GroupViews
from linnet.server.services.groups import Groups
from linnet.wire.rest import (
    GroupAppend,
    GroupCreate,
    GroupHead,
    GroupLog,
    GroupPage,
    OwnGroups,
    Roster,
)

NUMBER_END = 1 << 53
"""Versions and numbers of messages stay below this: JavaScript's exact integers."""


def groups(service: Groups, views: GroupViews, pages: GroupPages, callers: Callers) -> Router:
    """Logs, rosters and messages of the caller's groups."""

    @post("/")
    async def create(data: JSONBody[GroupCreate], request: Call) -> GroupHead:
        """Make a group."""
        return await service.create(await callers.admit(bearer(request)), data.genesis)

    @get("/")
    async def own(request: Call) -> OwnGroups:
        """List the caller's groups."""
        return await views.own(await callers.admit(bearer(request)))

    @get("/{group:str}/log")
    async def log(
        group: FromPath[str],
        request: Call,
        since: Annotated[int, QueryParameter(ge=0, lt=NUMBER_END)] = 0,
    ) -> GroupLog:
        """Read entries after a version, and the device lists they cite."""
        return await views.log(await callers.admit(bearer(request)), path_id(group), since)

    @post("/{group:str}/log", status_code=200)
    async def append(group: FromPath[str], data: JSONBody[GroupAppend], request: Call) -> GroupHead:
        """Append the next entry."""
        caller = await callers.admit(bearer(request))
        return await service.append(caller, path_id(group), data.entry)

    @get("/{group:str}/members")
    async def members(group: FromPath[str], request: Call) -> Roster:
        """Tell whom the group reaches."""
        return await views.members(await callers.admit(bearer(request)), path_id(group))

    @get("/{group:str}/messages")
    async def messages(
        group: FromPath[str],
        request: Call,
        first: Annotated[int, QueryParameter(name="from", ge=1, lt=NUMBER_END)],
        last: Annotated[int, QueryParameter(name="to", ge=1, lt=NUMBER_END)],
    ) -> GroupPage:
        """Read messages by number."""
        caller = await callers.admit(bearer(request))
        return await pages.page(caller, path_id(group), first, last)

    return Router(
        "/groups",
        route_handlers=[create, own, log, append, members, messages],
        security=ACCESS,
        tags=["groups"],
    )
