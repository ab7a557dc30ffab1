"""Contract of port `rates`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.server.backends.memory.rates import MemoryRates
from linnet.server.config import Rate

RATE = Rate(burst=3, every_s=10)
NOW = 1_000_000


async def test_a_burst_is_allowed_and_then_one_now_and_again() -> None:
    rates = MemoryRates()
    assert [await rates.take("a", RATE, NOW) for _ in range(4)] == [0, 0, 0, 10]
    assert await rates.take("a", RATE, NOW + 4_000) == 6
    assert await rates.take("a", RATE, NOW + 10_000) == 0
    assert await rates.take("a", RATE, NOW + 10_000) == 10


async def test_a_refusal_takes_nothing() -> None:
    rates = MemoryRates()
    await rates.take("a", RATE, NOW, cost=2)
    assert await rates.take("a", RATE, NOW, cost=2) == 10
    assert await rates.take("a", RATE, NOW, cost=1) == 0


async def test_buckets_are_apart() -> None:
    rates = MemoryRates()
    await rates.take("a", RATE, NOW, cost=3)
    assert await rates.take("b", RATE, NOW, cost=3) == 0


async def test_waiting_as_told_is_enough() -> None:
    rates = MemoryRates()
    await rates.take("a", RATE, NOW, cost=3)
    wait_s = await rates.take("a", RATE, NOW + 1, cost=2)
    assert await rates.take("a", RATE, NOW + 1 + int(wait_s * 1000), cost=2) == 0


async def test_a_clock_that_steps_back_closes_no_bucket_for_longer_than_an_empty_one() -> None:
    rates = MemoryRates()
    await rates.take("a", RATE, NOW + 40 * 86_400_000, cost=3)
    assert await rates.take("a", RATE, NOW) == 10


@given(st.lists(st.tuples(st.integers(0, 30_000), st.integers(1, 3)), max_size=30))
async def test_never_more_than_burst_and_the_refill(steps: list[tuple[int, int]]) -> None:
    rates, now, taken = MemoryRates(), NOW, 0
    for later_ms, cost in steps:
        now += later_ms
        if await rates.take("a", RATE, now, cost) == 0:
            taken += cost
    assert taken <= RATE.burst + (now - NOW) / (RATE.every_s * 1000)


async def test_the_least_used_bucket_is_forgotten_first() -> None:
    rates = MemoryRates(most=2)
    for bucket in ("a", "b", "a", "c"):
        await rates.take(bucket, RATE, NOW)
    assert await rates.take("a", RATE, NOW) == 0
    assert await rates.take("a", RATE, NOW) == pytest.approx(10)
