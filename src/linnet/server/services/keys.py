"""Keys: publishing pre-keys, and taking someone's bundle.

The server checks every signature before it stores a key, so a client that is lied to can tell
that the lie was not an accident. It never sees a private half.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from linnet.server import config
from linnet.server.ports.devices import Device, Devices
from linnet.server.ports.keys import Keys as KeyStore
from linnet.server.ports.rates import Rates
from linnet.server.services.tokens import Identity
from linnet.signing import xeddsa
from linnet.signing.edwards import P
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import (
    Bundle,
    DeviceKeys,
    KemPreKey,
    KeyCount,
    KeyUpload,
    OneTimeKey,
    SignedKey,
)

X25519_TYPE: Final = 0x05
KYBER_TYPE: Final = 0x08
SMALL_ORDER: Final = frozenset(
    {
        0,
        1,
        P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)
"""Every canonical u of small order, on the curve and on its twist: an agreement with one gives
zero whatever the private key. RFC 7748, section 7; cr.yp.to/ecdh.html lists them."""
_CHECKS_AT_A_TIME: Final = 4


def as_upload(keys: DeviceKeys) -> KeyUpload:
    """A whole bundle as what `PUT /v1/keys` would carry."""
    return KeyUpload(
        signed=keys.signed, last_resort=keys.last_resort, one_time=keys.one_time, kem=keys.kem
    )


async def check_keys(identity: bytes, upload: KeyUpload) -> None:
    """Refuse an upload with a key of a wrong type or that no peer would agree with (`malformed`),
    or not signed by the device key `identity` (`bad_signature`).

    `identity` itself passes only as a canonical point of the prime-order group, which a signature
    needs. Lets other work go on between a few signatures: one costs a fifth of a millisecond, and
    there may be a hundred.
    """
    x25519 = [key for key in (upload.signed, *upload.one_time) if key is not None]
    kem = [key for key in (upload.last_resort, *upload.kem) if key is not None]
    _check_types(x25519, kem)
    signed: list[SignedKey | KemPreKey] = [*kem]
    if upload.signed is not None:
        signed.append(upload.signed)
    for number, key in enumerate(signed, start=1):
        if not xeddsa.verify(identity, key.key, key.sig):
            raise RequestRefused("bad_signature")
        if number % _CHECKS_AT_A_TIME == 0:
            await asyncio.sleep(0)


def _check_types(x25519: Sequence[SignedKey | OneTimeKey], kem: Iterable[KemPreKey]) -> None:
    if any(key.key[0] != X25519_TYPE for key in x25519):
        raise RequestRefused("malformed", "An X25519 key starts with 0x05.")
    if any(key.key[0] != KYBER_TYPE for key in kem):
        raise RequestRefused("malformed", "A Kyber-1024 key starts with 0x08.")
    us = [int.from_bytes(key.key[1:], "little") for key in x25519]
    if any(u >= P or u in SMALL_ORDER for u in us):
        raise RequestRefused("malformed", "An X25519 key is not canonical, or of small order.")


@dataclass(frozen=True)
class Keys:
    """Pre-keys of devices that are listed."""

    keys: KeyStore
    devices: Devices
    rates: Rates
    limits: config.Keys
    now_ms: Callable[[], int]

    async def upload(self, identity: Identity, upload: KeyUpload) -> KeyCount:
        """Store the caller's keys and tell how many one-time ones are held. The same upload
        twice is one. Raises `malformed`, `bad_signature`, `unauthorized`, `rate_limited`."""
        await self._limit(f"upload:{identity.account.hex()}", self.limits.uploads)
        device = await self._listed(identity.account, identity.device, "unauthorized")
        await check_keys(device.identity, upload)
        most = self.limits.one_time_most
        await self.keys.put(identity.account, identity.device, upload, most)
        return await self.count(identity)

    async def count(self, identity: Identity) -> KeyCount:
        """The caller's one-time keys that are left."""
        return await self.keys.count(identity.account, identity.device)

    async def take(self, identity: Identity, account: bytes, device: int) -> Bundle:
        """One device's bundle; its one-time keys are taken for good, so a retry takes others.

        Limited by (caller's account, target device), so that nobody empties a device. Raises
        `rate_limited`, `not_found` (not listed) or `no_keys`.
        """
        if not 1 <= device <= 127:
            raise RequestRefused("not_found")
        await self._limit(f"takes:{identity.account.hex()}", self.limits.all_takes)
        pair = f"{identity.account.hex()}:{account.hex()}:{device}"
        await self._limit(f"take:{pair}", self.limits.takes)
        return await self._take(account, device)

    async def take_sealed(self, account: bytes, device: int) -> Bundle:
        """As `take`, for somebody who showed the account's delivery key: limited by target device
        alone."""
        if not 1 <= device <= 127:
            raise RequestRefused("not_found")
        await self._limit(f"take:{account.hex()}:{device}", self.limits.sealed_takes)
        return await self._take(account, device)

    async def _take(self, account: bytes, device: int) -> Bundle:
        target = await self._listed(account, device, "not_found")
        taken = await self.keys.take(account, device)
        if taken is None:
            raise RequestRefused("no_keys")
        return Bundle(
            device=device,
            registration_id=target.registration_id,
            identity=target.identity,
            signed=taken.signed,
            kem=taken.kem,
            kem_last_resort=taken.last_resort,
            one_time=taken.one_time,
        )

    async def _limit(self, bucket: str, rate: config.Rate) -> None:
        wait_s = await self.rates.take(bucket, rate, self.now_ms())
        if wait_s > 0:
            raise RequestRefused("rate_limited", retry_after_s=int(wait_s) + 1)

    async def _listed(self, account: bytes, device: int, otherwise: str) -> Device:
        found = await self.devices.get(account, device)
        if found is None or found.revoked:
            raise RequestRefused(otherwise)
        return found
