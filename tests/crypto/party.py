"""A device in memory for tests: its keys, its pre-keys, and its record for each peer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from linnet.crypto import session
from linnet.crypto.messages import Address, PreKeySignalMessage, encode_prekey
from linnet.crypto.prekeys import (
    KemPreKey,
    LastResortUse,
    LocalIdentity,
    OneTimePreKey,
    PreKeyBundle,
    SignedPreKey,
    generate_kem,
    generate_last_resort,
    generate_one_time,
    generate_signed,
)
from linnet.crypto.record import SessionRecord
from linnet.crypto.session import Ciphertext, Decrypted
from linnet.signing.keys import KeyPair, generate, public_key

Rng = Callable[[int], bytes]
NOW_MS = 1_800_000_000_000


def seeded(seed: int | str) -> Rng:
    """A reproducible `rng`."""
    return Random(seed).randbytes


@dataclass
class PreKeys:
    """The lookup that `session.decrypt` asks, and the deletions a store would make."""

    signed_keys: dict[int, SignedPreKey] = field(default_factory=dict)
    one_time_keys: dict[int, OneTimePreKey] = field(default_factory=dict)
    kem_keys: dict[int, KemPreKey] = field(default_factory=dict)
    uses: set[LastResortUse] = field(default_factory=set)

    def signed(self, pre_key_id: int) -> SignedPreKey | None:
        return self.signed_keys.get(pre_key_id)

    def one_time(self, pre_key_id: int) -> OneTimePreKey | None:
        return self.one_time_keys.get(pre_key_id)

    def kem(self, pre_key_id: int) -> KemPreKey | None:
        return self.kem_keys.get(pre_key_id)

    def seen(self, use: LastResortUse) -> bool:
        return use in self.uses

    def commit(self, result: Decrypted) -> None:
        if result.used_pre_key is not None:
            del self.one_time_keys[result.used_pre_key]
        if result.used_kem is not None:
            del self.kem_keys[result.used_kem]
        if result.last_resort_use is not None:
            self.uses.add(result.last_resort_use)


class Party:
    """One device. `require_addresses` is off only where the peer is too old to send any."""

    def __init__(self, name: str, rng: Rng, *, require_addresses: bool = True) -> None:
        self.rng = rng
        self.require_addresses = require_addresses
        self.local = LocalIdentity(generate(rng), 1 + int.from_bytes(rng(2)) % 0x3FFF)
        self.address = Address(name.encode().ljust(16, b"\0"), 1)
        self.prekeys = PreKeys()
        self.records: dict[Address, SessionRecord] = {}
        self.now_ms = NOW_MS
        self._next_id = 1

    @classmethod
    def restored(
        cls,
        *,
        identity_private: bytes,
        registration_id: int,
        address: Address,
        signed: list[SignedPreKey],
        one_time: list[OneTimePreKey],
        kem: list[KemPreKey],
        rng: Rng,
    ) -> "Party":
        """The device with these keys, which requires no addresses."""
        party = cls("restored", seeded("unused"), require_addresses=False)
        key = KeyPair(identity_private, public_key(identity_private))
        party.local = LocalIdentity(key, registration_id)
        party.address = address
        party.prekeys = PreKeys(
            {each.id: each for each in signed},
            {each.id: each for each in one_time},
            {each.id: each for each in kem},
        )
        party.rng = rng
        return party

    def bundle(self, *, one_time: bool = True, last_resort: bool = False) -> PreKeyBundle:
        """Make fresh pre-keys and publish them."""
        number = self._next_id
        self._next_id += 1
        key = self.local.key
        signed = generate_signed(key, number, self.now_ms, self.rng)
        if last_resort:
            kem = generate_last_resort(key, number, self.now_ms, self.rng)
        else:
            [kem] = generate_kem(key, number, 1, self.now_ms, self.rng)
        self.prekeys.signed_keys[number] = signed
        self.prekeys.kem_keys[number] = kem
        bundle = PreKeyBundle(
            registration_id=self.local.registration_id,
            device_id=self.address.device,
            identity_key=key.public,
            signed_pre_key_id=number,
            signed_pre_key=signed.public,
            signed_pre_key_sig=signed.signature,
            kem_pre_key_id=number,
            kem_pre_key=kem.public,
            kem_pre_key_sig=kem.signature,
        )
        if not one_time:
            return bundle
        [single] = generate_one_time(number, 1, self.rng)
        self.prekeys.one_time_keys[number] = single
        return with_pre_key(bundle, number, single.public)

    def open(self, peer: Address, bundle: PreKeyBundle) -> None:
        record = self.records.get(peer)
        self.records[peer] = session.initiate(self.local, bundle, record, self.now_ms, self.rng)

    def send(self, peer: Address, text: bytes) -> Ciphertext:
        self.records[peer], ciphertext = self._encrypt(peer, text)
        return ciphertext

    def try_to_send(self, peer: Address, text: bytes) -> Ciphertext:
        """Encrypt and store nothing."""
        return self._encrypt(peer, text)[1]

    def receive(self, peer: Address, ciphertext: Ciphertext) -> bytes:
        result = self.try_to_receive(peer, ciphertext)
        self.records[peer] = result.record
        self.prekeys.commit(result)
        return result.plaintext

    def try_to_receive(self, peer: Address, ciphertext: Ciphertext) -> Decrypted:
        """Decrypt and store nothing."""
        return session.decrypt(
            self.records.get(peer),
            self.local,
            self.address,
            peer,
            ciphertext.type,
            ciphertext.data,
            self.prekeys,
            self.now_ms,
            require_addresses=self.require_addresses,
        )

    def _encrypt(self, peer: Address, text: bytes) -> tuple[SessionRecord, Ciphertext]:
        return session.encrypt(
            self.records[peer], self.local, self.address, peer, text, self.now_ms, self.rng
        )

    def state(self) -> dict[Address, bytes]:
        """Every record as it would be stored."""
        return {peer: record.to_bytes() for peer, record in self.records.items()}


def with_pre_key(bundle: PreKeyBundle, number: int | None, key: bytes | None) -> PreKeyBundle:
    """The bundle with this one-time pre-key."""
    fields = {name: getattr(bundle, name) for name in PreKeyBundle.__slots__}
    return PreKeyBundle(**{**fields, "pre_key_id": number, "pre_key": key})


def acquainted(seed: int | str = 0) -> tuple[Party, Party]:
    """Two parties with an answered session that the first one opened."""
    rng = seeded(seed)
    alice, bob = Party("alice", rng), Party("bob", rng)
    alice.open(bob.address, bob.bundle())
    bob.receive(alice.address, alice.send(bob.address, b"hello"))
    alice.receive(bob.address, bob.send(alice.address, b"hello yourself"))
    return alice, bob


def encoded(first: PreKeySignalMessage, **changes: bytes) -> bytes:
    """Encode a parsed first message again, with changes."""
    fields = {name: getattr(first, name) for name in PreKeySignalMessage.__slots__}
    message = first.message.covered + first.message.mac
    return encode_prekey(**{**fields, "message": message, **changes})
