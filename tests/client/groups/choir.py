"""A choir: accounts of a town that meet in groups, and the server's part in it.

Entries are taken by the fold that the server runs, messages are decided by
`linnet.server.services.delivery.decide_group`, rosters are made anew from lists and members as
`linnet.server.services.rosters` does it. The choir keeps logs and rosters, and shows whom it is
told to another log than the others.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import apsw
import msgspec
from tests.client.post_office import Device
from tests.client.town import House, Town

from linnet.client import answers, facts, history, keys, parking, unobtainable
from linnet.client.directory import Directory
from linnet.client.environment import Environment
from linnet.client.errors import NotTrusted, Offline, Refused, Unaddressed
from linnet.client.events import Event, Message, NotSent, State
from linnet.client.facts import Keys
from linnet.client.groups import joining
from linnet.client.groups.changes import Author
from linnet.client.groups.groups import GroupInfo, Groups
from linnet.client.groups.keeper import Keeper
from linnet.client.groups.log import Member
from linnet.client.inbox import Effects
from linnet.client.joining import joined_inbox
from linnet.client.outbox import Item
from linnet.client.rest import Api
from linnet.client.sealing import Missing
from linnet.client.sessions import Peer, checked_bundle
from linnet.client.sql import first
from linnet.client.tokens import Tokens
from linnet.crypto.prekeys import PreKeyBundle
from linnet.server.ports.timeline import Accepted, Entry, Head, Roster, Seat, spread_entry
from linnet.server.services.delivery.decide import Record, Retry
from linnet.server.services.delivery.decide_group import decide_group
from linnet.server.services.delivery.view import sent
from linnet.signing.device_list import prove_list
from linnet.signing.group_changes import Create
from linnet.signing.group_entry import group_id
from linnet.signing.group_errors import EntryReason, EntryRefused
from linnet.signing.group_fold import fold, found, read_entry
from linnet.signing.group_state import GroupState
from linnet.signing.list_format import decode_list
from linnet.signing.objects import SignedObject
from linnet.wire import rest
from linnet.wire.frames import Rejected, Send, ServerFrame
from linnet.wire.ids import TO_GROUP, AccountId, GroupId

T = TypeVar("T")


@dataclass
class Log:
    """The log of one group, with the list that each entry cites."""

    states: list[GroupState] = field(default_factory=list)
    entries: list[SignedObject] = field(default_factory=list)
    lists: list[SignedObject] = field(default_factory=list)

    @property
    def state(self) -> GroupState:
        return self.states[-1]

    def take(self, obj: SignedObject, cited: SignedObject) -> None:
        """Append what the fold takes. Raises EntryRefused."""
        proven = prove_list(cited)
        state = fold(self.state, obj, proven) if self.states else found(obj, proven)
        self.states.append(state)
        self.entries.append(obj)
        self.lists.append(cited)

    def copy(self) -> "Log":
        """The same so far, to go on in another way."""
        return Log([*self.states], [*self.entries], [*self.lists])


@dataclass
class Singer:
    """One device of an account, with what it has for groups."""

    device: Device
    keeper: Keeper
    groups: Groups
    api: "FakeApi"

    @property
    def account(self) -> AccountId:
        return self.device.account

    async def text(self, group: GroupId, text: str) -> None:
        await self.groups.send(group, text)

    async def read(self, group: GroupId) -> list[str | None]:
        """What the conversation shows, in its order."""
        rows = await self.device.store.read(lambda db: history.page(db, group, None, 1000))
        return [row.text if isinstance(row, Message) else row.state.value for row in rows]

    async def info(self, group: GroupId) -> GroupInfo:
        return await self.groups.info(group)


class Choir(Town):
    """A town with groups. `shown_logs` is what a device is shown instead of the log; `offline`
    stops the requests of a device."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.singers: dict[tuple[bytes, int], Singer] = {}
        self.logs: dict[bytes, Log] = {}
        self.rosters: dict[bytes, Roster] = {}
        self.shown_logs: dict[tuple[bytes, bytes], Log] = {}
        self.shown_rosters: dict[tuple[bytes, bytes], Roster] = {}
        self.offline: set[bytes] = set()
        self.accepts_anything = False
        self.bundles_given: dict[tuple[bytes, int], int] = {}

    # ---- people

    async def singer(self) -> Singer:
        """A new account of one device."""
        house = await self.account()
        return await self._singing(house, house[1])

    async def another(self, singer: Singer) -> Singer:
        """A further device of the account, listed at once."""
        house = self.houses[singer.account]
        device = await self.link(house)
        made = await self._singing(house, device)
        self.set_changed(singer.account)
        return made

    async def people(self, count: int) -> list[Singer]:
        return [await self.singer() for _ in range(count)]

    def revoke(self, singer: Singer, device: int) -> SignedObject:
        """The account's list without a device."""
        obj = self.relist(self.houses[singer.account], without=device)
        self.set_changed(singer.account)
        return obj

    async def _singing(self, house: House, device: Device) -> Singer:
        me = Member(house.account, house.key.public)
        own = await device.store.read(lambda db: facts.get(db, Keys))
        assert own is not None
        rng = device.sessions.rng
        author = Author(house.account, device.sessions.me.device, keys.device_key(own).private, rng)
        api = FakeApi(self, house.account, device.sessions.me.device)
        world = Environment(now_ms=lambda: self.clock.now_ms, rng=rng)
        keeper = Keeper(
            device.store,
            cast(Api, api),
            cast(Tokens, FakeTokens()),
            world,
            me,
            lambda event: self.tell(device, event),
            lambda: None,
            author,
        )
        device.inbox = joined_inbox(
            device.sessions,
            groups=joining.cipher(me, keeper.offer),
            reissue=joining.reissues(rng),
            member=joining.is_member,
        )
        groups = Groups(
            store=device.store,
            world=world,
            directory=cast(Directory, FakeDirectory(self, device)),
            find=_nobody,
            keeper=keeper,
            author=author,
            account_key=house.key.public,
            wake=lambda: None,
            closed=lambda: False,
        )
        singer = Singer(device, keeper, groups, api)
        self.singers[house.account, device.sessions.me.device] = singer
        return singer

    async def restart(self, singer: Singer) -> Singer:
        """The same device in a new process."""
        house = self.houses[singer.account]
        number = singer.device.sessions.me.device
        device = house.devices[number] = await singer.device.reopened()
        return await self._singing(house, device)

    # ---- what devices do

    async def seal(self, device: Device, item: Item) -> bytes | None:
        """What `Sender` does, for groups as well."""
        bundles: dict[Peer, PreKeyBundle] = {}
        singer = self.singers[device.account, device.sessions.me.device]
        for _ in range(6):
            try:
                found = await device.store.write(
                    lambda db: device.sealer.seal(db, item, bundles, device.clock.now_ms)
                )
            except NotTrusted as error:
                await self._give_up(device, item, error.reason)
                return None
            except Unaddressed:
                await self._give_up(device, item, "no_device")
                return None
            if not isinstance(found, Missing):
                return found
            self.tell(device, *found.told)
            if found.nothing:
                return None
            for group in found.groups:
                try:
                    await singer.keeper.refresh(group)
                except (Offline, Refused):
                    return None
            await self._fetch_all(device, (*found.witnesses, *found.lists))
            for account, listed in found.bundles:
                bundle = await self._bundle(self.houses[account][listed.id])
                bundles[account, listed.id] = checked_bundle(bundle, listed)
        return None

    async def _fetch_all(self, device: Device, accounts: tuple[bytes, ...]) -> None:
        """What `Directory.refresh_all` does."""
        for account in accounts:
            with contextlib.suppress(NotTrusted):
                await self.fetch(device, account)
        if not accounts:
            return
        now_ms = self.clock.now_ms
        await device.store.write(lambda db: unobtainable.answered(db, accounts, now_ms))

    async def _bundle(self, device: Device) -> rest.Bundle:
        """A bundle with one-time keys that nobody was given before."""
        found = await device.bundle()
        key = (device.account, device.sessions.me.device)
        given = self.bundles_given[key] = self.bundles_given.get(key, 0) + 1

        def read(db: apsw.Connection) -> rest.Bundle:
            one, kem = (
                first(db, f"SELECT * FROM ({which}) ORDER BY id LIMIT 1 OFFSET ?", (at,))
                for which, at in (
                    ("SELECT id, public FROM one_time_pre_keys", given % 20),
                    (
                        "SELECT id, public, signature FROM kem_pre_keys WHERE last_resort = 0",
                        given % 10,
                    ),
                )
            )
            assert one is not None
            assert kem is not None
            return msgspec.structs.replace(
                found,
                one_time=rest.OneTimeKey(id=one[0], key=one[1]),
                kem=rest.KemPreKey(id=kem[0], key=kem[1], sig=kem[2]),
            )

        return await device.store.read(read)

    async def _give_up(self, device: Device, item: Item, reason: str) -> None:
        me = device.account
        self.tell(
            device,
            *await device.store.write(
                lambda db: answers.give_up(db, me, item.id, State.FAILED, reason)
            ),
        )

    async def take(self, device: Device, frames: list[ServerFrame]) -> Effects:
        effects = await super().take(device, frames)
        singer = self.singers[device.account, device.sessions.me.device]
        for group in effects.groups:
            singer.keeper.hint(group)
        return effects

    async def look(self, singer: Singer) -> None:
        """The keeper does what there is to do, and what is parked is tried again."""
        await singer.keeper.once()
        now_ms = self.clock.now_ms
        device = singer.device
        for house in await device.store.read(parking.senders):
            effects = await device.store.write(
                lambda db, h=house: device.inbox.unpark(db, h, now_ms)  # type: ignore[misc]
            )
            self.tell(device, *effects.events)

    async def connect(self, *singers: Singer) -> None:
        """All of them come online, and what is to be done is done."""
        for singer in singers:
            singer.keeper.connected()
        await self.gather(*singers)

    async def gather(self, *singers: Singer, rounds: int = 8) -> None:
        """Let all of them read, take and send until nothing moves."""
        for _ in range(rounds):
            before = self.position, len(self.left), self._versions()
            for singer in singers:
                await self.look(singer)
                await self.sync(singer.device)
                await self.look(singer)
                await self.send(singer.device)
            if (self.position, len(self.left), self._versions()) == before:
                return

    def events(self, singer: Singer, kind: type[T]) -> list[T]:
        """What it was told of a kind, so far."""
        told = self.told.get((singer.account, singer.device.sessions.me.device), [])
        return [event for event in told if isinstance(event, kind)]

    def failures(self, singer: Singer) -> list[str]:
        return [event.reason for event in self.events(singer, NotSent)]

    def _versions(self) -> list[int]:
        return [log.state.version for log in self.logs.values()]

    # ---- what the server does

    def append(self, obj: SignedObject) -> rest.GroupHead:
        """Take an entry, as the server does. Raises Refused."""
        entry = read_entry(obj)
        group = group_id(obj) if isinstance(entry.change, Create) else entry.group
        if (split := self.shown_logs.get((group, entry.account))) is not None:
            return self._append_split(group, obj, split)
        log = self.logs.setdefault(group, Log())
        if any(obj.hash == known.hash for known in log.entries):
            return self.head(group)
        cited = self.houses[entry.account].newest
        if cited.hash != entry.list_hash:
            raise Refused("conflict", "the list cited is not the newest")
        try:
            log.take(obj, cited)
        except EntryRefused as refused:
            code = "conflict" if refused.reason is EntryReason.STALE else "entry_rejected"
            raise Refused(code, refused.reason.value) from None
        finally:
            if not log.entries:
                del self.logs[group]
        self.recompute(group)
        return self.head(group)

    def _append_split(self, group: bytes, obj: SignedObject, log: Log) -> rest.GroupHead:
        """Take an entry into a log that only some are shown."""
        actor = read_entry(obj).account
        log.take(obj, self.houses[actor].newest)
        before = self.roster_of(group, actor)
        roster = self._roster(log.state, before.number + 1)
        for shown_to, other in list(self.shown_logs.items()):
            if other is log:
                self.shown_rosters[shown_to] = roster
        return self.head(group, actor)

    def recompute(self, group: bytes) -> None:
        """Make the next roster, if whom the group reaches has changed."""
        before = self.rosters.get(group)
        new = self._roster(self.logs[group].state, before.number + 1 if before else 1)
        if before is None or (before.version, before.seats) != (new.version, new.seats):
            self.rosters[group] = new

    def _roster(self, state: GroupState, number: int) -> Roster:
        seats = []
        for account, member in sorted(state.members.items()):
            listed = decode_list(self.houses[account].newest.body)
            if listed.key == member.account_key:
                devices = tuple(device.id for device in listed.devices)
                seats.append(Seat(account, account, listed.set, devices))
        return Roster(state.group, number, state.version, state.head, tuple(seats))

    def set_changed(self, account: bytes) -> None:
        """Tell the groups of an account that its devices are others."""
        for group, log in self.logs.items():
            if account in log.state.members:
                self.recompute(group)

    def roster_of(self, group: bytes, account: bytes) -> Roster:
        return self.shown_rosters.get((group, account)) or self.rosters[group]

    def head(self, group: bytes, account: bytes = b"") -> rest.GroupHead:
        log = self.shown_logs.get((group, account)) or self.logs[group]
        state = log.state
        if account and account not in state.members:
            last = max(it.version for it in log.states if account in it.members) + 1
            state = log.states[last - 1]
            return rest.GroupHead(group=group, version=last, hash=state.head, roster=0)
        roster = self.roster_of(group, account).number
        return rest.GroupHead(group=group, version=state.version, hash=state.head, roster=roster)

    def post(self, device: Device, frame: Send) -> ServerFrame:
        if frame.to[0] != TO_GROUP:
            return super().post(device, frame)
        group = frame.to[1:]
        roster = self.rosters[group]
        if self.accepts_anything:
            frame.roster = roster.number
        seat = next((it for it in roster.seats if it.account == device.account), None)
        record = Record(
            conversation=group,
            sender=device.account,
            device=device.sessions.me.device,
            recipient=b"",
            frame=frame,
            appended_ms=self.clock.now_ms,
            stamped_ms=self.clock.now_ms,
        )
        head = self.heads.get(group, Head(group))
        if self.accepts_anything and seat is None:
            seat = Seat(device.account, device.account, 1, (device.sessions.me.device,))
        decision = decide_group(head, self.outcomes.get(frame.id, []), roster, seat, record)
        outcome = decision.outcome
        if isinstance(outcome, Retry):
            retryable = outcome.code == "group_changed"
            return Rejected(frame.id, outcome.code, retryable, roster=outcome.roster)
        if not isinstance(outcome, Accepted):
            return Rejected(frame.id, outcome.code, False)
        if not decision.repeat:
            self.heads[group] = decision.head
            self.outcomes.setdefault(frame.id, []).append(outcome)
            for each in roster.seats:
                self._deliver(each, outcome, frame.body)
        return sent(outcome, 0, 0)

    def _deliver(self, seat: Seat, outcome: Accepted, body: bytes) -> None:
        self.position += 3
        rows: list[Entry] = self.mailboxes.setdefault(seat.mailbox, [])
        prev = rows[-1].position if rows else 0
        devices = bytes(seat.devices)
        rows.append(spread_entry(seat.mailbox, self.position, prev, outcome, body, devices))


class FakeApi:
    """The requests about groups, answered by the choir. `fails` ends the next one, before or after
    it was carried out."""

    def __init__(self, choir: Choir, account: bytes, device: int) -> None:
        self._choir, self._account, self._device = choir, account, device
        self.before_entry: Callable[[], Any] | None = None
        self.fails: str = ""
        self.asked: list[str] = []

    async def create_group(self, token: str, genesis: rest.Signed) -> rest.GroupHead:
        return self._append("create", genesis)

    async def append_entry(self, token: str, group: bytes, entry: rest.Signed) -> rest.GroupHead:
        return self._append("append", entry)

    async def own_groups(self, token: str) -> list[rest.GroupHead]:
        self._begin("own")
        choir = self._choir
        return [
            choir.head(group, self._account)
            for group, log in choir.logs.items()
            if self._account in log.state.members
        ]

    async def group_log(self, token: str, group: bytes, since: int) -> rest.GroupLog:
        self._begin("log")
        log = self._choir.shown_logs.get((group, self._account)) or self._choir.logs.get(group)
        if log is None:
            raise Refused("not_found", "no such group")
        if not any(self._account in state.members for state in log.states):
            raise Refused("not_member", "never was")
        head = self._choir.head(group, self._account)
        return rest.GroupLog(
            entries=[_signed(it) for it in log.entries[since : head.version]],
            lists=[_signed(it) for it in dict.fromkeys(log.lists[since : head.version])],
            head=head,
            more=False,
        )

    async def group_members(self, token: str, group: bytes) -> rest.Roster:
        self._begin("roster")
        roster = self._choir.roster_of(group, self._account)
        head = rest.GroupHead(
            group=group, version=roster.version, hash=roster.hash, roster=roster.number
        )
        members = [
            rest.RosterMember(account=it.account, set=it.set, devices=list(it.devices))
            for it in roster.seats
        ]
        return rest.Roster(head=head, members=members)

    def _begin(self, what: str) -> None:
        self.asked.append(what)
        if self._account in self._choir.offline:
            raise Offline("no network")

    def _append(self, what: str, entry: rest.Signed) -> rest.GroupHead:
        self._begin(what)
        if self.before_entry is not None:
            first, self.before_entry = self.before_entry, None
            first()
        obj = SignedObject(entry.body, entry.sig)
        actor = read_entry(obj)
        if (actor.account, actor.device) != (self._account, self._device):
            raise Refused("forbidden", "another device")
        if self.fails == "before":
            raise Offline("lost on the way")
        head = self._choir.append(obj)
        if self.fails == "after":
            raise Offline("the answer is lost")
        return head


class FakeTokens:
    """Nobody asks who one is."""

    async def use(self, request: Callable[[str], Awaitable[T]]) -> T:
        return await request("token")


class FakeDirectory:
    """Lists, from the town."""

    def __init__(self, town: Town, device: Device) -> None:
        self._town, self._device = town, device

    async def refresh(self, account: bytes) -> None:
        await self._town.fetch(self._device, account)

    async def refresh_all(self, accounts: list[bytes]) -> None:
        for account in accounts:
            await self._town.fetch(self._device, account)


async def _nobody(number: str) -> AccountId:
    raise AssertionError("members are named by account here")


def _signed(obj: SignedObject) -> rest.Signed:
    return rest.Signed(body=obj.body, sig=obj.sig)


__all__ = ["Choir", "Event", "Log", "Singer"]
