"""Safety: whether the person behind an account is who one thinks, compared outside this network.

A mark "verified" is of the pair (account, account key): under another key it counts no more. It is
the same on all devices of the account.
"""

from collections.abc import Callable
from typing import Final

import apsw

from linnet.client import lists, synced
from linnet.client.directory import Directory
from linnet.client.errors import NotTrusted
from linnet.client.own_channel import OwnChannel
from linnet.client.store import Store
from linnet.crypto.safety_number import SafetyNumber, safety_number
from linnet.wire.ids import AccountId

SCOPE: Final = "verified"


class Safety:
    """Numbers to compare, and what came of it."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        channel: OwnChannel,
        own_key: bytes,
        wake: Callable[[], None],
    ) -> None:
        self._store, self._directory, self._channel = store, directory, channel
        self._own_key, self._wake = own_key, wake

    async def number(self, account: AccountId) -> SafetyNumber:
        """The number to compare with this person: 60 `digits`, and `scannable` for a QR code.

        Over the account key that is pinned; the list is fetched if none is yet. Raises
        UnknownRecipient, Refused, Offline, NotTrusted.
        """
        key = await self._met(account)
        return safety_number(self._channel.account, self._own_key, account, key)

    async def verify(self, account: AccountId, scanned: bytes) -> bool:
        """Compare with the other side's QR code; equal ones make the account verified.

        Raises Malformed (`linnet.crypto.errors`) if it is no such code, and as `number`.
        """
        same = (await self.number(account)).compare(scanned)
        if same:
            await self.mark_verified(account)
        return same

    async def mark_verified(self, account: AccountId, verified: bool = True) -> None:
        """The person compared the digits, or takes that back. Raises NotTrusted while the account
        shows a changed key that was not accepted, and as `number`."""
        await self._met(account)

        def mark(db: apsw.Connection) -> None:
            held = lists.held(db, account)
            if held is None or (held.key_changed and verified):
                raise NotTrusted("account_key")
            self._channel.write(db, SCOPE, account, held.list.key if verified else b"")

        await self._store.write(mark)
        self._wake()

    async def verified(self, account: AccountId) -> bool:
        """Whether the account key in force was compared."""
        return await self._store.read(lambda db: is_verified(db, account))

    async def _met(self, account: AccountId) -> bytes:
        """The account key in force, which is pinned by this if it was not before."""
        key = await self._store.read(lambda db: pinned(db, account))
        if key is None:
            await self._directory.refresh(account)
            key = await self._store.read(lambda db: pinned(db, account))
        if key is None:
            raise NotTrusted("no account key")
        return key


def pinned(db: apsw.Connection, account: bytes) -> bytes | None:
    """The account key in force for an account, if it was ever met."""
    held = lists.held(db, account)
    return None if held is None else held.list.key


def is_verified(db: apsw.Connection, account: bytes) -> bool:
    """As `Safety.verified`."""
    held = lists.held(db, account)
    if held is None or held.key_changed:
        return False
    return synced.value(db, SCOPE, account) == held.list.key
