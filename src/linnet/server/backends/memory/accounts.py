"""Accounts in memory: the reference of port `accounts`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.keys import MemoryKeys
from linnet.server.ports.accounts import Account, FirstDevice
from linnet.server.ports.devices import Admission, Device, StoredList


class MemoryAccounts:
    """Accounts in a dict; their lists and devices are in `devices`, those devices' keys in
    `keys`."""

    def __init__(self, devices: MemoryDevices, keys: MemoryKeys | None = None) -> None:
        self._devices = devices
        self._keys = keys or MemoryKeys()
        self._accounts: dict[bytes, Account] = {}
        self._numbers: dict[bytes, bytes] = {}

    async def register(self, account: Account, first: FirstDevice) -> Account:
        if (held := self._accounts.get(account.id)) is not None:
            return held
        if account.number is not None:
            self._take(account.number)
            self._numbers[account.number] = account.id
        self._accounts[account.id] = account
        self._devices.begin(
            account.mailbox,
            StoredList(first.list_body, first.list_sig, first.version, first.set),
            Device(account.id, first.device, first.identity, first.registration_id),
        )
        return account

    async def recover(self, number: bytes, admission: Admission, most: int) -> bool:
        account, device = admission.account, admission.device
        if self._numbers.get(number) != account or not self._devices.admit(admission):
            return False
        self._keys.store(account, device, admission.keys, most)
        return True

    async def get(self, account: bytes) -> Account | None:
        return self._accounts.get(account)

    async def set_delivery_key(self, account: bytes, hash: bytes) -> None:
        if (held := self._accounts.get(account)) is not None:
            self._accounts[account] = msgspec.structs.replace(held, delivery_key=hash)

    async def by_numbers(self, numbers: Sequence[bytes]) -> dict[bytes, bytes]:
        return {number: self._numbers[number] for number in numbers if number in self._numbers}

    def _take(self, number: bytes) -> None:
        if (owner := self._numbers.get(number)) is not None:
            self._accounts[owner] = msgspec.structs.replace(self._accounts[owner], number=None)
