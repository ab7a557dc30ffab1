"""Linking, listing, revoking and recovering, as commands against a real server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.kit import WITHIN_S, Served, Terminal, line_of, linnet, registered, served, started

pytestmark = pytest.mark.slow

NUMBERS = (f"+49176040690{last:02}" for last in itertools.count(1))
"""A fresh one each: a number gets three codes an hour. The server lets ten register at once."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("town")) as server:
        yield server


def linked(town: Served, phone: Path, laptop: Path) -> dict[str, object]:
    """A laptop linked to a phone."""
    link = ["link", "--server", town.url, "--dir", laptop, "--name", "laptop", "--json"]
    with started(*link) as new:
        code = json.loads(line_of(new))["text"]
        approved = linnet("approve", code, "--dir", phone, "--yes", "--json")
        assert approved.code == 0, approved.err
        assert "Waiting for the new device, 100 s at most." in approved.err
        told: dict[str, object] = json.loads(line_of(new))
    assert told["device"] == approved.json["device"]
    return told


def test_a_laptop_is_linked_listed_renamed_and_revoked(town: Served, tmp_path: Path) -> None:
    phone, laptop = tmp_path / "phone", tmp_path / "laptop"
    account = registered(town, phone, next(NUMBERS))
    assert linked(town, phone, laptop)["account"] == account["account"]

    renamed = linnet("devices", "rename", 2, "old laptop", "--dir", phone, "--json")
    assert (renamed.json["device"], renamed.json["name"]) == (2, "old laptop")
    listed = linnet("devices", "list", "--dir", phone, "--json").json
    assert [(d["device"], d["name"], d["main"], d["here"]) for d in listed] == [
        (1, "", True, True),
        (2, "old laptop", False, False),
    ]
    assert "(main, here)" in linnet("devices", "--dir", phone).out

    refused = linnet("devices", "revoke", 1, "--dir", laptop, "--yes")
    assert refused.code == 1
    assert "main device" in refused.err
    revoked = linnet("devices", "revoke", 2, "--dir", phone, "--yes", "--json")
    assert revoked.json == {"device": 2, "revoked": True}
    ended = linnet("listen", "--dir", laptop, "--within", 20)
    assert ended.code == 1
    assert "linnet link" in ended.err


def test_nobody_at_the_terminal_is_not_a_yes(town: Served, tmp_path: Path) -> None:
    phone, laptop = tmp_path / "phone", tmp_path / "laptop"
    registered(town, phone, next(NUMBERS))
    with started("link", "--server", town.url, "--dir", laptop, "--json") as new:
        code = json.loads(line_of(new))["text"]
        unasked = linnet("approve", code, "--dir", phone, stdin="y\n")
        assert unasked.code == 1
        assert "--yes" in unasked.err
        # Nothing was said to the server, so the code is still good.
        assert linnet("approve", code, "--dir", phone, "--yes").code == 0
        assert json.loads(line_of(new))["device"] == 2
    unasked = linnet("devices", "revoke", 2, "--dir", phone, stdin="y\n")
    assert unasked.code == 1
    assert "--yes" in unasked.err
    assert len(linnet("devices", "--dir", phone, "--json").json) == 2


def test_a_person_is_asked_and_can_walk_away(town: Served, tmp_path: Path) -> None:
    phone, laptop = tmp_path / "phone", tmp_path / "laptop"
    registered(town, phone, next(NUMBERS))
    with started("link", "--server", town.url, "--dir", laptop, "--name", "lap", "--json") as new:
        code = json.loads(line_of(new))["text"]
        main = Terminal("approve", code, "--dir", phone)
        main.see("Link a terminal that calls itself “lap”?")
        main.type("\x03")
        assert main.end() == 130
        assert new.wait(WITHIN_S) == 1  # told at once, not when its time is over
    assert len(linnet("devices", "--dir", phone, "--json").json) == 1


def test_options_before_the_command_are_not_forgotten_in_silence(tmp_path: Path) -> None:
    ran = linnet("devices", "--dir", tmp_path, "revoke", 2, "--yes")
    assert ran.code == 2
    assert "after `revoke`" in ran.err


def test_a_lost_account_goes_on_by_its_code(town: Served, tmp_path: Path) -> None:
    number = next(NUMBERS)
    account = registered(town, tmp_path / "phone", number)
    recover = ["recover", "--number", number, "--server", town.url, "--dir", tmp_path / "new"]
    wrong = linnet(*recover, "--code", "000000", stdin="AAAA-BBBB\n")
    assert wrong.code == 1
    assert "56 letters and digits" in wrong.err
    secret = f"{account['recovery_code']}\n"
    linnet(*recover, stdin=secret)
    done = linnet(*recover, "--code", town.code_for(number), "--yes", "--json", stdin=secret)
    assert done.code == 0, done.err
    assert (done.json["account"], done.json["device"]) == (account["account"], 2)


def test_a_code_that_is_none_is_said_to_be_none(town: Served, tmp_path: Path) -> None:
    registered(town, tmp_path / "phone", next(NUMBERS))
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
