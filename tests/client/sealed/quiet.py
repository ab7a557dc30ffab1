"""Sealed sending between the accounts of a town: the server's sealed resources, and one party each.

What becomes of a message is decided by `linnet.server.services.delivery.decide_sealed`. The office
can lose answers and be unreachable, and notes the bytes of every request.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import cast

import apsw
import msgspec
from tests.client.post_office import Device
from tests.client.town import House, Town

from linnet.client import facts, lists, outbox, synced
from linnet.client.directory import Directory
from linnet.client.environment import Environment
from linnet.client.errors import Offline, Refused
from linnet.client.events import Event
from linnet.client.lists import Adopted
from linnet.client.own_channel import OwnChannel
from linnet.client.sealed import profile, receipts, state
from linnet.client.sealed.api import SealedApi
from linnet.client.sealed.certificates import Certificate
from linnet.client.sealed.directory import SealedDirectory
from linnet.client.sealed.opening import TrustRoot
from linnet.client.sealed.own_profile import Profile
from linnet.client.sealed.sending import SealedSender
from linnet.client.sender import Sender
from linnet.client.synced import Entry
from linnet.crypto.bodies import Sealed as Switch
from linnet.crypto.profile_key import delivery_key, new_profile_key
from linnet.server.ports.timeline import Accepted, Head, Outcome
from linnet.server.ports.timeline import Entry as MailboxEntry
from linnet.server.services.certificates import Issuer, issuer
from linnet.server.services.delivery.decide import Retry
from linnet.server.services.delivery.decide_sealed import decide_sealed, sealed_record
from linnet.signing.certificates import issue_sender_certificate
from linnet.signing.objects import SignedObject
from linnet.wire import rest
from linnet.wire.errors import ERRORS

ROOT = issuer(b"a server's secret", lambda n: bytes(n))
DAY_MS = 86_400_000


@dataclass
class Request:
    """What came without a token."""

    key: bytes
    account: bytes
    body: bytes


@dataclass
class Office:
    """The server's sealed resources over a town."""

    town: Town
    hashes: dict[bytes, bytes] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    lose: int = 0
    """Answers to lose."""
    refuse: list[str] = field(default_factory=list)

    def register(self, account: bytes, key: bytes) -> None:
        self.hashes[account] = sha256(delivery_key(key)).digest()

    async def device_list(self, key: bytes, account: bytes) -> rest.Signed:
        self._admit(key, account)
        obj = self.town.serves(account)
        return rest.Signed(body=obj.body, sig=obj.sig)

    async def take_bundle(self, key: bytes, account: bytes, device: int) -> rest.Bundle:
        self._admit(key, account)
        return await self.town.houses[account][device].bundle()

    async def send(self, key: bytes, account: bytes, message: bytes) -> int:
        self.requests.append(Request(key, account, message))
        self._admit(key, account)
        if self.refuse:
            raise _refused(self.refuse.pop(0))
        accepted = self._decide(account, msgspec.json.decode(message, type=rest.SealedSend))
        if self.lose:
            self.lose -= 1
            raise Offline("the answer was lost")
        return accepted.server_timestamp

    def _admit(self, key: bytes, account: bytes) -> None:
        if sha256(key).digest() != self.hashes.get(account):
            raise _refused("unauthorized")

    def _decide(self, account: bytes, message: rest.SealedSend) -> Accepted:
        town = self.town
        record = msgspec.structs.replace(
            sealed_record(account, account, message),
            appended_ms=town.clock.now_ms,
            stamped_ms=town.clock.now_ms,
        )
        known: list[Outcome] = town.outcomes.get(message.id, [])
        head = town.heads.get(account, Head(account))
        decision = decide_sealed(head, known, town._set(town.houses[account]), record)
        outcome = decision.outcome
        if isinstance(outcome, Retry):
            raise _refused(outcome.code)
        if not decision.repeat:
            town.heads[account] = decision.head
            town.outcomes.setdefault(message.id, []).append(outcome)
        if not isinstance(outcome, Accepted):
            raise _refused(outcome.code)
        for mailbox, parts in decision.rows:
            town.position += 3
            rows = town.mailboxes.setdefault(mailbox, [])
            prev = rows[-1].position if rows else 0
            rows.append(MailboxEntry(mailbox, town.position, prev, outcome, parts))
        return outcome


def _refused(code: str) -> Refused:
    return Refused(code, ERRORS[code].text)


@dataclass
class Plain:
    """What is asked for with a token."""

    town: Town
    device: Device

    async def refresh(self, account: bytes) -> Adopted:
        await self.town.fetch(self.device, account)
        return Adopted.KNOWN

    async def adopt(self, account: bytes, answer: rest.Signed) -> Adopted:
        obj, now_ms = SignedObject(answer.body, answer.sig), self.town.clock.now_ms
        return await self.device.store.write(lambda db: lists.adopt(db, account, obj, now_ms))


@dataclass
class Party:
    """One device that can send sealed."""

    device: Device
    office: Office
    told: list[Event] = field(default_factory=list)
    sender: SealedSender = field(init=False)

    def __post_init__(self) -> None:
        device, office = self.device, self.office
        self.world = Environment(
            now_ms=lambda: office.town.clock.now_ms,
            monotonic_s=lambda: office.town.clock.now_ms / 1000,
            rng=device.sessions.rng,
        )
        api = cast(SealedApi, office)
        plain = cast(Directory, Plain(office.town, device))
        quiet = SealedDirectory(device.store, api, plain)
        maker = Sender(device.store, quiet, device.sealer, self.world, self.told.append)
        openly = Sender(device.store, plain, device.sealer, self.world, self.told.append)
        self.sender = SealedSender(
            device.store,
            api,
            quiet,
            maker,
            device.inbox.resends,
            self.world,
            device.account,
            openly,
        )
        self.channel = OwnChannel(device.account, self.world)

    @classmethod
    async def made(
        cls, device: Device, office: Office, beside: "Party | None" = None, issued: Issuer = ROOT
    ) -> "Party":
        """With a certificate, and the profile key of its account, which others do not know;
        `beside` is the device that has it, of an account of several."""
        party = cls(device, office)
        await party.certify(issued)
        own = None if beside is None else await beside.profile()

        def begin(db: apsw.Connection) -> None:
            facts.put(db, TrustRoot(key=ROOT.root))
            key = new_profile_key(device.sessions.rng)
            facts.put(db, own or Profile(key=key, number=1, registered=True))

        await device.store.write(begin)
        office.register(device.account, (await party.profile()).key)
        return party

    async def certify(self, issued: Issuer = ROOT, *, expires_ms: int | None = None) -> None:
        me = self.device.sessions.me
        ends_ms = expires_ms or self.office.town.clock.now_ms + DAY_MS
        data = issue_sender_certificate(
            issued.server,
            issued.certificate,
            me.account,
            me.device,
            self.device.sessions.local.key.public,
            ends_ms,
            self.device.sessions.rng,
        )
        held = Certificate(data=data, expires_ms=self.office.town.clock.now_ms + DAY_MS)
        await self.device.store.write(lambda db: facts.put(db, held))

    async def profile(self) -> Profile:
        held = await self.device.store.read(lambda db: facts.get(db, Profile))
        assert held is not None
        return held

    async def know(self, other: "Party") -> None:
        """Hold the other's profile key, and give them ours from now on."""
        key = (await other.profile()).key

        def know(db: apsw.Connection) -> None:
            synced.merge(db, Entry(profile.SCOPE, other.device.account, key, 1))
            synced.merge(db, Entry(profile.WRITTEN, other.device.account, b"\x01", 1))

        await self.device.store.write(know)

    async def switch(self, other: "Party", on: bool = True) -> None:
        """Seal what is said to them, without telling them."""

        def switch(db: apsw.Connection) -> None:
            number = state.number(db, other.device.account) + 1
            state.switch(db, other.device.account, Switch(on, number))

        await self.device.store.write(switch)

    async def send(self) -> None:
        """What runs while the account is open: until nothing more is due."""
        for _ in range(8):
            await self.sender.send_all()

    async def receive(self) -> None:
        effects = await self.office.town.sync(self.device)
        self.told += [event for effect in effects for event in effect.events]
        now_ms, rng = self.office.town.clock.now_ms, self.device.sessions.rng
        await self.device.store.write(lambda db: receipts.send(db, now_ms, rng))

    async def waiting(self) -> int:
        return await self.device.store.read(
            lambda db: int(db.execute("SELECT count(*) FROM outbox").get)
        )


async def give(party: Party) -> None:
    """What upkeep does once the delivery key is registered."""
    now_ms, rng = party.office.town.clock.now_ms, party.device.sessions.rng

    def registered(db: apsw.Connection) -> None:
        held = facts.get(db, Profile)
        assert held is not None
        facts.put(db, facts.replace(held, registered=True))
        profile.give_all(db, now_ms, rng)

    party.office.register(party.device.account, (await party.profile()).key)
    await party.device.store.write(registered)


async def settle(*parties: Party, rounds: int = 6) -> None:
    """Everybody sends and receives, openly and sealed, until all is said."""
    for _ in range(rounds):
        for party in parties:
            await party.receive()
            await open_send(party)
            await party.send()


async def open_send(party: Party) -> None:
    """What leaves over the link: never what is sealed."""
    town, device = party.office.town, party.device
    for _ in range(8):
        due = [item for item in await device.due() if item.way not in outbox.SEALED_WAYS]
        for item in due:
            frame = item.frame or await town.seal(device, item)
            if frame is not None:
                await town.offer(device, frame)
        if not due:
            return


async def two(town: Town) -> tuple[Party, Party, House, House]:
    """Alice and Bob, who have met, know each other's keys, and seal what they say."""
    office = Office(town)
    alice, bob = await town.account(), await town.account()
    a, b = await Party.made(alice[1], office), await Party.made(bob[1], office)
    await town.fetch(a.device, bob.account)
    await town.fetch(b.device, alice.account)
    for one, other in ((a, b), (b, a)):
        await one.know(other)
        await one.switch(other)
    return a, b, alice, bob
