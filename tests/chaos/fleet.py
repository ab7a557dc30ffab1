"""Fleet: many phones that talk at once, and one history of all they saw."""

from __future__ import annotations

import asyncio
import random

from tests.chaos.asking import Asking
from tests.chaos.circles import Circles
from tests.chaos.history import Accounted, Device, History, Killed, Listed
from tests.chaos.house import House
from tests.chaos.households import DEVICES_MOST, Households
from tests.chaos.letters import Letters
from tests.chaos.people import Owner
from tests.chaos.phone import Phone

from linnet.signing.list_format import decode_list
from linnet.signing.objects import SignedObject
from linnet.wire import ids
from linnet.wire.rest import GroupPage

FRIENDS = 4
"""Accounts that each account writes to."""


class Fleet:
    """Phones of `accounts` people in a house; a third of them have two devices from the start."""

    def __init__(self, house: House, rng: random.Random, pause_s: float) -> None:
        self.history: History = []
        self.lists: dict[bytes, tuple[int, tuple[int, ...]]] = {}
        """Account to (set number, devices): what a fresh look at its device list would say."""
        self.owners: dict[bytes, Owner] = {}
        self.gone: set[Device] = set()
        self.talking = True
        self.restored = False
        """The server's store went back: cursors may be above what it knows."""
        self.pause_s = pause_s
        """A phone looks for something to say so often, on average."""
        self.phones: list[Phone] = []
        self.asking = Asking(house)
        self._house = house
        self._rng = rng
        self._tasks: asyncio.TaskGroup | None = None
        self._running: list[asyncio.Task[None]] = []
        self.circles = Circles(self, random.Random(rng.random()))
        self._letters = Letters(self, random.Random(rng.random()))
        self._households = Households(self, random.Random(rng.random()))

    @property
    def url(self) -> str:
        """Where the server listens, or did."""
        return self._house.url

    async def settle(self, accounts: int) -> None:
        """Make everybody's accounts, before the server starts for the first time."""
        owners = [Owner(self._rng) for _ in range(accounts)]
        await self._house.settle(owners)
        for owner in owners:
            self.owners[owner.account] = owner
            self.listed(owner, owner.list)
            self._add(owner, 1, await self._house.token(owner.account, 1))
        for owner in owners[: accounts // 3]:
            await self.link(owner)
        for phone in self.phones:
            own = phone.device.account
            others = self._rng.sample([it for it in self.lists if it != own], FRIENDS)
            phone.peers = [*others * 5, own]

    async def link(self, owner: Owner | None = None) -> None:
        """Somebody (chosen by chance) gets another device. No server may be running."""
        able = [
            it for it in self.owners.values() if len(it.devices) < DEVICES_MOST and not it.changing
        ]
        owner = owner or self._rng.choice(able)
        signed, device = await self._house.link(owner)
        self.listed(owner, signed)
        self.joins(owner, device, await self._house.token(owner.account, device))

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Everybody connects and talks."""
        self._tasks = tasks
        self._running = [tasks.create_task(phone.run()) for phone in self.phones]

    async def gather(self, groups: int, devices: bool = True) -> None:
        """From now on there are groups, sealed letters, and `devices` that come and go. The server
        runs."""
        assert self._tasks is not None
        await self.circles.found(groups)
        self._running += self.circles.start(self._tasks)
        self._running.append(self._tasks.create_task(self._letters.write()))
        if devices:
            self._running.append(self._tasks.create_task(self._households.change()))

    async def stop(self) -> None:
        """Everybody leaves, at once."""
        for running in self._running:
            running.cancel()
        await self.asking.close()

    def killed(self) -> None:
        """The server was killed just now."""
        self.history.append(Killed())

    def restore(self) -> None:
        """The server's store has gone back just now."""
        self.restored = True
        for phone in self.phones:
            phone.wait_for_no_ticks()

    async def drain(self, within_s: float) -> None:
        """Nobody says anything new; return once everybody has every answer, row and tick, and has
        asked for what it passed over.

        Raises AssertionError with what is still waited for.
        """
        self.talking = False
        try:
            async with asyncio.timeout(within_s):
                while self._waiting():  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                for phone in self.phones:
                    await self._account_for(phone)
        except TimeoutError:
            raise AssertionError(f"still waiting for {self._waiting()}") from None

    def _waiting(self) -> dict[str, str]:
        hands = {
            "groups": self.circles.busy,
            "letters": self._letters.busy,
            "devices": self._households.busy,
        }
        busy = {name: f"{count} requests" for name, count in hands.items() if count}
        waiting = {phone.device: phone.settled() for phone in self.phones}
        late = {f"{it.account.hex()[:6]}/{it.number}": what for it, what in waiting.items() if what}
        return busy | late

    async def _account_for(self, phone: Phone) -> None:
        for group, first, last in phone.holes:
            path = f"/v1/groups/{ids.show(group)}/messages?from={first}&to={last}"
            page = await self.asking.insist(GroupPage, "GET", path, token=phone.token)
            told = tuple(page.not_entitled)
            self.history.append(Accounted(phone.device, group, told))

    # ---- devices

    def listed(self, owner: Owner, signed: SignedObject) -> None:
        """The server has taken this list."""
        owner.list = signed
        number, devices = decode_list(signed.body).set, owner.devices
        self.lists[owner.account] = (number, devices)
        self.history.append(Listed(owner.account, number, devices))

    def joins(self, owner: Owner, device: int, token: str) -> None:
        """A device that was listed logs in."""
        phone = self._add(owner, device, token)
        phone.peers = next(it.peers for it in self.phones if it.device.account == owner.account)
        if self._tasks is not None:
            self._running.append(self._tasks.create_task(phone.run()))

    def leaves(self, device: Device) -> None:
        """A device is being revoked: nobody waits for it any more."""
        self.gone.add(device)
        self.phones = [phone for phone in self.phones if phone.device != device]

    def _add(self, owner: Owner, device: int, token: str) -> Phone:
        owner.tokens[device] = token
        rng = random.Random(self._rng.random())
        phone = Phone(Device(owner.account, device), token, self, rng)
        self.phones.append(phone)
        return phone
