"""Relay: carries device-set changes from the accounts store to delivery.

The list and its change are committed together; the change is forgotten only when its record was
decided, so a crash anywhere repeats it and loses nothing. The driver ignores repeats.
"""

from __future__ import annotations

import asyncio

from linnet.server.ports.devices import Devices, SetChange
from linnet.server.ports.timeline import DeviceSet
from linnet.server.services.delivery.inline import Inline

BATCH = 500
"""Changes carried at a time."""


class Relay:
    """One at a time; a second caller waits and then finds its change already carried."""

    def __init__(self, devices: Devices, delivery: Inline) -> None:
        self._devices = devices
        self._delivery = delivery
        self._turn = asyncio.Lock()

    async def carry(self) -> None:
        """Return once every change committed before the call was decided. Raises Unavailable."""
        async with self._turn:
            while changes := await self._devices.changes(BATCH):
                # Handed over together, they are one commit.
                await asyncio.gather(*(self._delivery.change_set(_set(it)) for it in changes))
                await self._devices.decided([change.number for change in changes])


def _set(change: SetChange) -> DeviceSet:
    return DeviceSet(change.account, change.mailbox, change.set, change.devices)
