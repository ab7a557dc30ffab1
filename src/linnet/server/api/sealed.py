"""`/v1/sealed`: what needs a delivery key and no token; and setting that key."""

from __future__ import annotations

from litestar import Router, get, post, put
from litestar.params import FromPath, JSONBody

from linnet.server.api.requests import Call, bearer, delivery_key, host, path_id
from linnet.server.api.schema import ACCESS, DELIVERY
from linnet.server.services.addresses import Network
from linnet.server.services.callers import Callers
from linnet.server.services.sealed import Sealed
from linnet.wire.rest import Bundle, DeliveryKeyHash, DeviceListAnswer, SealedSend, SealedSent


def sealed(service: Sealed, callers: Callers, trusted: tuple[Network, ...]) -> Router:
    """Requests for one account each, by nobody in particular."""

    @get("/sealed/{account:str}/devices", security=DELIVERY)
    async def newest(account: FromPath[str], request: Call) -> DeviceListAnswer:
        """Fetch the account's newest list."""
        key = delivery_key(request)
        return await service.list(path_id(account), key, host(request, trusted))

    @post("/sealed/{account:str}/keys/{device:int}", status_code=200, security=DELIVERY)
    async def take(account: FromPath[str], device: FromPath[int], request: Call) -> Bundle:
        """Take a bundle; its one-time keys are gone then."""
        key = delivery_key(request)
        return await service.take(path_id(account), device, key, host(request, trusted))

    @post("/sealed/{account:str}/messages", status_code=200, security=DELIVERY)
    async def send(account: FromPath[str], data: JSONBody[SealedSend], request: Call) -> SealedSent:
        """Send a message; it is durable when this is answered."""
        key = delivery_key(request)
        return await service.send(path_id(account), key, host(request, trusted), data)

    @put("/profile/delivery-key", status_code=204, security=ACCESS)
    async def set_key(data: JSONBody[DeliveryKeyHash], request: Call) -> None:
        """Replace the caller's delivery key."""
        await service.set_key(await callers.admit(bearer(request)), data)

    return Router("/", route_handlers=[newest, take, send, set_key], tags=["sealed"])
