"""What an entry of a group's log changes: nine kinds, and the bytes of each.

A change is the array `[code, …]` inside an entry. Decoding checks types and sizes only: who may
make which change, and what follows from it, is in `linnet.signing.group_rules`. Titles are
ciphertext here. Codes 10 to 13 are reserved for what comes later.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias

import msgspec

from linnet.signing.errors import Malformed
from linnet.signing.group_errors import EntryReason, EntryRefused
from linnet.signing.keys import KEY_TYPE, PUBLIC_BYTES

MAX_MEMBERS: Final = 1_024
NONCE_BYTES: Final = 32
ACCOUNT_BYTES: Final = 16
HASH_BYTES: Final = 32
MAX_TITLE_BYTES: Final = 512
"""Longest title, in UTF-8 bytes."""

SEALED_MIN: Final = 12 + 16
SEALED_MAX: Final = SEALED_MIN + MAX_TITLE_BYTES

CREATE: Final = 1
ADD: Final = 2
REMOVE: Final = 3
LEAVE: Final = 4
PROMOTE: Final = 5
DEMOTE: Final = 6
REKEY: Final = 7
TITLE: Final = 8
CONFIRM: Final = 9

LATER: Final = {10: "link", 11: "join", 12: "approve", 13: "picture"}
"""Codes that a later version of the protocol gives a meaning."""


class Pair(msgspec.Struct, frozen=True, order=True):
    """What a member is: AccountId (16 bytes) and account key (33 bytes)."""

    account: bytes
    account_key: bytes


class SealedTitle(msgspec.Struct, frozen=True):
    """A title under a group secret: nonce (12) ‖ ciphertext ‖ tag (16).

    `number` is the log version of the entry that brought the secret, `secret_hash` its SHA-256.
    """

    number: int
    secret_hash: bytes
    sealed: bytes


class Create(msgspec.Struct, frozen=True):
    """Begin a group: its founder becomes the admin, `members` (without the founder) members.

    `members` ascend by AccountId. The secret of a first title has number 1.
    """

    nonce: bytes
    founder_key: bytes
    members: tuple[Pair, ...] = ()
    title: SealedTitle | None = None


class Add(msgspec.Struct, frozen=True):
    """Add members, ascending by AccountId."""

    members: tuple[Pair, ...]


class Remove(msgspec.Struct, frozen=True):
    """Remove other members, AccountIds ascending."""

    accounts: tuple[bytes, ...]


class Leave(msgspec.Struct, frozen=True):
    """Leave the group oneself."""


class Promote(msgspec.Struct, frozen=True):
    """Make a member an admin."""

    account: bytes


class Demote(msgspec.Struct, frozen=True):
    """Make an admin an ordinary member."""

    account: bytes


class Rekey(msgspec.Struct, frozen=True):
    """Take a member's new account key for the member's. The role does not survive it."""

    account: bytes
    account_key: bytes


class Retitle(msgspec.Struct, frozen=True):
    """Give the group another title."""

    title: SealedTitle


class Confirm(msgspec.Struct, frozen=True):
    """Change nothing but the list that the actor's account is held to: the one cited."""


Change: TypeAlias = Create | Add | Remove | Leave | Promote | Demote | Rekey | Retitle | Confirm


def encode_change(change: Change) -> list[Any]:
    """Return `[code, …]`, to be packed."""
    match change:
        case Create(nonce, founder_key, members, title):
            sealed = None if title is None else [title.secret_hash, title.sealed]
            return [CREATE, nonce, founder_key, _pairs(members), sealed, None]
        case Add(members):
            return [ADD, _pairs(members)]
        case Remove(accounts):
            return [REMOVE, list(accounts)]
        case Leave():
            return [LEAVE]
        case Promote(account):
            return [PROMOTE, account]
        case Demote(account):
            return [DEMOTE, account]
        case Rekey(account, account_key):
            return [REKEY, account, account_key]
        case Retitle(title):
            return [TITLE, title.number, title.secret_hash, title.sealed]
        case Confirm():
            return [CONFIRM]


def decode_change(row: Any) -> Change:
    """Read an unpacked `[code, …]`.

    Raises Malformed; EntryRefused (`unsupported`) for a change of a later version.
    """
    _need(type(row) is list and len(row) > 0 and type(row[0]) is int)
    code, *rest = row
    if code in LATER:
        raise EntryRefused(EntryReason.UNSUPPORTED)
    _need(code in _DECODERS)
    size, decode = _DECODERS[code]
    _need(len(rest) == size)
    return decode(*rest)


def _create(nonce: Any, founder_key: Any, members: Any, title: Any, continues: Any) -> Create:
    if continues is not None:
        raise EntryRefused(EntryReason.UNSUPPORTED)
    return Create(
        _bin(nonce, NONCE_BYTES),
        _key(founder_key),
        _members(members, 0, MAX_MEMBERS - 1),
        None if title is None else _first_title(title),
    )


def _first_title(row: Any) -> SealedTitle:
    _need(type(row) is list and len(row) == 2)
    return _title(1, *row)


def _title(number: Any, secret_hash: Any, sealed: Any) -> SealedTitle:
    _need(type(number) is int and number >= 1)
    _need(type(sealed) is bytes and SEALED_MIN <= len(sealed) <= SEALED_MAX)
    return SealedTitle(number, _bin(secret_hash, HASH_BYTES), sealed)


def _members(rows: Any, least: int, most: int) -> tuple[Pair, ...]:
    _need(type(rows) is list and least <= len(rows) <= most)
    _need(all(type(row) is list and len(row) == 2 for row in rows))
    pairs = tuple(Pair(_account(row[0]), _key(row[1])) for row in rows)
    _need(_ascending([pair.account for pair in pairs]))
    return pairs


def _accounts(rows: Any) -> tuple[bytes, ...]:
    _need(type(rows) is list and 1 <= len(rows) < MAX_MEMBERS)
    accounts = tuple(_account(row) for row in rows)
    _need(_ascending(accounts))
    return accounts


def _account(value: Any) -> bytes:
    return _bin(value, ACCOUNT_BYTES)


def _key(value: Any) -> bytes:
    key = _bin(value, PUBLIC_BYTES)
    _need(key[0] == KEY_TYPE)
    return key


def _bin(value: Any, size: int) -> bytes:
    if type(value) is not bytes or len(value) != size:
        raise Malformed("not a change of a group")
    return value


def _pairs(members: Sequence[Pair]) -> list[list[bytes]]:
    return [[pair.account, pair.account_key] for pair in members]


def _ascending(accounts: Sequence[bytes]) -> bool:
    return all(low < high for low, high in pairwise(accounts))


def _need(condition: bool) -> None:
    if not condition:
        raise Malformed("not a change of a group")


_DECODERS: Final[dict[int, tuple[int, Callable[..., Change]]]] = {
    CREATE: (5, _create),
    ADD: (1, lambda rows: Add(_members(rows, 1, MAX_MEMBERS - 1))),
    REMOVE: (1, lambda rows: Remove(_accounts(rows))),
    LEAVE: (0, Leave),
    PROMOTE: (1, lambda account: Promote(_account(account))),
    DEMOTE: (1, lambda account: Demote(_account(account))),
    REKEY: (2, lambda account, key: Rekey(_account(account), _key(key))),
    TITLE: (3, lambda *row: Retitle(_title(*row))),
    CONFIRM: (0, Confirm),
}
