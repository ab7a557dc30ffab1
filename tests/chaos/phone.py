"""Phone: one device that follows the rules for clients and writes down what it saw.

What would be on its disk (outbox, cursor, proof, ticks) is in this object and survives links and
servers; what would be in its memory is in one link's tasks, and is lost with them. It sends bytes
in place of ciphertexts. Unlike a real client it does not drop what it was shown before, so that
the checker sees every repeat.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tests.chaos.asking import Lost, Refusal
from tests.chaos.history import (
    Acked,
    Device,
    Refused,
    Resynced,
    Row,
    SealedShown,
    Sent,
    Shown,
    Told,
)
from tests.chaos.items import Item, digest, seal, write
from tests.chaos.ticks import members, union

from linnet.client.environment import Link
from linnet.client.errors import LinkClosed, Offline
from linnet.client.transport import dial
from linnet.wire import frames
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.errors import CLOSES, Reconnect, reconnect_after
from linnet.wire.frames import FULL, Interval

if TYPE_CHECKING:
    from tests.chaos.fleet import Fleet

UNANSWERED_MOST = 4
OFFER_AGAIN_S = 4.0
PATIENCE_S = 15.0
LINK_DIES = 0.004
"""Chance for each batch that the device loses its link just before, or just after, its commit."""
_TRY_AGAIN = ("devices_changed", "group_changed", "not_member", "unavailable")
_encode = CODECS[MSGPACK].encode


class Broken(Exception):
    """The server broke a rule of the protocol. The test fails."""


class Died(Exception):
    """The device lost what was only in its memory."""


class Revoked(Exception):
    """The device is on its account's list no more."""


class Phone:
    """See the module. `rng` decides everything that chance does."""

    def __init__(self, device: Device, token: str, fleet: Fleet, rng: random.Random) -> None:
        self.device = device
        self.peers: list[bytes] = []
        self._token = token
        self._fleet = fleet
        self._rng = rng
        self._log = fleet.history.append
        self._cursor = 0
        self._proof, self._proved = b"", 0
        self._outbox: dict[bytes, Item] = {}
        self._said: dict[bytes, Item] = {}
        self._numbers: dict[tuple[bytes, bytes], set[int]] = defaultdict(set)
        """(conversation, account) to numbers acknowledged and not yet known to be delivered."""
        self._ticks: dict[tuple[bytes, bytes], tuple[Interval, ...]] = {}
        self._head: int | None = None
        self._acked = 0
        self._last: dict[bytes, int] = {}
        self.holes: list[tuple[bytes, int, int]] = []
        """(group, first, last) of numbers that were passed over."""

    # ---- for the fleet

    @property
    def token(self) -> str:
        """What it logs in with."""
        return self._token

    @property
    def cursor(self) -> int:
        """Everything up to here is committed."""
        return self._cursor

    def wait_for_no_ticks(self) -> None:
        """What was acknowledged until now may be gone from the server, and its ticks with it."""
        self._numbers.clear()

    def settled(self) -> str:
        """What this device still waits for; empty if nothing."""
        if self._outbox:
            return f"{len(self._outbox)} answers"
        if self._head != self._cursor:
            return f"rows from {self._cursor} to {self._head}"
        late = sum(
            len(numbers)
            for (conversation, _), numbers in self._numbers.items()
            if self._is_owed_ticks(conversation)
        )
        return f"{late} ticks" if late else ""

    def _is_owed_ticks(self, conversation: bytes) -> bool:
        """A group tells them to members alone."""
        circles = self._fleet.circles
        return conversation not in circles.rosters or circles.seated(conversation, self.device)

    async def run(self) -> None:
        """Stay connected until cancelled, or revoked."""
        with suppress(Revoked):
            await self._run()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(0.0, 0.1))
            try:
                link = await dial(self._fleet.url)
            except Offline:
                continue
            try:
                await self._talk(link)
            except (LinkClosed, Died, TimeoutError) as over:
                self._judge(over)
            finally:
                link.close()

    def _judge(self, over: Exception) -> None:
        lost = isinstance(over, LinkClosed) and over.code == CLOSES["bad_resume"].code
        if lost and self._fleet.restored and self._cursor > self._proved:
            # Rows above what was proved came after the last proof: go back to that.
            self._log(Resynced(self.device, self._proved))
            self._cursor = self._proved
            return
        if self.device in self._fleet.gone:
            raise Revoked
        never = (Reconnect.NEVER, Reconnect.TOKEN)
        if isinstance(over, LinkClosed) and reconnect_after(over.code) in never:
            raise Broken(f"closed with {over.code}")

    # ---- one link

    async def _talk(self, link: Link) -> None:
        hello = frames.Hello(
            self._token, self.device.number, self._cursor, self._proof, self._proved
        )
        link.send(_encode(hello))
        self._head, self._acked = None, self._cursor
        async with asyncio.timeout(PATIENCE_S):
            welcome = await link.receive()
        if not isinstance(welcome, frames.Welcome):
            raise Broken(f"{type(welcome).__name__} before welcome")
        self._remember(welcome.head, welcome.proof)
        conversations = list({item.conversation for item in self._said.values()})
        if conversations:
            link.send(_encode(frames.StatusQuery(conversations[:256])))
        # Told, not raised: a TaskGroup whose tasks fail forgets that it is cancelled itself.
        over: asyncio.Queue[Exception] = asyncio.Queue(1)
        async with asyncio.TaskGroup() as tasks:
            doing = [
                tasks.create_task(_until_over(work(link), over))
                for work in (self._listen, self._speak, self._ping)
            ]
            error = await over.get()
            for task in doing:
                task.cancel()
        raise error

    async def _listen(self, link: Link) -> None:
        while True:
            async with asyncio.timeout(PATIENCE_S):
                batch = [await link.receive()]
            while len(batch) < 64 and link.waiting():
                batch.append(await link.receive())
            if self._rng.random() < 0.05:
                await asyncio.sleep(self._rng.uniform(0.0, 0.2))  # a slow disk
            if self._rng.random() < LINK_DIES:
                raise Died
            for frame in batch:
                self._commit(frame)
            if self._rng.random() < LINK_DIES:
                raise Died
            if self._cursor > self._acked:
                self._log(Acked(self.device, self._cursor))
                self._acked = self._cursor
                link.send(_encode(frames.Ack(self._cursor)))

    async def _speak(self, link: Link) -> None:
        for item in self._outbox.values():
            item.due = 0.0
        while True:
            now = time.monotonic()
            for item in list(self._outbox.values()):
                if item.stale:
                    await self._seal_again(item)
                if item.due <= now and not item.stale and item.id in self._outbox:
                    self._offer(link, item)
            if self._fleet.talking and len(self._outbox) < UNANSWERED_MOST:
                item = write(self.device, self.peers, self._fleet, self._rng)
                self._outbox[item.id] = self._said[item.id] = item
                self._offer(link, item)
            await asyncio.sleep(self._rng.expovariate(1 / self._fleet.pause_s))

    async def _ping(self, link: Link) -> None:
        while True:
            await asyncio.sleep(2.0 if self._fleet.talking else 0.2)
            link.send(_encode(frames.Ping()))
            late = [conversation for (conversation, _), it in self._numbers.items() if it]
            if late and not self._fleet.talking:
                link.send(_encode(frames.StatusQuery(list(set(late))[:256])))

    # ---- saying

    async def _seal_again(self, item: Item) -> None:
        """For the roster that the server says is newer; out of the group, there is nobody."""
        if self._fleet.circles.rosters[item.to][0] < item.stale:
            try:
                await self._fleet.circles.look(item.to, self._token)
            except Lost:
                return
            except Refusal as refusal:
                if refusal.code == "not_member":
                    self._outbox.pop(item.id, None)
                return
        if self._fleet.circles.seated(item.to, self.device):
            seal(item, self.device, self._fleet, self._rng)
        else:
            self._outbox.pop(item.id, None)

    def _offer(self, link: Link, item: Item) -> None:
        assert item.frame is not None
        item.due = time.monotonic() + OFFER_AGAIN_S
        link.send(_encode(item.frame))

    # ---- hearing: one frame, committed whole

    def _commit(self, frame: object) -> None:
        match frame:
            case frames.Deliver(kind=frames.SEALED):
                if self._row(frame):
                    self._log(
                        SealedShown(
                            self.device,
                            frame.id,
                            frame.server_timestamp,
                            digest(frame.ciphertext),
                        )
                    )
            case frames.Deliver():
                if self._row(frame):
                    self._log(
                        Shown(
                            self.device,
                            frame.conversation,
                            frame.conv_seq,
                            Device(frame.sender, frame.device),
                            frame.id,
                            frame.commitment,
                            digest(frame.ciphertext),
                        )
                    )
            case frames.Row():
                self._row(frame)
            case frames.Own():
                if self._row(frame):
                    self._accepted(frame)
            case frames.Sent():
                self._sent(frame)
            case frames.Rejected():
                self._rejected(frame)
            case frames.Resync(start=start):
                self._log(Resynced(self.device, start))
                self._cursor = start
            case frames.Status():
                self._told(frame.conversation, frame.account, frame.delivered)
            case frames.GroupStatus():
                for account, delivered in frame.delivered:
                    self._told(frame.conversation, account, delivered)
            case frames.Pong():
                self._remember(frame.head, frame.proof)
            case frames.Drain():
                raise Died
            case frames.GroupChanged() | frames.DevicesChanged():
                pass  # hints: a refusal tells as well
            case _:
                raise Broken(f"an unexpected {frame!r}")

    def _row(self, row: frames.RowFrame) -> bool:
        return self._follows(row.position, row.prev, row.conversation, row.conv_seq)

    def _follows(self, position: int, prev: int, conversation: bytes, conv_seq: int) -> bool:
        """Take a row; False, for the checker to see, if it does not follow the one before."""
        self._log(Row(self.device, position, prev, conversation, conv_seq))
        if not prev <= self._cursor < position:
            return False
        self._cursor = position
        if conversation in self._fleet.circles.rosters:
            last = self._last.get(conversation, 0)
            if conv_seq > last + 1:
                self.holes.append((conversation, last + 1, conv_seq - 1))
            self._last[conversation] = max(last, conv_seq)
        return True

    def _sent(self, said: frames.Sent) -> None:
        item = self._said.get(said.id)
        if item is None:
            raise Broken("`sent` for what was never said")
        if said.position:
            self._follows(said.position, said.prev, item.conversation, said.conv_seq)
        self._accepted(said)

    def _accepted(self, said: frames.Sent | frames.Own) -> None:
        item = self._said[said.id]
        self._log(
            Sent(
                self.device,
                item.conversation,
                said.id,
                said.conv_seq,
                said.server_timestamp,
                said.commitment,
                said.sets,
                said.roster,
            )
        )
        if self._outbox.pop(said.id, None) is None or not said.conv_seq:
            return
        reached = self._fleet.circles.reached(item.to, said.roster) if item.grouped else [item.to]
        for account in reached:
            about = (item.conversation, account)
            if account != self.device.account:
                self._numbers[about].add(said.conv_seq)
                self._numbers[about] -= members(self._ticks.get(about, ()))

    def _rejected(self, said: frames.Rejected) -> None:
        item = self._said[said.id]
        self._log(Refused(self.device, item.conversation, said.id, said.code))
        if said.code not in _TRY_AGAIN and not self._may_be_refused(item, said.code):
            raise Broken(f"refused as {said.code}")
        if said.id not in self._outbox:
            return
        if said.code in ("not_member", "not_listed"):
            del self._outbox[said.id]
        elif said.code == "group_changed":
            item.stale = said.roster
        elif said.code == "devices_changed":
            seal(item, self.device, self._fleet, self._rng)
        item.due = time.monotonic() + self._rng.uniform(0.0, 0.2)

    def _may_be_refused(self, item: Item, code: str) -> bool:
        """For good: where sets are not compared, a device that it is for may be gone meanwhile."""
        gone = self.device in self._fleet.gone
        return code == "not_listed" and (item.mode != FULL or gone)

    def _told(self, conversation: bytes, account: bytes, delivered: Iterable[Interval]) -> None:
        about = (conversation, account)
        intervals = tuple((low, high) for low, high in delivered)
        united = union([*self._ticks.get(about, ()), *intervals])
        self._ticks[about] = united
        self._numbers[about] -= members(united)
        self._log(Told(self.device, conversation, account, intervals, united))

    def _remember(self, head: int, proof: bytes) -> None:
        self._head = head
        if head >= self._proved:
            self._proof, self._proved = proof, head


async def _until_over(work: Coroutine[Any, Any, None], over: asyncio.Queue[Exception]) -> None:
    """Do some of a link's work; tell why it is over, if nobody has."""
    try:
        await work
    except (LinkClosed, Died, TimeoutError) as error:
        if over.empty():
            over.put_nowait(error)
