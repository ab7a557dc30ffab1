"""`linnet listen`: what arrives, a line each, for people and for programs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.failures import Failure
from linnet.cli.places import As, AsJson, Dir, account_directory

if TYPE_CHECKING:
    from linnet.client import Event


def listen(
    directory: Dir,
    person: As = None,
    once: Annotated[bool, typer.Option("--once", help="Stop after one message.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many messages.")] = None,
    within: Annotated[
        float | None, typer.Option(min=0, help="Give up after so many seconds, exit code 1.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what arrives, until Ctrl-C.

    With --json a line for each event: `message`, `sent`, `delivered`, `not_sent`,
    `identity_changed`, `connection`, `group_changed`, `group_reported` and others. Only messages
    count for --once and --count.

    Example: `linnet listen --json --once`
    """
    from linnet.cli.running import Interrupted, run

    where = account_directory(directory, person)
    with suppress(Interrupted):  # stopping is how this command ends
        run(_listen(where, 1 if once else count, within, as_json))


async def _listen(
    directory: Path, count: int | None, within_s: float | None, as_json: bool
) -> None:
    import asyncio

    from linnet.cli.accounts import opened, read_all
    from linnet.cli.names import Names
    from linnet.cli.told import as_line, as_object, is_arrival
    from linnet.client import Connection, ConnectionState

    left = count
    try:
        async with asyncio.timeout(within_s), opened(directory) as client:
            events, names = client.events(), Names(client)
            async for event in events:
                await names.learn(event)
                _print(as_object(event) if as_json else as_line(event, names.person, names.group))
                if isinstance(event, ConnectionState) and event.state is Connection.STOPPED:
                    raise stopped(event)
                if is_arrival(event) and left is not None:
                    left -= 1
                if left == 0:
                    await read_all(events)
                    return
    except TimeoutError:
        if left != 0:
            raise Failure(f"nothing more arrived within {within_s:g} s.") from None


def stopped(event: Event) -> Failure:
    """The connection ended and will not be tried again."""
    reason = getattr(event, "reason", "")
    if reason == "replaced":
        return Failure(
            "another program took over this account's connection.",
            do="Use a copy of an account directory nowhere: it breaks its keys.",
        )
    if reason in ("revoked", "logged_out"):
        return Failure(
            "this device was taken off the account, or its login ended.",
            "What it has stays readable in its directory; nothing new arrives.",
            "To use the account here again, run `linnet link` with another --dir.",
        )
    return Failure(f"the server ended the connection for good: {reason or 'no reason given'}.")


def _print(line: str | None) -> None:
    if line is not None:
        print(line, flush=True)
