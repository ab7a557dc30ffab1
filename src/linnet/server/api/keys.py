"""`/v1/keys`: publishing pre-keys and taking bundles."""

from __future__ import annotations

from litestar import Router, get, post, put
from litestar.params import FromPath, JSONBody

from linnet.server.api.requests import Call, bearer, path_id
from linnet.server.api.schema import ACCESS
from linnet.server.services.callers import Callers
from linnet.server.services.keys import Keys
from linnet.wire.rest import Bundle, KeyCount, KeyUpload


def keys(service: Keys, callers: Callers) -> Router:
    """The caller's own keys, and other devices' bundles."""

    @put("/")
    async def upload(data: JSONBody[KeyUpload], request: Call) -> KeyCount:
        """Publish keys of the calling device."""
        return await service.upload(await callers.admit(bearer(request)), data)

    @get("/")
    async def count(request: Call) -> KeyCount:
        """Count one-time keys of the calling device."""
        return await service.count(await callers.admit(bearer(request)))

    @post("/{account:str}/{device:int}", status_code=200)
    async def take(account: FromPath[str], device: FromPath[int], request: Call) -> Bundle:
        """Take a bundle; its one-time keys are gone then."""
        return await service.take(callers.identify(bearer(request)), path_id(account), device)

    return Router("/keys", route_handlers=[upload, count, take], security=ACCESS, tags=["keys"])
