"""Devices in memory: the reference of port `devices`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from linnet.server.ports.devices import Admission, Device, SetChange, StoredList


class MemoryDevices:
    """Lists and devices in dicts. `MemoryAccounts` writes the first list of an account, and
    `MemoryLinks` those that bring a device."""

    def __init__(self) -> None:
        self._lists: dict[bytes, StoredList] = {}
        self._mailboxes: dict[bytes, bytes] = {}
        self._devices: dict[tuple[bytes, int], Device] = {}
        self._changes: dict[int, SetChange] = {}
        self._number = 0

    def begin(self, mailbox: bytes, first: StoredList, device: Device) -> None:
        """The account's first list and device, and their set change."""
        self._mailboxes[device.account] = mailbox
        self._devices[device.account, device.device] = device
        self._store(device.account, first, (device.device,))

    def admit(self, admission: Admission) -> bool:
        """The list, its new device and the set change; False if another list was first."""
        held = self._lists.get(admission.account)
        if held is None or held.version != admission.expected_version:
            return False
        device = Device(
            admission.account,
            admission.device,
            admission.identity,
            admission.registration_id,
            ticket=admission.ticket,
        )
        self._devices[device.account, device.device] = device
        self._change(admission.account, admission.list, admission.devices)
        return True

    async def newest(self, account: bytes) -> StoredList | None:
        return self._lists.get(account)

    async def get(self, account: bytes, device: int) -> Device | None:
        return self._devices.get((account, device))

    async def replace(
        self, account: bytes, expected_version: int, new: StoredList, devices: Sequence[int]
    ) -> bool:
        held = self._lists.get(account)
        if held is None or held == new:
            return held == new
        if held.version != expected_version:
            return False
        if held.set == new.set:
            self._lists[account] = new
            return True
        self._change(account, new, devices)
        return True

    async def changes(self, limit: int) -> Sequence[SetChange]:
        return list(self._changes.values())[:limit]

    async def decided(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._changes.pop(number, None)

    def _change(self, account: bytes, new: StoredList, devices: Sequence[int]) -> None:
        self._store(account, new, devices)
        for key, device in self._devices.items():
            if key[0] == account and key[1] not in devices:
                self._devices[key] = msgspec.structs.replace(device, revoked=True)

    def _store(self, account: bytes, new: StoredList, devices: Sequence[int]) -> None:
        self._lists[account] = new
        self._number += 1
        self._changes[self._number] = SetChange(
            self._number, account, self._mailboxes[account], new.set, tuple(devices)
        )
