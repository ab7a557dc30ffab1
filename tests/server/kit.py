"""A server without sockets for tests: memory backends, a clock and codes under control."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec
from tests.server.fakes import EmptySync, FlakyKeys, LinkedDevices, Post, RacedTokens

from linnet.server import config
from linnet.server.api.services import Services
from linnet.server.backends.memory.accounts import MemoryAccounts
from linnet.server.backends.memory.bus import MemoryBus
from linnet.server.backends.memory.directory import MemoryDirectory
from linnet.server.backends.memory.groups import MemoryGroups
from linnet.server.backends.memory.links import MemoryLinks
from linnet.server.backends.memory.rates import MemoryRates
from linnet.server.backends.memory.registrations import MemoryRegistrations
from linnet.server.backends.memory.rosters import MemoryRosters
from linnet.server.backends.memory.timeline import MemoryTimeline
from linnet.server.ports import Unavailable
from linnet.server.ports.timeline import DeviceSet
from linnet.server.services.accounts import Accounts, Stores
from linnet.server.services.admission import Doors
from linnet.server.services.bells import Bells
from linnet.server.services.callers import Callers
from linnet.server.services.certificates import Certificates, issuer
from linnet.server.services.clock import Clock as ServerClock
from linnet.server.services.contacts import Contacts
from linnet.server.services.delivery.inline import Inline
from linnet.server.services.devices import Devices
from linnet.server.services.group_views import GroupViews
from linnet.server.services.groups import Groups
from linnet.server.services.keys import Keys
from linnet.server.services.links import Links
from linnet.server.services.recovery import Recovery
from linnet.server.services.rosters import Rosters
from linnet.server.services.sealed import Sealed
from linnet.server.services.tokens import Identity, TokenKeys, Tokens, proof_message
from linnet.signing import xeddsa
from linnet.signing.device_list import (
    KIND_DESKTOP,
    ListedDevice,
    countersign,
    decode_list,
    first_list,
    next_list,
)
from linnet.signing.keys import KeyPair, generate
from linnet.signing.objects import SignedObject
from linnet.wire.rest import (
    DeviceKeys,
    KemPreKey,
    KeyUpload,
    OneTimeKey,
    Refresh,
    RegistrationFinish,
    Signed,
    SignedKey,
)

NOW_MS = 1_800_000_000_000
NUMBER = "+4915112345678"
HOST = "192.0.2.7"


def seeded(seed: str) -> Callable[[int], bytes]:
    """Randomness that is the same in every run."""
    calls = 0

    def rng(size: int) -> bytes:
        nonlocal calls
        calls += 1
        return hashlib.shake_256(f"{seed} {calls}".encode()).digest(size)

    return rng


@dataclass
class Clock:
    """Stands still until told."""

    ms: int = NOW_MS

    def __call__(self) -> int:
        return self.ms

    def forward(self, seconds: float) -> None:
        """Step; backwards if negative."""
        self.ms += int(seconds * 1000)


@dataclass
class Codes:
    """Remembers what was sent; fails while `down`."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False

    async def send(self, number: str, code: str, expires_in_s: int) -> None:
        if self.down:
            raise Unavailable("down")
        self.sent.append((number, code))

    @property
    def last(self) -> str:
        """The newest code."""
        return self.sent[-1][1]

    @property
    def wrong(self) -> str:
        """Not the newest code."""
        return f"{(int(self.last) + 1) % 1_000_000:06}"


class Kit:
    """Services over memory backends, with everything a test wants to reach."""

    def __init__(self) -> None:
        self.clock, self.codes, self.sync = Clock(), Codes(), EmptySync()
        self.limits, self.key_limits = config.Accounts(), config.Keys()
        self.rng = seeded("server")
        self.devices, self.keys = LinkedDevices(), FlakyKeys()
        self.accounts = MemoryAccounts(self.devices, self.keys)
        self.links = MemoryLinks(self.devices, self.keys)
        self.registrations = MemoryRegistrations()
        self.sealed_limits, self.delivery = config.Sealed(), self._delivery()
        self.issuer = issuer(b"c" * 32, self.rng)
        self.link_limits, self.bells = config.Links(), Bells(most=8)
        self.families, self.rates = RacedTokens(), MemoryRates()
        self.rosters, self.post = MemoryRosters(), Post()
        self.groups, self.group_limits = MemoryGroups(self.rosters), config.Groups()
        self.directory = MemoryDirectory(self.accounts, self.devices)
        self.making = Rosters(self.groups, self.rosters, self.directory, self.post.change_roster)
        self.revoked: list[tuple[bytes, int]] = []
        self.told = 0
        self.services = self._services()

    def _services(self) -> Services:
        tokens = Tokens(
            self.families,
            self.devices,
            self.limits,
            TokenKeys(b"a" * 32, b"r" * 32),
            self.clock,
            lambda account, device: self.revoked.append((account, device)),
        )
        stores = Stores(self.accounts, self.devices, self.registrations, self.keys)
        doors = Doors(self.devices, self.keys, tokens)
        registering = Accounts(
            stores,
            self.rates,
            self.codes,
            tokens,
            self.limits,
            self.key_limits,
            b"p" * 32,
            self.clock,
            self.rng,
            self._told,
        )
        lists = Devices(self.devices, self.accounts, doors, self.clock, self._told)
        bundles = Keys(self.keys, self.devices, self.rates, self.key_limits, self.clock)
        return Services(
            accounts=registering,
            recovery=Recovery(
                registering,
                self.accounts,
                self.devices,
                doors,
                self.key_limits,
                self.clock,
                self._told,
            ),
            tokens=tokens,
            callers=Callers(tokens, self.rates, self.limits, self.clock),
            devices=lists,
            links=Links(
                self.links,
                self.devices,
                self.accounts,
                doors,
                self.rates,
                self.link_limits,
                self.key_limits,
                self.clock,
                self.bells,
                self._told,
            ),
            groups=Groups(
                self.groups,
                self.directory,
                self.making,
                self.rates,
                self.group_limits,
                self.clock,
            ),
            group_views=GroupViews(self.groups, self.making, self.group_limits),
            group_pages=self.post,
            keys=bundles,
            sealed=Sealed(
                self.accounts,
                lists,
                bundles,
                self.delivery,
                self.rates,
                self.sealed_limits,
                self.clock,
            ),
            certificates=Certificates(self.issuer, self.devices, self.clock, self.rng),
            contacts=Contacts(self.accounts, self.rates, self.key_limits, b"p" * 32, self.clock),
            sync=self.sync,
        )

    def _delivery(self) -> Inline:
        """Delivery that a test runs, if it wants any."""
        clock = ServerClock(lambda: self.clock() / 1000, lambda: self.clock() / 1000)
        self.timeline = MemoryTimeline()
        return Inline(self.timeline, MemoryBus(), config.Delivery(), clock)

    async def carry(self) -> None:
        """Let delivery, which runs, know every device set."""
        for it in await self.devices.changes(1000):
            await self.delivery.change_set(DeviceSet(it.account, it.mailbox, it.set, it.devices))
            await self.devices.decided([it.number])

    async def _told(self) -> None:
        self.told += 1


@dataclass
class Person:
    """The keys of somebody with one device."""

    name: str
    account_key: KeyPair
    device_key: KeyPair
    rng: Callable[[int], bytes]

    def finish(self, account: bytes, ticket: bytes, now_ms: int = NOW_MS) -> RegistrationFinish:
        """What ends the registration of this person."""
        signed = first_list(
            account, self.account_key, self.device_key, b"", now_ms // 1000, self.rng
        )
        return RegistrationFinish(
            ticket=ticket,
            account_key=self.account_key.public,
            list=Signed(body=signed.body, sig=signed.sig),
            keys=self.bundle(),
            backup=b"sealed",
        )

    def bundle(self) -> DeviceKeys:
        """The device's whole bundle, with two one-time keys and one for the KEM."""
        upload = self.upload(one_time=2, kem=1)
        assert upload.signed is not None
        assert upload.last_resort is not None
        return DeviceKeys(
            registration_id=4711,
            identity=self.device_key.public,
            signed=upload.signed,
            last_resort=upload.last_resort,
            one_time=upload.one_time,
            kem=upload.kem,
        )

    def listing(
        self,
        held: Signed,
        device: Person,
        now_ms: int,
        *,
        primary: int | None = None,
        alone: bool = False,
    ) -> Signed:
        """The list after `held`, signed by this account, with one more device, or it alone."""
        old = decode_list(held.body)
        added, id = now_ms // 1000, old.next_id
        signature = countersign(
            device.device_key, old.account, self.account_key.public, id, added, device.rng
        )
        entry = ListedDevice(id, device.device_key.public, b"", added, KIND_DESKTOP, signature)
        others = () if alone else old.devices
        return self.signed_after(held, (*others, entry), now_ms, primary=primary)

    def signed_after(
        self,
        held: Signed,
        devices: Iterable[ListedDevice],
        now_ms: int,
        *,
        primary: int | None = None,
    ) -> Signed:
        """The list after `held`, signed by this account, with these devices."""
        signed = next_list(
            SignedObject(held.body, held.sig),
            self.account_key,
            devices,
            now_ms // 1000,
            self.rng,
            primary=primary,
        )
        return Signed(body=signed.body, sig=signed.sig)

    def upload(self, one_time: int = 0, kem: int = 0, first_id: int = 1) -> KeyUpload:
        """A correctly signed upload of so many keys."""
        ids = range(first_id, first_id + max(one_time, kem))
        return KeyUpload(
            signed=self._signed(first_id),
            last_resort=self._kem(first_id),
            one_time=[OneTimeKey(id=id, key=generate(self.rng).public) for id in ids[:one_time]],
            kem=[self._kem(id) for id in ids[:kem]],
        )

    def refresh(self, account: bytes, refresh: str, id: bytes, device: int = 1) -> Refresh:
        """A proven refresh request."""
        proof = xeddsa.sign(self.device_key.private, proof_message(refresh, id), self.rng)
        return Refresh(account=account, device=device, refresh=refresh, id=id, proof=proof)

    def _signed(self, id: int) -> SignedKey:
        key = generate(self.rng).public
        return SignedKey(id=id, key=key, sig=xeddsa.sign(self.device_key.private, key, self.rng))

    def _kem(self, id: int) -> KemPreKey:
        key = b"\x08" + self.rng(1568)
        return KemPreKey(id=id, key=key, sig=xeddsa.sign(self.device_key.private, key, self.rng))


def person(name: str = "alice") -> Person:
    """Somebody; the same name has the same keys."""
    rng = seeded(name)
    return Person(name, generate(rng), generate(rng), rng)


class Registered(msgspec.Struct):
    """Somebody with an account and a first login."""

    who: Person
    account: bytes
    access: str
    refresh: str

    def identity(self, kit: Kit) -> Identity:
        """Who the access token says it is."""
        return kit.services.tokens.verify(self.access)


async def register(kit: Kit, name: str = "alice", number: str = NUMBER) -> Registered:
    """The whole flow through the services."""
    who, accounts = person(name), kit.services.accounts
    started = await accounts.start(number, HOST)
    proven = await accounts.prove(started.registration, kit.codes.last)
    request = who.finish(proven.account, proven.ticket, kit.clock())
    login = await accounts.finish(started.registration, request)
    return Registered(who, login.account, login.access, login.refresh)
