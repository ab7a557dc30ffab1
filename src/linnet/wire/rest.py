"""Bodies of the HTTP resources under `/v1`, as both ends read them (JSON; bytes are base64).

One struct per request or answer, grouped by resource. docs/protocol/rest.md has the paths.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from linnet.wire.frames import Device, Id16, Interval, Mode, Natural
from linnet.wire.limits import ACCOUNT_DEVICES, CIPHERTEXT_BYTES

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

    body: Annotated[bytes, Meta(max_length=64 * 1024)]
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


class ListAccepted(Body):
    """`PUT /v1/devices/list` was stored; `set` is the number messages must name."""

    version: int
    set: int


# ---- linking


class LinkOffer(Body):
    """`POST /v1/links`: a new device's offer, named by an id that only its QR code holds.

    `by_text` if a person carries the text form: it then lives longer.
    """

    link: Id16
    offer: Annotated[bytes, Meta(min_length=1, max_length=4096)]
    by_text: bool = False


class LinkOpened(Body):
    """The offer is kept for so many seconds."""

    expires_in: int


class LinkOffered(Body):
    """`GET /v1/links/{link}/offer`: what the primary fetches and checks against the QR's hash."""

    offer: bytes


class LinkAnswer(Body):
    """`PUT /v1/links/{link}/answer`: the primary's half of the key agreement, and what it says."""

    ephemeral: Annotated[bytes, Meta(min_length=32, max_length=32)]
    kem_ciphertext: Annotated[bytes, Meta(min_length=1568, max_length=1568)]
    box: Annotated[bytes, Meta(min_length=1, max_length=16 * 1024)]


class LinkKeys(Body):
    """`PUT /v1/links/{link}/keys`: the new device's whole bundle, its counter-signature for the
    primary, and SHA-256 of the ticket that it will log in with."""

    keys: DeviceKeys
    box: Annotated[bytes, Meta(min_length=1, max_length=16 * 1024)]
    ticket_hash: Annotated[bytes, Meta(min_length=32, max_length=32)]


class LinkState(Body):
    """`GET /v1/links/{link}?wait=`: what the new device waits for, as far as it has come."""

    answer: LinkAnswer | None = None
    active: bool = False


class LinkReady(Body):
    """`GET /v1/links/{link}/keys?wait=`: what the primary waits for; null until it is there."""

    identity: Key33 | None = None
    box: bytes | None = None


class LinkLogin(Body):
    """`POST /v1/links/{link}/login`: the linked device's first login."""

    ticket: Annotated[bytes, Meta(min_length=32, max_length=32)]


# ---- groups


class GroupCreate(Body):
    """`POST /v1/groups`: the genesis entry, signed by a device of the founder."""

    genesis: Signed


class GroupAppend(Body):
    """`POST /v1/groups/{group}/log`: the next entry; `conflict` if another one was first."""

    entry: Signed


class GroupHead(Body):
    """Where a group stands: its log's version, that entry's hash, and its roster."""

    group: Id16
    version: Natural
    hash: Annotated[bytes, Meta(min_length=32, max_length=32)]
    roster: Natural


class GroupLog(Body):
    """`GET /v1/groups/{group}/log?since=`: entries after version `since`, and the lists that
    their actors cited, each once."""

    entries: list[Signed]
    lists: list[Signed]
    head: GroupHead
    more: bool


class RosterMember(Body):
    """An account that messages naming this roster reach, and its devices."""

    account: Id16
    set: Natural
    devices: list[Device]


class Roster(Body):
    """`GET /v1/groups/{group}/members`: the newest roster."""

    head: GroupHead
    members: list[RosterMember]


class OwnGroups(Body):
    """`GET /v1/groups`: the groups that this account is a member of."""

    groups: list[GroupHead]


class GroupPage(Body):
    """`GET /v1/groups/{group}/messages?from=&to=`: messages by number, for holes.

    What of the range is not in `rows` is in `not_entitled` or `expired`, as intervals.
    """

    rows: list[dict[str, Any]]
    not_entitled: list[Interval]
    expired: list[Interval]


# ---- sealed sending


class DeliveryKeyHash(Body):
    """`PUT /v1/profile/delivery-key`: SHA-256 of the key that sealed requests must show."""

    hash: Annotated[bytes, Meta(min_length=32, max_length=32)]


class SenderCertificate(Body):
    """`GET /v1/certificates/sender`: what the caller puts inside sealed messages."""

    certificate: bytes
    expires: int
    """In seconds."""


class TrustRoot(Body):
    """`GET /v1/certificates/root`: the key that sender certificates lead back to."""

    key: Key33


class SealedPart(Body):
    """One device's sealed ciphertext."""

    device: Device
    ciphertext: Annotated[bytes, Meta(min_length=1, max_length=CIPHERTEXT_BYTES)]


class SealedSend(Body):
    """`POST /v1/sealed/{account}/messages`, without a token. `id` and all else occur in no
    authenticated request. `set` is the recipient's; `mode` as in frames."""

    id: Id16
    mode: Mode
    set: Natural
    parts: Annotated[list[SealedPart], Meta(min_length=1, max_length=ACCOUNT_DEVICES)]


class SealedSent(Body):
    """It is durable; repeated by id, the same answer."""

    server_timestamp: int


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
