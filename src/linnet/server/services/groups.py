"""Groups: making one, and appending to its log. Reading is `group_views`.

The server decides only who was first: an entry is appended if it builds on the head, the fold
takes it, and it is signed by the caller's device under its account's newest list. The answer comes
after delivery knows whom the group reaches now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linnet.server import config
from linnet.server.ports.directory import Directory
from linnet.server.ports.groups import Folded, Step
from linnet.server.ports.groups import Groups as GroupStore
from linnet.server.ports.rates import Rates
from linnet.server.services.group_entries import (
    added,
    check_added,
    cited_list,
    folded,
    read,
    refusal,
    step,
)
from linnet.server.services.group_states import read_state
from linnet.server.services.group_views import standing
from linnet.server.services.rosters import Rosters
from linnet.server.services.tokens import Identity
from linnet.signing.group_changes import Create
from linnet.signing.group_entry import Entry, group_id
from linnet.signing.group_errors import EntryReason
from linnet.signing.group_state import GroupState
from linnet.signing.objects import SignedObject
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import GroupHead, Signed


@dataclass(frozen=True)
class Groups:
    """Takes entries."""

    groups: GroupStore
    directory: Directory
    rosters: Rosters
    rates: Rates
    limits: config.Groups
    now_ms: Callable[[], int]

    async def create(self, identity: Identity, genesis: Signed) -> GroupHead:
        """Make the group that this first entry names; the identical one again is the same answer.

        Raises `forbidden`, `conflict` (cite the newest list), `bad_signature`,
        `unknown_recipient`, `entry_rejected` with the name of the broken rule, `rate_limited`.
        """
        obj, entry = read(genesis, identity)
        if not isinstance(entry.change, Create):
            raise refusal(EntryReason.GROUP)
        group = group_id(obj)
        if not await self._has(group, entry, obj):
            await self._limit("group", identity, self.limits.creates)
            await self._create(identity, entry, obj)
        await self.rosters.carry()
        return await standing(self.groups, group, identity.account)

    async def append(self, identity: Identity, group: bytes, signed: Signed) -> GroupHead:
        """Append the next entry; the identical one again is the same answer, however late.

        Raises `not_found`, `not_member`, `forbidden`, `conflict` (fetch log and list, fold, and
        sign again upon that), `bad_signature`, `unknown_recipient`, `entry_rejected` with the
        name of the broken rule, `rate_limited`.
        """
        obj, entry = read(signed, identity)
        if entry.group != group:
            raise refusal(EntryReason.GROUP)
        if not await self._has(group, entry, obj):
            held = await self._member(group, identity)
            await self._limit("entry", identity, self.limits.entries)
            await self._append(identity, held, entry, obj)
        await self.rosters.carry()
        return await standing(self.groups, group, identity.account)

    async def _has(self, group: bytes, entry: Entry, obj: SignedObject) -> bool:
        stored = await self.groups.entry(group, entry.version)
        return stored is not None and stored.body == obj.body

    async def _member(self, group: bytes, identity: Identity) -> Folded:
        held = await self.groups.get(group)
        if held is None:
            raise RequestRefused("not_found")
        membership = await self.groups.membership(group, identity.account)
        if membership is None or membership.removed is not None:
            raise RequestRefused("not_member")
        return held

    async def _create(self, identity: Identity, entry: Entry, obj: SignedObject) -> None:
        first = await self._checked(identity, None, entry, obj)
        if not await self.groups.create(first):
            raise RequestRefused("conflict")

    async def _append(
        self, identity: Identity, held: Folded, entry: Entry, obj: SignedObject
    ) -> None:
        head = held.head
        if (entry.version - 1, entry.prev) != (head.version, head.hash):
            raise refusal(EntryReason.STALE)
        next_one = await self._checked(identity, read_state(held.state), entry, obj)
        if not await self.groups.append(next_one):
            raise refusal(EntryReason.STALE)

    async def _checked(
        self, identity: Identity, before: GroupState | None, entry: Entry, obj: SignedObject
    ) -> Step:
        """What to store of an entry, once everything but the race for the head was judged."""
        pairs = added(entry.change)
        known = await self.directory.find([identity.account, *(pair.account for pair in pairs)])
        cited = cited_list(entry, known.get(identity.account))
        after = folded(before, obj, cited)
        check_added(entry.change, known)
        if pairs:
            await self._limit("added", identity, self.limits.added, len(pairs))
        return step(before, after, entry, obj, cited)

    async def _limit(self, what: str, identity: Identity, rate: config.Rate, cost: int = 1) -> None:
        bucket = f"{what}:{identity.account.hex()}"
        wait_s = await self.rates.take(bucket, rate, self.now_ms(), cost)
        if wait_s > 0:
            raise RequestRefused("rate_limited", retry_after_s=int(wait_s) + 1)
