"""What a new roster makes of a group: who began where, and which numbers were for whom."""

from hypothesis import given
from hypothesis import strategies as st
from tests.server.services.delivery.records import ALICE, BOB, CAROL, roster_of

from linnet.server.services.delivery.group import SPANS_MOST, Group, regrouped, within


def test_the_first_roster_begins_with_the_next_message() -> None:
    group = regrouped(None, roster_of(1, ALICE=(1,), BOB=(1, 2)), 1)
    assert group.members[BOB].starts == {1: 1, 2: 1}
    assert group.members[ALICE].spans == ((1, 0),)
    assert group.devices == [b"\1", b"\1\2"]


def test_a_device_begins_at_the_message_after_the_roster_that_brought_it_and_keeps_that() -> None:
    group = regrouped(None, roster_of(1, ALICE=(1,), BOB=(1,)), 1)
    group = regrouped(group, roster_of(2, ALICE=(1,), BOB=(1, 3)), 8)
    group = regrouped(group, roster_of(3, ALICE=(1,), BOB=(3,)), 12)
    assert group.members[BOB].starts == {1: 1, 3: 8}
    assert group.members[BOB].spans == ((1, 0),)


def test_who_is_removed_keeps_what_came_before_and_who_returns_what_comes_after() -> None:
    group = regrouped(None, roster_of(1, ALICE=(1,), BOB=(1,)), 1)
    group = regrouped(group, roster_of(2, ALICE=(1,)), 5)
    assert BOB not in group.seats
    assert group.members[BOB].spans == ((1, 4),)
    group = regrouped(group, roster_of(3, ALICE=(1,), BOB=(1,)), 9)
    assert group.members[BOB].spans == ((1, 4), (9, 0))
    assert group.members[BOB].starts == {1: 1}


def test_who_came_and_went_between_two_messages_was_never_there() -> None:
    group = regrouped(None, roster_of(1, ALICE=(1,)), 1)
    group = regrouped(group, roster_of(2, ALICE=(1,), BOB=(1,)), 3)
    group = regrouped(group, roster_of(3, ALICE=(1,)), 3)
    assert BOB not in group.members


def test_who_went_and_came_between_two_messages_never_left() -> None:
    group = regrouped(None, roster_of(1, ALICE=(1,), BOB=(1,)), 1)
    group = regrouped(group, roster_of(2, ALICE=(1,)), 3)
    group = regrouped(group, roster_of(3, ALICE=(1,), BOB=(1,)), 3)
    assert group.members[BOB].spans == ((1, 0),)


def test_spans_and_former_members_are_bounded() -> None:
    group: Group | None = None
    for n in range(3 * SPANS_MOST):
        here = {"ALICE": (1,)} | ({"BOB": (1,)} if n % 2 else {})
        group = regrouped(group, roster_of(n + 1, **here), n + 1)
    assert group is not None
    assert len(group.members[BOB].spans) == SPANS_MOST
    assert CAROL not in group.members


_SPANS = st.lists(st.integers(1, 30), min_size=1, max_size=7, unique=True).map(
    lambda cuts: tuple(
        (low, high) for low, high in zip(sorted(cuts)[::2], [*sorted(cuts)[1::2], 0], strict=False)
    )
)


@given(_SPANS, st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=4))
def test_within_is_what_lies_in_both(
    spans: tuple[tuple[int, int], ...], intervals: list[tuple[int, int]]
) -> None:
    starts = min(low for low, _ in spans)
    held = tuple((max(low, starts), high) for low, high in intervals)
    expected = {
        n
        for low, high in held
        for n in range(low, high + 1)
        if any(first <= n and (not last or n <= last) for first, last in spans)
    }
    told = within(held, spans)
    assert {n for low, high in told for n in range(low, high + 1)} == expected
