"""Backends and services that fail, wait or remember when a test wants them to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.keys import MemoryKeys
from linnet.server.backends.memory.tokens import MemoryTokens
from linnet.server.ports import Unavailable
from linnet.server.ports.devices import Device, StoredList
from linnet.server.ports.timeline import Roster
from linnet.server.ports.tokens import Family
from linnet.server.services.tokens import Identity
from linnet.wire.rest import GroupPage, KeyUpload, Signed, SyncPage


class FlakyKeys(MemoryKeys):
    """Stores nothing while `down`."""

    down = False

    async def put(self, account: bytes, device: int, upload: KeyUpload, most: int) -> None:
        if self.down:
            raise Unavailable("down")
        await super().put(account, device, upload, most)


class RacedTokens(MemoryTokens):
    """Lets something happen once between a read and the rotation that follows."""

    between: Callable[[], Awaitable[object]] | None = None

    async def rotate(self, id: bytes, expected: bytes, new: Family) -> bool:
        happen, self.between = self.between, None
        if happen is not None:
            await happen()
        return await super().rotate(id, expected, new)


class LinkedDevices(MemoryDevices):
    """Can list one more device, as linking will."""

    def link(self, account: bytes, signed: Signed, device: Device) -> None:
        held = self._lists[account]
        self._devices[account, device.device] = device
        self._store(
            account,
            StoredList(signed.body, signed.sig, held.version + 1, held.set + 1),
            [1, device.device],
        )


class EmptySync:
    """Mailboxes without rows; tells what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    async def sync(self, identity: Identity, since: int, limit: int) -> SyncPage:
        self.asked.append((since, limit))
        return SyncPage(rows=[], head=since, more=False)


@dataclass
class Post:
    """Delivery as groups see it: keeps the newest roster of each, and has no messages. Stores
    nothing while `down`."""

    rosters: dict[bytes, Roster] = field(default_factory=dict)
    heard: list[Roster] = field(default_factory=list)
    asked: list[tuple[bytes, int, int]] = field(default_factory=list)
    down: bool = False

    async def change_roster(self, roster: Roster) -> None:
        if self.down:
            raise Unavailable("down")
        self.heard.append(roster)
        held = self.rosters.get(roster.group)
        if held is None or roster.number > held.number:
            self.rosters[roster.group] = roster

    async def page(self, identity: Identity, group: bytes, first: int, last: int) -> GroupPage:
        self.asked.append((group, first, last))
        return GroupPage(rows=[], not_entitled=[], expired=[(first, last)])
