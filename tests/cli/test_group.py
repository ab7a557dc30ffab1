"""Groups on the command line: made, changed, written to and left, against a real server."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.kit import Ran, Served, Terminal, line_of, linnet, served, started

from linnet.client import Client

pytestmark = pytest.mark.slow

NUMBERS = {name: f"+491760406900{n}" for n, name in enumerate(("ada", "ben", "cleo", "dan"), 1)}


class Town:
    """A server, and four people with accounts on it."""

    def __init__(self, server: Served, place: Path) -> None:
        self._place = place
        for name in NUMBERS:
            asyncio.run(self._register(server, name))

    def __call__(self, name: str, *arguments: object, **options: Any) -> Ran:
        """A command of somebody."""
        return linnet(*arguments, "--dir", self._place / name, **options)

    def directory(self, name: str) -> Path:
        """Where somebody's account is."""
        return self._place / name

    def group(self, title: str, *members: str) -> str:
        """A group that Ada makes; its id."""
        made = self("ada", "group", "create", title, *(NUMBERS[it] for it in members), "--json")
        assert made.code == 0, made.err
        id: str = made.json["group"]
        return id

    def hears(self, name: str, wanted: list[str]) -> dict[str, list[dict[str, Any]]]:
        """What somebody who listens is told, until all these kinds of events have come."""
        told: dict[str, list[dict[str, Any]]] = {}
        with started("listen", "--json", "--dir", self.directory(name)) as listening:
            left = Counter(wanted)
            while left.total() > 0:
                event = json.loads(line_of(listening))
                told.setdefault(event["event"], []).append(event)
                left -= Counter([event["event"]])
        return told

    async def _register(self, server: Served, name: str) -> None:
        async def code() -> str:
            return server.code_for(NUMBERS[name])

        client = await Client.register(server.url, self.directory(name), NUMBERS[name], code)
        await client.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    place = tmp_path_factory.mktemp("groups")
    with served(place) as server:
        yield Town(server, place)


def roles(group: dict[str, Any]) -> list[str]:
    return sorted(member["role"] for member in group["members"])


def test_a_group_is_made_by_numbers_and_its_id_is_printed(town: Town) -> None:
    made = town("ada", "group", "create", "Choir", NUMBERS["ben"], NUMBERS["cleo"])
    assert made.code == 0, made.err
    id = made.out.splitlines()[1].split(",")[0]
    told = town("ben", "group", "list", "--json").json
    assert [(it["group"], it["title"], roles(it)) for it in told] == [
        (id, "Choir", ["admin", "member", "member"])
    ]
    shown = town("cleo", "group", "show", id[:8]).out
    assert shown.splitlines()[0] == "Choir"
    assert "you" in shown


def test_what_is_written_to_a_group_all_hear_with_its_name(town: Town) -> None:
    town.group("Quartet", "ben", "cleo")
    sent = town("ada", "group", "send", "quartet", "Friday at eight?", "--json")
    assert sent.code == 0, sent.err
    assert list(sent.json["delivered"].values()) == [False, False]
    for name in ("ben", "cleo"):
        listened = town(name, "listen", "--once", "--within", 20)
        assert " Quartet · " in listened.out
        assert listened.out.endswith(": Friday at eight?\n")
    answered = town("ben", "send", "Quartet", "-", stdin="Yes\n")
    assert answered.out == "✓ sent\n"
    told = town.hears("ada", ["message", "group_reported"])
    assert told["message"][0]["text"] == "Yes"
    assert told["group_reported"][0]["group"] == told["message"][0]["conversation"]


def test_a_group_is_changed_by_its_admins_alone(town: Town) -> None:
    group = town.group("Band", "ben", "cleo")
    refused = town("ben", "group", "add", group, NUMBERS["dan"])
    assert refused.code == 1
    assert "only an admin" in refused.err
    assert "linnet group show" in refused.err
    assert town("ada", "group", "promote", group, NUMBERS["ben"]).code == 0
    added = town("ben", "group", "add", "Band", NUMBERS["dan"], "--json")
    assert added.code == 0, added.err
    assert roles(added.json) == ["admin", "admin", "member", "member"]
    again = town("ben", "group", "add", "Band", NUMBERS["dan"])
    assert "members already" in again.err
    assert town("ben", "group", "remove", "Band", NUMBERS["cleo"]).code == 0
    assert town("ben", "group", "title", "Band", "Big band").code == 0
    assert town("ben", "group", "demote", "Big band", NUMBERS["ada"]).code == 0
    rekeyed = town("ben", "group", "rekey", "Big band", NUMBERS["dan"])
    assert "that is so already" in rekeyed.err
    changes = town.hears("ada", ["group_changed"] * 4)["group_changed"]
    assert [it["what"] for it in changes] == ["add", "remove", "retitle", "demote"]
    left = town("dan", "group", "leave", "big BAND", "--json")
    assert (left.code, left.json["member"]) == (0, False)
    assert "not a member" in town("dan", "group", "send", group, "hello?").err
    assert "not a member of it any more" in town("dan", "group", "show", group).out


def test_what_is_said_to_nobody_else_has_arrived_once_it_is_sent(town: Town) -> None:
    assert town("ada", "group", "create", "Diary").code == 0
    sent = town("ada", "send", "Diary", "Rain.", "--delivered")
    assert (sent.code, sent.out, sent.err) == (0, "✓ sent\n", "")


def test_a_group_that_cannot_be_told_is_asked_for_by_id(town: Town) -> None:
    town.group("Twins", "ben")
    town.group("Twins", "cleo")
    ran = town("ada", "group", "send", "Twins", "which?")
    assert ran.code == 1
    assert "2 groups can be meant" in ran.err
    ran = town("ada", "group", "show", "Nobody's")
    assert ran.code == 1
    assert "`linnet group list`" in ran.err


def test_a_group_is_talked_in_from_two_terminals(town: Town) -> None:
    town.group("Duo", "ben", "cleo")
    ada = Terminal("chat", "Duo", "--dir", town.directory("ada"))
    ben = Terminal("chat", "duo", "--dir", town.directory("ben"))
    ada.see("you talk to Duo")
    ben.see("you talk to Duo")
    ada.type("Hello, you two\r")
    ben.see(": Hello, you two")
    ada.see("✓ ")
    shown = ""
    while f"✓✓ {NUMBERS['ben']} (member)" not in shown:
        ada.type("/who\r")
        ada.see("you (admin)")
        shown = ada.see(f"   {NUMBERS['cleo']} (member)")
    ben.type("\x04")
    assert ben.end() == 0
    ada.type("/quit\r")
    assert ada.end() == 0
