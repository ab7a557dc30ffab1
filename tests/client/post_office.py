"""Two devices without a network: stores, sessions, and a post office that carries their frames.

The post office speaks the server's side of the dialogue as docs/protocol/delivery.md has it for
accounts of one device: it gives conv_seq and positions, drops repeats, and keeps mailboxes. It
can be told to refuse.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import apsw

from linnet.client import facts, history, keys, lists, outbox
from linnet.client.events import Arrived, State
from linnet.client.facts import Cursor, Identity
from linnet.client.inbox import Effects, Inbox
from linnet.client.joining import joined_inbox
from linnet.client.outbox import Item
from linnet.client.sealers import sealers
from linnet.client.sealing import Missing, Sealers
from linnet.client.sessions import Peer, Sessions, checked_bundle
from linnet.client.store import Store
from linnet.crypto.bodies import text_body
from linnet.crypto.messages import Address
from linnet.crypto.prekeys import LocalIdentity, PreKeyBundle
from linnet.signing.device_list import first_list
from linnet.signing.objects import SignedObject
from linnet.signing.packing import Value
from linnet.wire import rest
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.frames import CONTROL, Deliver, Own, Rejected, Send, Sent, ServerFrame
from linnet.wire.ids import AccountId, MessageId, direct_conversation, message_id

T = TypeVar("T")
START_MS = 1_800_000_000_000
CODEC = CODECS[MSGPACK]


class Killed(Exception):
    """The process died here."""


class MortalStore(Store):
    """A store whose process dies at the `dies_at`-th write from now: before it, or just after."""

    dies_at: int | None = None
    after_commit = False
    writes = 0

    async def write(
        self, work: Callable[[apsw.Connection], T], then: Callable[[T], None] | None = None
    ) -> T:
        self.writes += 1
        dying = self.writes == self.dies_at
        if dying and not self.after_commit:
            raise Killed
        result = await super().write(work, None if dying else then)
        if dying:
            raise Killed
        return result


@dataclass
class Clockwork:
    """A clock that moves when told."""

    now_ms: int = START_MS


@dataclass
class Device:
    """The parts of a client below its connection."""

    store: MortalStore
    account: AccountId
    signed_list: SignedObject
    own_key: bytes
    sessions: Sessions
    clock: Clockwork
    sealer: Sealers = field(init=False)
    inbox: Inbox = field(init=False)

    def __post_init__(self) -> None:
        self.sealer = sealers(self.sessions)
        self.inbox = joined_inbox(self.sessions)

    @classmethod
    async def make(cls, directory: Path, seed: int, clock: Clockwork) -> "Device":
        rng = random.Random(seed).randbytes
        store = MortalStore(directory)
        await store.open()
        account = AccountId(rng(16))
        own = await store.write(lambda db: keys.make_device(db, clock.now_ms, rng))
        signed = first_list(
            account,
            keys.account_key(own),
            keys.device_key(own),
            b"",
            clock.now_ms // 1000,
            rng,
        )

        def begin(db: apsw.Connection) -> None:
            facts.put(db, Identity(server="http://test", account=account, device=1))
            lists.adopt(db, account, signed, clock.now_ms)
            upload = keys.unpublished(db)
            assert upload is not None
            keys.published(db, upload)

        await store.write(begin)
        local = LocalIdentity(keys.device_key(own), own.registration_id)
        sessions = Sessions(Address(account, 1), local, rng)
        store.writes = 0
        return cls(store, account, signed, keys.account_key(own).public, sessions, clock)

    async def reopened(self) -> "Device":
        """The same account in a new process."""
        await self.store.close()
        store = MortalStore(self.store.directory)
        await store.open()
        return Device(
            store, self.account, self.signed_list, self.own_key, self.sessions, self.clock
        )

    async def meet(self, other: "Device") -> None:
        await self.store.write(
            lambda db: lists.adopt(db, other.account, other.signed_list, self.clock.now_ms)
        )

    async def bundle(self) -> rest.Bundle:
        """What the server would hand out; the one-time keys are not used up by asking."""

        def read(db: apsw.Connection) -> rest.Bundle:
            signed = db.execute("SELECT id, public, signature FROM signed_pre_keys").fetchone()
            one_time = db.execute("SELECT id, public FROM one_time_pre_keys").fetchone()
            kem = db.execute(
                "SELECT id, public, signature FROM kem_pre_keys WHERE last_resort = 0"
            ).fetchone()
            assert signed is not None
            assert one_time is not None
            assert kem is not None
            return rest.Bundle(
                device=self.sessions.me.device,
                registration_id=self.sessions.local.registration_id,
                identity=self.sessions.local.key.public,
                signed=rest.SignedKey(id=signed[0], key=signed[1], sig=signed[2]),
                kem=rest.KemPreKey(id=kem[0], key=kem[1], sig=kem[2]),
                kem_last_resort=False,
                one_time=rest.OneTimeKey(id=one_time[0], key=one_time[1]),
            )

        return await self.store.read(read)

    async def write_text(self, to: "Device", text: str) -> MessageId:
        """What `Client.send` does."""
        rng = self.sessions.rng
        item = Item(
            id=message_id(self.clock.now_ms, rng(10)),
            conversation=direct_conversation(self.account, to.account),
            peer=to.account,
            counter=0,
            kind="text",
            body=text_body(text),
            sent_ms=self.clock.now_ms,
        )
        await self.store.write(
            lambda db: outbox.enqueue(db, item, self.account, self.sessions.me.device, self.own_key)
        )
        return MessageId(item.id)

    async def write_control(self, to: "Device", kind: str, body: Value) -> MessageId:
        """A control message for all devices of an account."""
        id = message_id(self.clock.now_ms, self.sessions.rng(10))
        await self.store.write(
            lambda db: outbox.enqueue_control(
                db,
                id=id,
                peer=to.account,
                devices=None,
                kind=kind,
                body=body,
                sent_ms=self.clock.now_ms,
            )
        )
        return id

    async def seal(self, item: Item, others: Mapping[AccountId, "Device"]) -> bytes:
        """What `Sender` does to get a frame."""
        bundles: dict[Peer, PreKeyBundle] = {}
        for _ in range(3):
            found = await self.store.write(
                lambda db: self.sealer.seal(db, item, bundles, self.clock.now_ms)
            )
            if not isinstance(found, Missing):
                return found
            assert not found.lists, "the devices have met"
            for account, listed in found.bundles:
                bundle = await others[AccountId(account)].bundle()
                bundles[account, listed.id] = checked_bundle(bundle, listed)
        raise AssertionError("no frame")

    async def frames(self, others: Mapping[AccountId, "Device"]) -> list[bytes]:
        """What the sender would offer, once those that wait have waited: one a conversation."""
        return [item.frame or await self.seal(item, others) for item in await self.due()]

    async def due(self) -> list[Item]:
        later_ms = self.clock.now_ms + outbox.LONGEST_HOLD_MS
        return await self.store.read(lambda db: outbox.due(db, later_ms))

    async def receive(self, frames: list[ServerFrame], *, unanswered: bool = True) -> Effects:
        def apply(db: apsw.Connection) -> Effects:
            offered = [frame.id for frame in frames if isinstance(frame, Rejected) and unanswered]
            return self.inbox.apply(db, frames, self.clock.now_ms, offered)

        return await self.store.write(apply)

    async def cursor(self) -> int:
        return (await self.store.read(lambda db: facts.get_or(db, Cursor()))).position

    async def shown(self, other: "Device") -> list[Arrived]:
        conversation = direct_conversation(self.account, other.account)
        return await self.store.read(lambda db: history.page(db, conversation, None, 1000))

    async def state(self, id: MessageId) -> State | None:
        return await self.store.read(lambda db: history.state(db, self.account, id))


@dataclass
class PostOffice:
    """The server's side for two accounts of one device each, fed frame by frame."""

    clock: Clockwork
    outcomes: dict[bytes, Sent] = field(default_factory=dict)
    commitments: dict[bytes, bytes] = field(default_factory=dict)
    mailboxes: dict[bytes, list[ServerFrame]] = field(default_factory=dict)
    heads: dict[bytes, int] = field(default_factory=dict)
    refusals: list[tuple[str, bool]] = field(default_factory=list)
    position: int = 0

    def post(self, sender: Device, data: bytes) -> ServerFrame:
        """Decide one frame; the answer to its sender."""
        frame = CODEC.client_frame(data)
        assert isinstance(frame, Send)
        if frame.id in self.outcomes:
            return self.outcomes[frame.id]
        if self.refusals:
            code, retryable = self.refusals.pop(0)
            return Rejected(frame.id, code, retryable, frame.sets)
        conversation = direct_conversation(sender.account, AccountId(frame.to[1:]))
        conv_seq = 0
        if frame.mode != CONTROL:
            conv_seq = self.heads[conversation] = self.heads.get(conversation, 0) + 1
        for part in frame.parts:
            position, prev = self._place(frame.to[1:])
            row = Deliver(
                position,
                prev,
                conversation,
                conv_seq,
                frame.id,
                sender.account,
                1,
                frame.mode,
                part.kind,
                part.ciphertext,
                frame.commitment,
                frame.timestamp,
                self.clock.now_ms,
                frame.sets,
            )
            self.mailboxes[frame.to[1:]].append(row)
        position, prev = self._place(sender.account)
        own = Own(
            position, prev, conversation, frame.id, conv_seq, self.clock.now_ms, frame.commitment
        )
        self.mailboxes[sender.account].append(own)
        sent = Sent(frame.id, conv_seq, self.clock.now_ms, frame.commitment, frame.sets)
        self.outcomes[frame.id] = sent
        return sent

    async def collect(self, sender: Device, others: Mapping[AccountId, Device]) -> None:
        """Take what a sender has, each conversation one after the other, until it has no more."""
        while frames := await sender.frames(others):
            for frame in frames:
                await sender.receive([self.post(sender, frame)])

    def rows(self, account: bytes, since: int) -> list[ServerFrame]:
        """The mailbox after a cursor."""
        return [row for row in self.mailboxes.get(account, []) if row.position > since]  # type: ignore[union-attr]

    def _place(self, account: bytes) -> tuple[int, int]:
        self.position += 3
        rows = self.mailboxes.setdefault(account, [])
        return self.position, rows[-1].position if rows else 0  # type: ignore[union-attr]


async def two_devices(directory: Path, clock: Clockwork) -> tuple[Device, Device]:
    """Alice and Bob, who hold each other's device lists."""
    alice = await Device.make(directory / "alice", 1, clock)
    bob = await Device.make(directory / "bob", 2, clock)
    await alice.meet(bob)
    await bob.meet(alice)
    return alice, bob
