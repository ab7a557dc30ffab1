"""Bodies of registrations, recovery, tokens and device lists."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from linnet.wire.frames import Device, Id16
from linnet.wire.limits import LISTS_AT_ONCE
from linnet.wire.rest.base import Body, ClientId, Key33, Number, Signature, Signed
from linnet.wire.rest.keys import DeviceKeys


class RegistrationRequest(Body):
    """`POST /v1/registrations`: sends a code to the number."""

    number: Number


class RegistrationStarted(Body):
    """The code lives `expires_in` seconds. `registration` names the attempt."""

    registration: Id16
    expires_in: int


class CodeRequest(Body):
    """`POST /v1/registrations/{registration}/code`: proves the number with the code sent."""

    code: Annotated[str, Meta(min_length=6, max_length=6, pattern="^[0-9]{6}$")]


class PreviousAccount(Body):
    """The account that has the number now: whoever holds its recovery code may go on with it."""

    account: Id16
    backup: Annotated[bytes, Meta(min_length=1, max_length=1024)]
    list: Signed


class CodeAccepted(Body):
    """The account id to sign the first device list for, and one use of `ticket` to finish."""

    account: Id16
    ticket: Annotated[bytes, Meta(min_length=32, max_length=32)]
    server_time: int
    """In seconds, as device lists count."""
    previous: PreviousAccount | None = None


class RegistrationFinish(Body):
    """`POST /v1/registrations/{registration}/account`: makes the account and its first device.

    `backup` is the account key under the recovery code; the server cannot open it.
    """

    ticket: Annotated[bytes, Meta(min_length=32, max_length=32)]
    account_key: Key33
    list: Signed
    keys: DeviceKeys
    backup: Annotated[bytes, Meta(min_length=1, max_length=1024)]


class RecoveryFinish(Body):
    """`POST /v1/registrations/{registration}/recovery`: goes on with the previous account.

    `list` follows the newest one under the same account key and makes `device`, new on it, the
    primary; that signature is the proof that the account key is held.
    """

    ticket: Annotated[bytes, Meta(min_length=32, max_length=32)]
    list: Signed
    device: Device
    keys: DeviceKeys


class Login(Body):
    """Tokens of one device. `access` is a JWT for `access_for` seconds."""

    account: Id16
    device: Device
    access: str
    access_for: int
    refresh: str


class Refresh(Body):
    """`POST /v1/tokens`: a new access token and the next refresh token.

    `proof` is the device key's signature over label "refresh" ‖ SHA-256(refresh) ‖ id. The same
    (refresh, id) gets the same successor until that is used.
    """

    account: Id16
    device: Device
    refresh: Annotated[str, Meta(max_length=256)]
    id: ClientId
    proof: Signature


class DeviceListAnswer(Body):
    """`GET /v1/accounts/{account}/devices`: the newest signed list. The account key is in it."""

    list: Signed


class DeviceListsRequest(Body):
    """`POST /v1/accounts/devices`: whose lists are wanted."""

    accounts: Annotated[list[Id16], Meta(min_length=1, max_length=LISTS_AT_ONCE)]


class DeviceLists(Body):
    """The newest list of each, in no order; who has none is left out."""

    lists: list[Signed]


class ListAccepted(Body):
    """`PUT /v1/devices/list` was stored; `set` is the number messages must name."""

    version: int
    set: int
