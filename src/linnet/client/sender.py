"""The sender: offers what is in the outbox over an open link, in order.

Of each lane (a conversation, or the control messages for an account) one message at most is without
an answer; the next leaves when that one was answered for good, so that whatever is refused or lost,
a lane keeps its order. Up to `WINDOW` lanes are served at once. Lanes are sealed one after another:
what is fetched for one keeps those behind it waiting. Whatever has no answer after `ANSWER_S`, or
when the link broke, is offered again with the same bytes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from linnet.client import answers, outbox
from linnet.client.environment import Environment, Link
from linnet.client.errors import (
    GroupStopped,
    KeyChanged,
    NotMember,
    NotTrusted,
    Offline,
    Refused,
    Unaddressed,
)
from linnet.client.events import Event, NotSent, State
from linnet.client.lists import Adopted
from linnet.client.outbox import SEALED_WAYS, Item, Way
from linnet.client.sealing import Missing, Sealers
from linnet.client.sealing_together import seal_together
from linnet.client.sendable import clock_told
from linnet.client.sessions import Peer
from linnet.client.store import Store
from linnet.crypto.content import TooLong
from linnet.crypto.prekeys import PreKeyBundle
from linnet.signing.device_list import ListedDevice
from linnet.signing.errors import ListReason, SigningError

WINDOW: Final = 32
ANSWER_S: Final = 20.0
LOOK_AGAIN_S: Final = 1.0
"""How often what was held back is looked at; a new message or an answer wakes at once."""
SEAL_ROUNDS: Final = 4
TOGETHER: Final = 64
"""Control messages sealed in one transaction: others wait for the store meanwhile."""
SAID_AS_IT_IS: Final = (NotMember, GroupStopped)

_log = logging.getLogger(__name__)


class NotYet(Exception):
    """Nothing that could be fetched would help: the message waits."""


class Asked(Protocol):
    """Who is asked for lists and bundles: `Directory`, or the one of sealed sending."""

    async def refresh(self, account: bytes) -> Adopted:
        """As `Directory.refresh`."""

    async def refresh_all(self, accounts: Sequence[bytes]) -> None:
        """As `Directory.refresh_all`."""

    async def bundle(self, account: bytes, device: ListedDevice) -> PreKeyBundle:
        """As `Directory.bundle`."""


ReadLog = Callable[[bytes], Awaitable[None]]
"""Reads the log of a group on. Raises Offline, Refused, NotTrusted."""


async def _no_groups(group: bytes) -> None:
    """Where there are no groups."""


class Sender:
    """Offers messages; one `run` at a time."""

    def __init__(
        self,
        store: Store,
        directory: Asked,
        sealers: Sealers,
        world: Environment,
        tell: Callable[[Event], None],
        read_log: ReadLog = _no_groups,
    ) -> None:
        self._store = store
        self._directory = directory
        self._sealers = sealers
        self._world = world
        self.tell = tell
        self._read_log = read_log
        self._wake = asyncio.Event()
        self._offered: dict[bytes, float] = {}
        self._just_answered: set[bytes] = set()
        self._fresh: set[bytes] = set()
        self.unanswered: set[bytes] = set()
        """Messages of which a try may have arrived although no answer came."""
        self.also_wake: Callable[[], None] = lambda: None
        """Whoever offers what does not leave over a link."""

    def wake(self) -> None:
        """There is something new to offer, or an answer made room."""
        self._wake.set()
        self.also_wake()

    def answered(self, ids: list[bytes]) -> None:
        """The server has spoken about these offers; what it said is in the store."""
        for id in ids:
            self._offered.pop(id, None)
        self._just_answered.update(ids)
        if ids:
            self._wake.set()

    def settled(self, ids: list[bytes]) -> None:
        """These have left the outbox."""
        self.unanswered.difference_update(ids)

    async def run(self, link: Link) -> None:
        """Offer until cancelled. Raises LinkClosed, or LoggedOut."""
        self._offered.clear()
        while True:
            self._wake.clear()
            await self._offer_all(link)
            try:
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _offer_all(self, link: Link) -> None:
        self._just_answered.clear()
        now_ms = self._world.now_ms()
        items = await self._store.read(lambda db: outbox.due(db, now_ms))
        together = await self._sealed_together(items)
        for item in items:
            if item.way in SEALED_WAYS:
                continue
            if self._waiting_for_answer(item.id) or self._no_room(item.id):
                continue
            frame = item.frame or together.get(item.id) or await self.new_try(item)
            if item.way is Way.GROUP and item.frame is None:
                self._wake.set()  # it is due when its sender keys were taken
                continue
            # What was answered since the outbox was read may be over; the next pass knows.
            if frame is not None and item.id not in self._just_answered:
                self._offer(link, item.id, frame)

    def _no_room(self, id: bytes) -> bool:
        return len(self._offered) >= WINDOW and id not in self._offered

    def _waiting_for_answer(self, id: bytes) -> bool:
        offered = self._offered.get(id)
        return offered is not None and self._world.monotonic_s() - offered < ANSWER_S

    def _offer(self, link: Link, id: bytes, frame: bytes) -> None:
        # A stored frame that this run did not just make may have left before, without an answer.
        if id in self._fresh:
            self._fresh.remove(id)
        else:
            self.unanswered.add(id)
        self._offered[id] = self._world.monotonic_s()
        link.send(frame)

    async def _sealed_together(self, items: list[Item]) -> dict[bytes, bytes]:
        """Frames of new tries of many control messages at once, such as those of a new sender key;
        none of what lacks anything."""
        waiting = [item for item in items if item.way is Way.CONTROL and item.frame is None]
        some, now_ms = waiting[:TOGETHER], self._world.now_ms()
        if len(some) < 2:
            return {}
        frames = await self._store.write(lambda db: seal_together(db, self._sealers, some, now_ms))
        self._fresh.update(frames.keys() - self.unanswered)
        return frames

    async def new_try(self, item: Item) -> bytes | None:
        """The frame of a new try, stored; None if the message has to wait, or has failed."""
        try:
            frame = await self._seal(item)
        except (Offline, Refused) as error:
            await self._hold(item, error)
            return None
        except NotYet:
            await self._wait(item)
            return None
        except KeyChanged:
            await self._give_up(item, "identity_changed")
            return None
        except NotTrusted as error:
            if error.reason == ListReason.NOT_YET:
                await self._clock_is_off(item)
                return None
            reason = error.reason if isinstance(error, SAID_AS_IT_IS) else "not_trusted"
            await self._give_up(item, reason)
            return None
        except Unaddressed:
            await self._give_up(item, "no_device")
            return None
        except TooLong:
            await self._give_up(item, "too_large")
            return None
        except (ValueError, msgspec.MsgspecError, SigningError) as error:
            # A bug of ours; kept in the outbox, the message would end every run from now on.
            _log.error("a message cannot be sealed: %s", type(error).__name__)
            await self._give_up(item, "malformed")
            return None
        if item.id not in self.unanswered:
            self._fresh.add(item.id)
        return frame

    async def _seal(self, item: Item) -> bytes:
        bundles: dict[Peer, PreKeyBundle] = {}
        fetched: set[bytes] = set()
        for _ in range(SEAL_ROUNDS):
            now_ms = self._world.now_ms()
            try:
                found = await self._store.write(
                    lambda db, now=now_ms: self._sealers.seal(db, item, bundles, now)  # type: ignore[misc]
                )
            except KeyChanged:
                # The server may have gone back to the pinned key, or never have left it.
                if item.peer in fetched or item.way is Way.GROUP:
                    raise
                found = Missing(lists=(item.peer,))
            if isinstance(found, bytes):
                return found
            for event in found.told:
                self.tell(event)
            if found.nothing:
                raise NotYet
            await self._fetch(item, found, bundles)
            fetched.update(found.lists)
        raise Offline("device lists keep changing")

    async def _fetch(self, item: Item, missing: Missing, bundles: dict[Peer, PreKeyBundle]) -> None:
        for group in missing.groups:
            await self._read_log(group)
        if missing.witnesses:
            await self._directory.refresh_all(missing.witnesses)
        # What one member's list is must not decide about a message to all others.
        if len(missing.lists) > 2 or item.way is Way.GROUP:
            await self._directory.refresh_all(missing.lists)
            return
        for account in missing.lists:
            await self._directory.refresh(account)
        for account, device in missing.bundles:
            bundles[account, device.id] = await self._directory.bundle(account, device)

    async def _hold(self, item: Item, error: Offline | Refused) -> None:
        if isinstance(error, Refused) and error.code == "not_found":
            await self._give_up(item, "unknown_recipient")
            return
        wait_s = error.retry_after_s if isinstance(error, Refused) else None
        limited = isinstance(error, Refused) and error.code == "rate_limited"
        await self._wait(item, int(1000 * (wait_s or 0)), passing=not limited)

    async def _wait(self, item: Item, at_least_ms: int = 0, *, passing: bool = False) -> None:
        now_ms = self._world.now_ms()
        await self._store.write(
            lambda db: outbox.hold(db, item.id, now_ms, at_least_ms, passing=passing)
        )

    async def _clock_is_off(self, item: Item) -> None:
        """A list is not valid yet: by this clock, or by that of who signed it."""
        now_ms = self._world.now_ms()
        for event in await self._store.write(lambda db: clock_told(db, now_ms)):
            self.tell(event)
        await self._wait(item)

    async def _give_up(self, item: Item, reason: str) -> None:
        me = self._sealers.me
        # A first try without an answer may have been accepted before trust was lost.
        state = State.UNKNOWN if item.id in self.unanswered else State.FAILED
        await self._store.write(
            lambda db: answers.give_up(db, me, item.id, state, reason), then=self._given_up
        )

    def _given_up(self, events: list[Event]) -> None:
        self.wake()  # the next of the lane
        for event in events:
            if isinstance(event, NotSent):
                self.settled([event.id])
            self.tell(event)
