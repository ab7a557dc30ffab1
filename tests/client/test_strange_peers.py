"""Peers that know the keys and break the rules: stripped ratchets, forged counters, wrong ways."""

import random
import time
from collections.abc import AsyncIterator, Callable
from itertools import product
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.client.post_office import Clockwork, Device, PostOffice, two_devices

from linnet.client import lists
from linnet.client.events import Damaged, Message, Undecryptable
from linnet.client.sql import every
from linnet.client.taking import Taker
from linnet.crypto import ratchet
from linnet.crypto.bodies import text_body
from linnet.crypto.content import Content, Refused, commitment, seal_content
from linnet.crypto.kinds import RULES, Channel, frame_channel, permitted
from linnet.crypto.messages import WHISPER, encode_signal, parse_signal
from linnet.crypto.prekeys import PreKeyBundle
from linnet.crypto.record import MAX_ARCHIVED, SessionRecord
from linnet.signing.keys import generate
from linnet.wire.frames import CONTROL, FULL, NARROWED, SENDER_KEY, SESSION, Deliver
from linnet.wire.ids import AccountId, direct_conversation, to_account, to_group

Pair = tuple[Device, Device, PostOffice]
FORGERY_S = 0.25
"""Time of the processor that one forged message may take."""


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    alice, bob = await two_devices(tmp_path, clock := Clockwork())
    yield alice, bob, PostOffice(clock)
    await alice.store.close()
    await bob.store.close()


async def says(pair: Pair, text: str) -> Deliver:
    """Alice says something; the row that waits for Bob."""
    alice, bob, office = pair
    before = len(office.mailboxes.get(bob.account, []))
    await alice.write_text(bob, text)
    await office.collect(alice, {bob.account: bob})
    [row] = [r for r in office.mailboxes[bob.account][before:] if isinstance(r, Deliver)]
    return row


async def answered(pair: Pair) -> None:
    """They have talked: the session is open on both sides."""
    alice, bob, office = pair
    await bob.receive([await says(pair, "hi")])
    await bob.write_text(alice, "hello")
    await office.collect(bob, {alice.account: alice})
    await bob.receive(office.rows(bob.account, await bob.cursor()))
    await alice.receive(office.rows(alice.account, await alice.cursor()))


async def records(device: Device) -> list[bytes]:
    rows = await device.store.read(lambda db: every(db, "SELECT record FROM sessions"))
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    "field", [b"", b"\x00\x01\x01\x00", b"\x01\x01\x00\x00"], ids=["none", "version 0", "no key"]
)
async def test_a_peer_that_strips_the_post_quantum_ratchet_is_not_read(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, field: bytes
) -> None:
    alice, bob, _ = pair
    await answered(pair)
    before = await records(bob)

    def stripped(*args: object) -> bytes:
        key, counter, previous, ciphertext, _, addresses = args
        return encode_signal(key, counter, previous, ciphertext, field, addresses)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:  # what Alice sends has a MAC that holds
        patch.setattr(ratchet, "encode_signal", stripped)
        row = await says(pair, "without it")
    await bob.receive([row])
    assert await records(bob) == before
    assert type((await bob.shown(alice))[-1]) is Undecryptable
    await bob.receive([await says(pair, "with it")])
    assert type((await bob.shown(alice))[-1]) is Message


async def archive_forty(alice: Device, bob: Device) -> None:
    """Bob has forty archived sessions with Alice, all of her making."""
    listed = (await alice.store.read(lambda db: lists.held(db, bob.account))).list.device(1)  # type: ignore[union-attr]
    assert listed is not None
    first = await bob.bundle()
    kem = await bob.store.read(
        lambda db: every(db, "SELECT id, public, signature FROM kem_pre_keys WHERE last_resort = 1")
    )
    bundle = PreKeyBundle(
        registration_id=first.registration_id,
        device_id=1,
        identity_key=first.identity,
        signed_pre_key_id=first.signed.id,
        signed_pre_key=first.signed.key,
        signed_pre_key_sig=first.signed.sig,
        kem_pre_key_id=kem[0][0],
        kem_pre_key=kem[0][1],
        kem_pre_key_sig=kem[0][2],
        pre_key_id=None,
        pre_key=None,
    )
    now_ms, here, there = alice.clock.now_ms, (alice.account, 1), (bob.account, 1)
    identity = alice.sessions.local.key.public
    for _ in range(MAX_ARCHIVED + 1):

        def write(db: apsw.Connection) -> tuple[int, bytes]:
            alice.sessions.open(db, there, bundle, now_ms)
            sealed = alice.sessions.encrypt(db, there, listed.key, b"hello", now_ms)
            return sealed.type, sealed.data

        kind, data = await alice.store.write(write)
        await bob.store.write(
            lambda db, k=kind, d=data: bob.sessions.decrypt(db, here, identity, k, d, now_ms)  # type: ignore[misc]
        )
    [record] = await records(bob)
    assert len(SessionRecord.from_bytes(record).archived) == MAX_ARCHIVED


async def test_forged_counters_over_forty_archived_sessions_take_little_time(pair: Pair) -> None:
    alice, bob, _ = pair
    await answered(pair)
    row = await says(pair, "honest")
    await archive_forty(alice, bob)
    before = await records(bob)
    honest = parse_signal(row.ciphertext)
    forged, position = [], row.prev
    for n, counter in enumerate((0, 1_999, 2_000, 2**32 - 1), start=1):
        for known in (False, True):
            key = honest.ratchet_key if known else generate(random.Random(n).randbytes).public
            data = encode_signal(
                key, counter, 0, honest.ciphertext, honest.pq_ratchet, honest.addresses
            )
            frame = msgspec.structs.replace(
                row,
                id=bytes((known, n)).ljust(16),
                ciphertext=data + bytes(8),
                position=position + 1,
                prev=position,
            )
            position += 1
            forged.append(frame)
    began_s = time.process_time()
    await bob.receive([*forged])
    assert time.process_time() - began_s < FORGERY_S * len(forged)
    assert await records(bob) == before
    shown = await bob.shown(alice)
    assert [type(entry) for entry in shown].count(Undecryptable) == len(forged)


# ---- kinds, ways and senders, as the client lets them in


OWNER, PEER, GROUP = AccountId(b"\1" * 16), AccountId(b"\2" * 16), b"\3" * 16


def frame_of(content: Content, mode: int, to: bytes) -> Deliver:
    group = to[0] == 2
    other = content.sender if content.sender != OWNER else AccountId(to[1:])
    return Deliver(
        position=3,
        prev=0,
        conversation=GROUP if group else direct_conversation(OWNER, AccountId(other)),
        conv_seq=0 if mode == CONTROL else 1,
        id=content.id,
        sender=content.sender,
        device=content.device,
        mode=mode,
        kind=SENDER_KEY if group else SESSION,
        ciphertext=b"",
        commitment=bytes(32),
        timestamp=1,
        server_timestamp=1,
    )


async def test_every_kind_comes_only_by_its_ways_and_from_whom_it_may(pair: Pair) -> None:
    _, bob, _ = pair
    held = await bob.store.read(lambda db: lists.held(db, bob.account))
    assert held is not None
    taker, let_in = Taker(OWNER), set()
    ways = {"direct": to_account(OWNER), "own": to_account(OWNER), "group": to_group(GROUP)}  # type: ignore[arg-type]
    for kind, way, mode, primary in product(
        [*RULES, "hologram"], ways, (FULL, NARROWED, CONTROL), (True, False)
    ):
        sender = OWNER if way == "own" else PEER
        to, device = ways[way], 1 if primary else 2
        content = Content(
            id=b"i" * 16,
            to=to,
            sender=sender,
            device=device,
            counter=0 if mode == CONTROL else 1,
            sent_ms=1,
            own_list=(1, bytes(32)),
            kind=kind,
            body=text_body("hi"),
        )
        channel = frame_channel(to, sender, mode)
        allowed = channel is not None and permitted(
            kind, channel, own_account=sender == OWNER, primary=primary, linking=False
        )
        try:
            taker.check(frame_of(content, mode, to), content, held)
        except Refused:
            assert not allowed, (kind, way, mode, primary)
        else:
            assert allowed, (kind, way, mode, primary)
            let_in.add((kind, channel))
    assert {channel for _, channel in let_in} == {
        Channel.DIRECT,
        Channel.OWN,
        Channel.GROUP,
        Channel.CONTROL,
    }
    assert not {kind for kind, _ in let_in} & {"typing", "story", "history"}


async def test_what_may_not_come_this_way_is_not_shown(pair: Pair) -> None:
    """The same rule, through sessions and store: an authentic `sync` from a peer."""
    alice, bob, _ = pair
    await answered(pair)
    row = await says(pair, "placeholder")
    held = await alice.store.read(lambda db: lists.held(db, alice.account))
    assert held is not None
    content = Content(
        id=row.id,
        to=to_account(bob.account),
        sender=alice.account,
        device=1,
        counter=9,
        sent_ms=row.timestamp,
        own_list=held.ref,
        kind="sync",
        body=[],
    )
    z, there = seal_content(content, bytes(32)), (bob.account, 1)
    key = bob.sessions.local.key.public
    seal: Callable[[apsw.Connection], bytes] = lambda db: (  # noqa: E731
        alice.sessions.encrypt(db, there, key, z, alice.clock.now_ms).data
    )
    data = await alice.store.write(seal)
    row = msgspec.structs.replace(row, ciphertext=data, kind=WHISPER, commitment=commitment(z))
    await bob.receive([row])
    entry = (await bob.shown(alice))[-1]
    assert (type(entry), entry.reason) == (Damaged, "refused")
