"""Households: accounts of a fleet that link and revoke devices while everything else goes on.

Each step is repeated with the same bytes until it is answered. The boxes of linking are empty:
what is in them is for the two ends (tests/client), and nothing to the server.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import TYPE_CHECKING

from tests.chaos.asking import Lost, Refusal
from tests.chaos.history import Device, Gone
from tests.chaos.people import Owner

from linnet.signing.objects import SignedObject
from linnet.wire import ids
from linnet.wire.rest import LinkAnswer, LinkKeys, LinkLogin, LinkOffer, Login, Signed

if TYPE_CHECKING:
    from tests.chaos.fleet import Fleet

CHANGE_S = 0.9
DEVICES_MOST = 3


class Households:
    """One hand that changes devices, of an account whose list nobody else is changing."""

    def __init__(self, fleet: Fleet, rng: random.Random) -> None:
        self.busy = 0
        self._fleet = fleet
        self._rng = rng
        self._ask = fleet.asking.insist

    async def change(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / CHANGE_S))
            owner = self._rng.choice(list(self._fleet.owners.values()))
            if not self._fleet.talking or owner.changing:
                continue
            self.busy += 1
            owner.changing = True
            others = [device for device in owner.devices if device != 1]
            if others and self._rng.random() < 0.5:
                await self._revoke(owner, self._rng.choice(others))
            elif len(others) + 1 < DEVICES_MOST:
                await self._link(owner)
            owner.changing = False
            self.busy -= 1

    async def _revoke(self, owner: Owner, device: int) -> None:
        signed = owner.less(device)
        self._fleet.history.append(Gone(Device(owner.account, device)))
        self._fleet.leaves(Device(owner.account, device))
        token = owner.tokens[1]
        await self._ask(object, "PUT", "/v1/devices/list", _as_sent(signed), token=token)
        self._fleet.listed(owner, signed)

    async def _link(self, owner: Owner) -> None:
        link, ticket = self._rng.randbytes(16), self._rng.randbytes(32)
        path, token = f"/v1/links/{ids.show(link)}", owner.tokens[1]
        try:
            offer = LinkOffer(link=link, offer=b"offer")
            await self._fleet.asking.ask(object, "POST", "/v1/links", offer)
        except (Refusal, Lost):  # nothing has begun: too many offers, or no server
            return
        answer = LinkAnswer(ephemeral=bytes(32), kem_ciphertext=bytes(1568), box=b"answer")
        await self._ask(object, "PUT", f"{path}/answer", answer, token=token)
        signed, device, bundle = owner.more()
        ticket_hash = hashlib.sha256(ticket).digest()
        keys = LinkKeys(keys=bundle, box=b"keys", ticket_hash=ticket_hash)
        await self._ask(object, "PUT", f"{path}/keys", keys)
        await self._ask(object, "PUT", f"{path}/list", _as_sent(signed), token=token)
        self._fleet.listed(owner, signed)
        login = await self._ask(Login, "POST", f"{path}/login", LinkLogin(ticket=ticket))
        assert (login.account, login.device) == (owner.account, device)
        self._fleet.joins(owner, device, login.access)


def _as_sent(signed: SignedObject) -> Signed:
    return Signed(body=signed.body, sig=signed.sig)
