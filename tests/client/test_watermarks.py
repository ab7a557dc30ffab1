"""Watermarks: they grow, in whatever order reports come."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from linnet.client.watermarks import Interval, covers, union

intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: (pair[0], sum(pair))),
    max_size=8,
)


def numbers(of: list[Interval] | tuple[Interval, ...]) -> set[int]:
    return {number for first, last in of for number in range(first, last + 1)}


@given(intervals, intervals)
def test_a_union_holds_exactly_what_either_holds(one: list[Interval], two: list[Interval]) -> None:
    united = union(one, two)
    assert numbers(united) == numbers(one) | numbers(two)
    assert all(covers(united, number) for number in numbers(one))
    assert not covers(united, 99)


@given(intervals, intervals)
def test_a_union_is_ascending_and_apart(one: list[Interval], two: list[Interval]) -> None:
    united = union(one, two)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(united))
    assert union(united, united) == united == union(two, one)


def test_a_reversed_interval_is_ignored() -> None:
    assert union([(1, 2)], [(9, 5)]) == ((1, 2),)
