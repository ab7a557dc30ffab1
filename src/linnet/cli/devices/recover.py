"""`linnet recover`: go on with an account whose devices are lost, by its recovery code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.asking import typed, wanted
from linnet.cli.places import E164, AsJson, Dir, Server, checked_number, checked_server
from linnet.cli.register import Codes

if TYPE_CHECKING:
    from linnet.client.recovering import FoundDevice


def recover(
    number: E164,
    directory: Dir,
    server: Server,
    recovery_code: Annotated[
        str | None,
        typer.Option(help="The 56 letters and digits. Better not here: without it you are asked."),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(help="The six digits. Without it a code is sent and you are asked for it."),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call this device.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask about devices.")] = False,
    as_json: AsJson = False,
) -> None:
    """Go on with your account on this machine, by the recovery code that you wrote down.

    This machine becomes the main device; the old one is taken off, linked ones stay. Your people
    see the same account. Messages of before are not on this machine.

    Example: `linnet recover --number +4917604069001`
    """
    from linnet.cli.running import run

    checked_server(server)
    number = checked_number(number)
    secret = recovery_code or _secret()
    run(_recover(server, directory, number, Codes(code), secret, name, yes, as_json))


def _secret() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    return typed("Recovery code")


async def _recover(
    server: str,
    directory: Path,
    number: str,
    codes: Codes,
    secret: str,
    name: str,
    yes: bool,
    as_json: bool,
) -> None:
    import json

    from linnet.cli.accounts import in_words
    from linnet.client import Client
    from linnet.wire.ids import show

    async def look(devices: Sequence[FoundDevice]) -> bool:
        return yes or _asked(devices)

    with in_words(directory):
        client = await Client.recover(
            server, directory, number, codes, secret, name=name, show=look
        )
        async with client:
            await client.flush()
    if as_json:
        account = {"account": show(client.account), "device": client.device}
        print(json.dumps({**account, "directory": str(directory)}))
        return
    print(f"Recovered. This is device {client.device}, the main one, in {directory}.")
    print("The recovery code stays the same.")


def _asked(devices: Sequence[FoundDevice]) -> bool:
    from linnet.cli.told import KINDS

    for device in devices:
        added = device.added.astimezone().strftime("%Y-%m-%d")
        fate = "is taken off" if device.main else "stays"
        kind = KINDS.get(device.kind, "device")
        sys.stderr.write(f"{device.id:>3}  {kind:<8}  since {added}  {fate}\n")
    return wanted("Make this machine the main device?")
