"""A town: accounts of several devices, and the server's own decisions between them.

What becomes of a frame is decided by `linnet.server.services.delivery.decide`, and rows are shown
as `view` shows them, so refusals, sets and modes are the real ones. The town keeps mailboxes,
lists and bundles, and does as a hostile server would where a test asks it to.
"""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import msgspec
from tests.client.post_office import CODEC, Clockwork, Device, MortalStore

from linnet.client import facts, healing, history, keys, list_alarms, lists
from linnet.client import health as counts
from linnet.client.errors import NotTrusted
from linnet.client.events import Arrived, Event
from linnet.client.facts import Identity, Keys
from linnet.client.inbox import Effects
from linnet.client.lists import Adopted, Held
from linnet.client.outbox import Item
from linnet.client.sealing import Missing
from linnet.client.sessions import Peer, Sessions, checked_bundle
from linnet.crypto.messages import Address
from linnet.crypto.prekeys import LocalIdentity, PreKeyBundle
from linnet.server.ports.timeline import Accepted, DeviceSet, Entry, Head, Outcome
from linnet.server.services.delivery.decide import Record, Retry, decide
from linnet.server.services.delivery.view import sent, view
from linnet.signing.device_list import first_list, next_list
from linnet.signing.keys import KeyPair
from linnet.signing.list_format import KIND_TERMINAL, ListedDevice, countersign, decode_list
from linnet.signing.objects import SignedObject
from linnet.wire.frames import Deliver, Rejected, Send, ServerFrame
from linnet.wire.ids import AccountId, MessageId, direct_conversation


@dataclass
class House:
    """One account: its key, its signed lists and its devices."""

    account: AccountId
    key: KeyPair
    lists: list[SignedObject]
    devices: dict[int, Device]

    @property
    def newest(self) -> SignedObject:
        return self.lists[-1]

    def __getitem__(self, device: int) -> Device:
        return self.devices[device]


@dataclass
class Town:
    """All houses, and the server. `shown` is the list that it serves where that is not the newest;
    `tamper` changes rows on their way to a device; `lose` drops answers."""

    directory: Path
    clock: Clockwork = field(default_factory=Clockwork)
    houses: dict[bytes, House] = field(default_factory=dict)
    shown: dict[bytes, SignedObject] = field(default_factory=dict)
    mailboxes: dict[bytes, list[Entry]] = field(default_factory=dict)
    heads: dict[bytes, Head] = field(default_factory=dict)
    outcomes: dict[bytes, list[Outcome]] = field(default_factory=dict)
    told: dict[tuple[bytes, int], list[Event]] = field(default_factory=dict)
    left: list[tuple[Device, Send]] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    lose: Callable[[Send], bool] = lambda frame: False
    tamper: Callable[[Device, Deliver], Deliver] = lambda device, row: row
    position: int = 0
    seed: int = 100

    # ---- accounts and their lists

    async def account(self) -> House:
        """A new account of one device."""
        device = await self._device(lambda store, rng: (AccountId(rng(16)), 1, None))
        own = await device.store.read(lambda db: facts.get(db, Keys))
        assert own is not None
        house = House(device.account, keys.account_key(own), [device.signed_list], {1: device})
        self.houses[device.account] = house
        return house

    async def link(self, house: House) -> Device:
        """One device more, listed at once; the others learn of it in their own time."""
        number = decode_list(house.newest.body).next_id
        device = await self._device(lambda store, rng: (house.account, number, house))
        house.devices[number] = device
        return device

    def relist(
        self,
        house: House,
        *,
        without: int | None = None,
        primary: int | None = None,
        more: tuple[ListedDevice, ...] = (),
        upon: SignedObject | None = None,
    ) -> SignedObject:
        """Sign the account's next list, of the same devices but for what is named."""
        base = upon or house.newest
        devices = [device for device in decode_list(base.body).devices if device.id != without]
        rng = random.Random(self.seed + len(house.lists)).randbytes
        obj = next_list(
            base, house.key, (*devices, *more), self.clock.now_ms // 1000, rng, primary=primary
        )
        if upon is None:
            house.lists.append(obj)
        return obj

    async def _device(
        self,
        who: Callable[[MortalStore, Callable[[int], bytes]], tuple[AccountId, int, House | None]],
    ) -> Device:
        self.seed += 1
        rng = random.Random(self.seed).randbytes
        store = MortalStore(self.directory / str(self.seed))
        await store.open()
        account, number, house = who(store, rng)
        now_s = self.clock.now_ms // 1000
        private = b"" if house else None
        own = await store.write(
            lambda db: keys.make_device(db, self.clock.now_ms, rng, account_private=private)
        )
        device_key = keys.device_key(own)
        if house is None:
            signed = first_list(account, keys.account_key(own), device_key, b"", now_s, rng)
            account_key = keys.account_key(own).public
        else:
            account_key = house.key.public
            mark = countersign(device_key, account, account_key, number, now_s, rng)
            listed = ListedDevice(number, device_key.public, b"", now_s, KIND_TERMINAL, mark)
            signed = self.relist(house, more=(listed,))

        def begin(db: apsw.Connection) -> None:
            facts.put(db, Identity(server="http://test", account=account, device=number))
            lists.adopt(db, account, signed, self.clock.now_ms)
            upload = keys.unpublished(db)
            assert upload is not None
            keys.published(db, upload)

        await store.write(begin)
        local = LocalIdentity(device_key, own.registration_id)
        sessions = Sessions(Address(account, number), local, rng)
        return Device(store, account, signed, account_key, sessions, self.clock)

    def serves(self, account: bytes) -> SignedObject:
        """The list that the server shows."""
        return self.shown.get(account) or self.houses[account].newest

    # ---- what devices do

    async def fetch(self, device: Device, account: bytes) -> None:
        """What `Directory.refresh` does."""
        obj, now_ms = self.serves(account), device.clock.now_ms
        adopted = await device.store.write(lambda db: lists.adopt(db, account, obj, now_ms))
        self.asked.append(account)
        if adopted is Adopted.CONFLICT:
            event = await device.store.read(lambda db: list_alarms.conflict_event(db, account))
            self.tell(device, event)

    async def seal(self, device: Device, item: Item) -> bytes | None:
        """What `Sender` does to get a frame; None if it has to wait."""
        bundles: dict[Peer, PreKeyBundle] = {}
        for _ in range(6):
            found = await device.store.write(
                lambda db: device.sealer.seal(db, item, bundles, device.clock.now_ms)
            )
            if not isinstance(found, Missing):
                return found
            self.tell(device, *found.told)
            if found.nothing:
                return None
            for account in found.witnesses:
                with contextlib.suppress(NotTrusted):
                    await self.fetch(device, account)
            for account in found.lists:
                await self.fetch(device, account)
            for account, listed in found.bundles:
                bundle = await self.houses[account][listed.id].bundle()
                bundles[account, listed.id] = checked_bundle(bundle, listed)
        return None

    async def send(self, device: Device, rounds: int = 20) -> None:
        """Offer what is in the outbox, and take the answers, until nothing moves."""
        for _ in range(rounds):
            moved = False
            for item in await device.due():
                frame = item.frame or await self.seal(device, item)
                if frame is not None:
                    moved = True
                    await self.offer(device, frame)
            if not moved:
                return

    async def offer(self, device: Device, data: bytes) -> ServerFrame | None:
        """One frame leaves; its answer, if it is not lost, is taken."""
        frame = CODEC.client_frame(data)
        assert isinstance(frame, Send)
        self.left.append((device, frame))
        answer = self.post(device, frame)
        if self.lose(frame):
            return None
        await self.take(device, [answer])
        return answer

    async def sync(self, device: Device) -> list[Effects]:
        """Take the rows that wait in the mailbox."""
        rows = self.rows(device, await device.cursor())
        return [await self.take(device, rows)] if rows else []

    async def take(self, device: Device, frames: list[ServerFrame]) -> Effects:
        def strangers(db: apsw.Connection) -> list[bytes]:
            return device.inbox.strangers(db, frames)

        for account in await device.store.read(strangers):
            if account in self.houses:
                with contextlib.suppress(NotTrusted):
                    await self.fetch(device, account)
        effects = await device.receive(frames)
        self.tell(device, *effects.events)
        return effects

    def tell(self, device: Device, *events: Event) -> None:
        self.told.setdefault((device.account, device.sessions.me.device), []).extend(events)

    async def settle(self, *devices: Device, rounds: int = 12) -> None:
        """Let all of them send and take until nothing moves."""
        for _ in range(rounds):
            before = self.position, len(self.left)
            for device in devices:
                await self.sync(device)
                await self.send(device)
            if (self.position, len(self.left)) == before:
                return

    async def heal(self, device: Device) -> int:
        """What `Healer` does after a minute online; how many requests that makes."""
        now_ms = device.clock.now_ms
        return await device.store.write(lambda db: healing.ask(db, now_ms, device.sessions.rng))

    async def follow(self, device: Device) -> None:
        """What maintenance does about lists."""
        now_ms = device.clock.now_ms
        await device.store.write(lambda db: device.inbox.resends.follow_lists(db, now_ms))

    def later(self, *, ms: int = 0, hours: float = 0, days: float = 0) -> None:
        self.clock.now_ms += ms + int(hours * 3_600_000) + int(days * 86_400_000)

    async def close(self) -> None:
        for house in self.houses.values():
            for device in house.devices.values():
                await device.store.close()

    # ---- what the server does

    def post(self, device: Device, frame: Send) -> ServerFrame:
        """The server's decision about a frame, as its answer."""
        recipient = self.houses.get(frame.to[1:])
        conversation = direct_conversation(device.account, AccountId(frame.to[1:]))
        record = Record(
            conversation=conversation,
            sender=device.account,
            device=device.sessions.me.device,
            recipient=frame.to[1:],
            frame=frame,
            appended_ms=self.clock.now_ms,
            stamped_ms=self.clock.now_ms,
        )
        decision = decide(
            self.heads.get(conversation, Head(conversation)),
            self.outcomes.get(frame.id, []),
            self._set(self.houses[device.account]),
            self._set(recipient) if recipient else None,
            record,
        )
        outcome = decision.outcome
        if isinstance(outcome, Retry):
            return Rejected(frame.id, outcome.code, outcome.code == "devices_changed", outcome.sets)
        if not decision.repeat:
            self.heads[conversation] = decision.head
            self.outcomes.setdefault(frame.id, []).append(outcome)
        if not isinstance(outcome, Accepted):
            return Rejected(frame.id, outcome.code, False)
        for mailbox, parts in decision.rows:
            self.position += 3
            rows = self.mailboxes.setdefault(mailbox, [])
            prev = rows[-1].position if rows else 0
            rows.append(Entry(mailbox, self.position, prev, outcome, parts))
        return sent(outcome, 0, 0)

    def rows(self, device: Device, since: int) -> list[ServerFrame]:
        """The mailbox after a cursor, as that device is shown it."""
        number = device.sessions.me.device
        found: list[ServerFrame] = []
        for entry in self.mailboxes.get(device.account, []):
            row = view(entry, device.account, number)
            if entry.position > since:
                found.append(self.tamper(device, row) if isinstance(row, Deliver) else row)
        return found

    def _set(self, house: House) -> DeviceSet:
        listed = decode_list(house.newest.body)
        devices = tuple(device.id for device in listed.devices)
        return DeviceSet(house.account, house.account, listed.set, devices)


def broken(row: Deliver) -> Deliver:
    """The row with a ciphertext that no session authenticates."""
    changed = bytearray(row.ciphertext)
    changed[-1:10:-50] = bytes(byte ^ 1 for byte in changed[-1:10:-50])
    return msgspec.structs.replace(row, ciphertext=bytes(changed))


async def shown(device: Device, other: House) -> list[Arrived]:
    """What a device shows of the conversation with an account."""
    conversation = direct_conversation(device.account, other.account)
    return await device.store.read(lambda db: history.page(db, conversation, None, 1000))


async def texts(device: Device, other: House) -> list[str | None]:
    return [getattr(entry, "text", type(entry).__name__) for entry in await shown(device, other)]


async def say(device: Device, to: House, text: str) -> MessageId:
    return await device.write_text(to.devices[min(to.devices)], text)


async def held(device: Device, account: bytes) -> Held:
    found = await device.store.read(lambda db: lists.held(db, account))
    assert found is not None
    return found


async def health(device: Device) -> counts.Health:
    return await device.store.read(counts.read)
