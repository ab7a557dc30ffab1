"""linnet.bench.results: a figure is stored with what it was measured on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from linnet.bench import results


class Report(msgspec.Struct):
    speed: float


def test_a_result_names_machine_commit_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    commit = ["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"]
    subprocess.run(commit, check=True)
    made = results.result(Report(2.5), "pairs 2 rate 1", ["linnet", "bench", "a b"])
    path = results.write(tmp_path / "deep" / "results", made)
    stored = msgspec.json.decode(path.read_bytes())
    assert path.name == f"{made.at[:10]}-pairs-2-rate-1.json"
    assert stored["command"] == "linnet bench 'a b'"
    assert stored["report"] == {"speed": 2.5}
    assert len(stored["commit"]) == 12
    assert stored["machine"]["cores"] >= 1
    assert stored["packages"]["picows"] != "not installed"


def test_outside_a_checkout_the_commit_is_unknown(tmp_path: Path) -> None:
    assert results._commit(tmp_path) == "unknown"
