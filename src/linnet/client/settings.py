"""Settings: what a person chose, the same on all devices of the account."""

from collections.abc import Callable
from typing import Final, TypeVar

import apsw

from linnet.client import synced
from linnet.client.own_channel import OwnChannel
from linnet.client.store import Store
from linnet.signing.packing import pack, unpack

T = TypeVar("T", bool, int, str)

SCOPE: Final = "setting"
READ_RECEIPTS: Final = "read_receipts"
"""Whether others are told what was read; on unless it was turned off."""


class Settings:
    """Reads and changes settings; a change reaches the other own devices by itself."""

    def __init__(self, store: Store, channel: OwnChannel, wake: Callable[[], None]) -> None:
        self._store, self._channel, self._wake = store, channel, wake

    async def get(self, name: str, default: T) -> T:
        """The setting, or `default` if it was never set to something of its type."""
        return await self._store.read(lambda db: value(db, name, default))

    async def set(self, name: str, value: bool | int | str) -> None:
        """Set it here and on the other devices."""
        packed = pack(value)
        await self._store.write(lambda db: self._channel.write(db, SCOPE, name.encode(), packed))
        self._wake()


def value(db: apsw.Connection, name: str, default: T) -> T:
    """As `Settings.get`."""
    packed = synced.value(db, SCOPE, name.encode())
    found = unpack(packed) if packed else default
    return found if type(found) is type(default) else default
