"""What was begun once is never forgotten, not even when the database is put back."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from linnet.server.backends.disk.epoch import EpochFile
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.timeline import SqliteTimeline
from linnet.server.ports import Unavailable


def test_without_a_file_nothing_was_begun_or_restored(tmp_path: Path) -> None:
    fresh = EpochFile(tmp_path / "epoch")
    assert (fresh.highest, fresh.restored_ms) == (0, 0)
    assert list(tmp_path.iterdir()) == []


def test_the_highest_epoch_and_the_restore_are_read_again(tmp_path: Path) -> None:
    kept = EpochFile(tmp_path / "epoch")
    kept.begin(3)
    kept.restored(1_800_000_000_000)
    kept.begin(2)
    again = EpochFile(tmp_path / "epoch")
    assert (again.highest, again.restored_ms) == (3, 1_800_000_000_000)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"highest":"x"}', b"\xff"])
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "epoch").write_bytes(content)
    with pytest.raises(Unavailable):
        EpochFile(tmp_path / "epoch")
    assert (tmp_path / "epoch").read_bytes() == content


def test_an_epoch_that_could_not_be_written_was_not_begun(tmp_path: Path) -> None:
    kept = EpochFile(tmp_path / "gone" / "epoch")
    with pytest.raises(Unavailable):
        kept.begin(1)
    assert kept.highest == 0


def test_it_is_synced_before_it_takes_the_place_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    monkeypatch.setattr(os, "fsync", _noted(steps, "sync", os.fsync))
    monkeypatch.setattr(Path, "replace", _noted(steps, "replace", Path.replace))
    EpochFile(tmp_path / "epoch").begin(1)
    assert steps == ["sync", "replace", "sync"]


async def test_a_store_put_back_twice_begins_another_epoch_each_time(tmp_path: Path) -> None:
    begun = []
    for restore in range(2):
        # A fresh database is the backup; what lies beside it stays.
        database = Database(tmp_path / f"{restore}" / "linnet.db")
        await database.open()
        timeline = SqliteTimeline(database, epochs=EpochFile(tmp_path / "epoch"))
        await timeline.open(100)
        begun.append(await timeline.raise_epoch())
        assert (await timeline.open(100)).epoch == begun[-1]
        await database.close()
    assert begun == [1, 2]


async def test_an_epoch_is_not_used_that_could_not_be_remembered(tmp_path: Path) -> None:
    database = Database(tmp_path / "linnet.db")
    await database.open()
    timeline = SqliteTimeline(database, epochs=EpochFile(tmp_path / "gone" / "epoch"))
    await timeline.open(100)
    with pytest.raises(Unavailable):
        await timeline.raise_epoch()
    assert (await timeline.open(100)).epoch == 0
    await database.close()


def _noted(steps: list[str], step: str, call: Callable[..., object]) -> Callable[..., object]:
    def noted(*arguments: object) -> object:
        steps.append(step)
        return call(*arguments)

    return noted
