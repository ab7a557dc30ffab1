"""Where running demos are found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from linnet.cli.demo import registry
from linnet.cli.demo.registry import Person, Running, entered, find
from linnet.cli.failures import Failure
from linnet.cli.places import account_directory

ALICE = {"alice": Person("/somewhere/alice", "+4917604069001", "bob")}


@pytest.fixture(autouse=True)
def _runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_demo_is_found_while_it_lasts() -> None:
    running = Running(os.getpid(), "http://127.0.0.1:1", ALICE)
    with entered(running):
        assert find() == running
        assert account_directory(Path("unused"), "Alice") == Path("/somewhere/alice")
    assert find() is None


def test_a_demo_that_was_killed_is_forgotten(tmp_path: Path) -> None:
    with entered(Running(ended_pid(), "http://127.0.0.1:1", ALICE)):
        assert find() is None
        assert not list(tmp_path.rglob("demo-*.json"))


def test_the_newest_of_several_is_meant() -> None:
    older, newer = Running(os.getppid(), "old", ALICE), Running(os.getpid(), "new", ALICE)
    with entered(older), entered(newer):
        assert find() == newer


def test_without_a_demo_nobody_is_known() -> None:
    with pytest.raises(Failure, match="no demo is running"):
        account_directory(Path("unused"), "alice")


def test_somebody_who_is_not_in_the_demo_is_refused() -> None:
    with (
        entered(Running(os.getpid(), "http://127.0.0.1:1", ALICE)),
        pytest.raises(Failure, match="no 'carol'"),
    ):
        account_directory(Path("unused"), "carol")


def test_a_place_that_others_can_enter_is_refused() -> None:
    with entered(Running(os.getpid(), "http://127.0.0.1:1", ALICE)):
        registry._place().chmod(0o777)
        with pytest.raises(Failure, match="yours alone"):
            find()
