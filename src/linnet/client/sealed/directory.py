"""The directory of sealed sending: lists and bundles, asked for with a delivery key and no token.

What comes back is checked as always (`linnet.client.directory`). The own list alone is asked for
with a token: about oneself there is nothing to hide.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import apsw

from linnet.client import facts, lists
from linnet.client.directory import Directory
from linnet.client.errors import Offline, Refused
from linnet.client.facts import Identity
from linnet.client.lists import Adopted
from linnet.client.sealed import profile
from linnet.client.sealed.api import SealedApi
from linnet.client.sessions import checked_bundle
from linnet.client.store import Store
from linnet.crypto.prekeys import PreKeyBundle
from linnet.signing.device_list import ListedDevice

T = TypeVar("T")


class NoDeliveryKey(Offline):
    """The account's delivery key is not known, or is not the one in force any more."""


class SealedDirectory:
    """Asks without a token. Shaped as `Directory` for whoever seals."""

    def __init__(self, store: Store, api: SealedApi, plain: Directory) -> None:
        self._store, self._api, self._plain = store, api, plain
        self.shut_out: set[bytes] = set()
        """Accounts whose delivery key in force we do not know, as it turned out last."""

    async def refresh(self, account: bytes) -> Adopted:
        """As `Directory.refresh`. Raises NoDeliveryKey too."""
        if await self._store.read(lambda db: _is_own(facts.get(db, Identity), account)):
            return await self._plain.refresh(account)
        answer = await self.ask(account, lambda key: self._api.device_list(key, account))
        return await self._plain.adopt(account, answer)

    async def refresh_all(self, accounts: Sequence[bytes]) -> None:
        """As `refresh`, one after the other."""
        for account in accounts:
            await self.refresh(account)

    async def bundle(self, account: bytes, device: ListedDevice) -> PreKeyBundle:
        """As `Directory.bundle`. Raises NoDeliveryKey too."""
        try:
            taken = await self.ask(
                account, lambda key: self._api.take_bundle(key, account, device.id)
            )
        except Refused as refusal:
            if refusal.code != "not_found":
                raise
            await self._store.write(lambda db: doubt(db, account))
            raise Offline("that device has left") from refusal
        return checked_bundle(taken, device)

    async def ask(self, account: bytes, request: Callable[[bytes], Awaitable[T]]) -> T:
        """Ask with the account's delivery key. Raises NoDeliveryKey, Refused, Offline."""
        key = await self._store.read(lambda db: profile.delivery_of(db, account))
        if key is None:
            self.shut_out.add(account)
            raise NoDeliveryKey("the delivery key is not known")
        try:
            answer = await request(key)
            self.shut_out.discard(account)
            return answer
        except Refused as refusal:
            if refusal.code != "unauthorized":
                raise
            self.shut_out.add(account)
            raise NoDeliveryKey("the delivery key was replaced") from refusal


def _is_own(identity: Identity | None, account: bytes) -> bool:
    return identity is not None and identity.account == account


def doubt(db: apsw.Connection, account: bytes) -> None:
    """The server says that the held list is behind; what it answers to sealed requests does not say
    by how much."""
    held = lists.held(db, account)
    if held is not None:
        lists.doubt(db, account, set=held.list.set + 1)
