"""Links: a new device and its primary meet under an id that only a QR code holds.

Offer, answer, keys, list; the list comes last and makes everything active at once. What is in
the boxes, and whether the offer is the one of the QR code, is for the two ends. Every step may be
repeated after a lost reply, and is refused with other bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from linnet.server import config
from linnet.server.ports.accounts import Accounts
from linnet.server.ports.devices import Devices, StoredList
from linnet.server.ports.links import Link
from linnet.server.ports.links import Links as LinkStore
from linnet.server.ports.rates import Rates
from linnet.server.services.addresses import neighbourhood
from linnet.server.services.admission import Doors, admission
from linnet.server.services.bells import Bells
from linnet.server.services.devices import SetsChanged, checked, nobody_to_tell
from linnet.server.services.keys import as_upload, check_keys
from linnet.server.services.tokens import Identity
from linnet.signing.device_list import DeviceList, decode_list
from linnet.wire.errors import RequestRefused
from linnet.wire.limits import LINK_LIFE_S, LINK_TEXT_LIFE_S
from linnet.wire.rest import (
    LinkAnswer,
    LinkKeys,
    LinkOffer,
    LinkOffered,
    LinkOpened,
    LinkReady,
    LinkState,
    ListAccepted,
    Login,
    Signed,
)

WAIT_MOST_S: Final = 25
"""Longest `wait=` of a request."""
REMEMBERED_MS: Final = 24 * 3600 * 1000
"""How long the id of a link is refused, and its device may log in, after it expired."""


@dataclass(frozen=True)
class Links:
    """Both ends of every link."""

    links: LinkStore
    devices: Devices
    accounts: Accounts
    doors: Doors
    rates: Rates
    limits: config.Links
    key_limits: config.Keys
    now_ms: Callable[[], int]
    bells: Bells
    sets_changed: SetsChanged = nobody_to_tell

    # ---- the new device, without a token

    async def open(self, offer: LinkOffer, host: str) -> LinkOpened:
        """Keep an offer from the network address `host`; the same again changes nothing.

        Raises `conflict` (another offer has the id, or had it), `rate_limited`, `unavailable`
        while too many are kept.
        """
        bucket = f"link:{neighbourhood(host)}"
        await self._limit(bucket, self.limits.address_offers)
        now, life_s = self.now_ms(), LINK_TEXT_LIFE_S if offer.by_text else LINK_LIFE_S
        link = Link(offer.link, offer.offer, now + life_s * 1000)
        held = await self.links.open(link, now, self.limits.most)
        if held is None:
            raise RequestRefused("unavailable")
        if held.offer != offer.offer or not self._is_live(held):
            raise RequestRefused("conflict")
        return LinkOpened(expires_in=(held.expires_ms - now) // 1000)

    async def state(self, id: bytes, wait_s: float) -> LinkState:
        """The primary's answer, then whether the device is listed; waits for the next of these.

        Raises `not_found` once the link expired or was ended.
        """

        def told(link: Link) -> bool:
            return bool(link.device) or (link.answer is not None and link.keys is None)

        link = await self.bells.wait(id, wait_s, lambda: self._known(id), told)
        return LinkState(answer=link.answer, active=bool(link.device))

    async def put_keys(self, id: bytes, keys: LinkKeys) -> None:
        """Fill the slot: nobody is served from it before the list names the device.

        Raises `not_found`, `conflict` (not answered yet, or filled with others), `malformed`,
        `bad_signature`, `rate_limited`.
        """
        held = await self._known(id)
        if held.answer is None:
            raise RequestRefused("conflict")
        if held.keys is None:
            await self._limit(f"slot:{id.hex()}", self.key_limits.uploads)
            await check_keys(keys.keys.identity, as_upload(keys.keys))
            await self.links.fill(id, keys, self.now_ms())
            self.bells.ring(id)
            held = await self._known(id)
        if held.keys != keys:
            raise RequestRefused("conflict")

    async def log_in(self, id: bytes, ticket: bytes) -> Login:
        """The linked device's first login; the same again until its refresh token was used.

        Raises `not_found`, `unauthorized` (not listed yet, or another ticket), `conflict`,
        `revoked`.
        """
        link = await self._known(id)
        return await self.doors.log_in(link.account or b"", link.device, ticket)

    def stop(self) -> None:
        """Answer all who wait with what there is: the server is about to stop."""
        self.bells.stop()

    # ---- the primary

    async def offer(self, id: bytes) -> LinkOffered:
        """The offer, for any device that was told the id. Raises `not_found`."""
        return LinkOffered(offer=(await self._live(id)).offer)

    async def answer(self, identity: Identity, id: bytes, answer: LinkAnswer) -> None:
        """Answer the offer; the rest then has its own time. Raises `forbidden` (not the primary),
        `not_found`, `conflict` (answered otherwise)."""
        await self._primary(identity)
        now = self.now_ms()
        await self.links.answer(id, identity.account, answer, now, now + LINK_LIFE_S * 1000)
        held = await self._known(id)
        if (held.account, held.answer) != (identity.account, answer):
            raise RequestRefused("conflict")
        self.bells.ring(id)

    async def ready(self, identity: Identity, id: bytes, wait_s: float) -> LinkReady:
        """What the new device put into its slot; waits for it. Raises `forbidden`, `not_found`."""
        await self._primary(identity)

        async def look() -> Link:
            return await self._answered(identity, id)

        link = await self.bells.wait(id, wait_s, look, lambda link: link.keys is not None)
        if link.keys is None:
            return LinkReady()
        return LinkReady(identity=link.keys.keys.identity, box=link.keys.box)

    async def activate(self, identity: Identity, id: bytes, signed: Signed) -> ListAccepted:
        """Take the list that names the new device: list, keys and login become active together.

        Answers once delivery knows the set. Raises `forbidden`, `not_found`, `conflict` (no keys
        yet, or another list was first), `list_rejected`, `bad_signature`.
        """
        link = await self._answered(identity, id)
        account = await self.accounts.get(identity.account)
        held = await self.devices.newest(identity.account)
        if account is None or held is None:
            raise RequestRefused("unauthorized")
        new = checked(signed, account.id, account.key, self.now_ms(), held)
        if not link.device:
            await self._primary(identity)
            await self._admit(link, held, new, signed)
        elif signed.body != held.body:
            raise RequestRefused("conflict")
        await self.sets_changed()
        return ListAccepted(version=new.version, set=new.set)

    async def end(self, identity: Identity, id: bytes) -> None:
        """Let a link expire now; one that is gone is fine. Raises `forbidden` (another account's),
        `conflict` (the device is listed already)."""
        held = await self.links.get(id)
        if held is None:
            return
        if held.account not in (None, identity.account):
            raise RequestRefused("forbidden")
        if held.device:
            raise RequestRefused("conflict")
        await self.links.end(id, self.now_ms())
        self.bells.ring(id)

    async def forget(self) -> int:
        """Clear expired links and drop old ones; how many were dropped. To be called now and
        then."""
        now = self.now_ms()
        return await self.links.forget(now, now - REMEMBERED_MS)

    async def _admit(self, link: Link, held: StoredList, new: DeviceList, signed: Signed) -> None:
        if link.keys is None:
            raise RequestRefused("conflict")
        admitted = await admission(held, new, signed, link.keys.keys, link.keys.ticket_hash)
        most = self.key_limits.one_time_most
        if not await self.links.activate(link.id, admitted, most, self.now_ms()):
            newest = await self.devices.newest(new.account)
            if newest is None or newest.body != signed.body:  # else a twin of this request did it
                raise RequestRefused("conflict")
        self.bells.ring(link.id)
        await self.doors.show_out(new.account, held, new)

    async def _primary(self, identity: Identity) -> None:
        held = await self.devices.newest(identity.account)
        if held is None or decode_list(held.body).primary != identity.device:
            raise RequestRefused("forbidden", "Only the primary device may link others.")

    async def _answered(self, identity: Identity, id: bytes) -> Link:
        link = await self._known(id)
        if link.account != identity.account:
            raise RequestRefused("forbidden")
        return link

    async def _known(self, id: bytes) -> Link:
        """A link that is live or active."""
        link = await self.links.get(id)
        if link is None or not (link.device or self._is_live(link)):
            raise RequestRefused("not_found")
        return link

    async def _live(self, id: bytes) -> Link:
        link = await self.links.get(id)
        if link is None or not self._is_live(link):
            raise RequestRefused("not_found")
        return link

    def _is_live(self, link: Link) -> bool:
        return link.expires_ms > self.now_ms() and not link.device

    async def _limit(self, bucket: str, rate: config.Rate) -> None:
        wait_s = await self.rates.take(bucket, rate, self.now_ms())
        if wait_s > 0:
            raise RequestRefused("rate_limited", retry_after_s=int(wait_s) + 1)
