"""Two people on the command line switch their conversation to sealed sending."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.kit import Ran, Served, linnet, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ALICE, BOB = "+4917604069011", "+4917604069012"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("sealed")) as server:
        yield server


def registered(server: Served, number: str, directory: Path) -> Path:
    arguments = ["register", "--server", server.url, "--number", number, "--dir", directory]
    linnet(*arguments)
    assert linnet(*arguments, "--code", server.code_for(number)).code == 0
    return directory


def listen(directory: Path) -> Ran:
    return linnet("listen", "--dir", directory, "--within", 3, "--json")


def test_a_conversation_is_sealed_once_both_have_written(server: Served, tmp_path: Path) -> None:
    alice = registered(server, ALICE, tmp_path / "alice")
    bob = registered(server, BOB, tmp_path / "bob")
    assert linnet("send", BOB, "Hello?", "--dir", alice).code == 0
    early = linnet("sealed", BOB, "--on", "--dir", alice)
    assert early.code == 1
    assert "written to each other" in early.err
    listen(bob)
    assert linnet("send", ALICE, "Hello!", "--dir", bob).code == 0
    for one in (alice, bob, alice):
        listen(one)
    assert linnet("sealed", BOB, "--dir", alice, "--json").json["sealed"] is False
    on = linnet("sealed", BOB, "--on", "--dir", alice)
    assert on.code == 0, on.err
    assert "not told who sends" in on.out
    assert linnet("send", BOB, "Nobody sees who says this.", "--dir", alice).code == 0
    assert "Nobody sees who says this." in listen(bob).out
    assert linnet("sealed", ALICE, "--dir", bob, "--json").json["sealed"] is True
    assert linnet("sealed", BOB, "--off", "--dir", alice).code == 0
    assert linnet("sealed", BOB, "--dir", alice, "--json").json["sealed"] is False
