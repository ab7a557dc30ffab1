"""Numbered files, each applied once, none half."""

from pathlib import Path

import apsw
import pytest

from linnet.server.backends.sqlite.migrate import NewerSchema, migrate


def test_each_file_is_applied_once(tmp_path: Path) -> None:
    connection = apsw.Connection(":memory:")
    _write(tmp_path, 1, "CREATE TABLE one (x); INSERT INTO one VALUES (1);")
    assert migrate(connection, tmp_path) == 1
    _write(tmp_path, 2, "CREATE TABLE two (x);")
    assert migrate(connection, tmp_path) == 2
    assert migrate(connection, tmp_path) == 2
    assert list(connection.execute("SELECT x FROM one")) == [(1,)]
    assert connection.pragma("user_version") == 2


def test_a_file_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    connection = apsw.Connection(":memory:")
    _write(tmp_path, 1, "CREATE TABLE one (x);")
    _write(tmp_path, 2, "CREATE TABLE two (x); CREATE TABLE one (x);")
    with pytest.raises(apsw.SQLError):
        migrate(connection, tmp_path)
    assert connection.pragma("user_version") == 1
    assert [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")] == ["one"]


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = apsw.Connection(":memory:")
    _write(tmp_path, 1, "CREATE TABLE one (x);")
    connection.pragma("user_version", 7)
    with pytest.raises(NewerSchema, match="schema 7"):
        migrate(connection, tmp_path)
    assert list(connection.execute("SELECT name FROM sqlite_schema")) == []


def test_a_missing_number_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, 2, "CREATE TABLE two (x);")
    with pytest.raises(ValueError, match="numbered"):
        migrate(apsw.Connection(":memory:"), tmp_path)


def _write(folder: Path, number: int, script: str) -> None:
    (folder / f"{number:04}_step.sql").write_text(script)
