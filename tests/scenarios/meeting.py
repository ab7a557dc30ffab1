"""A main device and a new one that meet through a real server, each over a line of its own that may
lie, or fall dead with the device at its end."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
from tests.hostile.middle import NOWHERE, Answer, Forward, Middle
from tests.hostile.stage import SERVER

from linnet.client import Client, LinkFailed
from linnet.client.approving import LinkOffer
from linnet.client.linking import NewDevice
from linnet.server.app import Server
from linnet.server.config import Config, Gateway
from linnet.signing.linking import LinkCode
from linnet.wire.ids import DeviceId

T = TypeVar("T")

PATIENCE_S = 20.0
GIVES_UP_S = 3.0
"""How long a person looks at a device that says nothing."""


class Died(Exception):
    """The device went off in the middle of a request."""


def dies(line: Middle, *, after: bool) -> Answer:
    """The device at the end of this line is off from this request on; `after` the server has it."""

    async def answer(request: httpx.Request, forward: Forward) -> httpx.Response:
        if after and line.reachable:
            await forward(request)
        line.reachable = False
        raise Died

    return answer


@dataclass
class Meeting:
    """A phone, the main device of Alice, and whoever wants to join her."""

    home: Path
    server: Server
    tasks: asyncio.TaskGroup
    main: Middle = field(init=False)
    new: Middle = field(init=False)
    asked: list[LinkOffer] = field(default_factory=list)
    """What the main device's person was asked about."""
    wants: bool = True
    lines: list[Middle] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.main, self.new = self.line(), self.line()

    def line(self) -> Middle:
        """A line for one more device."""
        self.lines.append(Middle(self.server.url, self.tasks))
        return self.lines[-1]

    async def phone(self, line: Middle | None = None, name: str = "alice") -> Client:
        """The main device, switched on."""
        return await Client.open(self.home / name, world=(line or self.main).environment())

    async def confirm(self, offer: LinkOffer) -> bool:
        self.asked.append(offer)
        return self.wants

    def approving(
        self, phone: Client, code: LinkCode
    ) -> "asyncio.Task[DeviceId | LinkFailed | Died]":
        """The main device reads the code."""
        approved = phone.approve_link(code.to_text(), self.confirm)
        return self.tasks.create_task(_outcome(approved))

    def joining(
        self, codes: "asyncio.Queue[LinkCode]", directory: str = "laptop"
    ) -> "asyncio.Task[Client | LinkFailed | Died]":
        """The new device asks to be linked, and shows its code."""

        async def show(code: LinkCode, seconds: int) -> None:
            codes.put_nowait(code)

        device, world = NewDevice(name=directory, by_text=True), self.new.environment()
        joined = Client.link(NOWHERE, self.home / directory, show, device=device, world=world)
        return self.tasks.create_task(_outcome(joined))

    async def met(
        self, phone: Client
    ) -> tuple[DeviceId | LinkFailed | Died, Client | LinkFailed | Died]:
        """What both sides come to when the phone reads the laptop's code."""
        codes: asyncio.Queue[LinkCode] = asyncio.Queue(1)
        async with asyncio.timeout(PATIENCE_S):
            joining = self.joining(codes)
            approving = self.approving(phone, await codes.get())
            return await approving, await joining


async def _outcome(work: Awaitable[T]) -> T | LinkFailed | Died:
    try:
        return await work
    except (LinkFailed, Died) as failure:
        return failure


@contextlib.asynccontextmanager
async def meeting(registered: Path, home: Path) -> AsyncIterator[Meeting]:
    """A meeting in a copy of the registered people's directories."""
    shutil.copytree(registered, home, dirs_exist_ok=True)
    config = Config(data=home / SERVER, port=0, gateway=Gateway(drain_within_s=1))
    async with Server(config) as server, asyncio.TaskGroup() as tasks:
        made = Meeting(home, server, tasks)
        yield made
        for line in made.lines:  # what carries them ends with them
            line.cut()
