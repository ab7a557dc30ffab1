"""`linnet register`: an account for a phone number, with this machine as its first device."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from linnet.cli.asking import typed
from linnet.cli.failures import Failure
from linnet.cli.places import E164, AsJson, Dir, Server, checked_number, checked_server


def register(
    number: E164,
    directory: Dir,
    server: Server,
    code: Annotated[
        str | None,
        typer.Option(help="The six digits. Without it a code is sent and you are asked for it."),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call this device.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make an account.

    The server sends a six-digit code to the number (`linnet serve` shows it to its operator).
    Cut off at any point, the same command goes on where it stopped.

    Example: `linnet register --number +4917604069001`
    """
    checked_server(server)
    number = checked_number(number)
    from linnet.cli.running import run

    run(_register(server, directory, number, Codes(code), name, as_json))


class Codes:
    """Answers the SDK when it needs the code: the one given, once, or what a person types."""

    def __init__(self, given: str | None) -> None:
        self._given = given
        self._asked = 0

    async def __call__(self) -> str:
        """The next answer. Raises Failure where there is none."""
        self._asked += 1
        if self._given is not None and self._asked == 1:
            return self._given
        if self._given is not None:
            raise Failure("that code is wrong.", do="Run the command again with the right --code.")
        if not sys.stdin.isatty():
            raise Failure(
                "a code was sent to the number.", do="Run the same command again with --code CODE."
            )
        if self._asked > 1:
            sys.stderr.write("That code is wrong.\n")
        return typed("Code sent to the number")


async def _register(
    server: str, directory: Path, number: str, codes: Codes, name: str, as_json: bool
) -> None:
    import json

    from linnet.cli.accounts import in_words
    from linnet.client import Client
    from linnet.wire.ids import show

    with in_words(directory):
        client = await Client.register(server, directory, number, codes, name=name)
        await client.close()
    if as_json:
        told = {
            "account": show(client.account),
            "device": client.device,
            "directory": str(directory),
            "recovery_code": client.recovery_code,
        }
        print(json.dumps(told))
        return
    print(f"Registered. Your account is {show(client.account)}, in {directory}.")
    print("Write down the recovery code, which is shown only now. It is the only way to keep")
    print(f"your identity if this device is lost:\n\n  {client.recovery_code}\n")
    print("Write to somebody with `linnet chat +49…`.")
