"""Contract of port `registrations`."""

import asyncio

import msgspec
from tests.backends.conftest import Stores
from tests.backends.people import blob

from linnet.server.ports.registrations import Attempt


async def test_an_attempt_is_kept_as_it_was(stores: Stores) -> None:
    assert await stores.registrations.start(_attempt(1), since_ms=0, most=3)
    assert await stores.registrations.get(_attempt(1).id) == _attempt(1)
    assert await stores.registrations.get(_attempt(2).id) is None


async def test_a_number_has_so_many_attempts_in_a_time(stores: Stores) -> None:
    for number in (1, 2, 3):
        assert await stores.registrations.start(_attempt(number), since_ms=0, most=3)
    assert not await stores.registrations.start(_attempt(4), since_ms=0, most=3)
    assert await stores.registrations.get(_attempt(4).id) is None
    assert await stores.registrations.start(_attempt(5, phone=b"other"), since_ms=0, most=3)


async def test_attempts_before_that_time_do_not_count(stores: Stores) -> None:
    for number in (1, 2, 3):
        await stores.registrations.start(_attempt(number), since_ms=0, most=3)
    assert not await stores.registrations.start(_attempt(4), since_ms=1001, most=3)
    assert await stores.registrations.start(_attempt(4), since_ms=1002, most=3)


async def test_attempts_at_once_are_counted_one_by_one(stores: Stores) -> None:
    started = await asyncio.gather(
        *(stores.registrations.start(_attempt(number), 0, 3) for number in range(8))
    )
    assert sum(started) == 3


async def test_guesses_are_counted_over_all_attempts_of_the_number(stores: Stores) -> None:
    for number in (1, 2):
        await stores.registrations.start(_attempt(number), since_ms=0, most=3)
    assert await stores.registrations.guess(_attempt(1).id, since_ms=0, most=3)
    assert await stores.registrations.guess(_attempt(1).id, since_ms=0, most=3)
    assert await stores.registrations.guess(_attempt(2).id, since_ms=0, most=3)
    assert not await stores.registrations.guess(_attempt(2).id, since_ms=0, most=3)
    assert not await stores.registrations.guess(_attempt(1).id, since_ms=0, most=3)
    held = [await stores.registrations.get(_attempt(number).id) for number in (1, 2)]
    assert [attempt.guesses for attempt in held if attempt] == [2, 1]


async def test_guesses_of_older_attempts_and_other_numbers_do_not_count(stores: Stores) -> None:
    for attempt in (_attempt(1), _attempt(2), _attempt(3, phone=b"other")):
        await stores.registrations.start(attempt, since_ms=0, most=3)
    await stores.registrations.guess(_attempt(1).id, since_ms=0, most=3)
    await stores.registrations.guess(_attempt(3).id, since_ms=0, most=3)
    assert await stores.registrations.guess(_attempt(2).id, since_ms=1002, most=1)


async def test_guesses_at_once_are_counted_one_by_one(stores: Stores) -> None:
    await stores.registrations.start(_attempt(1), since_ms=0, most=3)
    counted = await asyncio.gather(
        *(stores.registrations.guess(_attempt(1).id, 0, 3) for _ in range(8))
    )
    assert sum(counted) == 3


async def test_a_guess_at_an_unknown_attempt_is_refused(stores: Stores) -> None:
    assert not await stores.registrations.guess(_attempt(1).id, since_ms=0, most=3)


async def test_a_ticket_is_remembered_and_replaced(stores: Stores) -> None:
    await stores.registrations.start(_attempt(1), since_ms=0, most=3)
    for ticket in (b"first", b"second"):
        await stores.registrations.prove(_attempt(1).id, ticket)
        expected = msgspec.structs.replace(_attempt(1), ticket=ticket)
        assert await stores.registrations.get(_attempt(1).id) == expected
    await stores.registrations.prove(_attempt(2).id, b"nobody's")
    assert await stores.registrations.get(_attempt(2).id) is None


async def test_old_attempts_are_forgotten(stores: Stores) -> None:
    for number in (1, 2, 3):
        await stores.registrations.start(_attempt(number), since_ms=0, most=3)
    assert await stores.registrations.forget(before_ms=1003) == 2
    assert await stores.registrations.get(_attempt(2).id) is None
    assert await stores.registrations.get(_attempt(3).id) == _attempt(3)
    assert await stores.registrations.forget(before_ms=1003) == 0


def _attempt(number: int, phone: bytes = b"phone") -> Attempt:
    return Attempt(
        id=blob("attempt", number),
        number=phone,
        code=blob("code", number, 32),
        account=blob("account", number),
        started_ms=1000 + number,
        expires_ms=2000 + number,
    )
