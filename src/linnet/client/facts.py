"""Facts: the single values of an account, by name, typed by the struct that reads them.

Several facts change in one transaction with other tables, which is why they are in the store.
"""

from typing import Any, TypeVar

import apsw
import msgspec

from linnet.client.sql import first

S = TypeVar("S", bound="Fact")


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Base of facts; stored under the name of its class. Shows nothing it holds."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Identity(Fact, frozen=True, kw_only=True):
    """Who this device is, once registered. `number` is empty if that was before it was kept."""

    server: str
    account: bytes
    device: int
    number: str = ""


class Keys(Fact, frozen=True, kw_only=True):
    """The private keys that are not pre-keys, made before anything is sent anywhere.

    `account_private` is empty on a linked device: only the main device signs device lists.
    """

    device_private: bytes
    account_private: bytes
    registration_id: int
    next_key_id: int


class StorageKey(Fact, frozen=True, kw_only=True):
    """What this account's own devices share to encrypt what is theirs, such as their names.

    `version` is that of the list that came with it: a newer one wins.
    """

    key: bytes
    version: int = 0


class RecoveryCode(Fact, frozen=True, kw_only=True):
    """The recovery code, until the account is opened after it was shown."""

    code: bytes


class Login(Fact, frozen=True, kw_only=True):
    """Tokens of this device. `expires_ms` is by this machine's clock."""

    access: str
    expires_ms: int
    refresh: str


class Rotation(Fact, frozen=True, kw_only=True):
    """A refresh that was begun: a retry must name the same id with the same proof."""

    id: bytes
    proof: bytes


class SignedList(Fact, frozen=True, kw_only=True):
    """An own device list that was signed and may not have reached the server yet.

    `link` names the link that it activates, and is empty for a list that adds no device. `before`
    is the body of the list that was held when it was signed.
    """

    body: bytes
    sig: bytes
    link: bytes = b""
    before: bytes = b""


class Cursor(Fact, frozen=True, kw_only=True):
    """The last position committed here."""

    position: int = 0


class Proof(Fact, frozen=True, kw_only=True):
    """The highest head the server told, and its own proof that it did."""

    head: int = 0
    proof: bytes = b""


class Clock(Fact, frozen=True, kw_only=True):
    """Milliseconds to add to this machine's clock for the server's."""

    offset_ms: int = 0


class Welcomed(Fact, frozen=True, kw_only=True):
    """The server's time in its last `welcome`; `here`: that came since the account was opened."""

    server_ms: int = 0
    here: bool = False


class Told(Fact, frozen=True, kw_only=True):
    """Row number of the last arrived message that was handed to the application."""

    seq: int = 0


def get(db: apsw.Connection, kind: type[S]) -> S | None:
    """The fact, or None."""
    row = first(db, "SELECT value FROM facts WHERE name = ?", (kind.__name__,))
    return None if row is None else msgspec.msgpack.decode(row[0], type=kind)


def get_or(db: apsw.Connection, default: S) -> S:
    """The fact, or `default`."""
    found = get(db, type(default))
    return default if found is None else found


def put(db: apsw.Connection, fact: Fact) -> None:
    """Set the fact of this kind."""
    row: tuple[Any, ...] = (type(fact).__name__, msgspec.msgpack.encode(fact))
    db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", row)


def replace(fact: S, **changes: Any) -> S:
    """The fact with some fields changed."""
    return msgspec.structs.replace(fact, **changes)


def drop(db: apsw.Connection, kind: type[Fact]) -> None:
    """Forget the fact of this kind."""
    db.execute("DELETE FROM facts WHERE name = ?", (kind.__name__,))
