"""The table of kinds, channels and senders: in code, in the docs and in the vectors.

`python tests/crypto/test_kinds.py` writes the vectors again; the test says if they differ.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from linnet.crypto.kinds import (
    NUMBERED,
    RULES,
    Author,
    Channel,
    Mode,
    frame_channel,
    is_known,
    permitted,
)

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "vectors" / "content" / "kinds.json"
PAGE = ROOT / "docs" / "protocol" / "content.md"

ONE, TWO = b"\1" * 16, b"\2" * 16
KINDS = [*RULES, "hologram"]
SENDERS = {
    "peer": {"own_account": False, "primary": False, "linking": False},
    "peer's primary, linking": {"own_account": False, "primary": True, "linking": True},
    "own linked device": {"own_account": True, "primary": False, "linking": True},
    "own primary": {"own_account": True, "primary": True, "linking": False},
    "own primary, linking": {"own_account": True, "primary": True, "linking": True},
}


def build() -> dict[str, Any]:
    return {
        "about": "Kind × channel × sender; see docs/protocol/content.md. Allowed ones are listed.",
        "kinds": KINDS,
        "channels": list(Channel),
        "senders": SENDERS,
        "permitted": [
            [kind, channel, sender]
            for kind, channel, (sender, flags) in product(KINDS, Channel, SENDERS.items())
            if permitted(kind, channel, **flags)
        ],
    }


def expected(kind: str, channel: Channel, sender: str) -> bool:
    """The rules again, as sentences."""
    messages = {"direct", "own", "group", "sealed"}
    match kind:
        case "hologram":
            return channel in messages
        case "sync":
            return channel in {"own", "sealed own"} and sender.startswith("own")
        case "history":
            return channel == "own" and sender == "own primary, linking"
        case "typing":
            return channel == "signal"
        case "story":
            return channel == "story"
        case "group_notice":
            return channel == "group"
        case "sealed":
            return channel in {"direct", "sealed"}
        case "sender_key" | "group_secret" | "group_secret_request":
            return channel == "control"
        case "resend" | "resend_request" | "receipt":
            return channel in {"control", "sealed control"}
        case "signal_key" | "profile_key" | "device_list":
            return channel in {"control", "sealed control"}
        case _:
            return channel in messages


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_product_follows_the_rules(kind: str) -> None:
    for channel, sender in product(Channel, SENDERS):
        allowed = permitted(kind, channel, **SENDERS[sender])
        assert allowed is expected(kind, channel, sender), (channel, sender)


def test_the_committed_vectors_are_those_this_file_builds() -> None:
    assert json.loads(FILE.read_text()) == build()


def documented() -> dict[str, tuple[set[str], str]]:
    """Read the table of the page: kind → (channels, author)."""
    rows: dict[str, tuple[set[str], str]] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 2 + len(Channel):
            kind = cells[0].strip("`")
            assert kind not in rows, kind
            channels = {str(name) for name, mark in zip(Channel, cells[1:-1], strict=True) if mark}
            rows[kind] = channels, cells[-1]
    return rows


def test_the_page_and_the_code_have_the_same_table() -> None:
    code = {
        kind: ({str(c) for c in rule.channels}, str(rule.author)) for kind, rule in RULES.items()
    }
    assert documented() == code


def test_every_kind_of_the_protocol_has_a_rule() -> None:
    names = """text media voice location contact poll vote reaction edit delete read typing timer
        pin group_notice sender_key signal_key profile_key device_list group_secret
        group_secret_request sync history story resend resend_request receipt sealed"""
    assert set(names.split()) == set(RULES)


def test_a_kind_without_a_rule_is_unknown() -> None:
    assert is_known("text")
    assert not is_known("hologram")


@pytest.mark.parametrize(
    ("to", "mode", "channel"),
    [
        (b"\1" + TWO, Mode.FULL, Channel.DIRECT),
        (b"\1" + TWO, Mode.NARROWED, Channel.DIRECT),
        (b"\1" + ONE, Mode.FULL, Channel.OWN),
        (b"\1" + ONE, Mode.NARROWED, Channel.OWN),
        (b"\1" + TWO, Mode.CONTROL, Channel.CONTROL),
        (b"\1" + ONE, Mode.CONTROL, Channel.CONTROL),
        (b"\2" + TWO, Mode.FULL, Channel.GROUP),
        (b"\2" + ONE, Mode.FULL, Channel.GROUP),
        (b"\2" + TWO, Mode.NARROWED, None),
        (b"\2" + TWO, Mode.CONTROL, None),
        (b"\1" + TWO, 3, None),
        (b"\3" + TWO, Mode.FULL, None),
        (b"", Mode.FULL, None),
    ],
)
def test_the_channel_follows_from_recipient_and_mode(
    to: bytes, mode: int, channel: Channel | None
) -> None:
    assert frame_channel(to, ONE, mode) is channel


@pytest.mark.parametrize(
    ("to", "mode", "channel"),
    [
        (b"\1" + TWO, Mode.FULL, Channel.SEALED),
        (b"\1" + TWO, Mode.NARROWED, Channel.SEALED),
        (b"\1" + ONE, Mode.FULL, Channel.SEALED_OWN),
        (b"\1" + ONE, Mode.NARROWED, Channel.SEALED_OWN),
        (b"\1" + TWO, Mode.CONTROL, Channel.SEALED_CONTROL),
        (b"\1" + ONE, Mode.CONTROL, Channel.SEALED_CONTROL),
        (b"\2" + TWO, Mode.FULL, None),
        (b"\2" + TWO, Mode.CONTROL, None),
        (b"\1" + TWO, 3, None),
        (b"", Mode.FULL, None),
    ],
)
def test_the_channel_of_what_is_sealed(to: bytes, mode: int, channel: Channel | None) -> None:
    assert frame_channel(to, ONE, mode, sealed=True) is channel


def test_messages_are_numbered_and_control_is_not() -> None:
    assert {"direct", "own", "group", "sealed", "sealed own"} == NUMBERED
    assert {Author.ANY, Author.OWN, Author.PRIMARY} == {rule.author for rule in RULES.values()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
