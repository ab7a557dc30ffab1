"""Admission: a device list that brings one new device, and the first login of that device.

How a device comes to be on a list (by a link, by recovery) is for others. The rules of a list
are `linnet.signing.device_list`'s; here is what a server asks beyond them.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from linnet.server.ports.devices import Admission, Devices, StoredList
from linnet.server.ports.keys import Keys
from linnet.server.services.keys import as_upload, check_keys
from linnet.server.services.tokens import Tokens
from linnet.signing.device_list import DeviceList, decode_list
from linnet.wire.errors import RequestRefused
from linnet.wire.limits import ACCOUNT_DEVICES
from linnet.wire.rest import DeviceKeys, Login, Signed


async def admission(
    held: StoredList, new: DeviceList, signed: Signed, keys: DeviceKeys, ticket_hash: bytes
) -> Admission:
    """What to store of a list that may follow `held` and brings the device with these keys.

    Raises `list_rejected` unless exactly that device is new on it, `bad_signature` or `malformed`
    for its keys.
    """
    listed = new.device_keys()
    (device, *others) = sorted(set(listed) - set(decode_list(held.body).device_keys())) or [0]
    if others or listed.get(device) != keys.identity:
        raise RequestRefused("list_rejected", "Exactly one device must be new: that one.")
    if len(listed) > ACCOUNT_DEVICES:
        raise RequestRefused("list_rejected", f"An account has at most {ACCOUNT_DEVICES} devices.")
    upload = as_upload(keys)
    await check_keys(keys.identity, upload)
    return Admission(
        account=new.account,
        expected_version=held.version,
        list=StoredList(signed.body, signed.sig, new.version, new.set),
        devices=tuple(sorted(listed)),
        device=device,
        identity=keys.identity,
        registration_id=keys.registration_id,
        keys=upload,
        ticket=ticket_hash,
    )


@dataclass(frozen=True)
class Doors:
    """Lets admitted devices in, and shows out those that a list left out."""

    devices: Devices
    keys: Keys
    tokens: Tokens

    async def log_in(self, account: bytes, device: int, ticket: bytes) -> Login:
        """The first login of a device that was admitted with this ticket; the same again until
        its refresh token was used. Raises `unauthorized`, `revoked`, `conflict`."""
        held = await self.devices.get(account, device)
        expected = b"" if held is None or held.ticket is None else held.ticket
        if not hmac.compare_digest(expected, sha256(ticket).digest()):
            raise RequestRefused("unauthorized")
        if held is None or held.revoked:
            raise RequestRefused("revoked")
        return await self.tokens.begin(account, device, ticket + account + bytes((device,)))

    async def show_out(self, account: bytes, held: StoredList, new: DeviceList) -> None:
        """End logins and drop keys of the devices that `new` leaves out. Repeatable."""
        left_out = set(decode_list(held.body).device_keys()) - set(new.device_keys())
        for device in sorted(left_out):
            await self.tokens.revoke_device(account, device)
            await self.keys.drop(account, device)
