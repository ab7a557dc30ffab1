"""Comparing safety numbers, and a number that has a new account, as commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.kit import Served, Terminal, linnet, registered, served

pytestmark = pytest.mark.slow

ALICE, BOB, CAROL = "+4917604069001", "+4917604069002", "+4917604069003"


@dataclass
class Town:
    """A server; Alice, Bob and Carol on it."""

    server: Served
    home: Path

    def safety(self, person: str, whom: str, *options: object) -> dict[str, object]:
        """What `linnet safety` tells a person's program of somebody."""
        ran = linnet("safety", whom, "--dir", self.home / person, *options, "--json")
        assert ran.code == 0, ran.err
        told: dict[str, object] = ran.json
        return told


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    home = tmp_path_factory.mktemp("town")
    with served(home) as server:
        for name, number in (("alice", ALICE), ("bob", BOB), ("carol", CAROL)):
            registered(server, home / name, number)
        yield Town(server, home)


def test_both_sides_see_the_same_number_and_can_say_that_they_compared_it(town: Town) -> None:
    ours, theirs = town.safety("alice", BOB), town.safety("bob", ALICE)
    assert ours["digits"] == theirs["digits"]
    assert len(str(ours["digits"])) == 60
    assert ours["text"] != theirs["text"]
    assert (ours["verified"], ours["changed"]) == (False, None)
    marked = linnet("safety", BOB, "--dir", town.home / "alice", "--verified", "--qr")
    assert "Verified." in marked.out
    assert "█" in marked.out
    assert str(ours["text"]) in marked.out
    assert town.safety("alice", BOB)["verified"]
    assert not town.safety("alice", BOB, "--unverified")["verified"]


@pytest.mark.parametrize("form", ["text", "digits"])
def test_what_the_other_side_shows_can_be_compared_for_me(town: Town, form: str) -> None:
    theirs = str(town.safety("carol", ALICE)[form])
    spaced = " ".join(theirs[at : at + 5] for at in range(0, len(theirs), 5))
    for shown in (theirs, spaced):
        assert town.safety("alice", CAROL, "--compare", shown)["verified"]
        assert not town.safety("alice", CAROL, "--unverified")["verified"]


def test_what_differs_is_an_error_and_marks_nothing(town: Town) -> None:
    others = town.safety("bob", CAROL)
    for shown in (others["text"], others["digits"]):
        ran = linnet("safety", CAROL, "--dir", town.home / "alice", "--compare", shown)
        assert ran.code == 1
        assert "not the same" in ran.err
    ran = linnet("safety", CAROL, "--dir", town.home / "alice", "--compare", "nonsense")
    assert ran.code == 1
    assert "no safety number" in ran.err
    assert not town.safety("alice", CAROL)["verified"]


def test_one_has_no_safety_number_with_oneself(town: Town) -> None:
    ran = linnet("safety", ALICE, "--verified", "--dir", town.home / "alice")
    assert (ran.code, ran.out) == (1, "")
    assert "that is you" in ran.err


def test_nothing_goes_to_a_number_s_new_account_before_a_person_accepts_it(town: Town) -> None:
    alice, bob = town.home / "alice", town.home / "bob"
    assert linnet("send", ALICE, "to the old one", "--dir", bob).code == 0
    before = town.safety("bob", ALICE, "--verified")
    again = registered(town.server, town.home / "alice again", ALICE)
    assert again["account"] != before["account"]

    refused = linnet("send", ALICE, "written too early", "--dir", bob)
    assert refused.code == 1
    assert "linnet safety" in refused.err
    assert linnet("chat", ALICE, "--dir", bob, stdin="too early\n").code == 1

    shown = town.safety("bob", ALICE)
    assert (shown["account"], shown["changed"]) == (again["account"], "account")
    assert shown["digits"] == town.safety("alice again", BOB)["digits"]
    assert not shown["verified"]
    unsure = linnet("safety", ALICE, "--dir", bob, "--verified")
    assert unsure.code == 1
    assert "--accept" in unsure.err

    blind = linnet("safety", ALICE, "--dir", bob, "--accept", "--verified")
    assert (blind.code, blind.out) == (2, "")
    assert "--compare" in blind.err
    assert town.safety("bob", ALICE)["changed"] == "account"

    theirs = town.safety("alice again", BOB)["text"]
    accepted = town.safety("bob", ALICE, "--accept", "--compare", theirs)
    assert (accepted["changed"], accepted["verified"]) == (None, True)
    assert linnet("send", ALICE, "now", "--dir", bob).code == 0
    heard = linnet("listen", "--dir", town.home / "alice again", "--once", "--within", 20, "--json")
    texts = [json.loads(line).get("text") for line in heard.out.splitlines()]
    assert [text for text in texts if text] == ["now"]
    gone = linnet("listen", "--dir", alice, "--once", "--within", 20, "--json")
    assert "to the old one" in gone.out


def test_a_chat_shows_the_number_too(town: Town) -> None:
    digits = str(town.safety("alice", CAROL)["digits"])
    talk = linnet("chat", CAROL, "--dir", town.home / "alice", stdin="/safety\n/accept\n")
    assert digits[:5] in talk.out
    assert "not verified" in talk.out
    assert "no new keys" in talk.out


def test_the_number_is_drawn_in_black_and_white_on_a_terminal(town: Town) -> None:
    terminal = Terminal("safety", BOB, "--dir", town.home / "carol", "--qr")
    assert "\x1b[97;40m" in terminal.see("Not verified")
    assert terminal.end() == 0
