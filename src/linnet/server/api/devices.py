"""`/v1/accounts/{account}/devices` and `/v1/devices/list`: signed device lists."""

from __future__ import annotations

from litestar import Router, get, post, put
from litestar.params import FromPath, JSONBody

from linnet.server.api.requests import Call, bearer, path_id
from linnet.server.api.schema import ACCESS
from linnet.server.services.callers import Callers
from linnet.server.services.devices import Devices
from linnet.wire.rest import (
    DeviceListAnswer,
    DeviceLists,
    DeviceListsRequest,
    ListAccepted,
    Signed,
)


def devices(service: Devices, callers: Callers) -> Router:
    """Anybody's list, and replacing one's own."""

    @get("/accounts/{account:str}/devices")
    async def newest(account: FromPath[str], request: Call) -> DeviceListAnswer:
        """Fetch an account's newest list."""
        await callers.admit(bearer(request))
        return await service.newest(path_id(account))

    @post("/accounts/devices", status_code=200)
    async def newest_of(data: JSONBody[DeviceListsRequest], request: Call) -> DeviceLists:
        """Fetch the newest lists of several accounts."""
        await callers.admit(bearer(request))
        return await service.newest_of(data.accounts)

    @put("/devices/list")
    async def replace(data: JSONBody[Signed], request: Call) -> ListAccepted:
        """Store the caller's next list."""
        return await service.replace(await callers.admit(bearer(request)), data)

    return Router(
        "/", route_handlers=[newest, newest_of, replace], security=ACCESS, tags=["devices"]
    )
