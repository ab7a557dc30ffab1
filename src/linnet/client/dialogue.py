"""A dialogue: one link from `hello` to its end.

Receives in batches (one transaction each), acknowledges after the commit, answers nothing itself
but pings, renews its token before it expires, and lets the sender offer what is in the outbox.
When to connect again is `linnet.client.connection`'s.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw

from linnet.client import facts, history, inbox
from linnet.client.directory import Directory
from linnet.client.environment import Environment, Link
from linnet.client.errors import LinkClosed, Offline, Refused
from linnet.client.events import Events
from linnet.client.facts import Clock, Cursor, Identity, Proof, Welcomed
from linnet.client.failures import first_cause
from linnet.client.groups.keeper import Keeper
from linnet.client.healing import Healer
from linnet.client.inbox import Effects, Inbox
from linnet.client.sender import Sender
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.wire.codec import CODECS, MSGPACK, Unknown
from linnet.wire.errors import RemoteError
from linnet.wire.frames import (
    Ack,
    ClientFrame,
    Drain,
    Error,
    Hello,
    Ping,
    Pong,
    Renew,
    ServerFrame,
    StatusQuery,
    Welcome,
)
from linnet.wire.limits import STATUS_CONVERSATIONS, WELCOME_WITHIN_S, SessionLimits
from linnet.wire.session import Session, Side

BATCH_FRAMES: Final = 64
RENEW_AGAIN_S: Final = 10.0
CLOCK_STEP_MS: Final = 500
"""A smaller difference to the server's clock is not stored again."""
CLOCK_TRUST_MS: Final = 10 * 365 * 24 * 3600 * 1000
"""A server further from this machine's clock than ten years does not know the time."""
PING_RANGE_S: Final = (1, 300)
"""A server may ask for pings this often, and this seldom."""
STUCK_PONGS: Final = 3
"""Pongs that name rows which do not come, before the link is opened again."""


class GapSeen(Exception):
    """A row is missing: connect again, with the cursor before it."""


class Drained(Exception):
    """The server is going away, and the moment to leave it has come."""


class Silent(Exception):
    """Nothing was heard for too long."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a dialogue works with; the same for every link of an account."""

    store: Store
    tokens: Tokens
    directory: Directory
    inbox: Inbox
    sender: Sender
    events: Events
    world: Environment
    upkeep: Callable[[], None]
    """Called when pre-keys run low or messages are parked."""
    healer: Healer
    keeper: Keeper


class Dialogue:
    """One link. `run` ends by raising: what it raises says why the link is over."""

    def __init__(self, parts: Parts, link: Link) -> None:
        self._parts = parts
        self._link = link
        self._session = Session(Side.CLIENT)
        self._position = self._head = 0
        self._stuck = 0
        self._leave_within_s: asyncio.Queue[int] = asyncio.Queue(1)

    async def run(self, token: str, on_live: Callable[[], None]) -> None:
        """Say hello with `token` and carry on until the link is over.

        Raises LinkClosed, GapSeen, Drained, Silent, RemoteError, StoreUnavailable or LoggedOut.
        """
        limits = await self._greet(token)
        on_live()
        works = (
            self._receive(limits),
            self._heartbeat(limits),
            self._renew(),
            self._parts.sender.run(self._link),
            self._leave(),
            self._parts.healer.run(),
        )
        failures: list[Exception] = []
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            doing = [tasks.create_task(_until_over(work, failures, over)) for work in works]
            await over.wait()
            for task in doing:
                task.cancel()
        raise first_cause(ExceptionGroup("why it is over", failures), _is_broken_link)

    # ---- one task each

    async def _receive(self, limits: SessionLimits) -> None:
        await self._ask_for_ticks()
        while True:
            try:
                async with asyncio.timeout(limits.offline_after_s):
                    frames = [await self._link.receive()]
            except TimeoutError:
                raise Silent from None
            over = await self._receive_waiting(frames)
            await self._take(frames)
            if over is not None:
                raise over

    async def _receive_waiting(
        self, frames: list[ServerFrame | Unknown]
    ) -> LinkClosed | RemoteError | None:
        """Add what is there already; why nothing follows, if so: what came before still counts."""
        try:
            while len(frames) < BATCH_FRAMES and self._link.waiting():
                frames.append(await self._link.receive())
        except (LinkClosed, RemoteError) as over:
            return over
        return None

    async def _heartbeat(self, limits: SessionLimits) -> None:
        least_s, most_s = PING_RANGE_S
        every_s = min(max(limits.ping_s, least_s), most_s)
        while True:
            await self._parts.world.sleep(every_s)
            self._say(Ping())

    async def _renew(self) -> None:
        while True:
            await self._parts.world.sleep(await self._parts.tokens.renewal_due_s())
            with contextlib.suppress(Offline, Refused):  # the socket outlives its token a while
                self._say(Renew(await self._parts.tokens.access()))
            await self._parts.world.sleep(RENEW_AGAIN_S)

    async def _leave(self) -> None:
        """Stay with a draining server until a random moment, so that not all leave at once."""
        within_s = await self._leave_within_s.get()
        await self._parts.world.sleep(self._parts.world.random() * within_s)
        raise Drained

    # ---- what they do

    async def _greet(self, token: str) -> SessionLimits:
        identity, cursor, proof = await self._parts.store.read(_hello_facts)
        self._position = cursor.position
        self._say(
            Hello(
                token=token,
                device=identity.device,
                resume=cursor.position,
                proof=proof.proof,
                proved=proof.head,
            )
        )
        try:
            async with asyncio.timeout(WELCOME_WITHIN_S):
                welcome = await self._link.receive()
        except TimeoutError:
            raise Silent from None
        self._session.receive(type(welcome))
        assert isinstance(welcome, Welcome)  # the session table lets nothing else through
        self._head = welcome.head
        await self._remember(welcome)
        return welcome.limits

    async def _remember(self, welcome: Welcome) -> None:
        offset = welcome.server_time - self._parts.world.now_ms()

        def store(db: apsw.Connection) -> None:
            known = facts.get_or(db, Clock())
            if abs(offset) <= CLOCK_TRUST_MS:
                facts.put(db, Welcomed(server_ms=welcome.server_time, here=True))
                if abs(known.offset_ms - offset) > CLOCK_STEP_MS:
                    facts.put(db, Clock(offset_ms=offset))
            inbox.remember_proof(db, welcome.head, welcome.proof)

        await self._parts.store.write(store)

    async def _ask_for_ticks(self) -> None:
        self._ask_about(await self._parts.store.read(history.unticked))

    def _ask_about(self, conversations: list[bytes]) -> None:
        for start in range(0, len(conversations), STATUS_CONVERSATIONS):
            self._say(StatusQuery(conversations[start : start + STATUS_CONVERSATIONS]))

    async def _take(self, frames: Sequence[ServerFrame | Unknown]) -> None:
        for frame in frames:
            self._session.receive(type(frame))
        parts = self._parts
        for sender in await parts.store.read(lambda db: parts.inbox.strangers(db, frames)):
            await parts.directory.refresh_for_message(sender)
        now_ms, told = parts.world.now_ms(), parts.events.told
        unanswered = frozenset(parts.sender.unanswered)
        effects = await parts.store.write(
            lambda db: parts.inbox.apply(db, frames, now_ms, unanswered, told),
            then=lambda effects: carry_out(effects, parts),
        )
        if effects.ack is not None:
            behind = self._position < self._head
            self._position, self._stuck = effects.ack, 0
            self._say(Ack(effects.ack))
            if behind and self._position >= self._head:
                await self._ask_for_ticks()  # of what was placed before this link was live
        if effects.unticked:
            self._ask_about(sorted(effects.unticked))
        for frame in frames:
            self._react(frame)
        if effects.gap:
            raise GapSeen

    def _react(self, frame: ServerFrame | Unknown) -> None:
        match frame:
            case Drain(within_s=within_s):
                with contextlib.suppress(asyncio.QueueFull):  # said again: the first one counts
                    self._leave_within_s.put_nowait(within_s)
            case Pong(head=head):
                self._stuck = self._stuck + 1 if head > self._position else 0
                if self._stuck >= STUCK_PONGS:
                    raise GapSeen
            case Error(re="message"):
                self._parts.sender.wake()
            case _:
                pass

    def _say(self, frame: ClientFrame) -> None:
        self._session.send(type(frame))
        self._link.send(CODECS[MSGPACK].encode(frame))


def carry_out(effects: Effects, parts: Parts) -> None:
    """What the inbox changed is committed: tell the application, the sender, the upkeep."""
    parts.sender.answered(effects.answered)
    parts.sender.settled(effects.over)
    if effects.read:
        parts.sender.wake()
    for event in effects.events:
        parts.events.tell(event)
    if effects.arrived:
        parts.events.messages_arrived()
    for group in effects.groups:
        parts.keeper.hint(group)
    if effects.parked or parts.keeper.offered:
        parts.keeper.look()
    if effects.lists:
        parts.healer.look()
    if effects.parked or effects.keys_low:
        parts.upkeep()


def _hello_facts(db: apsw.Connection) -> tuple[Identity, Cursor, Proof]:
    identity = facts.get(db, Identity)
    assert identity is not None, "an account that connects is registered"
    return identity, facts.get_or(db, Cursor()), facts.get_or(db, Proof())


async def _until_over(
    work: Coroutine[Any, Any, None], failures: list[Exception], over: asyncio.Event
) -> None:
    """Do one of a link's works; note why it is over instead of raising it: before Python 3.13 a
    TaskGroup whose tasks fail forgets that it was cancelled itself."""
    try:
        await work
    except Exception as failure:
        failures.append(failure)
        over.set()


def _is_broken_link(failure: BaseException) -> bool:
    """Every task meets a broken link; it is the cause only if none says more."""
    return isinstance(failure, LinkClosed)
