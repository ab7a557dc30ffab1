"""What a device has committed, as intervals: never more than it did, never less than before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linnet.server.ports.timeline import Mark
from linnet.server.services.delivery.watermark import Intervals, Run, extend, union
from linnet.wire.limits import WATERMARK_INTERVALS

NEW = Mark(b"c", b"a", 1, (), 0)


def run(first: int, last: int, at: int | None = None, bare: bool = False) -> Run:
    """Bob's messages `first`..`last`, the last of them at position ten times its number."""
    return Run(b"bob", first, last, 10 * last if at is None else at, bare)


def folded(*runs: Run, start: int = 1, gap: int = 0, mark: Mark = NEW) -> Mark:
    for one in runs:
        mark = extend(mark, one, start, gap)
    return mark


def shown(mark: Mark) -> Intervals:
    """What is told of a mark."""
    return union(mark.intervals)


def test_a_device_begins_at_its_first_message_and_grows_with_its_acks() -> None:
    mark = folded(run(3, 5))
    assert (shown(mark), mark.at) == (((1, 5),), 50)
    assert shown(folded(run(7, 9), mark=mark)) == ((1, 9),)


def test_a_device_linked_later_claims_nothing_from_before_it() -> None:
    mark = folded(run(1, 6, bare=True), start=10)
    assert shown(mark) == ()
    assert shown(folded(run(7, 9, bare=True), run(10, 11), mark=mark, start=10)) == ((10, 11),)
    assert shown(folded(run(4, 6, bare=True), run(12, 12), start=10)) == ((10, 12),)
    assert shown(folded(run(4, 12), start=10, gap=30)) == ((10, 12),)


def test_a_run_that_comes_again_or_late_changes_nothing() -> None:
    mark = folded(run(1, 5), run(6, 6, bare=True), run(7, 9))
    for late in (run(1, 5), run(6, 6, bare=True), run(7, 9)):
        assert extend(mark, late, 1, 0) is mark
    assert shown(folded(run(8, 11), mark=mark)) == ((1, 5), (7, 11))


def test_rows_that_expired_below_the_cursor_are_never_claimed() -> None:
    before = folded(run(1, 5))
    after = folded(run(20, 22), mark=before, gap=195)
    assert shown(after) == ((1, 5), (20, 22))
    assert shown(folded(run(23, 25), mark=after, gap=195)) == ((1, 5), (20, 25))


def test_an_ack_from_before_a_resync_reaches_up_to_it_only() -> None:
    mark = folded(run(1, 5), run(6, 7), run(20, 22), gap=195)
    assert shown(mark) == ((1, 7), (20, 22))
    with_own_between = folded(run(1, 5), run(7, 8), gap=195)
    assert shown(with_own_between) == ((1, 8),)


def test_a_resync_that_lost_nothing_here_leaves_one_interval() -> None:
    mark = folded(run(1, 5), gap=0)
    assert folded(run(6, 7), mark=mark, gap=55).intervals == ((1, 7),)


def test_a_first_ack_after_a_resync_begins_where_it_begins() -> None:
    assert shown(folded(run(20, 22), gap=195)) == ((20, 22),)


def test_rows_that_held_nothing_for_the_device_are_not_claimed() -> None:
    assert shown(folded(run(1, 2), run(3, 4, bare=True))) == ((1, 2),)
    mark = folded(run(1, 2), run(3, 4, bare=True), run(6, 7))
    assert shown(mark) == ((1, 2), (5, 7))  # 5 was the device's own
    assert shown(folded(run(1, 1, bare=True), run(2, 2))) == ((2, 2),)
    assert shown(folded(run(9, 9, bare=True), run(10, 10), gap=85)) == ((10, 10),)


def test_bare_rows_in_a_row_push_out_no_interval() -> None:
    mark = folded(run(1, 2), *(run(n, n, bare=True) for n in range(3, 30)), run(30, 30))
    assert mark.intervals == ((1, 2), (30, 30))


def test_the_highest_eight_intervals_are_kept() -> None:
    mark = NEW
    for n in range(10, 210, 10):
        mark = folded(run(n, n), mark=mark, gap=10 * n - 5)
    assert len(mark.intervals) == WATERMARK_INTERVALS
    assert mark.intervals[-1] == (200, 200)
    mark = folded(run(205, 205, bare=True), mark=mark)
    assert len(mark.intervals) <= WATERMARK_INTERVALS
    assert shown(mark)[-1] == (200, 204)


def test_a_union_is_sorted_disjoint_and_without_empty_ones() -> None:
    assert union([(5, 7), (1, 2), (9, 8), (3, 3), (6, 6), (10, 12)]) == ((1, 3), (5, 7), (10, 12))
    assert union([]) == ()
    assert union((n, n) for n in range(0, 40, 2))[-1] == (38, 38)


_ROWS = st.lists(st.sampled_from(["theirs", "bare", "own", "lost"]), min_size=1, max_size=40)


@given(_ROWS, st.lists(st.integers(0, 40), max_size=8))
def test_only_what_was_committed_is_told_and_it_never_falls(
    rows: list[str], acks: list[int]
) -> None:
    """A device reads its mailbox; rows marked lost expired before it came."""
    mark, done = NEW, 0
    told: set[int] = set()
    committed: set[int] = set()
    for until in sorted({ack for ack in acks if ack <= len(rows)} | {len(rows)}):
        runs: list[Run] = []
        for number in range(done + 1, until + 1):
            kind = rows[number - 1]
            if kind in ("theirs", "bare"):
                runs.append(run(number, number, bare=kind == "bare"))
            if kind == "theirs":
                committed.add(number)
        for one in runs:
            lost = [10 * n for n in range(1, one.last) if rows[n - 1] == "lost"]
            mark = extend(mark, one, 1, max(lost, default=0))
        done = until
        now = {n for low, high in shown(mark) for n in range(low, high + 1)}
        own = {n for n in range(1, done + 1) if rows[n - 1] == "own"}
        assert now <= committed | own
        assert len(mark.intervals) <= WATERMARK_INTERVALS
        if len(shown(mark)) < WATERMARK_INTERVALS - 1:
            assert told <= now
            assert committed <= now
        told = now
