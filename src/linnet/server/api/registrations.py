"""`/v1/registrations`: from a phone number to an account."""

from __future__ import annotations

from litestar import Router, post
from litestar.params import FromPath, JSONBody

from linnet.server.api.requests import Call, host, path_id
from linnet.server.services.accounts import Accounts
from linnet.server.services.addresses import Network
from linnet.server.services.recovery import Recovery
from linnet.wire.rest import (
    CodeAccepted,
    CodeRequest,
    Login,
    RecoveryFinish,
    RegistrationFinish,
    RegistrationRequest,
    RegistrationStarted,
)


def registrations(accounts: Accounts, recovery: Recovery, trusted: tuple[Network, ...]) -> Router:
    """The three steps, the last of which has two forms; none needs a token."""

    @post("/")
    async def start(data: JSONBody[RegistrationRequest], request: Call) -> RegistrationStarted:
        """Send a code to a phone number."""
        return await accounts.start(data.number, host(request, trusted))

    @post("/{registration:str}/code", status_code=200)
    async def prove(registration: FromPath[str], data: JSONBody[CodeRequest]) -> CodeAccepted:
        """Prove the number with the code."""
        return await accounts.prove(path_id(registration), data.code)

    @post("/{registration:str}/account")
    async def finish(registration: FromPath[str], data: JSONBody[RegistrationFinish]) -> Login:
        """Make the account and its first device."""
        return await accounts.finish(path_id(registration), data)

    @post("/{registration:str}/recovery")
    async def recover(registration: FromPath[str], data: JSONBody[RecoveryFinish]) -> Login:
        """Go on with the account that has the number, on a new device."""
        return await recovery.finish(path_id(registration), data)

    handlers = [start, prove, finish, recover]
    return Router("/registrations", route_handlers=handlers, tags=["registrations"])
