"""A whole server told that its data came from a backup, twice from the same one."""

import shutil
from pathlib import Path

import apsw
import pytest
from tests.server.kit import Codes

from linnet.server.app import Server
from linnet.server.backends.disk.epoch import EpochFile
from linnet.server.backends.disk.secrets import SecretsUnreadable
from linnet.server.config import Config


async def test_two_restores_of_one_backup_number_apart_and_are_remembered(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup.db"
    await _serve(data)
    shutil.copy(data / "linnet.db", backup)
    epochs = []
    for _ in range(2):
        shutil.copy(backup, data / "linnet.db")
        await _serve(data, restored=True)
        epochs.append(_epoch(data))
    assert epochs == [1, 2]
    await _serve(data)
    assert _epoch(data) == 2
    kept = EpochFile(data / "epoch")
    assert kept.highest == 2
    assert kept.restored_ms > 0


async def _serve(data: Path, restored: bool = False) -> None:
    async with Server(Config(data=data, port=0, restored=restored), Codes()):
        pass


def _epoch(data: Path) -> int:
    connection = apsw.Connection(str(data / "linnet.db"), flags=apsw.SQLITE_OPEN_READONLY)
    epoch: int = connection.execute("SELECT epoch FROM timeline").get
    connection.close()
    return epoch


async def test_a_database_without_its_secrets_is_refused(tmp_path: Path) -> None:
    async with Server(Config(data=tmp_path, port=0)):
        pass
    (tmp_path / "secrets").unlink()
    with pytest.raises(SecretsUnreadable, match="missing"):
        async with Server(Config(data=tmp_path, port=0)):
            pass
    assert not (tmp_path / "secrets").exists()
