"""Forged and stripped messages: refused at bounded cost, with the state left as it was."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.crypto.party import Party, acquainted, encoded, seeded

from linnet.crypto import kdf, ratchet
from linnet.crypto.errors import (
    BadMac,
    CryptoError,
    Duplicate,
    Malformed,
    TooFarAhead,
)
from linnet.crypto.messages import (
    PREKEY,
    WHISPER,
    encode_signal,
    parse_prekey,
    parse_signal,
)
from linnet.crypto.record import MAX_ARCHIVED
from linnet.crypto.session import Ciphertext
from linnet.crypto.spqr import kdf as spqr_kdf
from linnet.crypto.spqr import messages as spqr_messages
from linnet.crypto.spqr import state as spqr
from linnet.crypto.spqr.erasure import Chunk
from linnet.crypto.spqr.messages import Kind
from linnet.crypto.spqr.messages import Message as Field
from linnet.crypto.steps import MAX_STEPS
from linnet.signing.keys import generate

forgeries = st.sampled_from(
    [
        "bits",
        "cut",
        "grow",
        "counter",
        "index",
        "epoch",
        "chunk",
        "ratchet key",
        "other mac",
        "type",
    ]
)


@settings(
    max_examples=settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
)
@given(
    seed=st.integers(0, 10_000),
    forgery=forgeries,
    pending=st.booleans(),
    counter=st.integers(0, 2**32 - 1) | st.integers(0, 2_100),
)
def test_forged_input_leaves_the_state_byte_identical(
    seed: int, forgery: str, pending: bool, counter: int
) -> None:
    alice, bob = WELL_ACQUAINTED
    chance = Random(seed)
    if pending:
        stranger = Party("carol", seeded(seed))
        stranger.open(bob.address, BUNDLE)
        sender, ciphertext = stranger.address, stranger.send(bob.address, b"hello")
    else:
        sender = alice.address
        ciphertext = alice.try_to_send(bob.address, b"x" * chance.randrange(40))
    forged = forge(ciphertext, forgery, counter, chance)
    records, stored = dict(bob.records), bob.state()
    prekeys = deepcopy(bob.prekeys)
    with pytest.raises(CryptoError):
        bob.receive(sender, forged)
    assert bob.state() == stored
    assert all(bob.records[peer] is record for peer, record in records.items())
    assert prekeys == bob.prekeys


def forge(ciphertext: Ciphertext, forgery: str, counter: int, chance: Random) -> Ciphertext:
    if forgery == "type":
        return replace(ciphertext, type=PREKEY + WHISPER - ciphertext.type)
    data = bytearray(ciphertext.data)
    if forgery == "cut":
        data = data[: chance.randrange(len(data))]
    elif forgery == "grow":
        data += chance.randbytes(chance.randrange(1, 40))
    elif forgery == "bits":
        data[chance.randrange(1, len(data))] ^= 1 << chance.randrange(8)
    else:
        data = bytearray(with_forged_header(ciphertext, forgery, counter, chance))
    if ciphertext.type == PREKEY and same_but_registration(ciphertext.data, bytes(data)):
        # As in the deployed protocol, the MAC covers neither the registration id of a first
        # message nor fields that nobody knows. Changing those alone forges nothing.
        return replace(ciphertext, data=ciphertext.data[:-1])
    return replace(ciphertext, data=bytes(data))


def same_but_registration(honest: bytes, forged: bytes) -> bool:
    try:
        one, other = parse_prekey(honest), parse_prekey(forged)
    except Malformed:
        return False
    return one == replace(other, registration_id=one.registration_id)


def with_forged_header(ciphertext: Ciphertext, forgery: str, counter: int, chance: Random) -> bytes:
    first = parse_prekey(ciphertext.data) if ciphertext.type == PREKEY else None
    message = first.message if first else parse_signal(ciphertext.data)
    ratchet_key = message.ratchet_key
    if forgery == "ratchet key":
        ratchet_key = generate(chance.randbytes).public
    covered = encode_signal(
        ratchet_key,
        counter if forgery in ("counter", "ratchet key") else message.counter,
        message.previous_counter,
        message.ciphertext,
        forged_field(message.pq_ratchet, forgery, counter, chance),
        message.addresses,
    )
    forged = covered + chance.randbytes(8)
    return encoded(first, message=forged) if first else forged


def forged_field(data: bytes, forgery: str, number: int, chance: Random) -> bytes:
    field = spqr_messages.parse(data)
    if forgery == "index":
        field = msgspec.structs.replace(field, index=number)
    elif forgery == "epoch":
        field = msgspec.structs.replace(field, epoch=1 + number)
    elif forgery == "chunk":
        chunk = Chunk(chance.randrange(2**16), chance.randbytes(32))
        kind = chance.choice([each for each in spqr_messages.Kind if each not in (0, 4)])
        field = msgspec.structs.replace(field, kind=kind, chunk=chunk)
    return spqr_messages.encode(field)


def well_acquainted() -> tuple[Party, Party]:
    """Two parties with 40 archived sessions, skipped keys and several chains."""
    alice, bob = Party("alice", seeded("a")), Party("bob", seeded("b"))
    bundle = bob.bundle(one_time=False, last_resort=True)
    for _ in range(MAX_ARCHIVED + 1):
        alice.open(bob.address, bundle)
        for _ in range(3):
            alice.send(bob.address, b"lost")
        bob.receive(alice.address, alice.send(bob.address, b"hello"))
        alice.receive(bob.address, bob.send(alice.address, b"hello"))
        bob.receive(alice.address, alice.send(bob.address, b"turn"))
    assert len(bob.records[alice.address].archived) == MAX_ARCHIVED
    return alice, bob


WELL_ACQUAINTED = well_acquainted()
BUNDLE = WELL_ACQUAINTED[1].bundle()


@pytest.mark.parametrize("counter", [0, 1_999, 2_000, 2_001, 2**32 - 1])
@pytest.mark.parametrize("index", [1, 1_999, 2_000, 2_001, 2_003, 2**32 - 1])
@pytest.mark.parametrize("known", [True, False], ids=["known key", "unknown key"])
def test_forged_counters_cost_a_bounded_amount_of_work(
    counter: int, index: int, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = WELL_ACQUAINTED
    honest = parse_signal(alice.try_to_send(bob.address, b"honest").data)
    ratchet_key = honest.ratchet_key if known else generate(seeded("mallory")).public
    field = msgspec.structs.replace(spqr_messages.parse(honest.pq_ratchet), index=index)
    covered = encode_signal(
        ratchet_key,
        counter,
        0,
        honest.ciphertext,
        spqr_messages.encode(field),
        honest.addresses,
    )
    stored = bob.state()
    derived = count()
    for module, step in ((ratchet, kdf.next_chain_key), (spqr_kdf, spqr_kdf.next_key)):
        monkeypatch.setattr(module, step.__name__, counted(step, derived))
    with pytest.raises((BadMac, TooFarAhead, Duplicate)):
        bob.receive(alice.address, Ciphertext(WHISPER, covered + bytes(8)))
    assert next(derived) <= MAX_STEPS + 2 * (MAX_ARCHIVED + 1)
    assert bob.state() == stored


def counted(step: Callable[..., Any], counter: Iterator[int]) -> Callable[..., Any]:
    """The same, counting its calls."""

    def call(*arguments: Any) -> Any:
        next(counter)
        return step(*arguments)

    return call


@pytest.mark.parametrize(
    "field",
    [
        b"",
        b"\x00\x01\x01\x00",
        b"\x02\x01\x01\x00",
        spqr_messages.encode(Field(1, 0, Kind.NONE, None)),
        spqr_messages.encode(Field(2, 0, Kind.NONE, None)),
    ],
    ids=["empty", "version 0", "version 2", "no key", "no key of a later epoch"],
)
def test_a_peer_cannot_talk_us_out_of_the_post_quantum_ratchet(field: bytes) -> None:
    alice, bob = acquainted()
    stored = bob.state()
    with pytest.raises(Malformed):
        bob.receive(alice.address, stripped(alice, bob, field))
    assert bob.state() == stored
    bob.receive(alice.address, alice.send(bob.address, b"as it should be"))


def test_a_message_without_the_field_is_refused() -> None:
    alice, bob = acquainted()
    honest = alice.send(bob.address, b"honest").data
    field = parse_signal(honest).pq_ratchet
    without = honest.replace(b"\x2a" + bytes((len(field),)) + field, b"")
    assert len(without) == len(honest) - len(field) - 2
    with pytest.raises(Malformed, match="missing"):
        bob.receive(alice.address, Ciphertext(WHISPER, without))


def test_only_a_first_message_may_say_that_it_has_no_post_quantum_key() -> None:
    alice, bob = Party("alice", seeded("a")), Party("bob", seeded("b"))
    alice.open(bob.address, bob.bundle())
    first = stripped(alice, bob, spqr_messages.encode(Field(1, 0, Kind.NONE, None)))
    assert first.type == PREKEY
    assert bob.receive(alice.address, first) == b"stripped"
    alice.receive(bob.address, bob.send(alice.address, b"hello"))
    later = stripped(alice, bob, spqr_messages.encode(Field(1, 0, Kind.NONE, None)))
    assert later.type == WHISPER
    with pytest.raises(Malformed):
        bob.receive(alice.address, later)


def stripped(sender: Party, receiver: Party, field: bytes) -> Ciphertext:
    """What a peer would send that has another field for SPQR and no key of it, all else right."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spqr, "send", lambda state, rng: (state, field, kdf.NO_SALT))
        return sender.send(receiver.address, b"stripped")
