"""`linnet safety`: compare safety numbers, and say what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.places import As, AsJson, Dir, account_directory

if TYPE_CHECKING:
    from linnet.client import Client
    from linnet.wire.ids import AccountId


def safety(
    to: Annotated[str, typer.Argument(help="An E.164 number or an account id.")],
    directory: Dir,
    person: As = None,
    verified: Annotated[
        bool | None,
        typer.Option("--verified/--unverified", help="You compared it, or take that back."),
    ] = None,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Go on with a changed key, or a number's new account."),
    ] = False,
    qr: Annotated[bool, typer.Option("--qr", help="Show the QR code as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the safety number of you and somebody: 60 digits, the same on both sides.

    Compare them by another way than this server: side by side, or by a call. If they are the
    same, nobody is in between; say so with --verified.

    Example: `linnet safety +4917604069002 --verified`
    """
    from linnet.cli.running import run

    where = account_directory(directory, person)
    run(_safety(where, to, verified, accept, qr, as_json))


async def _safety(
    directory: Path, to: str, verified: bool | None, accept: bool, qr: bool, as_json: bool
) -> None:
    import json

    from linnet.cli.accounts import opened, recipient
    from linnet.wire.ids import show

    whom = recipient(to)
    async with opened(directory) as client:
        account = await _accepted(client, whom, accept)
        number = await client.safety.number(account)
        if verified is not None:
            await client.safety.mark_verified(account, verified)
            await client.flush()
        marked = await client.safety.verified(account)
    if as_json:
        told = {"account": show(account), "digits": number.digits, "verified": marked}
        print(json.dumps({**told, "scannable": number.scannable.hex()}))
        return
    print(_in_groups(number.digits))
    if qr:
        from linnet.cli.devices.qr import drawn

        print(drawn(number.scannable))
    print("Verified." if marked else "Not verified: compare them with the other side.")


async def _accepted(client: Client, whom: AccountId | str, accept: bool) -> AccountId:
    """Whom it is about, with what changed accepted if so asked."""
    from linnet.client import NumberChanged

    try:
        account = await client.find(whom) if isinstance(whom, str) else whom
    except NumberChanged:
        found = await client.accept_number_change(str(whom)) if accept else None
        if found is None:
            raise
        account = found
    if accept:
        await client.accept_identity(account)
    return account


def _in_groups(digits: str) -> str:
    """Three lines of four groups of five."""
    groups = [digits[start : start + 5] for start in range(0, len(digits), 5)]
    return "\n".join(" ".join(groups[line : line + 4]) for line in range(0, 12, 4))
