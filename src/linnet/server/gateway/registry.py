"""Registry: which devices are connected here, by mailbox, account and address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linnet.server.gateway.connection import Connection

_NOBODY: tuple[Connection, ...] = ()


class Registry:
    """Live connections. An account's are few, so tuples are searched."""

    def __init__(self) -> None:
        self.by_mailbox: dict[bytes, tuple[Connection, ...]] = {}
        """To be read, for many at once."""
        self._by_account: dict[bytes, tuple[Connection, ...]] = {}
        self._addresses: Counter[str] = Counter()

    def add(self, connection: Connection) -> Connection | None:
        """The device is here now; returns the older connection it replaces, already removed."""
        older = self.of_device(connection.account, connection.device)
        if older is not None:
            self.remove(older)
        mailbox, account = connection.mailbox, connection.account
        self.by_mailbox[mailbox] = (*self.by_mailbox.get(mailbox, ()), connection)
        self._by_account[account] = (*self._by_account.get(account, ()), connection)
        return older

    def remove(self, connection: Connection) -> None:
        """The connection is gone. Removing it twice is not an error."""
        _leave(self.by_mailbox, connection.mailbox, connection)
        _leave(self._by_account, connection.account, connection)

    def of_mailbox(self, mailbox: bytes) -> tuple[Connection, ...]:
        """Connections to tell of a row."""
        return self.by_mailbox.get(mailbox, _NOBODY)

    def of_account(self, account: bytes) -> tuple[Connection, ...]:
        """Connections to tell of a tick."""
        return self._by_account.get(account, _NOBODY)

    def of_device(self, account: bytes, device: int) -> Connection | None:
        """The device's connection."""
        for connection in self._by_account.get(account, _NOBODY):
            if connection.device == device:
                return connection
        return None

    def __iter__(self) -> Iterator[Connection]:
        for connections in list(self._by_account.values()):
            yield from connections

    def __len__(self) -> int:
        return sum(map(len, self._by_account.values()))

    # ---- sockets per address, counted from before `hello`

    def arrive(self, address: str, most: int) -> bool:
        """Count a socket of an address; False if it has `most` already."""
        if self._addresses[address] >= most:
            return False
        self._addresses[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A counted socket closed."""
        self._addresses[address] -= 1
        if self._addresses[address] <= 0:
            del self._addresses[address]


def _leave(index: dict[bytes, tuple[Connection, ...]], key: bytes, connection: Connection) -> None:
    rest = tuple(one for one in index.get(key, _NOBODY) if one is not connection)
    if rest:
        index[key] = rest
    else:
        index.pop(key, None)
