"""The keeper of groups: reads logs on from the server, and brings it the changes signed here.

Woken by hints, by messages that cite a head that is not known, and at every connect: then the
server is asked where all groups stand. It is believed about nothing but what is missing; every
page proves itself or is refused (`linnet.client.groups.log`).
"""

import asyncio
import collections
import logging
from collections.abc import Callable
from typing import Final

import apsw

from linnet.client import lists, missing_lists, parking
from linnet.client.environment import Environment
from linnet.client.errors import ClientError, GroupRefused, LoggedOut, NotTrusted, Refused
from linnet.client.events import Event
from linnet.client.groups import book, changes, confirming, departures, keys, log, secrets
from linnet.client.groups.book import Pending
from linnet.client.groups.changes import Author
from linnet.client.groups.log import Member, Page
from linnet.client.rest import Api, signed
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.signing.group_changes import Confirm, Create
from linnet.signing.group_fold import read_entry
from linnet.signing.objects import SignedObject
from linnet.wire import rest
from linnet.wire.errors import ERRORS

AGAIN_S: Final = 60.0
PAGES: Final = 10_000
"""More pages than any log has; a server that never ends is given up."""
OFFERS: Final = 256
"""Pages that messages brought and nobody looked at yet; the oldest fall out: they come again with
what is parked."""

_log = logging.getLogger(__name__)


class Keeper:
    """Keeps what is held of this account's groups up to date. `me` is known once registered."""

    def __init__(
        self,
        store: Store,
        api: Api,
        tokens: Tokens,
        world: Environment,
        me: Member,
        tell: Callable[[Event], None],
        moved: Callable[[], None],
        author: Author | None = None,
    ) -> None:
        self._store, self._api, self._tokens, self._world = store, api, tokens, world
        self.me = me
        self.author = author
        """Who signs, where changes may be signed here."""
        self._tell, self._moved = tell, moved
        self.turn = asyncio.Lock()
        """Held by whoever signs changes and brings them to the server: one at a time."""
        self._wake = asyncio.Event()
        self._all = False
        self._hinted: dict[bytes, None] = {}
        self._offers: collections.deque[Page] = collections.deque(maxlen=OFFERS)

    def connected(self) -> None:
        """Anything may have happened meanwhile: ask about all groups."""
        self._all = True
        self._wake.set()

    def hint(self, group: bytes) -> None:
        """The server says that this group changed."""
        self._hinted[group] = None
        self._wake.set()

    def offer(self, page: Page) -> None:
        """A message brought this. Called from any thread."""
        self._offers.append(page)

    @property
    def offered(self) -> bool:
        """Whether messages brought something that nobody looked at yet."""
        return bool(self._offers)

    def look(self) -> None:
        """Something is parked, or was offered: see whether a log is missing."""
        self._wake.set()

    async def run(self) -> None:
        """Keep until cancelled, whatever fails on the way. Raises only LoggedOut."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.once()
            except LoggedOut:
                raise
            except ClientError as error:
                _log.info("groups will be looked at again: %s", type(error).__name__)
                try:
                    async with asyncio.timeout(AGAIN_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.set()

    async def once(self) -> None:
        """Do what there is to do. Raises Offline or Refused where the server did not help."""
        await self._take_offers()
        await self._finish()
        await self._confirm()
        wanted = dict.fromkeys(await self._store.read(_stale))
        if self._all:
            wanted.update(dict.fromkeys(await self._moved_on_server()))
        wanted.update(self._hinted)
        for group in wanted:
            await self._refreshed(group)
            self._hinted.pop(group, None)
        self._all = False
        now_ms = self._world.now_ms()
        await self._store.write(lambda db: self._tidy(db, now_ms))

    async def catch_up(self) -> None:
        """Ask about all groups now and read them on. Raises Offline, Refused, LoggedOut."""
        for group in await self._moved_on_server():
            await self._refreshed(group)

    async def refresh(self, group: bytes) -> None:
        """Read the log on to its end, and whom the group reaches. Raises Offline, Refused,
        NotTrusted, LoggedOut."""
        for _ in range(PAGES):
            head = await self._read_log(group)
            if await self._learn_roster(group, head) <= head.version:
                return
        raise NotTrusted("a group does not stand still")

    async def _read_log(self, group: bytes) -> rest.GroupHead:
        """Read the log on to its end; where the server says that it stands."""
        for _ in range(PAGES):
            since = await self._store.read(lambda db: log.kept_version(db, group))
            answer = await self._tokens.use(
                lambda token, since=since: self._api.group_log(token, group, since)  # type: ignore[misc]
            )
            page = Page(group, _objects(answer.entries), _objects(answer.lists))
            now_ms = self._world.now_ms()
            head = answer.head
            events = await self._store.write(
                lambda db, page=page, head=head, now=now_ms: self._take(db, page, head, now)  # type: ignore[misc]
            )
            for event in events:
                self._tell(event)
            if page.entries:
                self._moved()
            if not answer.more or not page.entries:
                return head
        raise NotTrusted("the log of a group does not end")

    async def _learn_roster(self, group: bytes, head: rest.GroupHead) -> int:
        """Fetch the roster if it is a newer one: the version of the log that it was made at.

        It says which members' devices changed; whom to encrypt for is said by their lists alone.
        """
        held = await self._store.read(lambda db: book.group(db, group))
        version = 0
        if held is not None and held.member and head.roster > held.roster:
            roster = await self._roster(group, head)
            now_ms, version = self._world.now_ms(), roster.head.version
            await self._store.write(lambda db: _take_roster(db, group, roster, now_ms))
        await self._store.write(lambda db: _believe(db, group, head))
        return version

    async def _roster(self, group: bytes, head: rest.GroupHead) -> rest.Roster:
        try:
            return await self._tokens.use(lambda token: self._api.group_members(token, group))
        except Refused as refused:
            if refused.code != "not_member":
                raise
            return rest.Roster(head=head, members=[])  # suspended: what is sent will be refused

    async def read_on(self, group: bytes) -> None:
        """As `refresh`; a change of ours that waits goes first, perhaps the one that begins it."""
        async with self.turn:
            if await self._store.read(lambda db: book.pending(db, group)) is not None:
                await self.settle(group)
                return
        await self.refresh(group)

    async def release(self, group: bytes) -> None:
        """The person takes what is held back as it is."""
        now_ms = self._world.now_ms()
        for event in await self._store.write(lambda db: log.release(db, group, self.me, now_ms)):
            self._tell(event)
        self._moved()

    async def settle(self, group: bytes) -> bool:
        """Bring the server the change of ours that waits. True if it is in the log now.

        Raises Offline (it goes on waiting), Refused with what is wrong with it for good.
        """
        pending = await self._store.read(lambda db: book.pending(db, group))
        if pending is None:
            return False
        try:
            await self._upload(group, pending)
        except Refused as refused:
            if _passes(refused):
                raise
            await self._refreshed(group)
            if await self._in_log(group, pending):
                return True
            await self._store.write(lambda db: book.drop_pending(db, group, pending))
            if refused.code == "conflict":
                return False
            raise
        await self.refresh(group)
        return await self._in_log(group, pending)

    async def _upload(self, group: bytes, pending: Pending) -> None:
        entry = signed(pending.entry.body, pending.entry.sig)
        if isinstance(read_entry(pending.entry).change, Create):
            await self._tokens.use(lambda token: self._api.create_group(token, entry))
        else:
            await self._tokens.use(lambda token: self._api.append_entry(token, group, entry))

    async def _in_log(self, group: bytes, pending: Pending) -> bool:
        """Whether the change is in the log; then its secret counts, and it waits no longer."""
        version = read_entry(pending.entry).version

        def look(db: apsw.Connection) -> bool:
            if log.entry_hash(db, group, version) != pending.entry.hash:
                return False
            if pending.secret is not None:
                secrets.keep(db, group, pending.secret)
            book.drop_pending(db, group, pending)
            return True

        return await self._store.write(look)

    def _share(self, db: apsw.Connection, group: bytes) -> None:
        """Who made the change did not wait until it was in the log: give its secret now."""
        held, now_ms = book.group(db, group), self._world.now_ms()
        if held is not None and held.member:
            secrets.share(db, held.settled, held.settled.members, now_ms, self._world.rng)

    async def _finish(self) -> None:
        """Bring the server what was signed before. What it refuses for good is undone."""
        async with self.turn:
            for group in await self._store.read(book.all_pending):
                try:
                    if await self.settle(group):
                        await self._store.write(lambda db, g=group: self._share(db, g))  # type: ignore[misc]
                except Refused as refused:
                    if _passes(refused):
                        raise
                    _log.info("a change of a group was refused: %s", refused.code)

    async def _confirm(self) -> None:
        """Sign what is owed since a device of ours was removed."""
        for group in await self._store.read(confirming.due) if self.author else ():
            async with self.turn:
                try:
                    await self._store.write(self._confirmed(group))
                    await self.settle(group)
                except GroupRefused:
                    continue  # somebody was first, and it is not owed any more
                except Refused as refused:
                    if _passes(refused):
                        raise

    def _confirmed(self, group: bytes) -> Callable[[apsw.Connection], None]:
        author = self.author
        assert author is not None
        return lambda db: changes.appended(db, author, group, changes.plain(Confirm()))

    async def _refreshed(self, group: bytes) -> None:
        """As `refresh`, but a group that cannot be read is no reason to leave others unread."""
        try:
            await self.refresh(group)
        except NotTrusted as error:
            _log.warning("a group's log was refused: %s", error)
        except Refused as refused:
            if _passes(refused):
                raise

    async def _moved_on_server(self) -> list[bytes]:
        """Groups that stand elsewhere on the server than here, and those it says are left."""
        heads = await self._tokens.use(self._api.own_groups)

        def compare(db: apsw.Connection) -> list[bytes]:
            found = [head.group for head in heads if _is_news(db, head)]
            left = set(book.ids(db)) - {head.group for head in heads}
            # Whoever was added and removed while away was a member for a while.
            waiting = [group for group in parking.groups(db) if not book.known(db, group)]
            return [*dict.fromkeys([*found, *left, *waiting])]

        return await self._store.read(compare)

    def _take(
        self, db: apsw.Connection, page: Page, head: rest.GroupHead, now_ms: int
    ) -> list[Event]:
        if head.group != page.group:
            raise NotTrusted("the log of another group")
        return [*log.take(db, page, self.me, now_ms)]

    def _tidy(self, db: apsw.Connection, now_ms: int) -> None:
        departures.follow(db, now_ms)
        keys.erase_superseded(db, now_ms)
        for group in book.ids(db):
            secrets.ask(db, group, self.me.account, now_ms, self._world.rng)

    async def _take_offers(self) -> None:
        while self._offers:
            page, now_ms = self._offers.popleft(), self._world.now_ms()
            try:
                events = await self._store.write(
                    lambda db, page=page, now=now_ms: log.take(db, page, self.me, now)  # type: ignore[misc]
                )
            except NotTrusted:
                continue  # a claim that does not prove itself is none
            for event in events:
                self._tell(event)
            if events:
                self._moved()


def _passes(refused: Refused) -> bool:
    """Whether asking again later may help."""
    error = ERRORS.get(refused.code)
    return error is None or error.retryable


def _stale(db: apsw.Connection) -> list[bytes]:
    """Groups of which somebody spoke of a newer version than is held."""
    found = []
    for id in book.ids(db):
        group = book.group(db, id)
        if group is not None and group.wanted > log.kept_version(db, id):
            found.append(id)
    return found


def _take_roster(db: apsw.Connection, group: bytes, roster: rest.Roster, now_ms: int) -> None:
    """Keep what it was made at, and doubt the lists that it says are not the newest."""
    book.learn_roster(db, group, roster.head.roster, roster.head.version)
    for it in roster.members:
        held = lists.held(db, it.account)
        if held is not None and it.set > held.list.set:
            lists.doubt(db, it.account, set=it.set)
            missing_lists.note(db, it.account, now_ms, set=it.set)


def _believe(db: apsw.Connection, group: bytes, head: rest.GroupHead) -> None:
    """Wait no longer for what the server does not have."""
    if log.kept_version(db, group) >= head.version:
        book.believed(db, group, head.version)


def _is_news(db: apsw.Connection, head: rest.GroupHead) -> bool:
    group = book.group(db, head.group)
    if group is None or not group.member:
        return True
    return head.version > log.kept_version(db, head.group) or head.roster > group.roster


def _objects(pairs: list[rest.Signed]) -> list[SignedObject]:
    return [SignedObject(it.body, it.sig) for it in pairs]
