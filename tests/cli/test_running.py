"""One coroutine as a command."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from linnet.cli.running import INTERRUPTED, Interrupted, run, until_one_ends


class Broken(Exception):
    pass


async def _returns() -> int:
    return 7


async def _breaks() -> None:
    raise Broken


def test_the_result_is_returned() -> None:
    assert run(_returns()) == 7


def test_what_it_raised_is_raised_as_it_is() -> None:
    with pytest.raises(Broken):
        run(_breaks())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_it_and_lets_it_tidy_up(number: signal.Signals) -> None:
    tidied = []

    async def waits() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.append(True)

    with pytest.raises(Interrupted) as interrupted:
        run(waits())
    assert interrupted.value.exit_code == INTERRUPTED
    assert tidied == [True]


async def test_when_one_ends_the_others_are_cancelled() -> None:
    cancelled = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    async def ends() -> None:
        await asyncio.sleep(0)

    await until_one_ends(waits(), ends())
    with pytest.raises(Broken):
        await until_one_ends(waits(), _breaks())
    assert cancelled == [True, True]
