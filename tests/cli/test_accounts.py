"""What the SDK raises, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from linnet import client
from linnet.cli.accounts import in_words, recipient, refused
from linnet.cli.failures import Failure
from linnet.client import ClientError, ClockOff, LinkFailed, NotTrusted, RecoveryFailed, Refused
from linnet.wire.errors import ERRORS

PLAIN = [
    kind
    for name in client.__all__
    if isinstance(kind := getattr(client, name), type)
    and issubclass(kind, ClientError)
    and kind not in (Refused, NotTrusted, LinkFailed, RecoveryFailed)
]


def told(error: ClientError) -> str:
    with pytest.raises(Failure) as failure, in_words(Path("somewhere")):
        raise error
    return failure.value.told()


@pytest.mark.parametrize("kind", PLAIN)
def test_everything_the_sdk_raises_is_told_in_words(kind: type[ClientError]) -> None:
    assert told(kind("text for programmers")).startswith("linnet: ")


@pytest.mark.parametrize("kind", [LinkFailed, RecoveryFailed])
def test_what_did_not_come_about_says_what_to_do(
    kind: type[LinkFailed] | type[RecoveryFailed],
) -> None:
    text = told(kind("lapsed", "it took too long. Nothing is active. Start again"))
    assert text == "linnet: it took too long.\n  Nothing is active. Start again."


def test_a_wrong_clock_says_what_to_do() -> None:
    text = told(ClockOff("this clock looks wrong. Set it"))
    assert text == "linnet: this clock looks wrong.\n  Set it."


def test_what_the_server_refused_is_told_with_its_own_text_and_the_wait() -> None:
    text = told(Refused("rate_limited", "…", 7.0))
    assert ERRORS["rate_limited"].text in text
    assert "Try again in 7 s." in text


@pytest.mark.parametrize("code", [*ERRORS, "from_a_newer_server"])
def test_every_code_can_be_told(code: str) -> None:
    assert refused(code, None).told().startswith("linnet: the server refused that.")


def test_a_broken_rule_is_named() -> None:
    assert "list-rolled-back" in told(NotTrusted("list-rolled-back"))


def test_bugs_stay_tracebacks() -> None:
    with pytest.raises(ZeroDivisionError), in_words(Path("somewhere")):
        raise ZeroDivisionError


def test_numbers_and_account_ids_are_recipients() -> None:
    assert recipient("+4917604069002") == "+4917604069002"
    assert recipient("00010203-0405-0607-0809-0a0b0c0d0e0f") == bytes(range(16))
    with pytest.raises(Failure, match="neither a phone number nor an account id"):
        recipient("bob")
