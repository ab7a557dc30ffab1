"""One entry of a group's log: who changed what, on top of which entry, under which device list.

The actor's device signs the entry. Here are its bytes and the group's id; whether an entry may
stand where it stands is decided by `linnet.signing.group_fold`.
"""

from hashlib import sha256
from typing import Any, Final

import msgspec

from linnet.signing.errors import Malformed
from linnet.signing.group_changes import (
    ACCOUNT_BYTES,
    HASH_BYTES,
    Change,
    Create,
    decode_change,
    encode_change,
)
from linnet.signing.group_errors import EntryReason, EntryRefused
from linnet.signing.keys import Rng
from linnet.signing.list_format import MAX_DEVICE_ID
from linnet.signing.objects import SignedObject, sign_object
from linnet.signing.packing import pack, unpack

GROUP_BYTES: Final = 16
NO_GROUP: Final = bytes(GROUP_BYTES)
"""The group of the first entry, whose hash names the group."""

FIRST_PREV: Final = bytes(HASH_BYTES)
LABEL: Final = "group"

_FORMAT: Final = 1
_TYPES: Final = [int, bytes, int, bytes, list, bytes, int, bytes]
_DEPTH: Final = 4


class Entry(msgspec.Struct, frozen=True):
    """The body of an entry. `version` counts from 1; `prev` is the hash of the entry before.

    `account` and `device` acted; `list_hash` names the device list that proves it.
    """

    group: bytes
    version: int
    prev: bytes
    change: Change
    account: bytes
    device: int
    list_hash: bytes


def first_entry(create: Create, account: bytes, device: int, list_hash: bytes) -> Entry:
    """Return the entry that begins a group."""
    return Entry(NO_GROUP, 1, FIRST_PREV, create, account, device, list_hash)


def sign_entry(entry: Entry, device_private: bytes, rng: Rng) -> SignedObject:
    """Sign an entry with the key of the acting device (32 private bytes).

    The caller persists what is returned before anyone sees it: retries send the same bytes.
    Raises EntryRefused rather than sign what no one could decode.
    """
    body = encode_entry(entry)
    if decode_entry(body) != entry:
        raise EntryRefused(EntryReason.MALFORMED)
    return sign_object(LABEL, device_private, body, rng)


def group_id(genesis: SignedObject) -> bytes:
    """Return the GroupId: the first 16 bytes of SHA-256 of the first entry's body."""
    return sha256(genesis.body).digest()[:GROUP_BYTES]


def encode_entry(entry: Entry) -> bytes:
    """Return the body: [1, group, version, prev, [code, …], account, device, list hash]."""
    change = encode_change(entry.change)
    head = [_FORMAT, entry.group, entry.version, entry.prev, change]
    return pack([*head, entry.account, entry.device, entry.list_hash], _DEPTH)


def decode_entry(body: bytes) -> Entry:
    """Read a body. Raises EntryRefused (`malformed`, `unsupported`)."""
    try:
        return _entry(unpack(body, _DEPTH))
    except Malformed:
        raise EntryRefused(EntryReason.MALFORMED) from None


def _entry(row: Any) -> Entry:
    _need(type(row) is list and [type(item) for item in row] == _TYPES)
    format, group, version, prev, change, account, device, list_hash = row
    _need(format == _FORMAT and version >= 1 and 1 <= device <= MAX_DEVICE_ID)
    _need((len(group), len(account)) == (GROUP_BYTES, ACCOUNT_BYTES))
    _need((len(prev), len(list_hash)) == (HASH_BYTES, HASH_BYTES))
    entry = Entry(group, version, prev, decode_change(change), account, device, list_hash)
    first = isinstance(entry.change, Create)
    _need(first == (version == 1) == (group == NO_GROUP) == (prev == FIRST_PREV))
    return entry


def _need(condition: bool) -> None:
    if not condition:
        raise Malformed("not an entry of format 1")
