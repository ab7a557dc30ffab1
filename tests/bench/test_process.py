"""linnet.bench.process: children are heard, bounded and ended."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from linnet.bench.process import BenchError, Child


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_child_is_told_and_heard_line_by_line(tmp_path: Path) -> None:
    code = "for line in iter(input, 'x'): print(line + '!\\n' + line, flush=True)"
    with Child(python(code), None, tmp_path / "log") as child:
        child.tell("one")
        assert [child.line(20), child.line(20)] == [b"one!", b"one"]


def test_a_child_runs_on_the_core_it_was_given(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    usual = os.sched_getaffinity(0)
    code = "import os; print(sorted(os.sched_getaffinity(0)), flush=True)"
    with Child(python(code), core, tmp_path / "log") as child:
        assert child.line(20) == str([core]).encode()
    assert os.sched_getaffinity(0) == usual


def test_what_a_failing_child_complained_of_is_told(tmp_path: Path) -> None:
    with (
        Child(python("import sys; sys.exit('no disk')"), None, tmp_path / "log") as child,
        pytest.raises(BenchError, match=r"ended\nno disk"),
    ):
        child.line(20)


def test_a_silent_child_is_not_waited_for(tmp_path: Path) -> None:
    with (
        Child(python("input()"), None, tmp_path / "log") as child,
        pytest.raises(BenchError, match="said nothing for 0 s"),
    ):
        child.line(0.05)


def test_a_child_that_says_something_else_is_no_server(tmp_path: Path) -> None:
    with (
        Child(python("print('hello', flush=True); input()"), None, tmp_path / "log") as child,
        pytest.raises(BenchError, match="did not say where it listens"),
    ):
        child.listening(20)


def test_no_child_outlives_its_context(tmp_path: Path) -> None:
    with Child(python("print(1, flush=True); input()"), None, tmp_path / "log") as child:
        child.line(20)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)
