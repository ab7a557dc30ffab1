"""Work: what the commands of `linnet group` do with an open account."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from linnet.cli.accounts import opened, recipient
from linnet.cli.failures import Failure
from linnet.cli.group.shown import print_group, print_groups
from linnet.cli.names import Names, brought_up_to_date, the_group
from linnet.client import Client, Offline
from linnet.client.groups.groups import GroupInfo, Groups
from linnet.wire.ids import GroupId

Change = Callable[[Groups, GroupId], Awaitable[None]]
"""Something to do to a group."""


async def made(directory: Path, title: str, who: Sequence[str], as_json: bool) -> None:
    """Begin a group and say what it is. Raises Failure."""
    people = [recipient(text) for text in who]
    async with opened(directory) as client, _or_later():
        group = await client.groups.create(people, title)
        await client.flush()
        await _print(client, await client.groups.info(group), as_json)


async def listed(directory: Path, as_json: bool) -> None:
    """Print all groups, as they stand now if the server can be reached. Raises Failure."""
    async with opened(directory) as client:
        if not await brought_up_to_date(client):
            sys.stderr.write("The server cannot be reached: this is what was known last.\n")
        groups = await client.groups.all()
        print_groups(groups, await _names(client, groups), client.account, as_json)


async def shown(directory: Path, name: str, as_json: bool) -> None:
    """Print one group, as it stands now if the server can be reached. Raises Failure."""
    async with opened(directory) as client:
        if not await brought_up_to_date(client):
            sys.stderr.write("The server cannot be reached: this is what was known last.\n")
        await _print(client, await the_group(client, name), as_json)


async def changed(directory: Path, name: str, change: Change, as_json: bool) -> None:
    """Do something to a group and print it as it is then. Raises Failure."""
    async with opened(directory) as client, _or_later():
        await brought_up_to_date(client)  # one may have become an admin
        group = (await the_group(client, name)).group
        await change(client.groups, group)
        await client.flush()
        await _print(client, await client.groups.info(group), as_json)


# ---- changes


def adding(who: Sequence[str]) -> Change:
    """Add these people. Raises Failure for a name that can be nobody's."""
    people = [recipient(text) for text in who]
    return lambda groups, id: groups.add(id, people)


def removing(who: Sequence[str]) -> Change:
    """Remove these people."""
    people = [recipient(text) for text in who]
    return lambda groups, id: groups.remove(id, people)


def leaving() -> Change:
    """Leave it."""
    return lambda groups, id: groups.leave(id)


def promoting(who: str) -> Change:
    """Make a member an admin."""
    one = recipient(who)
    return lambda groups, id: groups.promote(id, one)


def demoting(who: str) -> Change:
    """Make an admin an ordinary member."""
    one = recipient(who)
    return lambda groups, id: groups.demote(id, one)


def rekeying(who: str) -> Change:
    """Let a member go on under the keys that this account accepted."""
    one = recipient(who)
    return lambda groups, id: groups.rekey(id, one)


def retitling(title: str) -> Change:
    """Call it something else."""
    return lambda groups, id: groups.retitle(id, title)


# ---- how


@asynccontextmanager
async def _or_later() -> AsyncIterator[None]:
    """A change that was signed but has no answer is not lost: say so."""
    try:
        yield
    except Offline as error:
        raise Failure(
            "the server cannot be reached.",
            "If the change was signed already, it goes out when this account is next online.",
            "Look with `linnet group list` before you try again.",
        ) from error


async def _names(client: Client, groups: Sequence[GroupInfo]) -> Names:
    names = Names(client)
    await names.learn_people(dict.fromkeys(it for info in groups for it in info.members))
    return names


async def _print(client: Client, info: GroupInfo, as_json: bool) -> None:
    print_group(info, await _names(client, [info]), as_json)
