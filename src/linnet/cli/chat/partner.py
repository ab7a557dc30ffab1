"""Partner: whom a chat is with, one person or a group, and what differs between the two."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from linnet.cli.accounts import in_short
from linnet.cli.names import Names, by_rank, group_name
from linnet.cli.safety import in_groups
from linnet.cli.send import has_it
from linnet.cli.told import GroupNews, of_group
from linnet.client import Arrived, Client, ClientError, Event, IdentityChanged
from linnet.client.groups.groups import GroupInfo
from linnet.wire.ids import AccountId, ConversationId, MessageId


class Partner(Protocol):
    """The other side."""

    name: str
    conversation: ConversationId
    help: str
    """Its own commands."""

    async def send(self, text: str) -> MessageId:
        """Take over a text. Raises ClientError."""

    def author(self, message: Arrived) -> str:
        """Who wrote this, if not oneself."""

    def news(self, event: Event) -> list[str]:
        """What to say of an event that is neither a message nor a tick."""

    def told(self, command: str) -> AsyncIterator[str] | None:
        """What a command answers; None if it is no command of this side."""


class Person:
    """One account."""

    help = "/safety shows the number to compare · /accept trusts new keys of theirs"

    def __init__(self, client: Client, account: AccountId, name: str) -> None:
        self.name = name
        self.conversation = client.conversation_with(account)
        self._client = client
        self._account = account

    async def send(self, text: str) -> MessageId:
        """To this account."""
        return await self._client.send(self._account, text)

    def author(self, message: Arrived) -> str:
        """Nobody else writes here."""
        return self.name

    def news(self, event: Event) -> list[str]:
        """New keys."""
        if isinstance(event, IdentityChanged) and event.account == self._account:
            return [
                f"{self.name} shows new keys. Compare the number that /safety shows, then",
                "/accept. Until then nothing is sent.",
            ]
        return []

    def told(self, command: str) -> AsyncIterator[str] | None:
        """/safety and /accept."""
        match command:
            case "/safety":
                return self._safety()
            case "/accept":
                return self._accept()
            case _:
                return None

    async def _safety(self) -> AsyncIterator[str]:
        try:
            standing = await self._client.safety.standing(self._account)
        except ClientError as error:
            yield in_short(error)
            return
        for line in in_groups(standing.number.digits):
            yield line
        if standing.changed:
            yield "of their new key: nothing is sent until /accept"
        else:
            yield "verified" if standing.verified else "not verified: compare it with theirs"

    async def _accept(self) -> AsyncIterator[str]:
        accepted = await self._client.accept_identity(self._account)
        accepted = await self._client.accept_list(self._account) or accepted
        yield "new keys accepted" if accepted else "there are no new keys"


class Circle:
    """A group."""

    help = "/who shows the members, and who has your last message"

    def __init__(self, client: Client, info: GroupInfo, names: Names) -> None:
        self.name = group_name(info)
        self.conversation = info.conversation
        self._client = client
        self._group = info.group
        self._names = names
        self._last: MessageId | None = None

    async def send(self, text: str) -> MessageId:
        """To everybody who is a member then."""
        self._last = await self._client.groups.send(self._group, text)
        return self._last

    def author(self, message: Arrived) -> str:
        """A member."""
        return self._names.briefly(message.sender)

    def news(self, event: Event) -> list[str]:
        """What happened to this group, and new keys of somebody in it."""
        match event:
            case _ if isinstance(event, GroupNews):
                if event.group == self._group:
                    return [of_group(event, self._names.person)]
            case IdentityChanged(account=account):
                return [f"{self._names.person(account)} shows new keys: they get nothing from you."]
        return []

    def told(self, command: str) -> AsyncIterator[str] | None:
        """/who."""
        return self._who() if command == "/who" else None

    async def _who(self) -> AsyncIterator[str]:
        info = await self._client.groups.info(self._group)
        await self._names.learn_people(info.members)
        has = await has_it(self._client, info, self._last) if self._last else {}
        for account in by_rank(info, self._names):
            tick = "✓✓" if has.get(account) else "  "
            yield f"{tick} {self._names.person(account)} ({info.members[account].value})"
