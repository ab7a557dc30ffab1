"""Waiting for what must happen, with an end to the patience."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from linnet.client import Event

PATIENCE_S = 20.0
T = TypeVar("T")


async def wait_for(events: AsyncIterator[Event], kind: type[T]) -> T:
    """The next event of a kind."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the events ended")


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds that nothing tells about."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - what is asked for tells nobody
            await asyncio.sleep(0.01)
