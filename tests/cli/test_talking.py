"""Two people on the command line: register, send, listen, chat, against a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.kit import (
    LINNET,
    WITHIN_S,
    Ran,
    Served,
    Terminal,
    line_of,
    linnet,
    served,
    started,
)

pytestmark = pytest.mark.slow

ALICE, BOB, NOBODY = "+4917604069001", "+4917604069002", "+4917604069003"


def register(server: Served, number: str, directory: Path) -> Ran:
    """In two steps, as a script does it."""
    arguments = ["register", "--server", server.url, "--number", number, "--dir", directory]
    first = linnet(*arguments)
    assert first.code == 1
    assert "--code" in first.err
    return linnet(*arguments, "--code", server.code_for(number), "--json")


class World:
    """A server, and two accounts on it."""

    def __init__(self, server: Served, place: Path) -> None:
        self.server = server
        self.alice, self.bob = place / "alice", place / "bob"
        self.registered = register(server, ALICE, self.alice)
        register(server, BOB, self.bob)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("talking")
    with served(place) as server:
        yield World(server, place)


def test_registering_tells_the_account_and_the_recovery_code_once(world: World) -> None:
    told = world.registered.json
    assert told["device"] == 1
    assert told["recovery_code"]
    linnet("listen", "--dir", world.alice, "--within", 0.2)
    register = ["register", "--server", world.server.url, "--number", ALICE]
    again = linnet(*register, "--dir", world.alice)
    assert again.code == 1
    assert "holds an account already" in again.err


def test_a_wrong_code_is_told_as_that(world: World, tmp_path: Path) -> None:
    common = ["--server", world.server.url, "--number", "+4917604069009", "--dir", tmp_path / "x"]
    linnet("register", *common)
    right = world.server.code_for("+4917604069009")
    wrong = "000000" if right != "000000" else "111111"
    ran = linnet("register", *common, "--code", wrong)
    assert ran.code == 1
    assert "that code is wrong" in ran.err
    assert linnet("register", *common, "--code", right).code == 0


def test_what_is_no_number_is_refused_with_an_example(world: World, tmp_path: Path) -> None:
    ran = linnet(
        "register", "--server", world.server.url, "--number", "+1555010", "--dir", tmp_path
    )
    assert ran.code == 1
    assert "+4917604069001" in ran.err


def test_a_text_is_sent_then_heard_as_json(world: World) -> None:
    sent = linnet("send", BOB, "heard as JSON", "--dir", world.alice, "--json")
    assert sent.code == 0
    assert sent.json["state"] == "sent"
    heard = linnet("listen", "--dir", world.bob, "--json", "--once", "--within", 20)
    assert heard.code == 0
    events = [json.loads(line) for line in heard.out.splitlines()]
    assert [event["text"] for event in events if event["event"] == "message"] == ["heard as JSON"]
    assert events[-1]["id"] == sent.json["id"]


def test_a_text_can_come_from_standard_input(world: World) -> None:
    assert linnet("send", BOB, "-", "--dir", world.alice, stdin="piped\n").out == "✓ sent\n"
    heard = linnet("listen", "--dir", world.bob, "--once", "--within", 20)
    assert heard.out.splitlines()[-1].endswith(": piped")


def test_an_unknown_number_is_told_as_that(world: World) -> None:
    ran = linnet("send", NOBODY, "hello", "--dir", world.alice)
    assert ran.code == 1
    assert "nobody has that number" in ran.err


def test_a_recipient_that_is_neither_number_nor_id_is_told_as_that(world: World) -> None:
    ran = linnet("send", "bob", "hello", "--dir", world.alice)
    assert ran.code == 1
    assert "neither a phone number nor an account id" in ran.err


def test_a_directory_without_an_account_is_told_as_that(tmp_path: Path) -> None:
    for command in (["send", BOB, "hi"], ["listen"], ["chat", BOB]):
        ran = linnet(*command, "--dir", tmp_path / "none")
        assert ran.code == 1
        assert "there is no account in" in ran.err


def test_listening_for_too_long_gives_up_with_1(world: World) -> None:
    ran = linnet("listen", "--dir", world.alice, "--once", "--within", 0.5)
    assert ran.code == 1
    assert "within 0.5 s" in ran.err


def test_an_account_is_used_by_one_program_at_a_time(world: World) -> None:
    with started("listen", "--dir", world.bob, "--json") as listening:
        line_of(listening)
        second = linnet("send", ALICE, "hi", "--dir", world.bob)
        listening.send_signal(signal.SIGINT)
        assert listening.wait(WITHIN_S) == 0
    assert second.code == 1
    assert "another program has the account" in second.err


def test_piped_lines_are_a_chat_that_ends_when_the_server_has_them(world: World) -> None:
    chatted = linnet("chat", BOB, "--dir", world.alice, stdin="one\n\n//two\n/what\nthree")
    assert chatted.code == 0
    assert [line for line in chatted.out.splitlines() if line.startswith("✓ ")] != []
    assert "/accept" in chatted.out
    heard = linnet("listen", "--dir", world.bob, "--json", "--count", 3, "--within", 20)
    events = [json.loads(line) for line in heard.out.splitlines()]
    texts = [event["text"] for event in events if event["event"] == "message"]
    assert texts == ["one", "/two", "three"]


def test_two_terminals_talk_and_what_is_being_typed_stays_whole(world: World) -> None:
    alice = Terminal("chat", BOB, "--dir", world.alice, "--history", 0)
    bob = Terminal("chat", ALICE, "--dir", world.bob, "--history", 0)
    alice.see("you talk to")
    bob.see("you talk to")
    alice.see("> ")
    alice.type("half a sen")
    alice.see("> half a sen")
    bob.type("hello from Bob\r")
    bob.see("✓✓")
    assert alice.see("> half a sen").endswith(": hello from Bob\r\n\r\x1b[K> half a sen")
    alice.type("tence\r")
    bob.see(": half a sentence")
    bob.type("/quit\r")
    assert bob.end() == 0
    alice.type("\x03")
    assert alice.end() == 0


def test_what_cannot_go_out_stays_queued_and_goes_out_later(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        alice, bob = tmp_path / "alice", tmp_path / "bob"
        register(server, ALICE, alice)
        account = register(server, BOB, bob).json["account"]
        port = server.url.rpartition(":")[2]
        server.stop()
    ran = linnet("send", account, "for later", "--dir", alice, "--wait", 0.5)
    assert ran.code == 1
    assert "queued" in ran.err
    with started("serve", "--data", server.data, "--port", port, "--json") as again:
        line_of(again)
        sent = linnet("listen", "--dir", alice, "--json", "--within", 2)
        heard = linnet("listen", "--dir", bob, "--json", "--once", "--within", 20)
    assert '"event": "sent"' in sent.out
    assert "for later" in heard.out


def test_text_that_is_no_unicode_is_refused_and_not_queued(world: World) -> None:
    ran = linnet("send", "--dir", world.alice, BOB, os.fsdecode(b"\xff"))
    assert ran.code == 1
    assert "not valid Unicode" in ran.err


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_listening_into_a_full_disk_is_told_in_one_line(
    world: World, flags: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        command = [*LINNET, "listen", "--dir", str(world.bob), *flags]
        ran = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=WITHIN_S, check=False
        )
    assert ran.returncode == 1
    assert ran.stderr.startswith("linnet: the output cannot be written.")
    assert "Traceback" not in ran.stderr


def test_a_message_is_shown_where_the_encoding_lacks_its_letters(world: World) -> None:
    linnet("send", "--dir", world.alice, BOB, "Grüße ✓")
    heard = linnet("listen", "--dir", world.bob, "--once", PYTHONIOENCODING="ascii")
    assert heard.code == 0
    assert "Gr??e ?" in heard.out
