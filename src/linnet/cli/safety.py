"""`linnet safety`: compare safety numbers, and say what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.failures import Failure
from linnet.cli.places import As, AsJson, Dir, account_directory

if TYPE_CHECKING:
    from linnet.client import Client
    from linnet.client.safety import Standing
    from linnet.wire.ids import AccountId


def safety(
    to: Annotated[str, typer.Argument(help="An E.164 number or an account id.")],
    directory: Dir,
    person: As = None,
    compare: Annotated[
        str | None,
        typer.Option(help="What they see: their 60 digits, or the text under their QR code."),
    ] = None,
    verified: Annotated[
        bool | None,
        typer.Option("--verified/--unverified", help="You compared it, or take that back."),
    ] = None,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Go on with a changed key, or a number's new account."),
    ] = False,
    qr: Annotated[
        bool, typer.Option("--qr", help="Show the QR code and its text as well.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the safety number of you and somebody: 60 digits, the same on both sides.

    Compare them by another way than this server: side by side, or by a call. If they are the
    same, nobody is in between; say so with --verified, or have them compared with --compare.

    Where the other side shows a new key, or the number has a new account, the number is of the
    new one; nothing is sent there until --accept. Accepting it and calling it compared at once
    needs --compare.

    Example: `linnet safety +4917604069002 --compare "23699 22556 38278 …"`
    """
    from linnet.cli.running import run

    if accept and verified and compare is None:
        raise typer.BadParameter(
            "say with what you compared the new key that you accept: nobody can have compared it"
            f' before, as in `linnet safety {to} --accept --compare "23699 22556 38278 …"`',
            param_hint="--verified",
        )
    where = account_directory(directory, person)
    run(_safety(where, to, Wish(compare, verified, accept), qr, as_json))


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person wants done beside showing the number."""

    compare: str | None
    verified: bool | None
    accept: bool


async def _safety(directory: Path, to: str, wish: Wish, qr: bool, as_json: bool) -> None:
    from linnet.cli.accounts import opened, recipient

    whom = recipient(to)
    async with opened(directory) as client:
        account, moved = await _found(client, whom)
        if account == client.account:
            raise Failure("that is you: a safety number is of two people.")
        standing = await client.safety.standing(account)
        if wish.compare is not None and not _same(standing, wish.compare):
            raise _differ()
        if wish.accept:
            moved = moved and await client.accept_number_change(str(whom)) is None
            await client.accept_identity(account)
            await client.accept_list(account)
        if wish.verified is not None or wish.compare is not None:
            if moved or (standing.changed and not wish.accept):
                raise _not_accepted()
            await client.safety.mark_verified(account, wish.verified is not False)
            await client.flush()
        standing = await client.safety.standing(account)
    change = "account" if moved else "key" if standing.changed else None
    if as_json:
        print(json.dumps(_as_object(account, standing, change)))
        return
    _show(standing, change, qr)


async def _found(client: Client, whom: AccountId | str) -> tuple[AccountId, bool]:
    """Whom it is about, and whether the number has that account only now, accepted by nobody."""
    from linnet.client import NumberChanged

    if not isinstance(whom, str):
        return whom, False
    try:
        return await client.find(whom), False
    except NumberChanged as change:
        if change.now is None:
            raise
        return change.now, True


def _same(standing: Standing, theirs: str) -> bool:
    from linnet.crypto.errors import Malformed

    try:
        return standing.same(theirs)
    except Malformed:
        raise Failure(
            "that is no safety number.",
            do="Give all 60 digits, or the text that `linnet safety --qr` shows on their side.",
        ) from None


def _differ() -> Failure:
    return Failure(
        "the safety numbers are not the same.",
        "Somebody may be in between, or that number is of other people. Nothing was changed.",
        "Look at both again; if they differ, tell each other nothing here that matters.",
    )


def _not_accepted() -> Failure:
    return Failure(
        "that is of a key that you have not accepted.",
        "Nothing was changed.",
        "When you are sure who it is, say --accept, with --compare and what they see.",
    )


def _as_object(account: AccountId, standing: Standing, change: str | None) -> dict[str, object]:
    from linnet.client.safety import to_text
    from linnet.wire.ids import show

    return {
        "account": show(account),
        "digits": standing.number.digits,
        "text": to_text(standing.number),
        "verified": standing.verified,
        "changed": change,
    }


def _show(standing: Standing, change: str | None, qr: bool) -> None:
    print("\n".join(in_groups(standing.number.digits)))
    if qr:
        from linnet.cli.devices.qr import drawn
        from linnet.client.safety import to_text

        print(f"{drawn(standing.number.scannable)}\n{to_text(standing.number)}")
    match change:
        case "key":
            print("They show a new key: this is its number. Nothing is sent until --accept.")
        case "account":
            print("The number has a new account: this is its safety number. Nothing is sent to it")
            print("until --accept.")
        case _:
            print("Verified." if standing.verified else "Not verified: compare it with theirs.")


def in_groups(digits: str) -> list[str]:
    """Three lines of four groups of five."""
    groups = [digits[start : start + 5] for start in range(0, len(digits), 5)]
    return [" ".join(groups[line : line + 4]) for line in range(0, 12, 4)]
