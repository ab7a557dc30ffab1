"""`linnet link`: make this machine a device of an account that exists."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.places import AsJson, Dir, Server, checked_server

if TYPE_CHECKING:
    from linnet.signing.linking import LinkCode


def link(
    directory: Dir,
    server: Server,
    name: Annotated[str, typer.Option(help="What to call this device.")] = "",
    text: Annotated[
        bool,
        typer.Option("--text", help="No QR code: only the text, which is good for 10 minutes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make this machine a device of your account, which its main device approves.

    Shows a QR code (good for 2 minutes) and the same as text, and waits. On the main device run
    `linnet approve` with the text. With --json the code comes first, as a line of its own.

    Example: `linnet link --name laptop --text`
    """
    from linnet.cli.running import run

    checked_server(server)
    run(_link(server, directory, name, text, as_json))


async def _link(server: str, directory: Path, name: str, text: bool, as_json: bool) -> None:
    import json

    from linnet.cli.accounts import in_words
    from linnet.client import Client
    from linnet.client.linking import NewDevice
    from linnet.wire.ids import show as shown

    device = NewDevice(name=name, by_text=text or as_json)

    async def show(code: LinkCode, seconds: int) -> None:
        if as_json:
            told = {"event": "code", "text": code.to_text(), "expires_in": seconds}
            print(json.dumps(told), flush=True)
        else:
            _show(code, seconds, qr=not text)

    with in_words(directory):
        client = await Client.link(server, directory, show, device=device)
        await client.close()
    if as_json:
        account = shown(client.account)
        linked = {"event": "linked", "account": account, "device": client.device}
        print(json.dumps({**linked, "directory": str(directory)}))
        return
    print(f"Linked. This is device {client.device} of your account, in {directory}.")
    print("Messages from now on arrive here too; `linnet listen` shows them.")


def _show(code: LinkCode, seconds: int, *, qr: bool) -> None:
    if qr:
        from linnet.cli.devices.qr import drawn

        print(drawn(code.to_bytes()))
    print(f"On your main device:\n\n  linnet approve {code.to_text()}\n", flush=True)
    sys.stderr.write(f"Waiting for it, {seconds} s at most. Show this to nobody else.\n")
