"""Cursor: whatever the line does to the rows, nothing is skipped and nothing is taken twice."""

from hypothesis import given
from hypothesis import strategies as st

from linnet.client.cursor import Step, step


def mailbox(gaps: list[int]) -> list[tuple[int, int]]:
    """Rows as (prev, position), with holes in the numbering."""
    rows: list[tuple[int, int]] = []
    position = 0
    for gap in gaps:
        prev, position = position, position + gap
        rows.append((prev, position))
    return rows


rows_of_mailboxes = st.lists(st.integers(1, 9), min_size=1, max_size=30).map(mailbox)


@given(rows_of_mailboxes, st.data())
def test_no_order_loss_or_repetition_makes_the_cursor_skip_a_row(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    pushed = data.draw(st.lists(st.sampled_from(rows), max_size=60))
    cursor, taken = 0, []
    for prev, position in pushed:
        if step(cursor, prev, position) is Step.TAKE:
            cursor = position
            taken.append(position)
    assert taken == [position for _, position in rows[: len(taken)]]


@given(rows_of_mailboxes, st.integers(0, 29))
def test_reconnecting_after_a_gap_brings_everything(rows: list[tuple[int, int]], lost: int) -> None:
    lost %= len(rows)
    cursor = 0
    for prev, position in rows[:lost] + rows[lost + 1 :]:
        verdict = step(cursor, prev, position)
        if verdict is Step.GAP:
            break
        cursor = position
    for prev, position in [row for row in rows if row[1] > cursor]:
        assert step(cursor, prev, position) is Step.TAKE
        cursor = position
    assert cursor == rows[-1][1]


def test_a_row_taken_before_is_a_repeat() -> None:
    assert step(107, 90, 100) is Step.REPEAT
    assert step(107, 100, 107) is Step.REPEAT


def test_a_lost_row_is_a_gap() -> None:
    assert step(100, 105, 107) is Step.GAP
