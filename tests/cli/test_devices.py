"""Linking, listing, revoking, recovering and comparing, as commands against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.kit import Served, line_of, linnet, served, started

pytestmark = pytest.mark.slow

ALICE, BOB = "+4917604069001", "+4917604069002"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("town")) as server:
        yield server


def registered(town: Served, directory: Path, number: str) -> dict[str, object]:
    """An account in `directory`, made in the two steps of a program."""
    arguments = ["register", "--number", number, "--server", town.url, "--dir", directory]
    linnet(*arguments)
    done = linnet(*arguments, "--code", town.code_for(number), "--json")
    assert done.code == 0, done.err
    account: dict[str, object] = done.json
    return account


def linked(town: Served, phone: Path, laptop: Path) -> dict[str, object]:
    """A laptop linked to a phone."""
    link = ["link", "--server", town.url, "--dir", laptop, "--name", "laptop", "--json"]
    with started(*link) as new:
        code = json.loads(line_of(new))["text"]
        approved = linnet("approve", code, "--dir", phone, "--yes", "--json")
        assert approved.code == 0, approved.err
        told: dict[str, object] = json.loads(line_of(new))
    assert told["device"] == approved.json["device"]
    return told


def test_a_laptop_is_linked_listed_renamed_and_revoked(town: Served, tmp_path: Path) -> None:
    phone, laptop = tmp_path / "phone", tmp_path / "laptop"
    account = registered(town, phone, ALICE)
    assert linked(town, phone, laptop)["account"] == account["account"]

    assert linnet("devices", "rename", 2, "old laptop", "--dir", phone).code == 0
    listed = linnet("devices", "list", "--dir", phone, "--json").json
    assert [(d["device"], d["name"], d["main"], d["here"]) for d in listed] == [
        (1, "", True, True),
        (2, "old laptop", False, False),
    ]
    assert "(main, here)" in linnet("devices", "--dir", phone).out

    refused = linnet("devices", "revoke", 1, "--dir", laptop, "--yes")
    assert refused.code == 1
    assert "main device" in refused.err
    assert linnet("devices", "revoke", 2, "--dir", phone, "--yes").code == 0
    ended = linnet("listen", "--dir", laptop, "--within", 20)
    assert ended.code == 1
    assert "linnet link" in ended.err


def test_a_lost_account_goes_on_by_its_code(town: Served, tmp_path: Path) -> None:
    account = registered(town, tmp_path / "phone", ALICE)
    recover = ["recover", "--number", ALICE, "--server", town.url, "--dir", tmp_path / "new"]
    wrong = linnet(*recover, "--code", "000000", stdin="AAAA-BBBB\n")
    assert wrong.code == 1
    assert "56 letters and digits" in wrong.err
    secret = f"{account['recovery_code']}\n"
    linnet(*recover, stdin=secret)
    done = linnet(*recover, "--code", town.code_for(ALICE), "--yes", "--json", stdin=secret)
    assert done.code == 0, done.err
    assert (done.json["account"], done.json["device"]) == (account["account"], 2)


def test_both_sides_see_the_same_safety_number(town: Served, tmp_path: Path) -> None:
    for name, number in (("alice", ALICE), ("bob", BOB)):
        registered(town, tmp_path / name, number)
    ours = linnet("safety", BOB, "--dir", tmp_path / "alice", "--json").json
    theirs = linnet("safety", ALICE, "--dir", tmp_path / "bob", "--json").json
    assert ours["digits"] == theirs["digits"]
    assert len(ours["digits"]) == 60
    assert not ours["verified"]
    marked = linnet("safety", BOB, "--dir", tmp_path / "alice", "--verified", "--qr")
    assert "Verified." in marked.out
    assert "█" in marked.out
    assert linnet("safety", BOB, "--dir", tmp_path / "alice", "--json").json["verified"]
    again = linnet("safety", BOB, "--dir", tmp_path / "alice", "--unverified", "--json").json
    assert not again["verified"]


def test_a_code_that_is_none_is_said_to_be_none(town: Served, tmp_path: Path) -> None:
    registered(town, tmp_path / "phone", ALICE)
    ran = linnet("approve", "nonsense", "--dir", tmp_path / "phone", "--yes")
    assert ran.code == 1
    assert "no linking code" in ran.err


def test_a_qr_code_comes_with_the_text(town: Served, tmp_path: Path) -> None:
    with started("link", "--server", town.url, "--dir", tmp_path / "laptop") as new:
        assert new.stdout is not None
        lines: list[str] = []
        while not any("linnet approve" in line for line in lines):
            lines.append(line_of(new))
    assert sum("█" in line for line in lines) > 20
