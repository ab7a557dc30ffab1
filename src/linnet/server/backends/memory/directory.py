"""Directory in memory: the reference of port `directory`."""

from __future__ import annotations

from collections.abc import Sequence

from linnet.server.ports.accounts import Accounts
from linnet.server.ports.devices import Devices
from linnet.server.ports.directory import Listing


class MemoryDirectory:
    """Reads the memory stores of accounts and devices, neither of which waits."""

    def __init__(self, accounts: Accounts, devices: Devices) -> None:
        self._accounts = accounts
        self._devices = devices

    async def find(self, accounts: Sequence[bytes]) -> dict[bytes, Listing]:
        found = {}
        for id in accounts:
            account = await self._accounts.get(id)
            newest = await self._devices.newest(id)
            if account is not None and newest is not None:
                found[id] = Listing(id, account.key, account.mailbox, newest)
        return found
