"""`/v1/contacts`: finding accounts by phone number."""

from __future__ import annotations

from litestar import Router, post
from litestar.params import JSONBody

from linnet.server.api.requests import Call, bearer
from linnet.server.api.schema import ACCESS
from linnet.server.services.callers import Callers
from linnet.server.services.contacts import Contacts
from linnet.wire.rest import ContactLookup, ContactMatches


def contacts(service: Contacts, callers: Callers) -> Router:
    """Lookups."""

    @post("/lookup", status_code=200)
    async def lookup(data: JSONBody[ContactLookup], request: Call) -> ContactMatches:
        """Tell which numbers have accounts."""
        return await service.lookup(await callers.admit(bearer(request)), data.numbers)

    return Router("/contacts", route_handlers=[lookup], security=ACCESS, tags=["contacts"])
