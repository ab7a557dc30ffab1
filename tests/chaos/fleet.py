"""Fleet: many phones that talk at once, and one history of all they saw."""

from __future__ import annotations

import asyncio
import random

from tests.chaos.history import Device, History, Killed, Listed
from tests.chaos.house import House
from tests.chaos.phone import Phone

FRIENDS = 4
"""Accounts that each account writes to."""
DEVICES_MOST = 3


class Fleet:
    """Phones of `accounts` people in a house; a third of them have two devices from the start."""

    def __init__(self, house: House, rng: random.Random, pause_s: float) -> None:
        self.history: History = []
        self.lists: dict[bytes, tuple[int, tuple[int, ...]]] = {}
        """Account to (set number, devices): what a fresh look at its device list would say."""
        self.talking = True
        self.restored = False
        """The server's store went back: cursors may be above what it knows."""
        self.pause_s = pause_s
        """A phone looks for something to say so often, on average."""
        self.phones: list[Phone] = []
        self._house = house
        self._rng = rng
        self._tasks: asyncio.TaskGroup | None = None
        self._running: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Where the server listens, or did."""
        return self._house.url

    async def settle(self, accounts: int) -> None:
        """Make everybody's accounts, before the server starts for the first time."""
        for account, token in (await self._house.settle(accounts)).items():
            self._list(account, 1, (1,))
            self._add(Device(account, 1), token)
        for account in list(self.lists)[: accounts // 3]:
            await self.link(account)
        for phone in self.phones:
            own = phone.device.account
            others = self._rng.sample([it for it in self.lists if it != own], FRIENDS)
            phone.peers = [*others * 5, own]

    async def link(self, account: bytes | None = None) -> None:
        """Somebody (chosen by chance) gets another device. No server may be running."""
        able = [it for it, (_, held) in self.lists.items() if len(held) < DEVICES_MOST]
        account = account or self._rng.choice(able)
        number, devices = self.lists[account]
        devices = (*devices, devices[-1] + 1)
        token = await self._house.link(account, number + 1, devices)
        self._list(account, number + 1, devices)
        phone = self._add(Device(account, devices[-1]), token)
        phone.peers = next(it.peers for it in self.phones if it.device.account == account)
        if self._tasks is not None:
            self._running.append(self._tasks.create_task(phone.run()))

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Everybody connects and talks."""
        self._tasks = tasks
        self._running = [tasks.create_task(phone.run()) for phone in self.phones]

    def stop(self) -> None:
        """Everybody leaves, at once."""
        for running in self._running:
            running.cancel()

    def killed(self) -> None:
        """The server was killed just now."""
        self.history.append(Killed())

    def restore(self) -> None:
        """The server's store has gone back just now."""
        self.restored = True
        for phone in self.phones:
            phone.wait_for_no_ticks()

    async def drain(self, within_s: float) -> None:
        """Nobody says anything new; return once everybody has every answer, row and tick.

        Raises AssertionError with what is still waited for.
        """
        self.talking = False
        try:
            async with asyncio.timeout(within_s):
                while self._waiting():  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"still waiting for {self._waiting()}") from None

    def _waiting(self) -> dict[str, str]:
        waiting = {phone.device: phone.settled() for phone in self.phones}
        return {f"{it.account.hex()[:6]}/{it.number}": what for it, what in waiting.items() if what}

    def _list(self, account: bytes, number: int, devices: tuple[int, ...]) -> None:
        self.lists[account] = (number, devices)
        self.history.append(Listed(account, number, devices))

    def _add(self, device: Device, token: str) -> Phone:
        phone = Phone(device, token, self, random.Random(self._rng.random()))
        self.phones.append(phone)
        return phone
