"""Device lists, the format: which devices an account has, signed by its account key.

A list names every device with its key; each device counter-signs its own entry, so nobody can
list another's key as theirs. Decoding checks types and sizes only: the rules that a list must
keep are in `linnet.signing.device_list`.
"""

from typing import Any, Final, cast

import msgspec

from linnet.signing import xeddsa
from linnet.signing.errors import Malformed
from linnet.signing.keys import KEY_TYPE, PUBLIC_BYTES, KeyPair, Rng
from linnet.signing.objects import label
from linnet.signing.packing import pack, unpack

ACCOUNT_BYTES: Final = 16
HASH_BYTES: Final = 32
MAX_DEVICE_ID: Final = 127
MAX_NAME_BYTES: Final = 256
MAX_KIND: Final = 255

# What a device is, for display only; an unknown number is shown as "device".
KIND_TERMINAL: Final = 1
KIND_BROWSER: Final = 2
KIND_PHONE: Final = 3
KIND_DESKTOP: Final = 4

_FORMAT: Final = 1
_LIST_TYPES: Final = [int, bytes, bytes, int, int, bytes, int, int, int, int, list]
_DEVICE_TYPES: Final = [int, bytes, bytes, int, int, bytes]


class ListedDevice(msgspec.Struct, frozen=True):
    """One device of a list. `name` is encrypted and may be empty; `added` is in seconds."""

    id: int
    key: bytes
    name: bytes
    added: int
    kind: int
    countersig: bytes


class DeviceList(msgspec.Struct, frozen=True):
    """The body of a list. Times are in seconds; `set` rises only when devices or keys change."""

    account: bytes
    key: bytes
    version: int
    set: int
    prev: bytes
    issued: int
    expires: int
    primary: int
    next_id: int
    devices: tuple[ListedDevice, ...]

    def device(self, device_id: int) -> ListedDevice | None:
        """Return the device with this id, or None if it is not listed."""
        return next((device for device in self.devices if device.id == device_id), None)

    def device_keys(self) -> dict[int, bytes]:
        """Return id → key: exactly what `set` counts the changes of."""
        return {device.id: device.key for device in self.devices}


def encode_list(listed: DeviceList) -> bytes:
    """Return the body: [1, account, key, version, set, prev, issued, expires, …, devices]."""
    devices = [msgspec.structs.astuple(device) for device in listed.devices]
    return pack([_FORMAT, *msgspec.structs.astuple(listed)[:-1], devices])


def decode_list(body: bytes) -> DeviceList:
    """Read a body. Raises Malformed."""
    row = _typed(unpack(body, max_depth=3), _LIST_TYPES)
    _require(row[0] == _FORMAT)
    row[-1] = tuple(_device(entry) for entry in row[-1])
    listed = DeviceList(*row[1:])
    _require(len(listed.account) == ACCOUNT_BYTES and len(listed.prev) == HASH_BYTES)
    _require(_is_key(listed.key) and len(listed.devices) <= MAX_DEVICE_ID)
    return listed


def encode_device(account: bytes, account_key: bytes, id: int, key: bytes, added: int) -> bytes:
    """Return what a device counter-signs: [1, account, account key, id, key, added]."""
    return pack([_FORMAT, account, account_key, id, key, added])


def countersign(
    device: KeyPair, account: bytes, account_key: bytes, id: int, added: int, rng: Rng
) -> bytes:
    """Sign, with the device's own key, that it is device `id` of this account since `added`."""
    body = encode_device(account, account_key, id, device.public, added)
    return xeddsa.sign(device.private, label("device") + body, rng)


def countersigned(account: bytes, account_key: bytes, device: ListedDevice) -> bool:
    """Tell whether the listed device itself signed its entry for this account and key."""
    body = encode_device(account, account_key, device.id, device.key, device.added)
    return xeddsa.verify(device.key, label("device") + body, device.countersig)


def _device(row: Any) -> ListedDevice:
    device = ListedDevice(*_typed(row, _DEVICE_TYPES))
    _require(1 <= device.id <= MAX_DEVICE_ID and device.kind <= MAX_KIND and _is_key(device.key))
    _require(len(device.name) <= MAX_NAME_BYTES)
    _require(len(device.countersig) == xeddsa.SIGNATURE_BYTES)
    return device


def _typed(value: Any, types: list[type]) -> list[Any]:
    _require(type(value) is list and [type(item) for item in value] == types)
    _require(all(item >= 0 for item in value if type(item) is int))
    return cast(list[Any], value)


def _is_key(key: bytes) -> bool:
    return len(key) == PUBLIC_BYTES and key[0] == KEY_TYPE


def _require(condition: bool) -> None:
    if not condition:
        raise Malformed("not a device list of format 1")
