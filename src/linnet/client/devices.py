"""Devices: one's own, as a person sees them: list, rename, remove.

Changes are made on the main device, which signs them (`linnet.client.own_list`). Removing one
replaces the account storage key in the transaction that signs: what the others encrypt from then on
is not for it. How a device is added is `linnet.client.approving`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import apsw
import msgspec

from linnet.client import facts
from linnet.client.approving import Approver, Confirm
from linnet.client.device_alerts import name_of
from linnet.client.errors import ClientError, NotMainDevice
from linnet.client.facts import Identity, StorageKey
from linnet.client.own_list import OwnList, Signer, own_held
from linnet.client.registration import short
from linnet.client.store import Store
from linnet.crypto.device_name import STORAGE_KEY_BYTES, seal_name
from linnet.signing.device_list import DeviceList, ListedDevice, next_list
from linnet.signing.keys import Rng
from linnet.signing.list_revision import renamed
from linnet.signing.objects import SignedObject
from linnet.wire.ids import DeviceId


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDevice:
    """One device of the account. `main` signs changes, `here` is this one."""

    id: DeviceId
    name: str
    kind: int
    added: datetime
    main: bool
    here: bool


class Devices:
    """The devices of this account."""

    def __init__(
        self, store: Store, own_list: OwnList, approver: Approver, wake: Callable[[], None]
    ) -> None:
        self._store, self._own_list, self._wake = store, own_list, wake
        self._approver = approver

    async def approve(self, code: str | bytes, confirm: Confirm) -> DeviceId:
        """Link a new device: as `Client.approve_link`."""
        device = await self._approver.approve(code, confirm)
        self._wake()
        return device

    async def all(self) -> list[OwnDevice]:
        """All devices, in the order in which they were added."""
        return await self._store.read(_shown)

    async def rename(self, device: int, name: str) -> None:
        """Call a device something else, at most 64 bytes of it.

        Raises NotMainDevice, ClientError if there is no such device, Offline, Refused, ClockOff.
        """
        await self._known(device)

        def sign(db: apsw.Connection, signer: Signer) -> SignedObject:
            key, account = _storage_key(db), signer.held.list.account
            sealed = seal_name(key, account, device, short(name), signer.rng)
            held, now_s = signer.held.obj, signer.now_s
            return renamed(held, signer.key, device, sealed, now_s, signer.rng)

        await self._own_list.change(sign)
        self._wake()

    async def revoke(self, device: int) -> None:
        """Remove a device: its login ends, and it reads nothing new.

        Raises NotMainDevice, also for the main device itself; ClientError if there is no such
        device; Offline, Refused, ClockOff: it is signed then and published as soon as possible.
        """
        if (await self._known(device)).main:
            raise NotMainDevice("the main device cannot be removed: recover the account elsewhere")

        def sign(db: apsw.Connection, signer: Signer) -> SignedObject:
            rest = [d for d in signer.held.list.devices if d.id != device]
            devices = under_new_key(db, signer.held.list, rest, signer.rng)
            return next_list(signer.held.obj, signer.key, devices, signer.now_s, signer.rng)

        await self._own_list.change(sign)
        self._wake()

    async def _known(self, device: int) -> OwnDevice:
        for shown in await self.all():
            if shown.id == device:
                return shown
        raise ClientError(f"this account has no device {device}: list them")


def under_new_key(
    db: apsw.Connection, held: DeviceList, devices: Iterable[ListedDevice], rng: Rng
) -> list[ListedDevice]:
    """Replace the account storage key; the devices with their names under the new one."""
    old, new, account = _storage_key(db), rng(STORAGE_KEY_BYTES), held.account
    facts.put(db, StorageKey(key=new, version=held.version + 1))
    return [
        msgspec.structs.replace(
            d, name=seal_name(new, account, d.id, name_of(old, account, d.id, d.name), rng)
        )
        for d in devices
    ]


def _shown(db: apsw.Connection) -> list[OwnDevice]:
    identity, listed = facts.get(db, Identity), own_held(db).list
    assert identity is not None
    key = _storage_key(db)
    return [
        OwnDevice(
            id=DeviceId(d.id),
            name=name_of(key, listed.account, d.id, d.name),
            kind=d.kind,
            added=datetime.fromtimestamp(d.added, UTC),
            main=d.id == listed.primary,
            here=d.id == identity.device,
        )
        for d in listed.devices
    ]


def _storage_key(db: apsw.Connection) -> bytes:
    storage = facts.get(db, StorageKey)
    return storage.key if storage is not None else b""
