"""`/v1/links`: a new device and its primary meet."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, delete, get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from linnet.server.api.requests import Call, bearer, host, path_id
from linnet.server.api.schema import ACCESS
from linnet.server.services.addresses import Network
from linnet.server.services.callers import Callers
from linnet.server.services.links import WAIT_MOST_S, Links
from linnet.wire.rest import (
    LinkAnswer,
    LinkKeys,
    LinkLogin,
    LinkOffer,
    LinkOffered,
    LinkOpened,
    LinkReady,
    LinkState,
    ListAccepted,
    Login,
    Signed,
)

Wait = Annotated[int, QueryParameter(ge=0, le=WAIT_MOST_S)]
"""Seconds to wait until there is something to tell."""


def links(service: Links, callers: Callers, trusted: tuple[Network, ...]) -> Router:
    """Both halves."""
    halves = [_new_device(service, trusted), _primary(service, callers)]
    return Router("/links", route_handlers=halves, tags=["links"])


def _new_device(service: Links, trusted: tuple[Network, ...]) -> Router:
    """The half of the device that has no token yet; knowing the id is what it needs."""

    @post("/")
    async def open(data: JSONBody[LinkOffer], request: Call) -> LinkOpened:
        """Offer to be linked."""
        return await service.open(data, host(request, trusted))

    @get("/{link:str}")
    async def state(link: FromPath[str], wait: Wait = 0) -> LinkState:
        """Wait for the primary's answer, then for the list."""
        return await service.state(path_id(link), wait)

    @put("/{link:str}/keys", status_code=204)
    async def put_keys(link: FromPath[str], data: JSONBody[LinkKeys]) -> None:
        """Leave the device's keys; nobody is given them before it is listed."""
        await service.put_keys(path_id(link), data)

    @post("/{link:str}/login", status_code=200)
    async def log_in(link: FromPath[str], data: JSONBody[LinkLogin]) -> Login:
        """Log the linked device in."""
        return await service.log_in(path_id(link), data.ticket)

    return Router("/", route_handlers=[open, state, put_keys, log_in])


def _primary(service: Links, callers: Callers) -> Router:
    """The half of the primary device."""

    @get("/{link:str}/offer")
    async def offer(link: FromPath[str], request: Call) -> LinkOffered:
        """Fetch the offer."""
        await callers.admit(bearer(request))
        return await service.offer(path_id(link))

    @put("/{link:str}/answer", status_code=204)
    async def answer(link: FromPath[str], data: JSONBody[LinkAnswer], request: Call) -> None:
        """Answer the offer."""
        await service.answer(await callers.admit(bearer(request)), path_id(link), data)

    @get("/{link:str}/keys")
    async def ready(link: FromPath[str], request: Call, wait: Wait = 0) -> LinkReady:
        """Wait for the new device's keys."""
        return await service.ready(await callers.admit(bearer(request)), path_id(link), wait)

    @put("/{link:str}/list")
    async def activate(link: FromPath[str], data: JSONBody[Signed], request: Call) -> ListAccepted:
        """List the new device, which makes it active."""
        return await service.activate(await callers.admit(bearer(request)), path_id(link), data)

    @delete("/{link:str}")
    async def end(link: FromPath[str], request: Call) -> None:
        """Give the link up."""
        await service.end(await callers.admit(bearer(request)), path_id(link))

    return Router("/", route_handlers=[offer, answer, ready, activate, end], security=ACCESS)
