"""`linnet send`: one text, and whether the server has it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.failures import Failure
from linnet.cli.places import As, AsJson, Dir, account_directory

if TYPE_CHECKING:
    from linnet.client import Client, State
    from linnet.client.groups.groups import GroupInfo
    from linnet.wire.ids import AccountId, MessageId

    To = AccountId | str | GroupInfo


Delivered = Annotated[
    bool,
    typer.Option("--delivered", help="Wait until they have it (✓✓); in a group, all of them."),
]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait; then the message stays queued.")]


def send(
    to: Annotated[str, typer.Argument(help="An E.164 number, an account id, or a group.")],
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    directory: Dir,
    person: As = None,
    delivered: Delivered = False,
    wait: Wait = 30.0,
    as_json: AsJson = False,
) -> None:
    """Send a text, encrypted end to end, and wait until the server has it (✓).

    A message that could not go out in time stays queued in the account and goes out whenever
    that account is next online; the exit code is 1 then.

    Examples: `linnet send +4917604069002 "Shall we meet at eight?"` ·
    `linnet send Choir "Friday at eight?"`
    """
    from linnet.cli.running import run

    where = account_directory(directory, person)
    run(deliver(where, lambda client: _named(client, to), said(text), delivered, wait, as_json))


def said(text: str) -> str:
    """The text itself, or standard input where it is `-`."""
    return sys.stdin.read().rstrip("\n") if text == "-" else text


async def _named(client: Client, to: str) -> To:
    from linnet.cli.names import addressee

    return await addressee(client, to)


async def deliver(
    directory: Path,
    find: Callable[[Client], Awaitable[To]],
    text: str,
    delivered: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Send a text to whom or what `find` finds, and wait. Raises Failure."""
    import asyncio
    from contextlib import suppress

    from linnet.cli.accounts import opened
    from linnet.client import State

    async with opened(directory) as client:
        to = await find(client)
        alone = not isinstance(to, bytes | str) and to.members.keys() == {client.account}
        wanted = State.DELIVERED if delivered and not alone else State.SENT
        id = await _taken(client, to, text)
        reason = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                reason = await _reached(client, id, wanted)
        state = await client.state(id)
        members = None if isinstance(to, bytes | str) else await has_it(client, to, id)
    assert state is not None
    _say(id, state, members, as_json)
    if state is not State.DELIVERED and state is not wanted:
        if reason == "identity_changed" and isinstance(to, bytes | str):
            raise _new_keys(to)
        raise _not_reached(state, members, reason)


def _say(
    id: MessageId, state: State, members: Mapping[AccountId, bool] | None, as_json: bool
) -> None:
    import json

    from linnet.wire.ids import show

    if as_json:
        told: dict[str, object] = {"id": show(id), "state": state.value}
        if members is not None:
            told["delivered"] = {show(account): has for account, has in members.items()}
        print(json.dumps(told))
    elif state in _TICKS:
        print(f"{_TICKS[state]} {state}")


async def _taken(client: Client, to: To, text: str) -> MessageId:
    if isinstance(to, bytes | str):
        return await client.send(to, text)
    return await client.groups.send(to.group, text)


async def has_it(client: Client, group: GroupInfo, id: MessageId) -> Mapping[AccountId, bool]:
    """Which other members have a message of ours; nobody while it is on its way to the server."""
    newest = await client.messages(group.conversation)
    seq = next((it.conv_seq for it in newest if it.id == id), None)
    if seq is None:
        return dict.fromkeys(group.members.keys() - {client.account}, False)
    return await client.groups.delivered(group.group, seq)


_TICKS = {"sent": "✓", "delivered": "✓✓"}


async def _reached(client: Client, id: MessageId, wanted: str) -> str:
    """Return once the message is in the state wanted or in one that it will not leave: why not."""
    from linnet.client import Connection, ConnectionState, Delivered, NotSent, Sent

    async for event in client.events():
        match event:
            case Sent(id=one) if one == id and wanted == "sent":
                break
            case NotSent(id=one, reason=reason) if one == id:
                return reason
            case Delivered(id=one) if one == id:
                break
            case ConnectionState(state=Connection.STOPPED):
                break
            case _:
                pass
    return ""


def _new_keys(to: AccountId | str) -> Failure:
    from linnet.cli.warned import accepting

    return Failure(
        "the message was not sent: they show a new key.",
        "They may have begun anew, or somebody is in between. Nothing is sent there now.",
        f"Compare safety numbers with them: {accepting(to)}. Then send it again.",
    )


def _not_reached(state: str, members: Mapping[AccountId, bool] | None, reason: str) -> Failure:
    from linnet.cli.warned import REASONS

    match state:
        case "sending":
            return Failure(
                "the server did not take the message in time.",
                "It cannot be reached, or refuses for now. The message is queued.",
                "It goes out when this account is next online, as in `linnet listen`.",
            )
        case "sent" if members is not None:
            return Failure(
                f"the message was sent, and {sum(members.values())} of {len(members)} have it.",
                do="The others will, when they are online.",
            )
        case "sent":
            return Failure(
                "the message was sent, and has not reached a device of theirs in time.",
                do="It will, when they are online.",
            )
        case "unknown":
            return Failure("nobody can tell any more whether the message was sent.")
        case _:
            why = REASONS.get(reason, f"the server says: {reason}" if reason else "")
            return Failure("the message cannot be sent.", why)
