"""Waiting without polling: rung, looked for now and then, and never too many."""

import asyncio

import pytest

from linnet.server.services.bells import AT_ONE_KEY, Bells
from linnet.wire.errors import RequestRefused

FOR_EVER_S = 60.0


class Door:
    """Something that happens, and how often somebody looked."""

    def __init__(self) -> None:
        self.open = False
        self.looks = 0
        self.looked = asyncio.Event()

    async def look(self) -> bool:
        self.looks += 1
        self.looked.set()
        return self.open


async def test_what_is_there_already_is_told_at_once() -> None:
    door = Door()
    door.open = True
    assert await Bells(9, FOR_EVER_S).wait(b"k", FOR_EVER_S, door.look, bool)
    assert door.looks == 1


async def test_without_time_to_wait_it_is_told_as_it_is() -> None:
    assert not await Bells(9, FOR_EVER_S).wait(b"k", 0, Door().look, bool)


async def test_a_ring_wakes_who_waits_for_that_key() -> None:
    bells, door, other = Bells(9, FOR_EVER_S), Door(), Door()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(bells.wait(b"k", FOR_EVER_S, door.look, bool))
        away = tasks.create_task(bells.wait(b"other", FOR_EVER_S, other.look, bool))
        await door.looked.wait()
        await other.looked.wait()
        door.open = other.open = True
        bells.ring(b"k")
        assert await waiting
        assert (door.looks, other.looks) == (2, 1)
        bells.ring(b"other")
        assert await away


async def test_a_ring_for_nothing_lets_it_wait_on() -> None:
    bells, door = Bells(9, FOR_EVER_S), Door()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(bells.wait(b"k", FOR_EVER_S, door.look, bool))
        for _ in range(3):
            await door.looked.wait()
            door.looked.clear()
            bells.ring(b"k")
        await door.looked.wait()
        assert not waiting.done()
        door.open = True
        bells.ring(b"k")
    assert door.looks == 5


async def test_what_happens_while_it_looks_is_not_missed() -> None:
    bells, door = Bells(9, FOR_EVER_S), Door()

    async def slow() -> bool:
        was = await door.look()
        door.open = True
        bells.ring(b"k")
        return was

    assert await bells.wait(b"k", FOR_EVER_S, slow, bool)
    assert door.looks == 2


async def test_a_lost_ring_costs_one_look() -> None:
    bells, door = Bells(9, look_every_s=0.001), Door()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(bells.wait(b"k", FOR_EVER_S, door.look, bool))
        await door.looked.wait()
        door.open = True
        assert await waiting


async def test_the_time_ends() -> None:
    door = Door()
    assert not await Bells(9, FOR_EVER_S).wait(b"k", 0.001, door.look, bool)
    assert door.looks == 2


async def test_too_many_are_sent_away() -> None:
    bells = Bells(AT_ONE_KEY + 1, FOR_EVER_S)
    doors = [Door() for _ in range(AT_ONE_KEY + 1)]
    keys = [b"k"] * AT_ONE_KEY + [b"other"]
    async with asyncio.TaskGroup() as tasks:
        for key, door in zip(keys[:AT_ONE_KEY], doors[:AT_ONE_KEY], strict=True):
            tasks.create_task(bells.wait(key, FOR_EVER_S, door.look, bool))
            await door.looked.wait()
        await _sent_away(bells, b"k")
        tasks.create_task(bells.wait(b"other", FOR_EVER_S, doors[-1].look, bool))
        await doors[-1].looked.wait()
        await _sent_away(bells, b"third")
        bells.stop()
    assert not await bells.wait(b"third", FOR_EVER_S, Door().look, bool)


async def test_an_error_while_looking_ends_the_wait_and_frees_the_place() -> None:
    bells = Bells(1, FOR_EVER_S)

    async def gone() -> bool:
        raise RequestRefused("not_found")

    for _ in range(3):
        with pytest.raises(RequestRefused) as refused:
            await bells.wait(b"k", FOR_EVER_S, gone, bool)
        assert refused.value.code == "not_found"


async def _sent_away(bells: Bells, key: bytes) -> None:
    with pytest.raises(RequestRefused) as refused:
        await bells.wait(key, FOR_EVER_S, Door().look, bool)
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 1)
