"""`linnet send`: one text, and whether the server has it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.failures import Failure
from linnet.cli.places import As, AsJson, Dir, account_directory

if TYPE_CHECKING:
    from linnet.client import Client
    from linnet.wire.ids import MessageId


def send(
    to: Annotated[str, typer.Argument(help="An E.164 number or an account id.")],
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    directory: Dir,
    person: As = None,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Wait until a device of theirs has it (✓✓).")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait; then the message stays queued.")
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Send a text, encrypted end to end, and wait until the server has it (✓).

    A message that could not go out in time stays queued in the account and goes out whenever
    that account is next online; the exit code is 1 then.

    Example: `linnet send +4917604069002 "Shall we meet at eight?"`
    """
    from linnet.cli.running import run

    text = sys.stdin.read().rstrip("\n") if text == "-" else text
    where = account_directory(directory, person)
    run(_send(where, to, text, delivered, wait, as_json))


async def _send(
    directory: Path, to: str, text: str, delivered: bool, wait_s: float, as_json: bool
) -> None:
    import asyncio
    import json
    from contextlib import suppress

    from linnet.cli.accounts import opened, recipient
    from linnet.client import State
    from linnet.wire.ids import show

    whom = recipient(to)
    wanted = State.DELIVERED if delivered else State.SENT
    async with opened(directory) as client:
        id = await client.send(whom, text)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await _reached(client, id, wanted)
        state = await client.state(id)
    assert state is not None
    if as_json:
        print(json.dumps({"id": show(id), "state": state.value}))
    elif state in _TICKS:
        print(f"{_TICKS[state]} {state}")
    if state is not State.DELIVERED and state is not wanted:
        raise _not_reached(state)


_TICKS = {"sent": "✓", "delivered": "✓✓"}


async def _reached(client: Client, id: MessageId, wanted: str) -> None:
    """Return once the message is in the state wanted or in one that it will not leave."""
    from linnet.client import Connection, ConnectionState, Delivered, NotSent, Sent

    async for event in client.events():
        match event:
            case Sent(id=one) if one == id and wanted == "sent":
                return
            case Delivered(id=one) | NotSent(id=one) if one == id:
                return
            case ConnectionState(state=Connection.STOPPED):
                return
            case _:
                pass


def _not_reached(state: str) -> Failure:
    match state:
        case "sending":
            return Failure(
                "the server could not be reached in time.",
                "The message is queued.",
                "It goes out when this account is next online, as in `linnet listen`.",
            )
        case "sent":
            return Failure(
                "the message was sent, and has not reached a device of theirs in time.",
                do="It will, when they are online.",
            )
        case "unknown":
            return Failure("nobody can tell any more whether the message was sent.")
        case _:
            return Failure("the message cannot be sent.")
