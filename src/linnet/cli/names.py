"""Names: what accounts and groups are called on this device, and which group a name means."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from linnet.cli.failures import Failure
from linnet.cli.told import plain
from linnet.client import Client, Event, LoggedOut, Offline, Refused
from linnet.client.errors import GroupRefused
from linnet.client.groups.groups import GroupInfo
from linnet.signing.group_state import Role
from linnet.wire.ids import AccountId, GroupId, parse, show

SHORT = 8
"""Digits of an id that stand for what has no name."""
TITLE_WITHIN_S = 3.0
"""How long a title may take that another member's device must bring."""
_LOOK_EVERY_S = 0.05


class Names:
    """What a person here calls whom. Looked up when `learn` is called, and kept."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._people: dict[bytes, str] = {}
        self._groups: dict[bytes, str] = {}

    async def learn(self, event: Event) -> None:
        """Look up whom and which group an event is about."""
        await self.learn_people(_people(event))
        group = getattr(event, "group", None) or getattr(event, "conversation", None)
        if group is not None:
            with suppress(GroupRefused):  # it is no group
                self.learn_group(await self._client.groups.info(GroupId(group)))

    async def learn_people(self, accounts: Iterable[bytes]) -> None:
        """Look up these accounts."""
        for account in accounts:
            contact = await self._client.contacts.get(AccountId(account))
            self._people[account] = plain(contact.name or contact.number)

    def learn_group(self, info: GroupInfo) -> None:
        """Remember what this group is called."""
        self._groups[info.group] = group_name(info)

    def person(self, account: AccountId) -> str:
        """How to name an account on a line: what it is called, or its id."""
        if account == self._client.account:
            return "you"
        return self._people.get(account) or show(account)

    def briefly(self, account: AccountId) -> str:
        """As `person`, where there is little room: only the beginning of an id."""
        return self._people.get(account) or show(account)[:SHORT]

    def group(self, conversation: bytes) -> str:
        """How to name the group whose conversation this is; empty if it is no group."""
        return self._groups.get(conversation, "")


def _people(event: Event) -> list[bytes]:
    """The accounts that an event names."""
    found: list[bytes] = []
    for field in ("sender", "account", "by", "about"):
        value = getattr(event, field, None)
        found += [value] if isinstance(value, bytes) else value or ()
    return found


def group_name(info: GroupInfo) -> str:
    """The title, safe to print, or what stands for it. One that could be read as a person and what
    they say (anybody may choose it) stands in quotation marks, which it does not hold itself."""
    title = plain(info.title or "")
    if title.startswith("+") or any(mark in title for mark in _MARKS):
        return "“" + title.translate(_UNQUOTED) + "”"
    return title or f"group {show(info.group)[:SHORT]}"


_MARKS = ":·“”"
_UNQUOTED = str.maketrans("“”", '""')


def by_rank(info: GroupInfo, names: Names) -> list[AccountId]:
    """The members: admins first, else by name."""
    roles = info.members
    return sorted(roles, key=lambda it: (roles[it] is not Role.ADMIN, names.person(it)))


async def addressee(client: Client, text: str) -> AccountId | str | GroupInfo:
    """Whom a person writes to: a number, an account, or a group. Raises Failure."""
    if text.startswith("+"):
        return text
    group = await known_group(client, text)
    if group is not None:
        return group
    with suppress(ValueError):
        return AccountId(parse(text))  # no group of this id, and a title is no id
    await brought_up_to_date(client)
    group = await known_group(client, text)
    if group is None:
        raise Failure(
            f"{text!r} is neither a phone number nor an account id, and no group of yours.",
            do="Numbers begin with + and the country code; `linnet group list` names groups.",
        )
    return group


async def the_group(client: Client, text: str) -> GroupInfo:
    """The group with this title, id, or beginning of an id. Raises Failure if not just one has."""
    found = await known_group(client, text)
    if found is None:
        await brought_up_to_date(client)
        found = await known_group(client, text)
    if found is None:
        raise Failure(
            f"you are in no group called {text!r}.",
            do="`linnet group list` names your groups and their ids.",
        )
    return found


async def known_group(client: Client, text: str) -> GroupInfo | None:
    """As `the_group`, among the groups that are known here already; None if there is none."""
    with suppress(ValueError):
        id = GroupId(parse(text))
        try:
            return await client.groups.info(id)
        except GroupRefused:  # whoever gives a group an id for a title gets nothing by it
            return None
    found = matching(await client.groups.all(), text)
    if len(found) > 1:
        shown = len(show(found[0].group)) if any(_by_id(info, text) for info in found) else SHORT
        ids = ", ".join(show(info.group)[:shown] for info in found)
        raise Failure(
            f"{len(found)} groups can be meant by {text!r}.",
            f"They are {ids}.",
            "Write the beginning of an id instead, or all of it.",
        )
    return found[0] if found else None


def matching(groups: Sequence[GroupInfo], text: str) -> list[GroupInfo]:
    """The groups that a text may mean: by title, else by title in other letters; and by id.

    Anybody may add this account to a group with any title, so a title that is the beginning of
    another group's id does not stand for that id: both are meant.
    """
    by_id = [info for info in groups if _by_id(info, text)]
    for fits in (_by_title, _by_title_of_any_case):
        found = [info for info in groups if fits(info, text)]
        if found:
            return found + [info for info in by_id if info not in found]
    return by_id


def _by_title(info: GroupInfo, text: str) -> bool:
    return info.title == text


def _by_title_of_any_case(info: GroupInfo, text: str) -> bool:
    return (info.title or "").casefold() == text.casefold() != ""


def _by_id(info: GroupInfo, text: str) -> bool:
    digits = text.replace("-", "").lower()
    return len(digits) >= 4 and info.group.hex().startswith(digits)


async def brought_up_to_date(client: Client) -> bool:
    """Read all groups on, and wait a little for titles on their way; False without a server."""
    try:
        await client.groups.refresh()
    except (Offline, Refused, LoggedOut):
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(TITLE_WITHIN_S):
            while any(it.titled and it.title is None for it in await client.groups.all()):  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(_LOOK_EVERY_S)
    return True
