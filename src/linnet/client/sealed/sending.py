"""The sealed sender: makes and repeats the requests of what leaves without a token.

Of each lane one message at a time, up to `AT_ONCE` accounts together, each request over a
connection of its own. The bytes are stored before they leave and repeated until there is an answer;
the answer, the same for every repetition of an id, is `sent`. Which try was accepted is known: a
try is replaced only after the server refused it, and what it refused as stale stays stale.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import apsw

from linnet.client import answers, outbox
from linnet.client.answers import Verdict, verdict
from linnet.client.environment import Environment
from linnet.client.errors import LoggedOut, Offline, Refused, StoreUnavailable
from linnet.client.events import Event, State
from linnet.client.outbox import SEALED_WAYS, Item, Way
from linnet.client.resends import Resends
from linnet.client.sealed import certificates, copies, own_profile, profile, receipts
from linnet.client.sealed.api import SealedApi
from linnet.client.sealed.directory import NoDeliveryKey, SealedDirectory, doubt
from linnet.client.sender import Sender
from linnet.client.sql import first
from linnet.client.store import Store
from linnet.wire.errors import ERRORS
from linnet.wire.ids import AccountId, message_time_ms

AT_ONCE: Final = 8
LOOK_AGAIN_S: Final = 1.0
IDLE_S: Final = 60.0
RESEALS_AT_ONCE: Final = 3
GIVE_UP_MS: Final = 14 * 86_400_000
"""Without the delivery key in force a message waits so long: its recipient may have blocked us."""
NO_KEY: Final = "no_delivery_key"


class SealedSender:
    """Sends what is sealed; one `run` at a time. `maker` makes tries, `plain` sends the rest."""

    def __init__(
        self,
        store: Store,
        api: SealedApi,
        directory: SealedDirectory,
        maker: Sender,
        resends: Resends,
        world: Environment,
        me: AccountId,
        plain: Sender,
    ) -> None:
        self._store, self._api, self._directory = store, api, directory
        self._maker, self._resends, self._world, self._me = maker, resends, world, me
        self._wake = asyncio.Event()
        self.on_need: Callable[[], None] = lambda: None
        """Called when receipts are owed, or a certificate or a registered key is wanting."""
        self._plain = plain
        maker.also_wake = plain.also_wake = self._wake.set

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled. Raises LoggedOut."""
        while True:
            self._wake.clear()
            try:
                wait_s = LOOK_AGAIN_S if await self.send_all() else IDLE_S
            except StoreUnavailable:
                wait_s = LOOK_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def send_all(self) -> bool:
        """Send what is due now; whether anything is left that is not. Raises StoreUnavailable."""
        now_ms = self._world.now_ms()
        due = await self._store.read(lambda db: outbox.due(db, now_ms))
        peers: dict[bytes, list[Item]] = {}
        for item in due:
            if item.way in SEALED_WAYS:
                peers.setdefault(item.peer, []).append(item)
        some = list(peers.values())
        for start in range(0, len(some), AT_ONCE):
            async with asyncio.TaskGroup() as tasks:
                for items in some[start : start + AT_ONCE]:
                    tasks.create_task(self._send_each(items))
        if await self._store.read(_in_need):
            self.on_need()
        return await self._store.read(_waiting)

    async def _send_each(self, items: list[Item]) -> None:
        """To one account, one after the other: the first one opens the sessions."""
        try:
            for item in items:
                await self._send(item)
        except StoreUnavailable:
            return  # nothing changed: it is due again
        except LoggedOut:
            return  # the connection tells the application

    async def _send(self, item: Item) -> None:
        if item.frame is not None:
            self._maker.unanswered.add(item.id)  # it may have left before
        elif not await self._certified():
            self.on_need()
            return
        frame = item.frame or await self._maker.new_try(item)
        if frame is None:
            if item.peer in self._directory.shut_out:
                await self._no_key(item)
            return
        message = frame
        try:
            server_ms = await self._directory.ask(
                item.peer, lambda key: self._api.send(key, item.peer, message)
            )
        except NoDeliveryKey:
            await self._hold(item)
            await self._no_key(item)
        except Offline:
            self._maker.unanswered.add(item.id)
            await self._hold(item, passing=True)
        except Refused as refusal:
            await self._refused(item, refusal)
        else:
            await self._settle(item, server_ms)

    async def _certified(self) -> bool:
        now_ms = self._world.now_ms()
        return await self._store.read(
            lambda db: certificates.usable(db, outbox.server_ms(db, now_ms)) is not None
        )

    async def _settle(self, item: Item, server_ms: int) -> None:
        now_ms, rng = self._world.now_ms(), self._world.rng

        def settle(db: apsw.Connection) -> list[Event]:
            made = first(
                db,
                "SELECT t.commitment, t.z FROM outbox o JOIN tries t ON t.id = o.id"
                " AND t.try = o.try WHERE o.id = ?",
                (item.id,),
            )
            if made is None:
                return []
            settled = answers.settle(db, self._me, item.id, 0, server_ms, made[0], now_ms)
            self._resends.settled(db, item.id, settled.missed, now_ms)
            if item.way is Way.SEALED and item.peer != self._me:
                copies.queue(db, self._me, item, made[1], server_ms, now_ms, rng)
            return [*settled.events, *receipts.tick(db, item.conversation, item.id)]

        await self._store.write(settle, then=lambda told: self._over(item, told))

    async def _refused(self, item: Item, refusal: Refused) -> None:
        code, unanswered = refusal.code, item.id in self._maker.unanswered
        now_ms = self._world.now_ms()
        if code == "not_listed" and await self._readdressed(item):
            return
        retryable = code in ERRORS and ERRORS[code].retryable
        match verdict(code, retryable, unanswered):
            case Verdict.SEAL_AGAIN:
                await self._store.write(lambda db: _seal_again(db, item, now_ms))
                self._wake.set()
            case Verdict.AGAIN:
                wait_ms = int(1000 * (refusal.retry_after_s or 0))
                await self._hold(item, wait_ms, passing=code != "rate_limited")
            case Verdict.UNKNOWN:
                await self._give_up(item, State.UNKNOWN, code)
            case Verdict.FAILED:
                await self._give_up(item, State.FAILED, code)

    async def _no_key(self, item: Item) -> None:
        """The message waits for the key, and is given up when that does not come in time."""
        now_ms = self._world.now_ms()
        if item.kind == profile.KIND:
            await self._unseal(item)
            return
        # Written before a `welcome`, either may be too early, not both: `outbox.likely_ms`.
        written_ms = max(item.sent_ms, message_time_ms(item.id))
        likely_ms = await self._store.read(lambda db: outbox.likely_ms(db, now_ms))
        if likely_ms - written_ms > GIVE_UP_MS:
            await self._give_up(item, State.FAILED, NO_KEY)

    async def _unseal(self, item: Item) -> None:
        """A profile key goes the ordinary way if that is the only one left: two who replaced theirs
        at once could never tell each other. Under another id, which no sealed request showed."""
        now_ms, rng = self._world.now_ms(), self._world.rng
        await self._store.write(
            lambda db: outbox.send_openly(db, item.id, outbox.new_id(db, now_ms, rng))
        )
        self._plain.wake()

    async def _readdressed(self, item: Item) -> bool:
        """As the inbox does for control messages: sealed again for who is still listed."""
        now_ms, rng = self._world.now_ms(), self._world.rng

        def readdress(db: apsw.Connection) -> bool:
            new_id = outbox.new_id(db, now_ms, rng)
            if not answers.readdress(db, item.id, new_id, RESEALS_AT_ONCE):
                return False
            doubt(db, item.peer)
            return True

        return await self._store.write(readdress)

    async def _hold(self, item: Item, at_least_ms: int = 0, *, passing: bool = False) -> None:
        now_ms = self._world.now_ms()
        await self._store.write(
            lambda db: outbox.hold(db, item.id, now_ms, at_least_ms, passing=passing)
        )

    async def _give_up(self, item: Item, state: State, reason: str) -> None:
        await self._store.write(
            lambda db: answers.give_up(db, self._me, item.id, state, reason),
            then=lambda told: self._over(item, told),
        )

    def _over(self, item: Item, told: list[Event]) -> None:
        self._maker.settled([item.id])
        for event in told:
            self._maker.tell(event)
        self._wake.set()  # the next of the lane


def _in_need(db: apsw.Connection) -> bool:
    return receipts.owed(db) or own_profile.unregistered(db)


def _waiting(db: apsw.Connection) -> bool:
    sealed = "way IN ('sealed', 'sealed_control') AND unknown = 0"
    return first(db, f"SELECT 1 FROM outbox WHERE {sealed} LIMIT 1") is not None


def _seal_again(db: apsw.Connection, item: Item, now_ms: int) -> None:
    doubt(db, item.peer)
    if answers.seal_again(db, item.id) > RESEALS_AT_ONCE:
        outbox.hold(db, item.id, now_ms)
