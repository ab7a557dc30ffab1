"""Running: one coroutine as a whole command, ended in order by Ctrl-C and SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer

T = TypeVar("T")

INTERRUPTED = 130
"""Exit code of a command that was stopped before it was done."""


class Interrupted(typer.Exit):
    """Ctrl-C or SIGTERM came; everything that was open is closed."""

    def __init__(self) -> None:
        super().__init__(INTERRUPTED)


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. A signal cancels it, and when it has tidied up raises Interrupted."""
    return asyncio.run(_signalled(work))


async def until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run all until one returns or raises; the others are cancelled. Raises what that one did."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_outcome(one)) for one in work]
        done, rest = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
    for task in done:
        _, failure = task.result()
        if failure is not None:
            raise failure


async def _signalled(work: Coroutine[Any, Any, T]) -> T:
    loop, stopped = asyncio.get_running_loop(), False
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(_outcome(work))

        def stop() -> None:
            nonlocal stopped
            stopped = True
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
    if task.cancelled() and stopped:
        raise Interrupted
    result, failure = task.result()
    if failure is not None:
        raise failure
    assert result is not None
    return result[0]


async def _outcome(work: Coroutine[Any, Any, T]) -> tuple[tuple[T] | None, Exception | None]:
    """What `work` returned or raised, so that the group does not wrap it."""
    try:
        return (await work,), None
    except Exception as failure:
        return None, failure
