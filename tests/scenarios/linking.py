"""Linking as people do it: one device shows a code, the other's person says yes."""

import asyncio
from pathlib import Path

from tests.scenarios.waiting import PATIENCE_S

from linnet.client import Client
from linnet.client.approving import LinkOffer
from linnet.client.environment import Environment
from linnet.client.linking import NewDevice
from linnet.signing.linking import LinkCode


async def yes(offer: LinkOffer) -> bool:
    return True


async def linked(
    main: Client,
    url: str,
    directory: Path,
    name: str = "laptop",
    world: Environment | None = None,
) -> Client:
    """A new device of the main device's account."""
    shown: asyncio.Queue[LinkCode] = asyncio.Queue(1)

    async def show(code: LinkCode, seconds: int) -> None:
        shown.put_nowait(code)

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        device = NewDevice(name=name, by_text=True)
        linking = tasks.create_task(Client.link(url, directory, show, device=device, world=world))
        code = await shown.get()
        tasks.create_task(main.approve_link(code.to_text(), yes))
    return linking.result()
