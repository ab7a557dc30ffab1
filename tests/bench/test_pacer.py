"""linnet.bench.pacer: every moment is called once, in order, and never early."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from linnet.bench.pacer import Pacer


async def test_every_moment_is_called_once_and_never_early() -> None:
    loop = asyncio.get_running_loop()
    enough = asyncio.Event()
    calls: list[tuple[float, float]] = []

    def due(moment: float) -> None:
        calls.append((moment, time.monotonic()))
        if len(calls) == 100:
            enough.set()

    pacer = Pacer(loop, 1000, due)
    async with asyncio.timeout(30):
        await enough.wait()
    pacer.stop()
    moments = [moment for moment, _ in calls]
    steps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert steps == pytest.approx([0.001] * len(steps))
    assert all(called >= moment for moment, called in calls)
