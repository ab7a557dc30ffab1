"""linnet.bench.cpu: arithmetic of readings, and that /proc is read as it is."""

from __future__ import annotations

import os
from threading import Event, Thread

import pytest

from linnet.bench import cpu
from linnet.bench.cpu import Reading, Spent


def test_ticks_split_what_nanoseconds_count() -> None:
    before, after = Reading(1_000_000, 10, 10), Reading(5_000_000, 13, 11)
    assert cpu.spent(before, after) == Spent(3000.0, 1000.0)


def test_without_a_tick_everything_is_user_time() -> None:
    used = cpu.spent(Reading(1000, 4, 4), Reading(51_000, 4, 4))
    assert (used.user_us, used.sys_us, used.total_us) == (50.0, 0.0, 50.0)


def test_a_thread_that_ended_does_not_make_time_negative() -> None:
    assert cpu.spent(Reading(9000, 1, 1), Reading(4000, 2, 2)).total_us == 0


def test_work_of_other_threads_counts() -> None:
    before = cpu.read(os.getpid())
    work, end = Event(), Event()

    def spin() -> None:
        while cpu.spent(before, cpu.read(os.getpid())).total_us < 20_000:
            pass
        work.set()
        end.wait(30)

    thread = Thread(target=spin)
    thread.start()
    assert work.wait(30)
    own = cpu.spent(before, cpu.read(os.getpid())).total_us
    end.set()
    thread.join()
    assert own >= 20_000


def test_a_process_name_with_brackets_and_spaces_is_no_field() -> None:
    stat = "7 (a) (b c) S " + " ".join(str(number) for number in range(4, 53))
    assert cpu._ticks(stat) == (14, 15)


def test_memory_grows_with_what_is_held() -> None:
    before = cpu.rss_bytes(os.getpid())
    held = bytearray(os.urandom(1)) * (32 << 20)
    assert cpu.rss_bytes(os.getpid()) - before > len(held) // 2


def test_no_such_process_is_an_error() -> None:
    with pytest.raises(OSError, match="No such"):
        cpu.read(2**22 + 1)
