"""`linnet sealed`: whether the server is told who sends what is said to somebody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.places import As, AsJson, Dir, account_directory

if TYPE_CHECKING:
    from linnet.client import Client
    from linnet.wire.ids import AccountId


def sealed(
    to: Annotated[str, typer.Argument(help="An E.164 number or an account id.")],
    directory: Dir,
    person: As = None,
    on: Annotated[
        bool | None,
        typer.Option("--on/--off", help="Seal it from here on, or no longer: for both sides."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or switch sealed sending in the conversation with somebody.

    Sealed: the server is not told who sends. It still sees that somebody writes to them, when and
    how much. Both must have written to each other first.

    Example: `linnet sealed +4917604069002 --on`
    """
    from linnet.cli.running import run

    run(_sealed(account_directory(directory, person), to, on, as_json))


async def _sealed(directory: Path, to: str, on: bool | None, as_json: bool) -> None:
    import json

    from linnet.cli.accounts import opened, recipient
    from linnet.wire.ids import show

    whom = recipient(to)
    async with opened(directory) as client:
        account = await client.find(whom) if isinstance(whom, str) else whom
        if on is not None:
            await _switched(client, account, on)
        is_on = await client.sealed.on(account)
        possible = is_on or await client.sealed.possible(account)
    if as_json:
        print(json.dumps({"account": show(account), "sealed": is_on, "possible": possible}))
    elif is_on:
        print("Sealed: the server is not told who sends.")
    elif possible:
        print("Not sealed. Switch it on with --on.")
    else:
        print("Not sealed. It can be once both of you have written to each other.")


async def _switched(client: Client, account: AccountId, on: bool) -> None:
    """Switch it, once the other side's key has come, if it is on its way."""
    import asyncio

    from linnet.client import NotMet

    for _ in range(20):
        try:
            await client.sealed.turn(account, on)
            break
        except NotMet:
            await asyncio.sleep(0.1)
    else:
        await client.sealed.turn(account, on)
    await client.flush()
