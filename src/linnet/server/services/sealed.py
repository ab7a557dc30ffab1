"""Sealed: requests that show a recipient's delivery key, and nothing of who makes them.

Nobody's identity comes in here, so none can be stored. The network address is used for a limit
in memory and goes no further. Own copies are sealed sends to one's own account: to the server they
look like everybody else's.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

from linnet.server import config
from linnet.server.ports.accounts import Account, Accounts
from linnet.server.ports.rates import Rates
from linnet.server.ports.timeline import Accepted
from linnet.server.services.addresses import neighbourhood
from linnet.server.services.delivery.decide import Record
from linnet.server.services.delivery.decide_sealed import sealed_record
from linnet.server.services.delivery.work import Origin
from linnet.server.services.devices import Devices
from linnet.server.services.keys import Keys
from linnet.server.services.tokens import Identity
from linnet.wire.errors import RequestRefused
from linnet.wire.frames import Sets
from linnet.wire.rest import Bundle, DeliveryKeyHash, DeviceListAnswer, SealedSend, SealedSent

ANSWER_WITHIN_S: Final = 30
"""Longer than any commit; after it a sender knows nothing, and sends the same id again."""
_NOBODYS_KEY: Final = bytes(32)
"""Compared with where there is no account or no key: no 16 bytes are known to hash to it."""


class Delivery(Protocol):
    """What decides and stores records."""

    def submit(self, record: Record, origin: Origin) -> None:
        """Answers follow through the origin."""


@dataclass(frozen=True)
class Sealed:
    """What may be done for an account by whoever holds its delivery key."""

    accounts: Accounts
    devices: Devices
    keys: Keys
    delivery: Delivery
    rates: Rates
    limits: config.Sealed
    now_ms: Callable[[], int]

    async def set_key(self, identity: Identity, key: DeliveryKeyHash) -> None:
        """Replace the caller's delivery key; who holds only the one before is shut out."""
        await self.accounts.set_delivery_key(identity.account, key.hash)

    async def list(self, account: bytes, key: bytes, host: str) -> DeviceListAnswer:
        """The account's newest list. Raises `unauthorized`, `rate_limited`."""
        found = await self._admit(account, key, host)
        return await self.devices.newest(found.id)

    async def take(self, account: bytes, device: int, key: bytes, host: str) -> Bundle:
        """One device's bundle. Raises `unauthorized`, `rate_limited`, `not_found`, `no_keys`."""
        found = await self._admit(account, key, host)
        return await self.keys.take_sealed(found.id, device)

    async def send(self, account: bytes, key: bytes, host: str, message: SealedSend) -> SealedSent:
        """Store a message; it is durable when this returns. The same id again is the same answer.

        Raises `unauthorized`, `rate_limited`, `devices_changed`, `not_listed`, `id_time`,
        `unavailable`.
        """
        found = await self._admit(account, key, host)
        answer = _Answer()
        self.delivery.submit(sealed_record(found.id, found.mailbox, message), answer)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return SealedSent(server_timestamp=(await answer.accepted).server_timestamp)
        except TimeoutError:
            raise RequestRefused("unavailable") from None

    async def _admit(self, account: bytes, key: bytes, host: str) -> Account:
        """The account, if this is its key. That there is no such account looks no different."""
        await self._limit(f"sealed:{neighbourhood(host)}", self.limits.address)
        found = await self.accounts.get(account)
        expected = _NOBODYS_KEY if found is None else found.delivery_key or _NOBODYS_KEY
        if not hmac.compare_digest(sha256(key).digest(), expected) or found is None:
            raise RequestRefused("unauthorized")
        # After the key was seen: strangers must not use up what contacts may send.
        await self._limit(f"sealed:{found.id.hex()}", self.limits.account)
        return found

    async def _limit(self, bucket: str, rate: config.Rate) -> None:
        wait_s = await self.rates.take(bucket, rate, self.now_ms())
        if wait_s > 0:
            raise RequestRefused("rate_limited", retry_after_s=int(wait_s) + 1)


@dataclass
class _Answer:
    """The request that waits for one record's outcome."""

    accepted: asyncio.Future[Accepted] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def repeated(self, first: Accepted) -> None:
        if not self.accepted.done():
            self.accepted.set_result(first)

    def rejected(self, id: bytes, code: str, sets: Sets | None, roster: int = 0) -> None:
        if not self.accepted.done():
            self.accepted.set_exception(RequestRefused(code))
