"""linnet.bench.quantiles: nearest-rank quantiles."""

from __future__ import annotations

import random

import pytest

from linnet.bench.quantiles import Spread, nearest_rank, spread_of


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.501, 51), (0.001, 1)]
)
def test_nearest_rank_of_one_to_a_hundred(share: float, expected: int) -> None:
    assert nearest_rank(range(1, 101), share) == expected


def test_one_sample_is_every_quantile() -> None:
    assert spread_of([0.0025]) == Spread(1, 2.5, 2.5, 2.5)


def test_order_of_samples_does_not_matter() -> None:
    samples = [number / 1000 for number in range(1, 1001)]
    random.Random(7).shuffle(samples)
    assert spread_of(samples) == Spread(1000, 500.0, 990.0, 1000.0)


def test_no_samples_are_zeros() -> None:
    assert spread_of([]) == Spread(0, 0.0, 0.0, 0.0)
