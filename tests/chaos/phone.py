"""Phone: one device that follows the rules for clients and writes down what it saw.

What would be on its disk (outbox, cursor, proof, ticks) is in this object and survives links and
servers; what would be in its memory is in one link's tasks, and is lost with them. It sends bytes
in place of ciphertexts. Unlike a real client it does not drop what it was shown before, so that
the checker sees every repeat.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from tests.chaos.history import (
    Acked,
    Device,
    Refused,
    Resynced,
    Row,
    Sent,
    Shown,
    Told,
    Tried,
)

from linnet.client.environment import Link
from linnet.client.errors import LinkClosed, Offline
from linnet.client.transport import dial
from linnet.wire import frames
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.errors import CLOSES, Reconnect, reconnect_after
from linnet.wire.frames import CONTROL, FULL, NARROWED, Interval, Part
from linnet.wire.ids import AccountId, direct_conversation, message_id, to_account

if TYPE_CHECKING:
    from tests.chaos.fleet import Fleet

UNANSWERED_MOST = 4
OFFER_AGAIN_S = 4.0
PATIENCE_S = 15.0
LINK_DIES = 0.004
"""Chance for each batch that the device loses its link just before, or just after, its commit."""
_encode = CODECS[MSGPACK].encode


class Broken(Exception):
    """The server broke a rule of the protocol. The test fails."""


class Died(Exception):
    """The device lost what was only in its memory."""


class Item:
    """A message of this device: on its disk from before the first try on."""

    def __init__(self, to: bytes, conversation: bytes, id: bytes, mode: int) -> None:
        self.to, self.conversation, self.id, self.mode = to, conversation, id, mode
        self.frame: frames.Send | None = None
        self.due = 0.0


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

    # ---- for the fleet

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
        late = sum(map(len, self._numbers.values()))
        return f"{late} ticks" if late else ""

    async def run(self) -> None:
        """Stay connected until cancelled."""
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
                if item.due <= now:
                    self._offer(link, item)
            if self._fleet.talking and len(self._outbox) < UNANSWERED_MOST:
                self._offer(link, self._write())
            await asyncio.sleep(self._rng.expovariate(1 / self._fleet.pause_s))

    async def _ping(self, link: Link) -> None:
        while True:
            await asyncio.sleep(2.0 if self._fleet.talking else 0.2)
            link.send(_encode(frames.Ping()))

    # ---- saying

    def _write(self) -> Item:
        """A new message, on disk before it leaves."""
        to = self._rng.choice(self.peers)
        mode = self._rng.choices((FULL, NARROWED, CONTROL), (18, 1, 1))[0]
        if to == self.device.account:
            mode = FULL
        conversation = direct_conversation(AccountId(self.device.account), AccountId(to))
        id = message_id(time.time_ns() // 1_000_000, self._rng.randbytes(10))
        item = Item(to, conversation, id, mode)
        self._outbox[id] = self._said[id] = item
        self._seal(item)
        return item

    def _seal(self, item: Item) -> None:
        """Make the frame for the devices known now; another try has other bytes."""
        account, listed = self.device.account, self._fleet.lists
        theirs, mine = listed[item.to], listed[account]
        to_self = item.to == account
        others = [number for number in mine[1] if number != self.device.number]
        parts = self._parts(others if to_self else theirs[1])
        own = self._parts([] if to_self or item.mode == CONTROL else others)
        if item.mode == NARROWED:
            own = own[: self._rng.randrange(len(own) + 1)]
        digests = {Device(item.to, part.device): _digest(part.ciphertext) for part in parts}
        digests |= {Device(account, part.device): _digest(part.ciphertext) for part in own}
        commitment = self._rng.randbytes(32)
        now_ms = time.time_ns() // 1_000_000
        sets = (theirs[0], mine[0]) if item.mode == FULL else None
        item.frame = frames.Send(
            item.id, to_account(AccountId(item.to)), item.mode, commitment, now_ms, sets, parts, own
        )
        self._log(
            Tried(
                self.device,
                item.to,
                item.conversation,
                item.id,
                item.mode,
                commitment,
                digests,
            )
        )

    def _parts(self, devices: Iterable[int]) -> list[Part]:
        sizes = (50, 200, 200, 200, 2000, 8000)
        return [Part(it, 2, self._rng.randbytes(self._rng.choice(sizes))) for it in devices]

    def _offer(self, link: Link, item: Item) -> None:
        assert item.frame is not None
        item.due = time.monotonic() + OFFER_AGAIN_S
        link.send(_encode(item.frame))

    # ---- hearing: one frame, committed whole

    def _commit(self, frame: object) -> None:
        match frame:
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
                            _digest(frame.ciphertext),
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
                self._told(frame)
            case frames.Pong():
                self._remember(frame.head, frame.proof)
            case frames.Drain():
                raise Died
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
            )
        )
        if self._outbox.pop(said.id, None) is None:
            return
        about = (item.conversation, item.to)
        if said.conv_seq and item.to != self.device.account:
            self._numbers[about].add(said.conv_seq)
            self._numbers[about] -= _members(self._ticks.get(about, ()))

    def _rejected(self, said: frames.Rejected) -> None:
        item = self._said[said.id]
        self._log(Refused(self.device, item.conversation, said.id, said.code))
        if said.code not in ("devices_changed", "unavailable"):
            raise Broken(f"refused as {said.code}")
        if said.id in self._outbox:
            if said.code == "devices_changed":
                self._seal(item)
            item.due = time.monotonic() + self._rng.uniform(0.0, 0.2)

    def _told(self, said: frames.Status) -> None:
        about = (said.conversation, said.account)
        intervals = tuple((low, high) for low, high in said.delivered)
        union = _union([*self._ticks.get(about, ()), *intervals])
        self._ticks[about] = union
        self._numbers[about] -= _members(union)
        self._log(Told(self.device, said.conversation, said.account, intervals, union))

    def _remember(self, head: int, proof: bytes) -> None:
        self._head = head
        if head >= self._proved:
            self._proof, self._proved = proof, head


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _members(intervals: Iterable[Interval]) -> set[int]:
    return {number for low, high in intervals for number in range(low, high + 1)}


def _union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    joined: list[Interval] = []
    for low, high in sorted(intervals):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


async def _until_over(work: Coroutine[Any, Any, None], over: asyncio.Queue[Exception]) -> None:
    """Do some of a link's work; tell why it is over, if nobody has."""
    try:
        await work
    except (LinkClosed, Died, TimeoutError) as error:
        if over.empty():
            over.put_nowait(error)
