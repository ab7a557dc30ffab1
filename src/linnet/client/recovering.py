"""Recovery: an account goes on on this device, by its number and its recovery code.

The number brings the sealed backup and the newest device list; the code opens the account key, and
that key must have signed the list. From that list, and no older one, the next is signed: this
device is new on it and the main one, the main device before is off it, the others stay. Device key,
registration id and pre-keys are new; ratchet state and history do not come back. As in
registration, everything is stored before it is sent, and sent again as it is.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import apsw
import msgspec

from linnet.client import facts, keys, lists
from linnet.client.environment import Environment
from linnet.client.errors import AlreadyRegistered, NotTrusted, RecoveryFailed, Refused
from linnet.client.facts import Clock, Fact, Identity, StorageKey
from linnet.client.own_channel import OwnChannel
from linnet.client.registration import AskCode, Attempt, attempt, prove, short
from linnet.client.rest import Api, signed
from linnet.client.store import Store
from linnet.client.tokens import received
from linnet.crypto.device_name import STORAGE_KEY_BYTES, seal_name
from linnet.crypto.recovery import BadBackup, BadCode, from_text, open_backup
from linnet.signing.device_list import KIND_TERMINAL, countersign, decode_list, next_list
from linnet.signing.keys import KeyPair
from linnet.signing.list_format import DeviceList, ListedDevice
from linnet.signing.objects import SignedObject
from linnet.wire import rest
from linnet.wire.ids import AccountId, DeviceId

_ANEW: Final = frozenset({"not_found", "expired_code", "unauthorized"})


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device of the account that is recovered. Its name cannot be read any more."""

    id: DeviceId
    kind: int
    added: datetime
    main: bool
    """It was the main device, and is removed: this one takes its place."""


ShowDevices = Callable[[Sequence[FoundDevice]], Awaitable[bool]]
"""Shows the person which devices the account has; False stops, and nothing has changed."""


class RecoveryRequest(Fact, frozen=True, kw_only=True):
    """The last request, ready to be sent any number of times."""

    account: bytes
    account_key: bytes
    request: bytes
    list_body: bytes
    list_sig: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The account as it was found, proven by its key."""

    key: KeyPair
    obj: SignedObject
    listed: DeviceList


async def recover(
    store: Store,
    api: Api,
    world: Environment,
    *,
    server: str,
    number: str,
    code: AskCode,
    recovery_code: str,
    name: str,
    show: ShowDevices,
) -> None:
    """Make this device the main one of the account that has the number.

    Raises AlreadyRegistered, RecoveryFailed, Refused, Offline. Cut off, the same call goes on.
    """
    try:
        secret = from_text(recovery_code)
    except BadCode as error:
        raise RecoveryFailed("bad_code", f"{error}: look at it again") from error
    begun = await store.read(_begun)
    if begun is not None:
        try:
            return await _finish(store, api, world, server, number, begun)
        except Refused as refusal:
            if refusal.code not in _ANEW:
                raise
    asked, accepted = await _proven(store, api, server, number, code)
    found = _found(accepted, secret, world.now_ms())
    if not await show(_shown(found.listed)):
        raise RecoveryFailed("declined", "you stopped. Nothing has changed")
    ready = await store.write(lambda db: _sign(db, world, asked, accepted, found, name))
    await _finish(store, api, world, server, number, ready)


def _begun(db: apsw.Connection) -> RecoveryRequest | None:
    if facts.get(db, Identity) is not None:
        raise AlreadyRegistered("this directory has an account: recover in another one")
    return facts.get(db, RecoveryRequest)


async def _proven(
    store: Store, api: Api, server: str, number: str, code: AskCode
) -> tuple[Attempt, rest.CodeAccepted]:
    asked = await attempt(store, api, server, number)
    try:
        return await prove(api, asked, code)
    except Refused as refusal:
        if refusal.code not in ("not_found", "expired_code"):
            raise
    return await prove(api, await attempt(store, api, server, number, anew=True), code)


def _found(accepted: rest.CodeAccepted, secret: bytes, now_ms: int) -> Found:
    """The account that has the number, if the code opens it and its key signed its list."""
    previous = accepted.previous
    if previous is None:
        raise RecoveryFailed(
            "no_account", "there is no account with this number to recover. Register instead"
        )
    try:
        backup = open_backup(secret, previous.backup)
    except BadBackup as error:
        raise RecoveryFailed(
            "wrong_code", "this recovery code is of another account than the number"
        ) from error
    obj = SignedObject(previous.list.body, previous.list.sig)
    try:
        listed = lists.check_own(obj, backup.account, backup.account_key.public, now_ms)
    except NotTrusted as error:
        raise _not_genuine() from error
    if backup.account != previous.account:
        raise _not_genuine()
    return Found(backup.account_key, obj, listed)


def _shown(listed: DeviceList) -> list[FoundDevice]:
    return [
        FoundDevice(
            DeviceId(d.id), d.kind, datetime.fromtimestamp(d.added, UTC), d.id == listed.primary
        )
        for d in listed.devices
    ]


def _sign(
    db: apsw.Connection,
    world: Environment,
    asked: Attempt,
    accepted: rest.CodeAccepted,
    found: Found,
    name: str,
) -> RecoveryRequest:
    """Make the device, sign the list upon the newest, and store the whole last request."""
    now_s, rng, old = accepted.server_time, world.rng, found.listed
    own = keys.make_device(db, world.now_ms(), rng, account_private=found.key.private)
    storage = StorageKey(key=rng(STORAGE_KEY_BYTES), version=old.version + 1)
    facts.put(db, storage)
    device, id = keys.device_key(own), old.next_id
    this = ListedDevice(
        id=id,
        key=device.public,
        name=seal_name(storage.key, old.account, id, short(name), rng),
        added=now_s,
        kind=KIND_TERMINAL,
        countersig=countersign(device, old.account, old.key, id, now_s, rng),
    )
    # The names of the others are under a storage key that is lost.
    others = [msgspec.structs.replace(d, name=b"") for d in old.devices if d.id != old.primary]
    obj = next_list(found.obj, found.key, [*others, this], now_s, rng, primary=id)
    request = rest.RecoveryFinish(
        ticket=accepted.ticket,
        list=signed(obj.body, obj.sig),
        device=id,
        keys=keys.whole_bundle(db),
    )
    ready = RecoveryRequest(
        account=old.account,
        account_key=old.key,
        request=msgspec.json.encode((asked.registration, request)),
        list_body=obj.body,
        list_sig=obj.sig,
    )
    facts.put(db, ready)
    facts.put(db, Clock(offset_ms=now_s * 1000 - world.now_ms()))
    return ready


async def _finish(
    store: Store, api: Api, world: Environment, server: str, number: str, ready: RecoveryRequest
) -> None:
    registration, request = msgspec.json.decode(ready.request, type=tuple[bytes, msgspec.Raw])
    try:
        login = await api.finish_recovery(registration, bytes(request))
    except Refused as refusal:
        if refusal.code != "conflict":
            raise
        await store.write(_forget)
        raise RecoveryFailed(
            "conflict",
            "the account's devices changed meanwhile. Nothing was recovered: run the same again",
        ) from refusal
    now_ms = world.now_ms()

    def become(db: apsw.Connection) -> None:
        obj = SignedObject(ready.list_body, ready.list_sig)
        issued_ms = decode_list(obj.body).issued * 1000  # by the server's clock
        lists.pin(db, ready.account, ready.account_key, obj, max(now_ms, issued_ms))
        facts.put(
            db,
            Identity(server=server, account=login.account, device=login.device, number=number),
        )
        facts.put(db, received(login, now_ms))
        upload = keys.unpublished(db)
        if upload is not None:
            keys.published(db, upload)
        _forget(db)
        OwnChannel(AccountId(ready.account), world).tell_storage_key(db)

    await store.write(become)


def _forget(db: apsw.Connection) -> None:
    facts.drop(db, Attempt)
    facts.drop(db, RecoveryRequest)


def _not_genuine() -> RecoveryFailed:
    return RecoveryFailed(
        "not_genuine",
        "the device list that the server shows is not signed by this account. Nothing was"
        " recovered. Do not trust this server",
    )
