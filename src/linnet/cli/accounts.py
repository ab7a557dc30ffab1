"""Accounts: an account opened for one command, and what the SDK raises, in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from linnet.cli.failures import Failure
from linnet.cli.group.refusals import group_refused
from linnet.client import (
    AccountInUse,
    AlreadyRegistered,
    BadAddress,
    Client,
    ClientError,
    ClockOff,
    Event,
    LinkFailed,
    LoggedOut,
    NotMainDevice,
    NotRegistered,
    NotTrusted,
    NumberChanged,
    Offline,
    RecoveryFailed,
    Refused,
    StoreUnavailable,
    TextEmpty,
    TextTooLong,
    UnknownRecipient,
)
from linnet.client.errors import GroupRefused, KeyChanged, NotMember
from linnet.wire.ids import AccountId, parse

_ASK_ON_S = 0.1


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Client]:
    """The account in `directory`, online while it lasts. Raises Failure."""
    with in_words(directory):
        async with await Client.open(directory) as client:
            yield client


async def read_all(events: AsyncIterator[Event]) -> None:
    """Say that the last message was read too, or it comes again: asking on is what says so.

    What comes meanwhile is not lost; it comes again.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_ASK_ON_S):
            await anext(events, None)


def recipient(text: str) -> AccountId | str:
    """Whom a person named: an E.164 number, or an account id. Raises Failure."""
    if text.startswith("+"):
        return text
    try:
        return AccountId(parse(text))
    except ValueError:
        raise Failure(
            f"{text!r} is neither a phone number nor an account id.",
            do="Numbers begin with + and the country code, as in +4917604069002.",
        ) from None


@contextmanager
def in_words(directory: Path) -> Iterator[None]:
    """Turn what the SDK raises about the account in `directory` into a Failure."""
    try:
        yield
    except ClientError as error:
        raise _failure(directory, error) from error


def in_short(error: ClientError) -> str:
    """What happened, in one line, where the command goes on."""
    return _failure(Path(), error).what


def _failure(directory: Path, error: ClientError) -> Failure:
    match error:
        case Refused():
            return refused(error.code, error.retry_after_s)
        case NumberChanged():
            return Failure(
                "nothing was sent: the number has another account than before.",
                "It has a new owner, or the same person registered anew without recovery code.",
                "Make sure who it is, with `linnet safety NUMBER`; then say `--accept` to that.",
            )
        case LinkFailed() | RecoveryFailed() | ClockOff():
            what, _, do = f"{error}".partition(". ")
            return Failure(f"{what}.", do=do and f"{do}.")
        case StoreUnavailable():
            return Failure(
                f"{directory} cannot be used.",
                f"{error}.",
                "Is the disk full, or does it belong to another user?",
            )
        case GroupRefused():
            return group_refused(error.reason)
        case NotMember():
            return group_refused("not_member")
        case KeyChanged():
            return Failure(
                "they show new keys.",
                "They registered again, or somebody is in between.",
                "Compare safety numbers, then `linnet safety NUMBER --accept`.",
            )
        case NotTrusted():
            return Failure(
                "the other side's keys cannot be trusted.",
                f"A rule is broken: {error.reason}.",
                "Nothing was sent. Ask the operator of the server.",
            )
    for kind, what, do in _WORDS:
        if isinstance(error, kind):
            return Failure(what.format(directory=directory), do=do)
    return Failure(f"{error}.")


_WORDS: tuple[tuple[type[ClientError], str, str], ...] = (
    (
        NotRegistered,
        "there is no account in {directory}.",
        "Make one with `linnet register --number …`, or name its directory with --dir.",
    ),
    (
        AlreadyRegistered,
        "{directory} holds an account already.",
        "Use it with `linnet chat`, or name another directory with --dir.",
    ),
    (
        AccountInUse,
        "another program has the account in {directory} open.",
        "Close that one first: an account is used by one program at a time.",
    ),
    (
        NotMainDevice,
        "only the main device of the account can do that.",
        "`linnet devices` says which one that is: run it there.",
    ),
    (
        BadAddress,
        "the server's address is not valid.",
        "Write it as in http://127.0.0.1:8080.",
    ),
    (
        Offline,
        "the server cannot be reached.",
        "Is it running, and is its address right?",
    ),
    (
        LoggedOut,
        "this device was logged out.",
        "Link this machine again with `linnet link`, or register again, in a new directory.",
    ),
    (UnknownRecipient, "nobody has that number here.", "Have them register on the same server."),
    (TextEmpty, "there is nothing to send.", "Write a text."),
    (TextTooLong, "the text is too long for one message.", "Send it in parts."),
)


def refused(code: str, retry_after_s: float | None) -> Failure:
    """What the server refused, in the words of docs/protocol/errors.md and with what helps."""
    from linnet.wire.errors import ERRORS

    known = ERRORS.get(code)
    why = f"It says: {known.text}" if known else f"It says: {code}."
    do = _HELPS.get(code, "")
    if retry_after_s is not None:
        do = f"Try again in {retry_after_s:.0f} s."
    return Failure("the server refused that.", why, do)


_HELPS = {
    "bad_number": "Write it with + and country code and without spaces, as in +4917604069001.",
    "bad_code": "Run the command again to be asked once more, or to get a new code.",
    "expired_code": "Run the command again: a new code is sent.",
    "rate_limited": "Wait a while, then try again.",
    "unavailable": "Try again soon; if it stays so, the server's disk may be full.",
}
