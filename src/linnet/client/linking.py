"""Linking, the new device: show a code, be approved by the main device, become a device of its
account.

Keys and the whole upload are stored before it leaves, so that a device that was cut off after it
goes on with the same bytes; one that was cut off before begins anew with other keys. Nothing is
active until the main device has signed the list that names this device. It never learns the
private account key. Formats: `linnet.signing.linking`; secrets: `linnet.crypto.linking`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeVar

import apsw
import msgspec

from linnet.client import facts, keys, lists
from linnet.client.environment import Environment
from linnet.client.errors import AlreadyRegistered, ClientError, LinkFailed, NotTrusted, Refused
from linnet.client.facts import Fact, Identity, Keys, StorageKey
from linnet.client.registration import short
from linnet.client.rest import Api
from linnet.client.store import Store
from linnet.client.tokens import received
from linnet.client.waiting import ASK_FOR_S, answered
from linnet.crypto import linking
from linnet.crypto.errors import CryptoError
from linnet.crypto.linking import Grant, Invitation, Opening
from linnet.signing.device_list import KIND_TERMINAL, decode_list
from linnet.signing.errors import Malformed
from linnet.signing.linking import LinkCode
from linnet.signing.objects import SignedObject
from linnet.wire import rest

T = TypeVar("T")

TICKET_BYTES: Final = 32
ACTIVE_WITHIN_S: Final = 120.0
"""How long the main device may take from its answer to the list."""

Show = Callable[[LinkCode, int], Awaitable[None]]
"""Shows a code to a person, who has so many seconds to bring it to the main device."""


class Granted(Fact, frozen=True, kw_only=True):
    """What the main device said, and the upload that answers it, ready to be sent again."""

    server: str
    link: bytes
    ticket: bytes
    request: bytes
    account: bytes
    device: int
    account_key: bytes
    storage_key: bytes
    number: str | None
    list_version: int
    list_hash: bytes


@dataclass(frozen=True, slots=True)
class NewDevice:
    """What the person calls the new device, and by which way the code travels."""

    name: str = ""
    kind: int = KIND_TERMINAL
    by_text: bool = False


async def link(
    store: Store, api: Api, world: Environment, server: str, device: NewDevice, show: Show
) -> None:
    """Become a device of the account whose main device reads the code.

    A device that was cut off when it had been answered goes on from there and shows nothing.
    Raises AlreadyRegistered, LinkFailed, Refused, Offline.
    """
    granted = await store.read(_begun)
    if granted is not None and granted.server == server:
        try:
            return await _finish(store, api, world, granted)
        except LinkFailed:
            pass  # it lapsed while nobody looked: begin anew
    invitation = await store.write(lambda db: _invite(db, world, device))
    granted = await _granted(store, api, world, server, device, invitation, show)
    await _finish(store, api, world, granted)


def _begun(db: apsw.Connection) -> Granted | None:
    if facts.get(db, Identity) is not None:
        raise AlreadyRegistered("this directory has an account")
    return facts.get(db, Granted)


def _invite(db: apsw.Connection, world: Environment, device: NewDevice) -> Invitation:
    facts.drop(db, Granted)
    own = keys.make_device(db, world.now_ms(), world.rng, account_private=b"")
    public = keys.device_key(own).public
    return linking.invite(public, device.kind, short(device.name), world.rng)


async def _granted(
    store: Store,
    api: Api,
    world: Environment,
    server: str,
    device: NewDevice,
    invitation: Invitation,
    show: Show,
) -> Granted:
    """Show the code and wait for the main device; what it grants, stored."""
    code = invitation.code
    offer = rest.LinkOffer(link=code.link_id, offer=invitation.offer, by_text=device.by_text)
    expires_in = (await api.open_link(offer)).expires_in
    await show(code, expires_in)

    async def ask() -> rest.LinkAnswer | None:
        return (await api.link_state(code.link_id, ASK_FOR_S)).answer

    answer = await _unless_over(answered(world, expires_in, ask))
    try:
        opening = Opening(answer.ephemeral, answer.kem_ciphertext)
        channel, grant = linking.open_grant(linking.accept(invitation, opening), answer.box)
    except CryptoError as error:
        raise _not_genuine() from error

    def keep(db: apsw.Connection) -> Granted:
        own = facts.get(db, Keys)
        assert own is not None
        ticket = world.rng(TICKET_BYTES)
        _, box = linking.seal_countersignature(channel, grant, keys.device_key(own), world.rng)
        bundle = keys.whole_bundle(db)
        body = rest.LinkKeys(keys=bundle, box=box, ticket_hash=sha256(ticket).digest())
        granted = _as_granted(server, code.link_id, ticket, msgspec.json.encode(body), grant)
        facts.put(db, granted)
        return granted

    return await store.write(keep)


def _as_granted(server: str, link: bytes, ticket: bytes, request: bytes, grant: Grant) -> Granted:
    return Granted(
        server=server,
        link=link,
        ticket=ticket,
        request=request,
        account=grant.account,
        device=grant.device_id,
        account_key=grant.account_key,
        storage_key=grant.storage_key,
        number=grant.number,
        list_version=grant.list_version,
        list_hash=grant.list_hash,
    )


async def _finish(store: Store, api: Api, world: Environment, granted: Granted) -> None:
    """Upload, wait until the list names this device, log in, become an account."""

    async def fill() -> bool:
        await api.fill_link(granted.link, granted.request)
        return True

    async def ask() -> bool | None:
        return (await api.link_state(granted.link, ASK_FOR_S)).active or None

    async def log_in() -> tuple[rest.Login, rest.Signed]:
        login = await api.log_in_linked(granted.link, granted.ticket)
        return login, await api.device_list(login.access, granted.account)

    await _unless_over(answered(world, ACTIVE_WITHIN_S, fill))
    await _unless_over(answered(world, ACTIVE_WITHIN_S, ask))
    login, newest = await _unless_over(answered(world, ACTIVE_WITHIN_S, log_in))
    obj = SignedObject(newest.body, newest.sig)
    now_ms = world.now_ms()

    def become(db: apsw.Connection) -> None:
        _check_list(db, granted, obj)
        lists.pin(db, granted.account, granted.account_key, obj, now_ms)
        facts.put(
            db,
            Identity(
                server=granted.server,
                account=granted.account,
                device=granted.device,
                number=granted.number or "",
            ),
        )
        facts.put(db, StorageKey(key=granted.storage_key, version=granted.list_version))
        facts.put(db, received(login, now_ms))
        upload = keys.unpublished(db)
        assert upload is not None
        keys.published(db, upload)
        facts.drop(db, Granted)

    try:
        await store.write(become)
    except NotTrusted as error:
        raise _not_genuine() from error


def _check_list(db: apsw.Connection, granted: Granted, obj: SignedObject) -> None:
    """The list names this device, and follows the one that the main device spoke of."""
    own = facts.get(db, Keys)
    assert own is not None
    try:
        listed = decode_list(obj.body)
    except Malformed as error:
        raise NotTrusted("malformed") from error
    device = listed.device(granted.device)
    if device is None or device.key != keys.device_key(own).public:
        raise NotTrusted("this device is not on it")
    next_one = listed.version == granted.list_version + 1
    if listed.version <= granted.list_version or (next_one and listed.prev != granted.list_hash):
        raise NotTrusted("rollback")


async def _unless_over(waiting: Awaitable[T | None]) -> T:
    """The answer that was waited for. Raises LinkFailed if the link is over."""
    try:
        answer = await waiting
    except Refused as refusal:
        if refusal.code not in ("not_found", "conflict", "unauthorized"):
            raise
        raise _lapsed() from refusal
    if answer is None:
        raise _lapsed()
    return answer


def _lapsed() -> LinkFailed:
    return LinkFailed(
        "lapsed",
        "the main device declined, or did not finish in time. Nothing of this device is active."
        " Run the same again for a new code",
    )


def _not_genuine() -> ClientError:
    return LinkFailed(
        "not_genuine",
        "whoever answered is not the device that read the code: somebody, or the server, is in"
        " between. Nothing of this device is active. Do not go on over this connection",
    )
