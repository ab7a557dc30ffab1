"""Circles: groups of a fleet, whose members change all the time, by several admins at once.

Entries are real and signed, and go to the server as a client's would: kept until there is an
answer, repeated with the same bytes. What the log says of members, and what the server says of
rosters, is written down for the checker.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.chaos.asking import Refusal
from tests.chaos.history import Changed, Device, Gathered, Settled
from tests.chaos.people import Owner

from linnet.signing.group_changes import Add, Change, Create, Demote, Leave, Pair, Promote, Remove
from linnet.signing.group_entry import Entry, first_entry, group_id, sign_entry
from linnet.signing.group_fold import fold_log
from linnet.signing.group_state import GroupState, next_entry
from linnet.signing.objects import SignedObject
from linnet.wire import ids
from linnet.wire.rest import GroupAppend, GroupCreate, GroupHead, GroupLog, Roster, Signed

if TYPE_CHECKING:
    from tests.chaos.fleet import Fleet

ADMINS_AT_ONCE = 2
CHANGE_S = 0.5
"""Between two changes by one hand, on average."""
FEWEST, MOST = 3, 12
RACES = {"conflict", "not_member", "unauthorized"}
"""What an entry may be refused as: another was first, or its author is out meanwhile."""
Seats = Mapping[bytes, tuple[int, tuple[int, ...]]]


class Circle:
    """One group as everybody who looks at its log sees it."""

    def __init__(self, founder: bytes, state: GroupState) -> None:
        self.founder, self.state = founder, state
        self.entries: list[bytes] = []
        self.lists: dict[bytes, SignedObject] = {}

    @property
    def group(self) -> bytes:
        """Its id."""
        return self.state.group


class Circles:
    """All groups of a fleet."""

    def __init__(self, fleet: Fleet, rng: random.Random) -> None:
        self.rosters: dict[bytes, tuple[int, Seats]] = {}
        """Group to (number, seats): what a fresh look at its roster would say."""
        self._told: dict[tuple[bytes, int], Seats] = {}
        self.busy = 0
        self._circles: list[Circle] = []
        self._fleet = fleet
        self._rng = rng
        self._log = fleet.history.append

    # ---- for phones

    def of(self, device: Device) -> list[bytes]:
        """The groups that this device may write to, as far as anybody knows."""
        return [group for group in self.rosters if self.seated(group, device)]

    def seated(self, group: bytes, device: Device) -> bool:
        """Whether the newest roster names this device."""
        _, devices = self.rosters[group][1].get(device.account, (0, ()))
        return device.number in devices

    def reached(self, group: bytes, roster: int) -> list[bytes]:
        """Who is in a roster: somebody was told it, or nobody could have named it."""
        return list(self._told[group, roster])

    async def look(self, group: bytes, token: str) -> None:
        """Ask for the newest roster. Raises Refusal, Lost."""
        path = f"/v1/groups/{ids.show(group)}/members"
        roster = await self._fleet.asking.ask(Roster, "GET", path, token=token)
        seats = {it.account: (it.set, tuple(it.devices)) for it in roster.members}
        number = roster.head.roster
        self._told[group, number] = seats
        self._log(Gathered(group, number, roster.head.version, seats))
        if number > self.rosters.get(group, (0, {}))[0]:
            self.rosters[group] = number, seats

    # ---- making and changing

    async def found(self, count: int) -> None:
        """Make so many groups; the server runs."""
        for _ in range(count):
            founder, *others = self._rng.sample(list(self._fleet.owners.values()), 8)
            pairs = tuple(sorted(_pair(owner) for owner in others))
            create = Create(self._rng.randbytes(32), founder.key.public, pairs)
            entry = first_entry(create, founder.account, 1, founder.list.hash)
            obj = self._signed(founder, entry)
            state = fold_log([obj], {founder.list.hash: founder.list})
            body = GroupCreate(genesis=Signed(body=obj.body, sig=obj.sig))
            token = founder.tokens[1]
            await self._fleet.asking.insist(GroupHead, "POST", "/v1/groups", body, token=token)
            circle = Circle(founder.account, state)
            circle.entries.append(obj.body)
            assert circle.group == group_id(obj)
            self._log(Changed(circle.group, 1, frozenset(state.members)))
            self._circles.append(circle)
            await self.look(circle.group, token)

    def start(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Several hands change each of them until cancelled."""
        return [
            tasks.create_task(self._change(circle))
            for circle in self._circles
            for _ in range(ADMINS_AT_ONCE)
        ]

    async def _change(self, circle: Circle) -> None:
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / CHANGE_S))
            if not self._fleet.talking:
                continue
            self.busy += 1
            await self._change_once(circle)
            self.busy -= 1

    async def _change_once(self, circle: Circle) -> None:
        await self._read(circle)
        state = circle.state
        actor, change = self._draft(circle, state)
        if change is None:
            return
        owner = self._fleet.owners[actor]
        device = self._rng.choice([it for it in owner.devices if it in owner.tokens])
        entry = next_entry(state, change, actor, device, owner.list.hash)
        obj = self._signed(owner, entry)
        body = GroupAppend(entry=Signed(body=obj.body, sig=obj.sig))
        path = f"/v1/groups/{ids.show(circle.group)}/log"
        token = owner.tokens[device]
        try:
            head = await self._fleet.asking.insist(GroupHead, "POST", path, body, token=token)
        except Refusal as refusal:
            if refusal.code not in RACES:
                raise
            return
        if head.roster:
            self._log(Settled(circle.group, head.roster))
        await self._read(circle)

    def _draft(self, circle: Circle, state: GroupState) -> tuple[bytes, Change | None]:
        """Who does what next. The founder stays, and stays an admin."""
        rng, members = self._rng, sorted(state.members)
        admins = sorted(state.admins())
        actor = rng.choice(admins)
        others = [it for it in members if it not in (actor, circle.founder)]
        change: Change | None = None
        roll = rng.random()
        if roll < 0.45 and len(members) < MOST:
            outside = [it for id, it in self._fleet.owners.items() if id not in state.members]
            new = rng.sample(outside, min(len(outside), rng.choice((1, 1, 2))))
            change = Add(tuple(sorted(map(_pair, new)))) if new else None
        elif roll < 0.8 and len(members) > FEWEST and others:
            change = Remove(tuple(sorted(rng.sample(others, 1))))
        elif roll < 0.86 and len(members) > FEWEST and others:
            actor, change = rng.choice(others), Leave()
        elif roll < 0.95 and (able := [it for it in others if it not in admins]):
            change = Promote(rng.choice(able))
        elif able := [it for it in others if it in admins]:
            change = Demote(rng.choice(able))
        return actor, change

    async def _read(self, circle: Circle) -> None:
        """Fold what is new in the log, asked for by some member; all see the same."""
        reader = self._fleet.owners[self._rng.choice(sorted(circle.state.members))]
        since = 0 if self._rng.random() < 0.1 else circle.state.version
        more = True
        while more:
            path = f"/v1/groups/{ids.show(circle.group)}/log?since={since}"
            page = await self._fleet.asking.insist(GroupLog, "GET", path, token=reader.tokens[1])
            lists = [SignedObject(it.body, it.sig) for it in page.lists]
            circle.lists.update({it.hash: it for it in lists})
            for signed in page.entries:
                since += 1
                self._fold(circle, since, SignedObject(signed.body, signed.sig))
            more = page.more

    def _fold(self, circle: Circle, version: int, obj: SignedObject) -> None:
        if version <= len(circle.entries):
            assert circle.entries[version - 1] == obj.body, "a fork"
            return
        circle.entries.append(obj.body)
        circle.state = fold_log([obj], circle.lists, circle.state)
        self._log(Changed(circle.group, version, frozenset(circle.state.members)))

    def _signed(self, owner: Owner, entry: Entry) -> SignedObject:
        return sign_entry(entry, owner.private(entry.device), self._rng.randbytes)


def _pair(owner: Owner) -> Pair:
    return Pair(owner.account, owner.key.public)
