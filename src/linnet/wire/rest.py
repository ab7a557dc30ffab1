"""Bodies of the HTTP resources under `/v1`, as both ends read them (JSON; bytes are base64).

One struct per request or answer, grouped by resource. docs/protocol/rest.md has the paths.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from linnet.wire.frames import Device, Id16, Natural

Key33 = Annotated[bytes, Meta(min_length=33, max_length=33)]
KemKey = Annotated[bytes, Meta(min_length=1569, max_length=1569)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
KeyId = Annotated[int, Meta(ge=0, lt=1 << 24)]
Number = Annotated[str, Meta(min_length=3, max_length=24)]
ClientId = Annotated[bytes, Meta(min_length=16, max_length=16)]

ONE_TIME_KEYS = 100
"""One-time pre-keys of a kind that one upload may carry, and that a device may keep."""


class Body(msgspec.Struct, kw_only=True):
    """Base of every body. `repr` names the type alone: bodies hold numbers, tokens and tickets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Signed(Body):
    """A signed object as it travels: receivers verify these bytes and never re-encode them."""

    body: Annotated[bytes, Meta(max_length=32 * 1024)]
    sig: Signature


# ---- keys


class SignedKey(Body):
    """A signed X25519 pre-key; the signature is the device key's, over the 33 bytes."""

    id: KeyId
    key: Key33
    sig: Signature


class OneTimeKey(Body):
    """A one-time X25519 pre-key."""

    id: KeyId
    key: Key33


class KemPreKey(Body):
    """A signed Kyber-1024 pre-key; the signature is over the 1,569 bytes."""

    id: KeyId
    key: KemKey
    sig: Signature


class KeyUpload(Body):
    """`PUT /v1/keys`: replaces what is given, adds one-time keys; the same upload twice is one."""

    signed: SignedKey | None = None
    last_resort: KemPreKey | None = None
    one_time: Annotated[list[OneTimeKey], Meta(max_length=ONE_TIME_KEYS)] = []
    kem: Annotated[list[KemPreKey], Meta(max_length=ONE_TIME_KEYS)] = []


class KeyCount(Body):
    """`GET /v1/keys`: one-time keys of this device still on the server."""

    one_time: int
    kem: int


class Bundle(Body):
    """`POST /v1/keys/{account}/{device}`: one device's bundle; what is one-time is now taken."""

    device: Device
    registration_id: Annotated[int, Meta(ge=0, lt=1 << 14)]
    identity: Key33
    signed: SignedKey
    kem: KemPreKey
    kem_last_resort: bool
    one_time: OneTimeKey | None = None


# ---- registrations, tokens, devices


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


class CodeAccepted(Body):
    """The account id to sign the first device list for, and one use of `ticket` to finish."""

    account: Id16
    ticket: Annotated[bytes, Meta(min_length=32, max_length=32)]
    server_time: int
    """In seconds, as device lists count."""


class DeviceKeys(Body):
    """A new device's whole bundle: refused unless complete and correctly signed."""

    registration_id: Annotated[int, Meta(ge=0, lt=1 << 14)]
    identity: Key33
    signed: SignedKey
    last_resort: KemPreKey
    one_time: Annotated[list[OneTimeKey], Meta(max_length=ONE_TIME_KEYS)] = []
    kem: Annotated[list[KemPreKey], Meta(max_length=ONE_TIME_KEYS)] = []


class RegistrationFinish(Body):
    """`POST /v1/registrations/{registration}/account`: makes the account and its first device.

    `backup` is the account key under the recovery code; the server cannot open it.
    """

    ticket: Annotated[bytes, Meta(min_length=32, max_length=32)]
    account_key: Key33
    list: Signed
    keys: DeviceKeys
    backup: Annotated[bytes, Meta(min_length=1, max_length=1024)]


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


class ListAccepted(Body):
    """`PUT /v1/devices/list` was stored; `set` is the number messages must name."""

    version: int
    set: int


# ---- contacts, sync


class ContactLookup(Body):
    """`POST /v1/contacts/lookup`: E.164 numbers."""

    numbers: Annotated[list[Number], Meta(min_length=1, max_length=100)]


class ContactMatch(Body):
    """A number that has an account."""

    number: Number
    account: Id16


class ContactMatches(Body):
    """Only the numbers that have accounts."""

    matches: list[ContactMatch]


class SyncPage(Body):
    """`GET /v1/messages/sync?since=&limit=`: rows after the cursor, oldest first.

    `resync` is set where rows after the cursor have expired: continue from there.
    """

    rows: list[dict[str, Any]]
    head: Natural
    more: bool
    resync: Natural | None = None


class Problem(Body):
    """RFC 9457 problem document; `code` is a row of `linnet.wire.errors.ERRORS`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
