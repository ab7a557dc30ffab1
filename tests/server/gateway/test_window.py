"""The push rule and the bound on what a socket may have unacknowledged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.services.delivery.records import ALICE

from linnet.server.gateway.window import Verdict, Window
from linnet.server.ports.timeline import Accepted

MESSAGE = Accepted(b"c" * 16, 1, b"i" * 16, ALICE, 1, 0, 0, 0, b"")


def following(start: int = 10, frames: int = 4, size: int = 100) -> Window:
    """A window that has caught up to `start`."""
    window = Window(start, frames, size)
    window.behind = False
    return window


def test_a_window_is_behind_until_the_first_page_was_read() -> None:
    window = Window(10, 4, 100)
    assert window.judge(10, 11) is Verdict.BEHIND
    assert window.noticed


def test_a_row_is_pushed_only_if_it_follows_what_was_pushed() -> None:
    assert following().judge(10, 11) is Verdict.PUSH
    assert following().judge(7, 11) is Verdict.PUSH
    assert following().judge(9, 10) is Verdict.DROP
    assert following().judge(3, 4) is Verdict.DROP
    assert following().judge(11, 12) is Verdict.BEHIND


def test_a_gap_marks_the_socket_behind_and_stays_so() -> None:
    window = following()
    window.judge(11, 12)
    assert window.behind
    assert window.noticed
    assert window.judge(10, 11) is Verdict.BEHIND


def test_no_more_frames_go_out_than_the_window_has() -> None:
    window = following(0, frames=2)
    for position in (1, 2):
        assert window.judge(position - 1, position) is Verdict.PUSH
        window.push(position, 1, MESSAGE)
    assert window.judge(2, 3) is Verdict.BEHIND
    assert [at for at, *_ in window.ack(1)] == [1]
    assert window.has_room()


def test_no_more_bytes_go_out_than_the_window_has_but_a_large_frame_goes_alone() -> None:
    window = following(0, size=100)
    window.push(1, 5000, MESSAGE)
    assert not window.has_room()
    window.ack(1)
    assert window.has_room()
    window.push(2, 99, MESSAGE)
    assert window.has_room()
    window.push(3, 1, MESSAGE)
    assert not window.has_room()


def test_an_ack_names_others_messages_in_order_and_once() -> None:
    window = following(0)
    window.push(1, 10, MESSAGE)
    window.push(2, 10, None)
    window.push(4, 10, MESSAGE, bare=True)
    assert window.ack(3) == [(1, MESSAGE, False)]
    assert window.ack(3) == []
    assert window.ack(1) == []
    assert window.acked == 3
    assert not window.is_clear()
    assert window.ack(4) == [(4, MESSAGE, True)]
    assert window.is_clear()


def test_an_ack_above_what_was_pushed_is_an_error() -> None:
    window = following(10)
    with pytest.raises(ValueError, match="above"):
        window.ack(11)
    window.push(12, 1, MESSAGE)
    window.ack(12)


def test_after_a_jump_the_next_row_follows() -> None:
    window = following(10)
    window.jump(50)
    assert window.judge(50, 51) is Verdict.PUSH
    window.jump(5)
    assert window.judge(5, 6) is Verdict.PUSH


@given(
    st.lists(st.one_of(st.tuples(st.just("row"), st.integers(1, 60)), st.just(("ack", 0)))),
    st.integers(1, 5),
    st.integers(10, 100),
)
def test_rows_come_once_in_order_and_within_the_bounds(
    script: list[tuple[str, int]], frames: int, most: int
) -> None:
    window = following(0, frames, most)
    pushed: list[int] = []
    waiting: list[tuple[int, int]] = []
    for position, (action, size) in enumerate(script, 1):
        if action == "row":
            prev = pushed[-1] if pushed else 0
            if window.judge(prev, position) is Verdict.PUSH:
                window.push(position, size, MESSAGE)
                pushed.append(position)
                waiting.append((position, size))
                assert len(waiting) <= frames
                assert sum(held for _, held in waiting[:-1]) < most
            window.behind = False
        elif waiting:
            at, _ = waiting.pop(0)
            window.ack(at)
    assert pushed == sorted(set(pushed))
    assert window.is_clear() == (not waiting)


@given(
    st.integers(0, 20),
    st.integers(1, 21),
    st.booleans(),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_an_offer_is_taken_exactly_when_the_row_would_be_pushed(
    prev: int, position: int, behind: bool, sizes: list[int]
) -> None:
    offered, judged = following(5), following(5)
    for n, size in enumerate(sizes):
        for window in (offered, judged):
            window.push(6 + n, size, None)
    offered.behind = judged.behind = behind
    before = offered.pushed
    taken = offered.offer(prev, position, 7, MESSAGE)
    assert taken == (judged.judge(prev, position) is Verdict.PUSH)
    assert offered.pushed == (position if taken else before)
    assert offered.behind == behind
