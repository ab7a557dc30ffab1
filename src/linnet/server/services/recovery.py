"""Recovery: an account goes on on a new device, by its number and its account key.

The number is proven as for a registration; the account key by the list that it signs, upon the
newest one. Neither alone is enough: the number alone makes a new account.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from linnet.server import config
from linnet.server.ports.accounts import Account, Accounts
from linnet.server.ports.devices import Devices, StoredList
from linnet.server.ports.registrations import Attempt
from linnet.server.services.accounts import Accounts as Registering
from linnet.server.services.admission import Doors, admission
from linnet.server.services.devices import SetsChanged, checked, nobody_to_tell
from linnet.signing.device_list import DeviceList
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import Login, RecoveryFinish


@dataclass(frozen=True)
class Recovery:
    """Ends a registration in the account that the number has, not in a new one."""

    registering: Registering
    accounts: Accounts
    devices: Devices
    doors: Doors
    limits: config.Keys
    now_ms: Callable[[], int]
    sets_changed: SetsChanged = nobody_to_tell

    async def finish(self, registration: bytes, request: RecoveryFinish) -> Login:
        """Put the new device on the account's list as its primary, and log it in.

        Devices that the list leaves out are revoked. Again with the same list and ticket gives
        the same login. Raises `not_found`, `expired_code`, `unauthorized` (the ticket),
        `conflict` (the number has no account now or another one, or another list was first),
        `list_rejected`, `bad_signature`, `malformed`.
        """
        attempt = await self.registering.proven(registration, request.ticket)
        account = await self._owner(attempt)
        held = await self.devices.newest(account.id)
        if held is None:
            raise RequestRefused("conflict")
        new = checked(request.list, account.id, account.key, self.now_ms(), held)
        if request.list.body != held.body:
            await self._admit(attempt, held, new, request)
        # Else it was stored before: by this ticket, or the login below is refused.
        await self.sets_changed()
        return await self.doors.log_in(account.id, request.device, request.ticket)

    async def _owner(self, attempt: Attempt) -> Account:
        owners = await self.accounts.by_numbers([attempt.number])
        account = await self.accounts.get(owners.get(attempt.number, b""))
        if account is None:
            raise RequestRefused("conflict")
        return account

    async def _admit(
        self, attempt: Attempt, held: StoredList, new: DeviceList, request: RecoveryFinish
    ) -> None:
        ticket = sha256(request.ticket).digest()
        admitted = await admission(held, new, request.list, request.keys, ticket)
        if (admitted.device, new.primary) != (request.device, request.device):
            raise RequestRefused("list_rejected", "The new device must be the primary.")
        most = self.limits.one_time_most
        if not await self.accounts.recover(attempt.number, admitted, most):
            newest = await self.devices.newest(new.account)
            if newest is None or newest.body != request.list.body:
                raise RequestRefused("conflict")
        await self.doors.show_out(new.account, held, new)
