"""The next device list: what an account does with its devices, each as one newly signed version.

A revocation, which gives the others' names a new key as well, is `linnet.client.devices`'s. Every
function returns a list that was checked as a receiver would. The caller persists it before
anyone sees it and retries with those bytes: a signed version is never abandoned, or the next one
with that number would be the proof of a conflict. Signs upon the newest list, never an old one.
"""

from msgspec.structs import replace

from linnet.signing.device_list import next_list
from linnet.signing.errors import ListReason, ListRejected
from linnet.signing.keys import KeyPair, Rng
from linnet.signing.list_format import DeviceList, ListedDevice, decode_list
from linnet.signing.objects import SignedObject


def with_device(
    held: SignedObject,
    account_key: KeyPair,
    device: ListedDevice,
    now_s: int,
    rng: Rng,
    *,
    primary: bool = False,
) -> SignedObject:
    """Sign the list with one more device, whose id is the held list's `next_id`.

    `primary` makes it the main device, as after a recovery. Raises ListRejected: `id_reused` for
    another id, `countersignature` if the device did not sign its entry.
    """
    old = decode_list(held.body)
    if device.id != old.next_id:
        raise ListRejected(ListReason.ID_REUSED)
    devices = (*old.devices, device)
    main = device.id if primary else None
    return next_list(held, account_key, devices, now_s, rng, primary=main)


def renamed(
    held: SignedObject, account_key: KeyPair, device_id: int, name: bytes, now_s: int, rng: Rng
) -> SignedObject:
    """Sign the list with another name (sealed bytes) for a device; its set stays.

    Raises KeyError if it is not listed.
    """
    old = decode_list(held.body)
    named = replace(_listed(old, device_id), name=name)
    devices = [named if device.id == device_id else device for device in old.devices]
    return next_list(held, account_key, devices, now_s, rng)


def signed_again(held: SignedObject, account_key: KeyPair, now_s: int, rng: Rng) -> SignedObject:
    """Sign the same devices again, for 35 more days; the set stays, so nobody's frame bounces."""
    return next_list(held, account_key, decode_list(held.body).devices, now_s, rng)


def _listed(listed: DeviceList, device_id: int) -> ListedDevice:
    device = listed.device(device_id)
    if device is None:
        raise KeyError(device_id)
    return device
