"""Contacts: what a person calls the accounts they know, the same on all devices of the account."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import apsw

from linnet.client import synced
from linnet.client.own_channel import OwnChannel
from linnet.client.sealed import profile, state
from linnet.client.store import Store
from linnet.signing.errors import Malformed
from linnet.signing.packing import pack, unpack
from linnet.wire.ids import AccountId

SCOPE: Final = "contact"
NAME_CHARS: Final = 128


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody. `number` and `name` are empty where they are not known."""

    account: AccountId
    number: str = field(default="", repr=False)
    name: str = field(default="", repr=False)


class Contacts:
    """The people this account knows by number or by name."""

    def __init__(self, store: Store, channel: OwnChannel, wake: Callable[[], None]) -> None:
        self._store, self._channel, self._wake = store, channel, wake
        self.on_shut_out: Callable[[], None] = lambda: None
        """Called when somebody is not to send sealed messages here any more."""

    async def all(self) -> list[Contact]:
        """Everybody, by account id."""
        return await self._store.read(everybody)

    async def get(self, account: AccountId) -> Contact:
        """What is known of an account."""
        return await self._store.read(lambda db: known(db, account))

    async def name(self, account: AccountId, name: str) -> None:
        """Call an account something, at most 128 characters of it."""

        def write(db: apsw.Connection) -> None:
            keep(db, self._channel, account, known(db, account).number, name[:NAME_CHARS])

        await self._store.write(write)
        self._wake()

    async def block(self, account: AccountId, blocked: bool = True) -> None:
        """Show nothing more that this account says to this one, and let it send nothing sealed
        here; or end that. On all devices; the account is not told."""

        def block(db: apsw.Connection) -> None:
            if not blocked:
                profile.let_in(db, self._channel, account)
            elif not state.blocked(db, account):
                profile.shut_out(db, self._channel, account, blocked=True)

        await self._store.write(block)
        self.on_shut_out()
        self._wake()

    async def blocked(self, account: AccountId) -> bool:
        """Whether an account is blocked."""
        return await self._store.read(lambda db: state.blocked(db, account))

    async def remove(self, account: AccountId) -> None:
        """Forget number and name of an account, and let it send nothing sealed here until it is
        written to again. What was said stays."""

        def remove(db: apsw.Connection) -> None:
            self._channel.write(db, SCOPE, account, b"")
            profile.shut_out(db, self._channel, account, blocked=False)

        await self._store.write(remove)
        self.on_shut_out()
        self._wake()


def known(db: apsw.Connection, account: bytes) -> Contact:
    """What is known of an account."""
    return _contact(account, synced.value(db, SCOPE, account))


def everybody(db: apsw.Connection) -> list[Contact]:
    """As `Contacts.all`."""
    return [_contact(key, value) for key, value in synced.of_scope(db, SCOPE)]


def with_number(db: apsw.Connection, number: str) -> list[Contact]:
    """Who has this number; several only until own devices that learnt it at once are in step."""
    return [contact for contact in everybody(db) if contact.number == number]


def keep(db: apsw.Connection, channel: OwnChannel, account: bytes, number: str, name: str) -> None:
    """Keep a contact here and on the other devices."""
    channel.write(db, SCOPE, account, pack([number, name]))


def _contact(account: bytes, packed: bytes) -> Contact:
    try:
        row: Any = unpack(packed) if packed else None
    except Malformed:
        row = None
    match row:
        case [str(number), str(name), *_]:
            return Contact(AccountId(account), number, name)
        case _:
            return Contact(AccountId(account))
