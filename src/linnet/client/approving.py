"""Approving, the main device: link the new device whose code a person brought.

The offer is checked against the code, the person is asked, and only then anything is said to the
new device. The list that names it is signed last, when its keys are with the server and its
counter-signature is here; `linnet.client.own_list` stores it before it leaves. Whatever dies before
that has linked nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

import apsw

from linnet.client import facts, keys
from linnet.client.environment import Environment
from linnet.client.errors import ClientError, LinkFailed, Refused
from linnet.client.facts import Identity, Keys, StorageKey
from linnet.client.own_list import OwnList, Signer, own_held
from linnet.client.registration import short
from linnet.client.rest import Api
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.client.waiting import ASK_FOR_S, answered
from linnet.crypto import linking
from linnet.crypto.device_name import BadName, seal_name
from linnet.crypto.errors import CryptoError
from linnet.crypto.linking import Channel, Grant
from linnet.signing.errors import ListRejected, Malformed
from linnet.signing.linking import LinkCode, Offer, OfferSwapped, check_offer
from linnet.signing.list_format import ListedDevice
from linnet.signing.list_revision import with_device
from linnet.signing.objects import SignedObject
from linnet.wire import rest
from linnet.wire.ids import DeviceId

T = TypeVar("T")

KEYS_WITHIN_S: Final = 100.0
"""How long the new device may take to bring its keys; its link lives a little longer."""


@dataclass(frozen=True, slots=True)
class LinkOffer:
    """Who asks to be linked, as it calls itself: nothing vouches for either but the code."""

    kind: int
    name: str


Confirm = Callable[[LinkOffer], Awaitable[bool]]
"""Asks the person, who sees both devices."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A link that was answered."""

    code: LinkCode
    offer: Offer
    name: str
    channel: Channel
    grant: Grant
    storage_key: bytes


class Approver:
    """Approves one link at a time."""

    def __init__(
        self, store: Store, api: Api, tokens: Tokens, world: Environment, own_list: OwnList
    ) -> None:
        self._store, self._api, self._tokens = store, api, tokens
        self._world, self._own_list = world, own_list
        self._one_link = asyncio.Lock()

    async def approve(self, code: str | bytes, confirm: Confirm) -> DeviceId:
        """Link the device that shows this code (its text, or what its QR holds); its id.

        Raises NotMainDevice, LinkFailed, Refused; Offline if the server could not be asked: then
        nothing is linked, or the signed list is published later, before anything else.
        """
        async with self._one_link:
            await self._store.read(_may_link)
            read = _code(code)
            await self._own_list.publish()
            try:
                begun, device = await self._met(read, confirm)
            except BaseException:
                await self._end(read)
                raise
            # From here on the link is not ended: once the list is signed it must get there.
            return await self._list(begun, device)

    async def _end(self, code: LinkCode) -> None:
        with suppress(ClientError):  # it lapses by itself
            await self._tokens.use(lambda token: self._api.end_link(token, code.link_id))

    async def _met(self, code: LinkCode, confirm: Confirm) -> tuple[Begun, ListedDevice]:
        """Meet the new device: what it was told, and its entry of the list, which it has signed."""
        data = await self._asked(
            self._tokens.use(lambda token: self._api.link_offer(token, code.link_id))
        )
        offer, name = _offer(code, data)
        if not await confirm(LinkOffer(offer.kind, name)):
            raise LinkFailed("declined", "you declined. Nothing was linked")
        begun = await self._answer(code, data, offer, name)
        return begun, await self._device(begun)

    async def _list(self, begun: Begun, device: ListedDevice) -> DeviceId:
        """Sign the list that names it, last of all."""

        def sign(db: apsw.Connection, signer: Signer) -> SignedObject:
            storage = facts.get(db, StorageKey)
            if storage is None or storage.key != begun.storage_key:
                raise _lapsed()  # a device was removed meanwhile: its name is under the old key
            return with_device(signer.held.obj, signer.key, device, signer.now_s, signer.rng)

        try:
            await self._own_list.change(sign, link=begun.code.link_id)
        except ListRejected as error:
            raise _not_genuine() from error
        except LinkFailed:
            await self._end(begun.code)
            raise
        return DeviceId(device.id)

    async def _answer(self, code: LinkCode, data: bytes, offer: Offer, name: str) -> Begun:
        """Agree on keys, and tell the new device what it is to become."""
        grant, storage_key = await self._store.read(self._grant)
        try:
            channel, opening = linking.answer(code, data, self._world.rng)
        except CryptoError as error:
            raise _not_genuine() from error
        channel, box = linking.seal_grant(channel, grant)
        answer = rest.LinkAnswer(
            ephemeral=opening.exchange, kem_ciphertext=opening.ciphertext, box=box
        )

        async def put() -> bool:
            await self._tokens.use(lambda token: self._api.answer_link(token, code.link_id, answer))
            return True

        await self._asked(answered(self._world, KEYS_WITHIN_S, put))
        return Begun(code, offer, name, channel, grant, storage_key)

    def _grant(self, db: apsw.Connection) -> tuple[Grant, bytes]:
        identity, storage, held = facts.get(db, Identity), facts.get(db, StorageKey), own_held(db)
        assert identity is not None
        assert storage is not None
        grant = Grant(
            account=identity.account,
            device_id=held.list.next_id,
            account_key=held.list.key,
            added_s=self._world.now_ms() // 1000,
            number=identity.number or None,
            storage_key=storage.key,
            list_version=held.list.version,
            list_hash=held.obj.hash,
        )
        return grant, storage.key

    async def _device(self, begun: Begun) -> ListedDevice:
        """Wait for the new device's keys and its counter-signature: its entry of the list."""
        link = begun.code.link_id

        async def ask() -> rest.LinkReady | None:
            ready = await self._tokens.use(
                lambda token: self._api.link_ready(token, link, ASK_FOR_S)
            )
            return None if ready.identity is None else ready

        ready = await self._asked(answered(self._world, KEYS_WITHIN_S, ask), _silent)
        grant, rng = begun.grant, self._world.rng
        if ready.identity != begun.offer.device_key or ready.box is None:
            raise _not_genuine()
        name = seal_name(begun.storage_key, grant.account, grant.device_id, short(begun.name), rng)
        try:
            _, device = linking.open_countersignature(
                begun.channel, ready.box, grant, begun.offer, name
            )
        except CryptoError as error:
            raise _not_genuine() from error
        return device

    async def _asked(
        self, asked: Awaitable[T | None], late: Callable[[], LinkFailed] = lambda: _lapsed()
    ) -> T:
        """What the link was asked for. Raises LinkFailed if it is over, `late` if time is."""
        try:
            answer = await asked
        except Refused as refusal:
            if refusal.code not in ("not_found", "conflict"):
                raise
            raise _lapsed() from refusal
        if answer is None:
            raise late()
        return answer


def _may_link(db: apsw.Connection) -> None:
    own = facts.get(db, Keys)
    assert own is not None
    keys.account_key(own)


def _code(code: str | bytes) -> LinkCode:
    try:
        return LinkCode.from_text(code) if isinstance(code, str) else LinkCode.from_bytes(code)
    except Malformed as error:
        raise LinkFailed(
            "not_a_code", "that is no linking code. Copy all of it from the new device"
        ) from error


def _offer(code: LinkCode, data: bytes) -> tuple[Offer, str]:
    """The offer that the code vouches for, and the name in it."""
    try:
        offer = check_offer(code, data)
        return offer, linking.offered_name(code, offer)
    except (OfferSwapped, Malformed, BadName) as error:
        raise _not_genuine() from error


def _lapsed() -> LinkFailed:
    return LinkFailed(
        "lapsed",
        "the code is used up or too old, or the new device did not answer in time. Nothing was"
        " linked. Have the new device show a new code",
    )


def _silent() -> LinkFailed:
    return LinkFailed(
        "lapsed",
        f"the new device did not answer within {KEYS_WITHIN_S:.0f} s: it is off, or has no"
        " connection. Nothing was linked. Have it show a new code",
    )


def _not_genuine() -> LinkFailed:
    return LinkFailed(
        "not_genuine",
        "what the server hands over is not what the new device's code vouches for. Nothing was"
        " linked. Try again on another connection; if it stays so, do not trust this server",
    )
