"""Relay: carries device-set changes from the accounts store to delivery, and into the rosters of
the account's groups.

The list and its change are committed together; the change is forgotten only when its record was
decided and the rosters that follow from it too, so a crash anywhere repeats it and loses nothing.
The driver ignores repeats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from linnet.server.ports.devices import Devices, SetChange
from linnet.server.ports.timeline import DeviceSet
from linnet.server.services.rosters import Rosters

BATCH = 500
"""Changes carried at a time."""

ChangeSet = Callable[[DeviceSet], Awaitable[None]]
"""Has delivery decide a set change; raises Unavailable."""


class Relay:
    """One at a time; a second caller waits and then finds its change already carried."""

    def __init__(self, devices: Devices, change: ChangeSet, rosters: Rosters) -> None:
        self._devices = devices
        self._change = change
        self._rosters = rosters
        self._turn = asyncio.Lock()

    async def carry(self) -> None:
        """Return once every change committed before the call was decided, and is in the rosters
        of the groups it concerns. Raises Unavailable."""
        async with self._turn:
            while changes := await self._devices.changes(BATCH):
                # Handed over together, they are one commit.
                await asyncio.gather(*(self._change(_set(it)) for it in changes))
                await self._rosters.sets_changed(sorted({it.account for it in changes}))
                await self._devices.decided([change.number for change in changes])

    async def carry_all(self) -> None:
        """The same, and what a crash or a full disk left of changes to logs. Raises Unavailable."""
        await self.carry()
        await self._rosters.carry()


def _set(change: SetChange) -> DeviceSet:
    return DeviceSet(change.account, change.mailbox, change.set, change.devices)
