"""Acts: what a person does with a device: writes, reads, changes groups and settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.soak.handset import Handset
from tests.soak.person import Person

from linnet.client import Client
from linnet.client.errors import ClientError, GroupRefused, LoggedOut, StoreUnavailable
from linnet.client.groups.groups import GroupInfo
from linnet.signing.group_state import Role
from linnet.wire.ids import AccountId, GroupId, MessageId

GROUPS_MOST: Final = 5
ACTS: Final = {
    "write": 50,
    "write_to_group": 25,
    "read": 12,
    "change_group": 6,
    "set": 3,
    "note_to_self": 2,
}


@dataclass
class Acts:
    """The people, and how one of them acts. In `steady` groups members do not change."""

    people: list[Person]
    steady: set[GroupId] = field(default_factory=set)
    groups: set[GroupId] = field(default_factory=set)
    begun: bool = False
    """Before, nobody does anything."""

    async def __call__(self, handset: Handset, client: Client) -> None:
        """Do something. What a device that is closing or removed raises is no fault."""
        if not self.begun:
            return
        what = handset.rng.choices(list(ACTS), list(ACTS.values()))[0]
        try:
            await getattr(self, f"_{what}")(handset, client)
        except StoreUnavailable:
            if not handset.fates[handset.directory].died.is_set():
                raise
        except LoggedOut:
            handset.note("is logged out")

    async def _write(self, handset: Handset, client: Client) -> None:
        others = [it.account for it in self.people if it.account != handset.account]
        text = _text(handset)
        _said(handset, await client.send(AccountId(handset.rng.choice(others)), text), text)

    async def _note_to_self(self, handset: Handset, client: Client) -> None:
        text = _text(handset)
        _said(handset, await client.send(client.account, text), text)

    async def _write_to_group(self, handset: Handset, client: Client) -> None:
        groups = [it for it in await client.groups.all() if it.member]
        if not groups:
            return
        text = _text(handset)
        group = handset.rng.choice(groups).group
        try:
            _said(handset, await client.groups.send(group, text), text)
        except GroupRefused as refused:
            handset.note(f"group send: {refused.reason}")

    async def _read(self, handset: Handset, client: Client) -> None:
        conversations = [
            client.conversation_with(AccountId(it.account))
            for it in self.people
            if it.account != handset.account
        ]
        groups = await client.groups.all()
        conversation = handset.rng.choice([*conversations, *(it.conversation for it in groups)])
        seen = [it.conv_seq for it in await client.messages(conversation) if it.conv_seq]
        if seen:
            await client.mark_read(conversation, seen[-1])
            handset.note("reads")

    async def _set(self, handset: Handset, client: Client) -> None:
        await client.settings.set("theme", handset.rng.randrange(1000))
        handset.note("sets")

    async def _change_group(self, handset: Handset, client: Client) -> None:
        try:
            await self._group_changed(handset, client)
        except ClientError as error:
            if not isinstance(error, StoreUnavailable):
                handset.note(f"group change: {error!r}")
            else:
                raise

    async def _group_changed(self, handset: Handset, client: Client) -> None:
        rng = handset.rng
        others = [AccountId(it.account) for it in self.people if it.account != handset.account]
        known = await client.groups.all()
        ruled = [it for it in known if _rules(it, client.account)]
        # One whose making was not answered is there as well.
        if max(len(self.groups), len(known)) < GROUPS_MOST and (not ruled or rng.random() < 0.2):
            members = rng.sample(others, rng.randint(1, len(others)))
            self.groups.add(await client.groups.create(members, title=_text(handset)[:100]))
            handset.note("creates a group")
            return
        if not ruled:
            return
        info = rng.choice(ruled)
        inside = [it for it in others if it in info.members]
        outside = [it for it in others if it not in info.members]
        what = "retitle" if info.group in self.steady else rng.choice(list(_CHANGES))
        whom = rng.choice((outside if what == "add" else inside) or [client.account])
        handset.note(f"group: {what}", info.group.hex()[:8])
        match what:
            case "add":
                await client.groups.add(info.group, [whom])
            case "remove":
                await client.groups.remove(info.group, [whom])
            case "promote":
                await client.groups.promote(info.group, whom)
            case "demote":
                await client.groups.demote(info.group, whom)
            case "leave":
                await client.groups.leave(info.group)
            case _:
                await client.groups.retitle(info.group, _text(handset)[:100])
        handset.note(f"group: {what} done")


_CHANGES: Final = ("add", "add", "remove", "promote", "demote", "leave", "retitle")


def _rules(info: GroupInfo, account: AccountId) -> bool:
    return info.member and info.members.get(account) is Role.ADMIN


def _text(handset: Handset) -> str:
    """Something nobody said before, that says who said it and as which of theirs."""
    handset.count += 1
    long = handset.rng.random() < 0.05
    padding = "x" * handset.rng.randint(0, 8000 if long else 40)
    return f"{handset.name} {handset.count} {padding}"


def _said(handset: Handset, id: MessageId, text: str) -> None:
    handset.said[id] = text
    handset.note("writes")
