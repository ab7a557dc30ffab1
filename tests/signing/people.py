"""People with devices and lists, and groups they act in: what the tests of group logs play with."""

from dataclasses import dataclass, field
from hashlib import sha256

from linnet.signing import keys
from linnet.signing.device_list import (
    ListedDevice,
    ProvenList,
    countersign,
    decode_list,
    first_list,
    next_list,
    prove_list,
)
from linnet.signing.group_changes import Change, Create, Pair, SealedTitle
from linnet.signing.group_entry import Entry, first_entry, sign_entry
from linnet.signing.group_fold import fold, found
from linnet.signing.group_fork import Evidence
from linnet.signing.group_state import GroupState, next_entry
from linnet.signing.keys import KeyPair, Rng
from linnet.signing.objects import SignedObject

NOW_S = 1_800_000_000


def stream(seed: str) -> Rng:
    """A repeatable source of bytes."""
    count = [0]

    def rng(size: int) -> bytes:
        count[0] += 1
        block = sha256(f"{seed} {count[0]}".encode()).digest()
        return (block * 4)[:size]

    return rng


@dataclass
class Person:
    """An account, its devices and every list it signed, newest last. Device 1 is the primary."""

    name: str
    account: bytes
    key: KeyPair
    devices: dict[int, KeyPair]
    lists: list[SignedObject]
    rng: Rng = field(repr=False)

    @classmethod
    def named(cls, name: str, account: bytes | None = None) -> "Person":
        rng = stream(name)
        own = account or rng(16)
        key, device = keys.generate(rng), keys.generate(rng)
        first = first_list(own, key, device, b"", NOW_S, rng)
        return cls(name, own, key, {1: device}, [first], rng)

    @property
    def pair(self) -> Pair:
        return Pair(self.account, self.key.public)

    @property
    def newest(self) -> SignedObject:
        return self.lists[-1]

    def again(self, *devices: ListedDevice) -> SignedObject:
        """Sign the next list, with these devices or with the same ones."""
        same = decode_list(self.newest.body).devices
        self.lists.append(next_list(self.newest, self.key, devices or same, NOW_S, self.rng))
        return self.newest

    def link(self) -> int:
        """Add a device; returns its id."""
        listed = decode_list(self.newest.body)
        id, pair = listed.next_id, keys.generate(self.rng)
        self.devices[id] = pair
        signature = countersign(pair, self.account, self.key.public, id, NOW_S, self.rng)
        self.again(*listed.devices, ListedDevice(id, pair.public, b"", NOW_S, 1, signature))
        return id

    def revoke(self, id: int) -> None:
        self.again(*(d for d in decode_list(self.newest.body).devices if d.id != id))

    def proven(self, which: int = -1) -> ProvenList:
        return prove_list(self.lists[which])


def create(
    founder: Person, *members: Person, title: SealedTitle | None = None, device: int = 1
) -> SignedObject:
    """The first entry of a group."""
    pairs = tuple(sorted(person.pair for person in members))
    change = Create(founder.rng(32), founder.key.public, pairs, title)
    entry = first_entry(change, founder.account, device, founder.newest.hash)
    return sign_entry(entry, founder.devices[device].private, founder.rng)


def entry(
    state: GroupState, actor: Person, change: Change, *, device: int = 1, which: int = -1
) -> SignedObject:
    """The entry that makes a change on top of `state`, citing one of the actor's lists."""
    body = next_entry(state, change, actor.account, device, actor.lists[which].hash)
    return signed(body, actor, device)


def signed(body: Entry, actor: Person, device: int = 1) -> SignedObject:
    return sign_entry(body, actor.devices[device].private, actor.rng)


def evidence(
    state: GroupState, actor: Person, change: Change, *, device: int = 1, which: int = -1
) -> Evidence:
    made = entry(state, actor, change, device=device, which=which)
    return Evidence(made, actor.lists[which])


def begun(founder: Person, *members: Person, title: SealedTitle | None = None) -> GroupState:
    return found(create(founder, *members, title=title), founder.proven())


def after(
    state: GroupState, actor: Person, change: Change, *, device: int = 1, which: int = -1
) -> GroupState:
    """The group after this change."""
    made = entry(state, actor, change, device=device, which=which)
    return fold(state, made, actor.proven(which))


def sealed_title(number: int, secret: bytes, text: bytes = b"sealed") -> SealedTitle:
    return SealedTitle(number, sha256(secret).digest(), text.ljust(40, b"."))
