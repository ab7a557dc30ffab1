"""`linnet demo`, as a stranger runs it, and how it judges itself."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.cli.kit import WITHIN_S, line_of, linnet, started

from linnet.cli.demo.play import Exchange
from linnet.cli.demo.search import Finding, Searched
from linnet.cli.demo.show import SHOWS
from linnet.cli.demo.verdict import verdict

pytestmark = pytest.mark.slow


def test_once_in_json_says_that_everything_arrived_and_nothing_was_found(tmp_path: Path) -> None:
    ran = linnet("demo", "--once", "--json", TMPDIR=str(tmp_path))
    assert ran.code == 0
    assert set(ran.json) == {
        "ok",
        "messages",
        "server_bytes_searched",
        "plaintext_found",
        "sent_ms",
        "delivered_ms",
    }
    assert ran.json["ok"] is True
    assert ran.json["plaintext_found"] is False
    assert ran.json["messages"] >= 6
    assert ran.json["server_bytes_searched"] > 10_000
    assert 0 < ran.json["sent_ms"] < ran.json["delivered_ms"]
    assert not list(tmp_path.iterdir())


def test_once_for_people_shows_all_three_sides(tmp_path: Path) -> None:
    ran = linnet("demo", "--once", TMPDIR=str(tmp_path), COLUMNS="160")
    assert ran.code == 0
    assert ran.out.count("under the third flowerpot") == 2
    assert "after coming back" in ran.out
    assert "Bob and Carol" in ran.out
    assert "safety numbers" in ran.out
    assert "✓✓" in ran.out


def test_it_stays_up_to_be_talked_through_and_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary, runtime = tmp_path / "tmp", tmp_path / "run"
    temporary.mkdir()
    runtime.mkdir()
    where = {"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(runtime)}
    with started("demo", "--json", **where) as demo:
        told = json.loads(line_of(demo))
        assert told["verdict"]["ok"]
        bob = told["running"]["people"]["bob"]["number"]
        sent = linnet("send", bob, "from outside", "--as", "alice", **where)
        heard = linnet("listen", "--as", "bob", "--once", "--within", 20, **where)
        chatted = linnet("chat", "--as", "bob", stdin="and back\n", **where)
        sung = linnet("group", "list", "--as", "carol", **where)
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(WITHIN_S) == 0
    assert (sent.code, heard.code, chatted.code) == (0, 0, 0)
    assert "Harbour singers" in sung.out
    assert heard.out.splitlines()[-1].endswith(": from outside")
    assert "Alice: " in chatted.out
    assert not list(temporary.iterdir())
    assert not list(runtime.rglob("demo-*"))
    assert "no demo is running" in linnet("chat", "--as", "alice", **where).err


def exchange(**changed: object) -> Exchange:
    usual = Exchange(
        writer="Alice",
        readers=("Bob", "Carol"),
        typed="hello",
        away=False,
        id=b"1",
        kept=[b"ciphertext"],
        read=["hello", "hello"],
        sent_ms=2.0,
        delivered_ms=4.0,
    )
    for name, value in changed.items():
        setattr(usual, name, value)
    return usual


CLEAN = Searched(files=3, bytes=1000)


def test_all_well_is_ok() -> None:
    judged = verdict([exchange()], [CLEAN, CLEAN], works=True)
    assert judged.ok
    assert judged.server_bytes_searched == 2000


@pytest.mark.parametrize(
    "said",
    [
        exchange(read=["hello", "hullo"]),
        exchange(read=["hello", None]),
        exchange(read=["hello"]),
        exchange(kept=[]),
        exchange(delivered_ms=None),
    ],
)
def test_anything_that_did_not_arrive_as_typed_is_not_ok(said: Exchange) -> None:
    assert not verdict([exchange(), said], [CLEAN], works=True).ok


def test_text_found_in_any_pass_is_not_ok() -> None:
    dirty = Searched(files=3, bytes=1000, findings=[Finding("wal", "raw", 7)])
    judged = verdict([exchange()], [CLEAN, dirty], works=True)
    assert judged.plaintext_found
    assert not judged.ok


def test_a_search_that_does_not_find_what_is_there_is_not_ok() -> None:
    assert not verdict([exchange()], [CLEAN], works=False).ok


def test_a_search_of_nothing_is_not_ok() -> None:
    assert not verdict([exchange()], [CLEAN, Searched()], works=True).ok


@pytest.mark.parametrize("claim", ["audited by", "cannot read", "Signal Protocol", "anonymous"])
def test_the_honest_sentence_claims_nothing_more(claim: str) -> None:
    assert claim not in SHOWS
