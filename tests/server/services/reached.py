"""Stores of people and groups without any signature, for whom only the rosters matter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace
from tests.backends.logs import step
from tests.backends.people import account, blob, first_device

from linnet.server.backends.memory.accounts import MemoryAccounts
from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.directory import MemoryDirectory
from linnet.server.backends.memory.groups import MemoryGroups
from linnet.server.backends.memory.keys import MemoryKeys
from linnet.server.backends.memory.rosters import MemoryRosters
from linnet.server.ports.devices import StoredList
from linnet.server.ports.groups import Step
from linnet.server.ports.timeline import DeviceSet, Roster
from linnet.server.services.delivery.relay import Relay
from linnet.server.services.group_states import write_state
from linnet.server.services.rosters import Rosters
from linnet.signing.device_list import DeviceList, ListedDevice, encode_list
from linnet.signing.group_state import GroupState, Member, Role

ANN, BEN, CAT = (account(number).id for number in range(3))
KEYS = {account(number).id: account(number).key for number in range(3)}
GROUP = blob("group", 0)


class Crash(Exception):
    """The process ends here."""


@dataclass
class Fate:
    """When the process ends: at the `at`th step, before or after a call of a port."""

    at: int | None = None
    steps: int = 0

    async def step(self) -> None:
        self.steps += 1
        if self.at is not None and self.steps >= self.at:
            raise Crash


@dataclass
class Chance:
    """Lets others go first, by the dice."""

    dice: random.Random

    async def step(self) -> None:
        for _ in range(self.dice.choice((0, 0, 0, 0, 1, 3, 60))):
            await asyncio.sleep(0)


class Through:
    """A port behind which every call has a step before it and one after it."""

    def __init__(self, port: Any, steps: Fate | Chance) -> None:
        self._port = port
        self._steps = steps

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._port, name)

        async def call(*args: Any) -> Any:
            await self._steps.step()
            answer = await method(*args)
            await self._steps.step()
            return answer

        return call


@dataclass
class Delivery:
    """What delivery has decided; outlives every process."""

    sets: dict[bytes, DeviceSet] = field(default_factory=dict)
    rosters: dict[bytes, Roster] = field(default_factory=dict)

    async def change_set(self, change: DeviceSet) -> None:
        held = self.sets.get(change.account)
        if held is None or change.number > held.number:
            self.sets[change.account] = change

    async def change_roster(self, roster: Roster) -> None:
        held = self.rosters.get(roster.group)
        if held is None or roster.number > held.number:
            self.rosters[roster.group] = roster


class Town:
    """Ann, Ben and Cat have registered; the stores outlive every process."""

    def __init__(self) -> None:
        self.devices, self.rosters = MemoryDevices(), MemoryRosters()
        self.accounts = MemoryAccounts(self.devices, MemoryKeys())
        self.groups = MemoryGroups(self.rosters)
        self.delivery = Delivery()
        self.now: frozenset[bytes] = frozenset()
        self._last: Step | None = None

    async def settle(self) -> None:
        """Everybody registers, and delivery hears of it."""
        for number in range(3):
            who = account(number)
            first = replace(first_device(number), list_body=_list(who.id, 1, (1,)))
            await self.accounts.register(who, first)
        await self.process(Fate())[1].carry()

    def process(self, steps: Fate | Chance) -> tuple[Rosters, Relay]:
        """What a server process runs over the stores."""
        delivery: Any = Through(self.delivery, steps)
        groups: Any = Through(self.groups, steps)
        marks: Any = Through(self.rosters, steps)
        devices: Any = Through(self.devices, steps)
        directory: Any = Through(MemoryDirectory(self.accounts, self.devices), steps)
        rosters = Rosters(groups, marks, directory, delivery.change_roster)
        return rosters, Relay(devices, delivery.change_set, rosters)

    async def members(self, *accounts: bytes) -> None:
        """Append an entry that leaves these members. Done once, whoever repeats it."""
        version = 1 if self._last is None else self._last.entry.version + 1
        members = {it: Member(KEYS[it], Role.MEMBER, 1) for it in accounts}
        bare = step(
            version,
            self._last,
            joined=tuple(members.keys() - self.now),
            left=tuple(self.now - members.keys()),
        )
        state = GroupState(GROUP, version, bare.entry.hash, members, {})
        made = replace(bare, state=write_state(state))
        stored = await (self.groups.append(made) if self._last else self.groups.create(made))
        assert stored
        self._last, self.now = made, frozenset(members)

    async def lists(self, who: bytes, set: int, *devices: int) -> None:
        """Store a newer list."""
        body = _list(who, set, devices)
        assert await self.devices.replace(
            who, set - 1, StoredList(body, bytes(64), set, set), devices
        )

    def reached(self) -> dict[bytes, tuple[int, ...]]:
        """Whom delivery reaches: account → devices."""
        return {seat.account: seat.devices for seat in self.delivery.rosters[GROUP].seats}

    async def is_quiet(self) -> bool:
        """Whether nothing is left to be carried."""
        left = (
            await self.rosters.marks(9),
            await self.rosters.undecided(9),
            await self.devices.changes(9),
        )
        return not any(left)


def _list(who: bytes, set: int, devices: tuple[int, ...]) -> bytes:
    listed = tuple(
        ListedDevice(id, blob("key", id, 32).rjust(33, b"\x05"), b"", 1, 1, bytes(64))
        for id in sorted(devices)
    )
    return encode_list(
        DeviceList(who, b"\x05" + bytes(32), set, set, bytes(32), 1, 2, min(devices), 9, listed)
    )
