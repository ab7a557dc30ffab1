"""Groups: what an application does with them. `Client.groups`.

    team = await me.groups.create(["+15550100002", "+15550100003"], title="Choir")
    await me.groups.send(team, "Friday at eight?")

Members are accounts or E.164 numbers. What a group is, its signed log says; `client.groups` reads
it, and writes to it where this account may.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import apsw

from linnet.client import history, lists, outbox
from linnet.client.directory import Directory
from linnet.client.environment import Environment
from linnet.client.errors import Closed, GroupRefused, Refused, TextEmpty, TextTooLong
from linnet.client.groups import book, changes, secrets
from linnet.client.groups.changes import Author, Make
from linnet.client.groups.keeper import Keeper
from linnet.client.outbox import Item, Way
from linnet.client.store import Store
from linnet.client.watermarks import covers
from linnet.crypto.bodies import text_body
from linnet.signing.group_changes import Confirm, Demote, Leave, Promote, Remove
from linnet.signing.group_state import GroupState, Role
from linnet.wire.ids import AccountId, ConversationId, GroupId, MessageId

Whom = AccountId | str
"""An account, or an E.164 number."""

TEXT_BYTES: Final = 16_384
"""Longest text of one message, in UTF-8 bytes."""
ROUNDS: Final = 8
"""How often a change is made anew after another one was first."""


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A group as its log says. `title` is None if there is none (then `titled` is False), or if
    its key is not here yet."""

    group: GroupId
    version: int
    title: str | None = field(repr=False)
    titled: bool
    members: Mapping[AccountId, Role]
    member: bool
    forked: bool

    @property
    def conversation(self) -> ConversationId:
        """The conversation of the group."""
        return ConversationId(self.group)


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one account on this device."""

    store: Store
    world: Environment
    directory: Directory
    find: Callable[[str], Awaitable[AccountId]]
    keeper: Keeper
    author: Author
    account_key: bytes
    wake: Callable[[], None]
    closed: Callable[[], bool]
    not_over: Callable[[], None] = lambda: None
    """Raises LoggedOut where nothing that is written here will be sent."""

    # ---- reading

    async def all(self) -> list[GroupInfo]:
        """The groups that this account is a member of, oldest first."""

        def read(db: apsw.Connection) -> list[GroupInfo]:
            return [_info(db, id) for id in book.ids(db)]

        return await self._open().store.read(read)

    async def info(self, group: GroupId) -> GroupInfo:
        """One group, also one that this account left. Raises GroupRefused if it is not known."""

        def read(db: apsw.Connection) -> GroupInfo:
            return _info(db, group)

        return await self._open().store.read(read)

    async def refresh(self) -> None:
        """Read all groups on to where the server has them now, rather than soon.

        Raises Offline, Refused, LoggedOut.
        """
        await self._open().keeper.catch_up()

    async def delivered(self, group: GroupId, conv_seq: int) -> dict[AccountId, bool]:
        """Which of today's other members have the message with this number."""

        def read(db: apsw.Connection) -> dict[AccountId, bool]:
            state = _known(db, group)
            others = state.members.keys() - {self.author.account}
            return {
                AccountId(account): covers(history.mark(db, group, account), conv_seq)
                for account in sorted(others)
            }

        return await self._open().store.read(read)

    # ---- writing

    async def send(self, group: GroupId, text: str) -> MessageId:
        """Take over a text for a group; it is durable on return, and sent when it can be.

        Raises TextEmpty, TextTooLong, GroupRefused for a group that is not known or was left,
        LoggedOut.
        """
        self.not_over()
        if not text:
            raise TextEmpty("a text is not empty")
        if len(text.encode()) > TEXT_BYTES:
            raise TextTooLong(f"a text has at most {TEXT_BYTES} bytes")
        now_ms, rng = self.world.now_ms(), self.world.rng

        def queue(db: apsw.Connection) -> MessageId:
            held = book.group(db, group)
            if held is None or not held.member:
                raise GroupRefused("no_such_group" if held is None else "not_member")
            item = Item(
                id=outbox.new_id(db, now_ms, rng),
                conversation=group,
                peer=group,
                kind="text",
                body=text_body(text),
                sent_ms=outbox.server_ms(db, now_ms),
                way=Way.GROUP,
            )
            outbox.enqueue(db, item, self.author.account, self.author.device, self.account_key)
            return MessageId(item.id)

        id = await self._open().store.write(queue)
        self.wake()
        return id

    async def create(self, members: Iterable[Whom], title: str = "") -> GroupId:
        """Begin a group with this account as its admin.

        Returns when it is in the server's log. Raises UnknownRecipient, Refused, KeyChanged,
        GroupRefused; Offline: it may be signed by then, and begins as soon as the server is
        reached (`GroupJoined`). Whoever calls again before that may get two.
        """
        accounts = await self._accounts(members)

        def sign(db: apsw.Connection) -> GroupId:
            return GroupId(changes.founded(db, self.author, accounts, title)[0])

        async with self.keeper.turn:
            for _ in range(ROUNDS):
                group = await self.store.write(sign)
                if await self.keeper.settle(group):
                    break
                await self.directory.refresh(self.author.account)
            else:
                raise GroupRefused("busy")
        await self._share(group, accounts)
        return group

    async def add(self, group: GroupId, members: Iterable[Whom]) -> None:
        """Add members. They read what is sent from then on."""
        accounts = await self._accounts(members)
        await self._change(group, changes.adding(accounts))
        await self._share(group, accounts)

    async def remove(self, group: GroupId, members: Iterable[Whom]) -> None:
        """Remove members: what is placed after this never reaches them."""
        accounts = [bytes(await self._account(member)) for member in members]
        await self._change(group, changes.plain(Remove(tuple(sorted(set(accounts))))))

    async def leave(self, group: GroupId) -> None:
        """Leave. If nobody else is an admin, whoever is there longest becomes one."""
        await self._change(group, changes.plain(Leave()))

    async def promote(self, group: GroupId, member: Whom) -> None:
        """Make a member an admin."""
        await self._change(group, changes.plain(Promote(await self._account(member))))

    async def demote(self, group: GroupId, member: Whom) -> None:
        """Make an admin an ordinary member; the last one stays."""
        await self._change(group, changes.plain(Demote(await self._account(member))))

    async def rekey(self, group: GroupId, member: Whom) -> None:
        """Take a member's new account key, which this account has accepted before."""
        account = await self._account(member)
        await self._change(group, changes.rekeying(account))
        await self._share(group, [account])

    async def retitle(self, group: GroupId, title: str) -> None:
        """Give the group another title."""
        await self._change(group, changes.retitling(title, self.author.rng))
        everybody = (await self.info(group)).members
        await self._share(group, list(everybody))

    async def confirm(self, group: GroupId) -> None:
        """Hold this account to its newest device list, and let what a removed device of it signed
        last take effect. Done without being asked where nothing of the kind is held back."""
        await self._change(group, changes.plain(Confirm()))

    async def accept_held(self, group: GroupId) -> None:
        """Let what is held back in a group (`GroupHeld`) take effect on this device.

        For a person who has asked around: it may be what a removed device signed after its removal.
        An admin need not do this: a change of theirs lets it take effect for everybody.
        """
        await self._open().keeper.release(group)
        self.wake()

    # ---- how

    async def _change(self, group: GroupId, make: Make) -> None:
        """Append an entry, anew on top of whatever came first.

        Raises GroupRefused if a rule forbids it, Offline: then it is sent as soon as it can be.
        """
        self._open()
        async with self.keeper.turn:
            try:
                await self.keeper.settle(group)
                for _ in range(ROUNDS):
                    await self.store.write(
                        lambda db: changes.appended(db, self.author, group, make)
                    )
                    if await self.keeper.settle(group):
                        self.wake()  # what was held back goes on
                        return
                    # It lost against another entry, or cites a list that is not our newest.
                    await self.directory.refresh(self.author.account)
            except Refused as refused:
                if refused.code != "not_member":
                    raise
                raise GroupRefused("not_member") from refused  # somebody removed us meanwhile
        raise GroupRefused("busy")

    async def _share(self, group: GroupId, accounts: Iterable[bytes]) -> None:
        """Give the secret of the title to these members, and to one's own other devices."""
        now_ms = self.world.now_ms()

        def share(db: apsw.Connection) -> None:
            state = _known(db, group)
            to = [*(set(accounts) & state.members.keys()), self.author.account]
            secrets.share(db, state, dict.fromkeys(to), now_ms, self.author.rng)

        await self.store.write(share)
        self.wake()

    async def _accounts(self, members: Iterable[Whom]) -> list[bytes]:
        """These accounts, with their lists held: their account keys go into the log."""
        accounts = list(dict.fromkeys([bytes(await self._account(who)) for who in members]))
        held = await self.store.read(
            lambda db: {account for account in accounts if lists.held(db, account) is not None}
        )
        await self.directory.refresh_all([it for it in accounts if it not in held])
        return accounts

    async def _account(self, who: Whom) -> AccountId:
        self._open()
        return await self.find(who) if isinstance(who, str) else who

    def _open(self) -> "Groups":
        if self.closed():
            raise Closed("the client is closed")
        return self


def _known(db: apsw.Connection, group: bytes) -> GroupState:
    held = book.group(db, group)
    if held is None:
        raise GroupRefused("no_such_group")
    return held.settled


def _info(db: apsw.Connection, id: bytes) -> GroupInfo:
    state = _known(db, id)
    held = book.group(db, id)
    assert held is not None
    return GroupInfo(
        group=GroupId(id),
        version=state.version,
        title=secrets.title(db, state),
        titled=state.title is not None,
        members={AccountId(account): it.role for account, it in state.members.items()},
        member=held.member,
        forked=held.alarm is not None,
    )
