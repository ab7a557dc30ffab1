"""Device lists, the rules: what makes a list acceptable, and how an account signs its own.

`check_list` is run by clients before they encrypt and by the server before it stores. The rules
say nothing about which account key is the right one: whoever pins a key passes it. Alarms,
fetching and "unconfirmed" devices are the client's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import msgspec

from linnet.signing.errors import ListReason, ListRejected, Malformed, SignatureInvalid
from linnet.signing.keys import KeyPair, Rng
from linnet.signing.list_format import (
    HASH_BYTES,
    KIND_BROWSER,
    KIND_DESKTOP,
    KIND_PHONE,
    KIND_TERMINAL,
    MAX_DEVICE_ID,
    DeviceList,
    ListedDevice,
    countersign,
    countersigned,
    decode_list,
    encode_device,
    encode_list,
)
from linnet.signing.objects import SignedObject, sign_object, verify_object

__all__ = [
    "CLOCK_SLACK_S",
    "FIRST_PREV",
    "KIND_BROWSER",
    "KIND_DESKTOP",
    "KIND_PHONE",
    "KIND_TERMINAL",
    "LIFETIME_S",
    "DeviceList",
    "ListedDevice",
    "ProvenList",
    "check_list",
    "countersign",
    "countersigned",
    "decode_list",
    "encode_device",
    "encode_list",
    "first_list",
    "next_list",
    "prove_list",
]

LIFETIME_S: Final = 35 * 86_400
CLOCK_SLACK_S: Final = 86_400
FIRST_PREV: Final = bytes(HASH_BYTES)

_LABEL: Final = "device-list"


@dataclass(frozen=True, slots=True)
class ProvenList:
    """A list that keeps every rule that needs neither a clock nor another list: `prove_list`."""

    obj: SignedObject
    listed: DeviceList

    @property
    def hash(self) -> bytes:
        """SHA-256 of the body: what entries of a group's log and content cite."""
        return self.obj.hash


def check_list(
    obj: SignedObject,
    *,
    account: bytes,
    account_key: bytes | None,
    now_s: int,
    held: SignedObject | None = None,
) -> DeviceList:
    """Return the list in `obj` if it keeps every rule; the reason of the first broken one else.

    `account_key` is the pinned key, or None to take the list's own (a first meeting). `held` is
    the newest list accepted before under the same account key; it is trusted, not checked again.
    Raises ListRejected.
    """
    listed = _decode(obj)
    _require(listed.account == account, ListReason.ACCOUNT)
    _require(account_key is None or listed.key == account_key, ListReason.ACCOUNT_KEY)
    _check_signature(obj, listed)
    _check_lifetime(listed)
    _check_clock(listed, now_s)
    _check_contents(listed)
    if held is not None:
        _check_after(obj, listed, held)
    _check_countersignatures(listed)
    return listed


def prove_list(obj: SignedObject) -> ProvenList:
    """Check what holds for ever: form, signature, contents, counter-signatures. No clock.

    The caller compares account and account key. Raises ListRejected.
    """
    listed = _decode(obj)
    _check_signature(obj, listed)
    _check_lifetime(listed)
    _check_contents(listed)
    _check_countersignatures(listed)
    return ProvenList(obj, listed)


def first_list(
    account: bytes,
    account_key: KeyPair,
    device: KeyPair,
    name: bytes,
    now_s: int,
    rng: Rng,
    *,
    kind: int = KIND_TERMINAL,
    device_id: int = 1,
) -> SignedObject:
    """Sign version 1 of an account's list: one device, the primary. Expires after 35 days."""
    signature = countersign(device, account, account_key.public, device_id, now_s, rng)
    listed = DeviceList(
        account=account,
        key=account_key.public,
        version=1,
        set=1,
        prev=FIRST_PREV,
        issued=now_s,
        expires=now_s + LIFETIME_S,
        primary=device_id,
        next_id=device_id + 1,
        devices=(ListedDevice(device_id, device.public, name, now_s, kind, signature),),
    )
    return _sign(listed, account_key, now_s, None, rng)


def next_list(
    held: SignedObject,
    account_key: KeyPair,
    devices: Iterable[ListedDevice],
    now_s: int,
    rng: Rng,
    *,
    primary: int | None = None,
) -> SignedObject:
    """Sign the version after `held` with these devices; the same devices for a weekly re-signing.

    The caller persists what is returned before anyone sees it: a signed version is never
    abandoned. Raises ListRejected rather than sign a list that `check_list` would refuse.
    """
    old = _decode(held)
    listed = tuple(sorted(devices, key=lambda device: device.id))
    new = DeviceList(
        account=old.account,
        key=old.key,
        version=old.version + 1,
        set=old.set,
        prev=held.hash,
        issued=now_s,
        expires=now_s + LIFETIME_S,
        primary=old.primary if primary is None else primary,
        next_id=max([old.next_id, *(device.id + 1 for device in listed)]),
        devices=listed,
    )
    if new.device_keys() != old.device_keys():
        new = msgspec.structs.replace(new, set=old.set + 1)
    return _sign(new, account_key, now_s, held, rng)


def _sign(
    listed: DeviceList, key: KeyPair, now_s: int, held: SignedObject | None, rng: Rng
) -> SignedObject:
    obj = sign_object(_LABEL, key.private, encode_list(listed), rng)
    check_list(obj, account=listed.account, account_key=key.public, now_s=now_s, held=held)
    return obj


def _decode(obj: SignedObject) -> DeviceList:
    try:
        return decode_list(obj.check_sizes().body)
    except Malformed:
        raise ListRejected(ListReason.MALFORMED) from None


def _check_signature(obj: SignedObject, listed: DeviceList) -> None:
    try:
        verify_object(_LABEL, listed.key, obj)
    except SignatureInvalid:
        raise ListRejected(ListReason.SIGNATURE) from None


def _check_lifetime(listed: DeviceList) -> None:
    lifetime_s = listed.expires - listed.issued
    _require(0 < lifetime_s <= LIFETIME_S, ListReason.LIFETIME)


def _check_clock(listed: DeviceList, now_s: int) -> None:
    _require(listed.issued <= now_s + CLOCK_SLACK_S, ListReason.NOT_YET)
    _require(now_s <= listed.expires + CLOCK_SLACK_S, ListReason.EXPIRED)


def _check_contents(listed: DeviceList) -> None:
    _require(listed.version >= 1 and listed.set >= 1, ListReason.VERSION)
    _require((listed.version == 1) == (listed.prev == FIRST_PREV), ListReason.PREV)
    ids = [device.id for device in listed.devices]
    _require(_ascending([*ids, listed.next_id]), ListReason.IDS)
    _require(listed.next_id <= MAX_DEVICE_ID + 1, ListReason.IDS)
    keys = [listed.key, *(device.key for device in listed.devices)]
    _require(len(set(keys)) == len(keys), ListReason.KEYS)
    _require(listed.primary in ids, ListReason.PRIMARY)


def _check_after(obj: SignedObject, new: DeviceList, held: SignedObject) -> None:
    old = _decode(held)
    _require(new.key == old.key, ListReason.ACCOUNT_KEY)
    _require(new.version >= old.version, ListReason.ROLLBACK)
    if new.version == old.version:
        _require(obj.body == held.body, ListReason.CONFLICT)
        return
    successive = new.version == old.version + 1
    _require(not successive or new.prev == held.hash, ListReason.PREV)
    _check_set(new, old, successive)
    _check_ids(new, old)


def _check_set(new: DeviceList, old: DeviceList, successive: bool) -> None:
    changed = new.device_keys() != old.device_keys()
    _require(new.set >= old.set, ListReason.SET)
    _require(not (changed and new.set == old.set), ListReason.CONFLICT)
    # Between lists further apart a device may have come and gone, and the set risen for it.
    _require(changed or not successive or new.set == old.set, ListReason.SET)


def _check_ids(new: DeviceList, old: DeviceList) -> None:
    _require(new.next_id >= old.next_id, ListReason.ID_REUSED)
    known = old.device_keys()
    for id, key in new.device_keys().items():
        fresh = id >= old.next_id
        _require(fresh or known.get(id) == key, ListReason.ID_REUSED)


def _check_countersignatures(listed: DeviceList) -> None:
    for device in listed.devices:
        signed = countersigned(listed.account, listed.key, device)
        _require(signed, ListReason.COUNTERSIGNATURE)


def _ascending(numbers: Sequence[int]) -> bool:
    return all(low < high for low, high in pairwise(numbers))


def _require(condition: bool, reason: ListReason) -> None:
    if not condition:
        raise ListRejected(reason)
