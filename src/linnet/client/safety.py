"""Safety: whether the person behind an account is who one thinks, compared outside this network.

A mark "verified" is of the pair (account, account key): under another key it counts no more. It is
the same on all devices of the account. What is compared is always the key that is shown now: a
changed one can be compared before anybody accepts it.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

import apsw

from linnet.client import lists, synced
from linnet.client.directory import Directory
from linnet.client.errors import NotTrusted
from linnet.client.own_channel import OwnChannel
from linnet.client.store import Store
from linnet.crypto.errors import Malformed
from linnet.crypto.safety_number import SafetyNumber, safety_number
from linnet.wire.ids import AccountId

SCOPE: Final = "verified"
DIGITS: Final = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with an account: the number to compare now, and what came of it before."""

    number: SafetyNumber
    verified: bool
    """The account key in force was compared."""
    changed: bool
    """The account shows another key than the one in force. `number` is of the new one; nothing is
    sent to it until `Client.accept_identity`."""

    key: bytes = field(repr=False)
    """The account key that `number` is of."""

    def same(self, theirs: str | bytes) -> bool:
        """Whether the other side has the same number: their 60 digits (spaces do not matter), the
        text of their code, or what its QR holds. Raises Malformed if it is none of these."""
        if isinstance(theirs, bytes):
            return self.number.compare(theirs)
        text = "".join(theirs.split())
        if len(text) == DIGITS and text.isascii() and text.isdecimal():
            return compare_digest(text, self.number.digits)
        return self.number.compare(_scannable(text))


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

        Of the key that the account shows now; the list is fetched if none is held yet. Raises
        UnknownRecipient, Refused, Offline, NotTrusted.
        """
        return (await self.standing(account)).number

    async def standing(self, account: AccountId) -> Standing:
        """The number, and whether it was compared. Raises as `number`."""
        found = await self._store.read(lambda db: _found(db, account))
        if found is None:
            await self._directory.refresh(account)
            found = await self._store.read(lambda db: _found(db, account))
        if found is None:
            raise NotTrusted("no account key")
        key, verified, changed = found
        number = safety_number(self._channel.account, self._own_key, account, key)
        return Standing(number, verified, changed, key)

    async def verify(self, account: AccountId, theirs: str | bytes) -> bool:
        """Compare with what the other side shows (`Standing.same`); if it is the same, the account
        is verified, and a changed key that this was of is accepted.

        Raises Malformed (`linnet.crypto.errors`) if it is none of these, and as `number`.
        """
        standing = await self.standing(account)
        if not standing.same(theirs):
            return False

        def compared(db: apsw.Connection) -> None:
            lists.accept_changed(db, account, self._channel.world.now_ms())
            if pinned(db, account) != standing.key:
                raise NotTrusted("account_key")  # yet another one came meanwhile
            self._channel.write(db, SCOPE, account, standing.key)

        await self._store.write(compared)
        self._wake()
        return True

    async def mark_verified(self, account: AccountId, verified: bool = True) -> None:
        """The person compared the digits, or takes that back. Raises NotTrusted while the account
        shows a changed key that was not accepted, and as `number`."""
        await self.standing(account)

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


def to_text(number: SafetyNumber) -> str:
    """What the QR code holds, as text: base64url, unpadded, 99 characters."""
    return base64.urlsafe_b64encode(number.scannable).decode().rstrip("=")


def _scannable(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise Malformed("not the text of a safety number") from error


def _found(db: apsw.Connection, account: bytes) -> tuple[bytes, bool, bool] | None:
    """The account key that is shown now, whether it was compared, whether it is a changed one."""
    held = lists.held(db, account)
    if held is None:
        return None
    changed = lists.changed(db, account)
    return (changed or held.list).key, is_verified(db, account), changed is not None


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
