"""Devices: the signed list of each account, checked before it is stored or replaced.

Signing again and leaving devices out; a new device comes by a link or by recovery. The rules of a
list are `linnet.signing.device_list`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from linnet.server.ports.accounts import Accounts
from linnet.server.ports.devices import Devices as DeviceStore
from linnet.server.ports.devices import StoredList
from linnet.server.services.admission import Doors
from linnet.server.services.tokens import Identity
from linnet.signing.device_list import DeviceList, check_list, decode_list
from linnet.signing.errors import ListReason, ListRejected
from linnet.signing.objects import SignedObject
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import DeviceListAnswer, DeviceLists, ListAccepted, Signed

SetsChanged = Callable[[], Awaitable[None]]
"""Told after a set change was stored: delivery decides `devices.changes()` before the caller is
answered. Raising Unavailable makes the caller retry, which is harmless."""

_CODES = {
    ListReason.SIGNATURE: "bad_signature",
    ListReason.COUNTERSIGNATURE: "bad_signature",
    ListReason.ROLLBACK: "conflict",
    ListReason.CONFLICT: "conflict",
    ListReason.PREV: "conflict",
}


async def nobody_to_tell() -> None:
    """A SetsChanged for where there is no delivery."""


def checked(
    signed: Signed, account: bytes, account_key: bytes, now_ms: int, held: StoredList | None = None
) -> DeviceList:
    """The list in `signed` if it may follow `held`.

    Raises `conflict` where another list was first, `bad_signature`, or `list_rejected` with the
    name of the broken rule.
    """
    try:
        return check_list(
            SignedObject(signed.body, signed.sig),
            account=account,
            account_key=account_key,
            now_s=now_ms // 1000,
            held=None if held is None else SignedObject(held.body, held.sig),
        )
    except ListRejected as rejected:
        code = _CODES.get(rejected.reason, "list_rejected")
        raise RequestRefused(code, f"Rule broken: {rejected.reason.value}.") from None


@dataclass(frozen=True)
class Devices:
    """Fetches and replaces lists."""

    devices: DeviceStore
    accounts: Accounts
    doors: Doors
    now_ms: Callable[[], int]
    sets_changed: SetsChanged = nobody_to_tell

    async def newest(self, account: bytes) -> DeviceListAnswer:
        """An account's newest list. Raises `not_found`."""
        held = await self.devices.newest(account)
        if held is None:
            raise RequestRefused("not_found")
        return DeviceListAnswer(list=Signed(body=held.body, sig=held.sig))

    async def newest_of(self, accounts: Sequence[bytes]) -> DeviceLists:
        """The newest lists of several accounts; of who has none, nothing."""
        held = [await self.devices.newest(account) for account in dict.fromkeys(accounts)]
        return DeviceLists(lists=[Signed(body=it.body, sig=it.sig) for it in held if it])

    async def replace(self, identity: Identity, signed: Signed) -> ListAccepted:
        """Store the caller's next list; the identical one again is the same answer.

        It may skip versions: a store restored from a backup has forgotten them, a client has not.
        Devices left out lose logins and keys. Raises `conflict` (fetch, and sign upon that),
        `list_rejected` (also for a new device), `bad_signature`.
        """
        account = await self.accounts.get(identity.account)
        held = await self.devices.newest(identity.account)
        if account is None or held is None:
            raise RequestRefused("unauthorized")
        new = checked(signed, account.id, account.key, self.now_ms(), held)
        if signed.body != held.body:
            await self._store(held, new, signed)
        await self.sets_changed()
        return ListAccepted(version=new.version, set=new.set)

    async def _store(self, held: StoredList, new: DeviceList, signed: Signed) -> None:
        listed = set(new.device_keys())
        if not listed <= set(decode_list(held.body).device_keys()):
            raise RequestRefused("list_rejected", "A new device comes by a link or by recovery.")
        stored = StoredList(signed.body, signed.sig, new.version, new.set)
        if not await self.devices.replace(new.account, held.version, stored, sorted(listed)):
            raise RequestRefused("conflict")
        # A crash before this leaves devices revoked with logins that can no longer be refreshed.
        await self.doors.show_out(new.account, held, new)
