"""Groups without sockets for tests: services over memory backends, and people who sign entries."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest
from tests.server.kit import Kit, Registered, register

from linnet.server.services.group_states import read_state
from linnet.signing.group_changes import Change, Create, Pair, SealedTitle
from linnet.signing.group_entry import Entry, first_entry, sign_entry
from linnet.signing.group_state import GroupState, next_entry
from linnet.signing.objects import SignedObject
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import GroupHead, Signed


class Gathering:
    """A kit with groups, and how its people make and change them."""

    def __init__(self) -> None:
        self.kit = Kit()
        self.groups, self.post, self.making = self.kit.groups, self.kit.post, self.kit.making
        self.service, self.views = self.kit.services.groups, self.kit.services.group_views

    async def people(self, *names: str) -> list[Registered]:
        """Register people, each under a number of their own."""
        known = len(self.kit.codes.sent)
        return [
            await register(self.kit, name, f"+49151123{known + place:05}")
            for place, name in enumerate(names)
        ]

    async def genesis(
        self, founder: Registered, *members: Registered, title: SealedTitle | None = None
    ) -> Signed:
        """A first entry by the founder."""
        pairs = tuple(sorted(pair(member) for member in members))
        create = Create(founder.who.rng(32), founder.who.account_key.public, pairs, title)
        cited = await self.list_hash(founder)
        return self.signed(founder, first_entry(create, founder.account, 1, cited))

    async def make(self, founder: Registered, *members: Registered) -> GroupHead:
        """Make a group."""
        genesis = await self.genesis(founder, *members)
        return await self.service.create(founder.identity(self.kit), genesis)

    async def entry(self, actor: Registered, group: bytes, change: Change) -> Signed:
        """The next entry, signed by somebody, whether or not it may stand."""
        cited = await self.list_hash(actor)
        state = await self.state(group)
        return self.signed(actor, next_entry(state, change, actor.account, 1, cited))

    async def change(self, actor: Registered, group: bytes, change: Change) -> GroupHead:
        """Append an entry."""
        signed = await self.entry(actor, group, change)
        return await self.service.append(actor.identity(self.kit), group, signed)

    def signed(self, actor: Registered, entry: Entry) -> Signed:
        """An entry as it travels."""
        obj = sign_entry(entry, actor.who.device_key.private, actor.who.rng)
        return Signed(body=obj.body, sig=obj.sig)

    async def list_hash(self, of: Registered) -> bytes:
        """What entries by somebody must cite."""
        listed = (await self.kit.services.devices.newest(of.account)).list
        return SignedObject(listed.body, listed.sig).hash

    async def state(self, group: bytes) -> GroupState:
        """The group as the server has it."""
        held = await self.groups.get(group)
        assert held is not None
        return read_state(held.state)

    def reached(self, group: bytes) -> dict[bytes, tuple[int, ...]]:
        """Whom delivery reaches: account → devices."""
        return {seat.account: seat.devices for seat in self.post.rosters[group].seats}


def pair(of: Registered) -> Pair:
    """Who somebody is as a member."""
    return Pair(of.account, of.who.account_key.public)


def pairs(*members: Registered) -> tuple[Pair, ...]:
    """Members in the order that entries list them."""
    return tuple(sorted(pair(member) for member in members))


async def refused(attempt: Awaitable[object], code: str, rule: str | None = None) -> None:
    """The attempt ends with this code, and this rule named."""
    with pytest.raises(RequestRefused) as told:
        await attempt
    assert told.value.code == code, told.value
    if rule is not None:
        assert str(told.value) == f"Rule broken: {rule}."
