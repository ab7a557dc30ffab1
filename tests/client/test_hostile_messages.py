"""Whatever arrives is filed, acknowledged, and blocks nothing behind it."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.client.post_office import START_MS, Clockwork, Device, PostOffice, two_devices

from linnet.client import facts, history, keys, lists, lost, parking
from linnet.client.errors import NotTrusted
from linnet.client.events import Arrived, Damaged, IdentityChanged, Message, Undecryptable
from linnet.client.facts import Keys
from linnet.client.lists import Adopted
from linnet.crypto.content import Content, commitment, seal_content
from linnet.signing.device_list import LIFETIME_S, first_list
from linnet.signing.keys import generate
from linnet.signing.objects import SignedObject
from linnet.wire.frames import CONTROL, Deliver, Rejected, Resync, Row
from linnet.wire.ids import to_account

Pair = tuple[Device, Device, PostOffice]
DAY_MS = 86_400_000


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    alice, bob = await two_devices(tmp_path, clock := Clockwork())
    yield alice, bob, PostOffice(clock)
    await alice.store.close()
    await bob.store.close()


async def posted(pair: Pair, *texts: str) -> list[Deliver]:
    """The rows in Bob's mailbox after Alice sent these."""
    alice, bob, office = pair
    for text in texts:
        await alice.write_text(bob, text)
    await office.collect(alice, {bob.account: bob})
    rows = office.rows(bob.account, 0)
    assert all(isinstance(row, Deliver) for row in rows)
    return rows  # type: ignore[return-value]


def changed(row: Deliver, **changes: object) -> Deliver:
    return msgspec.structs.replace(row, **changes)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def kinds(shown: list[Arrived]) -> list[type]:
    return [type(entry) for entry in shown]


async def test_a_forged_ciphertext_is_undecryptable_and_the_next_message_is_read(
    pair: Pair,
) -> None:
    alice, bob, _ = pair
    first, second, third = await posted(pair, "one", "two", "three")
    broken = changed(second, ciphertext=flipped(second.ciphertext, 150))
    effects = await bob.receive([first, broken, third])
    assert effects.ack == third.position
    assert kinds(await bob.shown(alice)) == [Message, Undecryptable, Message]


async def test_bytes_that_are_nothing_are_undecryptable(pair: Pair) -> None:
    alice, bob, _ = pair
    [row] = await posted(pair, "one")
    effects = await bob.receive([changed(row, ciphertext=b"")])
    assert effects.ack == row.position
    assert kinds(await bob.shown(alice)) == [Undecryptable]


async def test_another_commitment_is_damaged(pair: Pair) -> None:
    alice, bob, _ = pair
    [row] = await posted(pair, "one")
    await bob.receive([changed(row, commitment=bytes(32))])
    assert kinds(await bob.shown(alice)) == [Damaged]


@pytest.mark.parametrize("damaged", [False, True])
async def test_what_was_asked_for_while_parked_and_then_opens_is_not_asked_for_again(
    pair: Pair, damaged: bool
) -> None:
    _, bob, _ = pair
    [row] = await posted(pair, "one")
    await bob.store.write(lambda db: lost.add(db, row, START_MS))
    await bob.receive([changed(row, commitment=bytes(32)) if damaged else row])
    assert await bob.store.read(lambda db: lost.due(db, START_MS, 200)) == []


async def test_content_under_another_message_id_is_damaged(pair: Pair) -> None:
    alice, bob, _ = pair
    [row] = await posted(pair, "one")
    other = row.id[:-1] + bytes((row.id[-1] ^ 1,))
    await bob.receive([changed(row, id=other)])
    assert kinds(await bob.shown(alice)) == [Damaged]


async def test_a_message_in_another_conversation_is_damaged(pair: Pair) -> None:
    alice, bob, _ = pair
    [row] = await posted(pair, "one")
    await bob.receive([changed(row, conversation=bytes(16))])
    assert await bob.shown(alice) == []
    filed = await bob.store.read(lambda db: history.page(db, bytes(16), None, 9))
    assert kinds(filed) == [Damaged]


async def test_a_repeated_id_is_shown_once(pair: Pair) -> None:
    alice, bob, _ = pair
    [row] = await posted(pair, "one")
    again = changed(row, position=row.position + 5, prev=row.position)
    effects = await bob.receive([row, row, again])
    assert effects.ack == again.position
    assert kinds(await bob.shown(alice)) == [Message]


async def test_nothing_beyond_a_gap_is_stored_or_acknowledged(pair: Pair) -> None:
    alice, bob, _ = pair
    first, _, third = await posted(pair, "one", "two", "three")
    effects = await bob.receive([first, third])
    assert effects.gap
    assert effects.ack == first.position
    assert kinds(await bob.shown(alice)) == [Message]


async def test_nothing_after_a_gap_is_believed_in_that_batch(pair: Pair) -> None:
    alice, bob, _ = pair
    first, _, third = await posted(pair, "one", "two", "three")
    id = await bob.write_text(alice, "mine")
    resync, refusal = Resync(third.position), Rejected(id, "forbidden", False)
    effects = await bob.receive([first, third, resync, third, refusal])
    assert (effects.gap, effects.ack) == (True, first.position)
    assert await bob.cursor() == first.position
    assert effects.answered == []
    assert kinds(await bob.shown(alice)) == [Message, Message]  # hers, and his own


async def test_a_resync_jumps_over_what_expired(pair: Pair) -> None:
    alice, bob, _ = pair
    *_, third = await posted(pair, "one", "two", "three")
    effects = await bob.receive([Resync(third.prev), third])
    assert not effects.gap
    assert effects.ack == third.position
    # The skipped messages moved the ratchet on; the first of a session comes with each of them.
    assert kinds(await bob.shown(alice)) == [Message]


async def test_a_server_that_went_back_may_send_everything_again(pair: Pair) -> None:
    alice, bob, _ = pair
    rows = await posted(pair, "one", "two")
    await bob.receive([*rows])
    effects = await bob.receive([Resync(0), *rows])
    assert not effects.arrived
    assert await bob.cursor() == rows[-1].position
    assert kinds(await bob.shown(alice)) == [Message, Message]


async def test_a_bare_row_moves_the_cursor(pair: Pair) -> None:
    _, bob, _ = pair
    assert (await bob.receive([Row(9, 0, bytes(16), 1)])).ack == 9


async def test_a_message_of_an_unknown_sender_is_parked_and_read_once_the_list_is_there(
    tmp_path: Path,
) -> None:
    clock = Clockwork()
    alice = await Device.make(tmp_path / "a", 1, clock)
    bob = await Device.make(tmp_path / "b", 2, clock)
    await alice.meet(bob)
    pair = alice, bob, PostOffice(clock)
    [row] = await posted(pair, "hello")
    effects = await bob.receive([row])
    assert effects.parked
    assert effects.ack == row.position
    assert await bob.shown(alice) == []
    assert not (await bob.receive([changed(row, position=99, prev=row.position)])).arrived
    await bob.meet(alice)
    freed = await bob.store.write(lambda db: bob.inbox.unpark(db, alice.account, clock.now_ms))
    assert freed.arrived
    assert kinds(await bob.shown(alice)) == [Message]
    await alice.store.close()
    await bob.store.close()


async def test_what_is_parked_too_long_becomes_a_placeholder(tmp_path: Path) -> None:
    clock = Clockwork()
    alice = await Device.make(tmp_path / "a", 1, clock)
    bob = await Device.make(tmp_path / "b", 2, clock)
    await alice.meet(bob)
    [row] = await posted((alice, bob, PostOffice(clock)), "hello")
    await bob.receive([row])
    for now_ms, expected in (
        (clock.now_ms + 13 * DAY_MS, []),
        (clock.now_ms + 15 * DAY_MS, [Undecryptable]),
    ):
        effects = await bob.store.write(
            lambda db, n=now_ms: bob.inbox.unpark(db, alice.account, n)  # type: ignore[misc]
        )
        assert kinds(await bob.shown(alice)) == expected
        assert not effects.parked  # or upkeep would call itself for as long as anything is parked
    assert await bob.store.read(parking.senders) == []
    await alice.store.close()
    await bob.store.close()


async def test_parked_messages_of_one_sender_are_bounded(pair: Pair) -> None:
    _, bob, _ = pair
    [row] = await posted(pair, "hello")
    stranger = bytes(16)
    flood = [
        changed(row, sender=stranger, id=number.to_bytes(16, "big"))
        for number in range(parking.PARK_MESSAGES + 5)
    ]

    def park(db: apsw.Connection) -> int:
        for frame in flood:
            parking.park(db, frame, START_MS)
        return len(parking.take(db, stranger))

    assert await bob.store.write(park) == parking.PARK_MESSAGES


async def test_a_device_that_is_not_listed_is_not_believed(pair: Pair) -> None:
    alice, bob, _ = pair
    [row] = await posted(pair, "hello")
    effects = await bob.receive([changed(row, device=2)])
    assert effects.parked
    assert await bob.shown(alice) == []


async def test_a_control_message_is_read_and_not_shown(pair: Pair) -> None:
    alice, bob, _ = pair
    [row] = await posted(pair, "hello")
    await bob.receive([row])
    held = await alice.store.read(lambda db: lists.held(db, alice.account))
    assert held is not None
    content = Content(
        id=bytes(16),
        to=to_account(bob.account),
        sender=alice.account,
        device=1,
        counter=0,
        sent_ms=START_MS,
        own_list=held.ref,
        kind="receipt",
        body=None,
    )
    z = seal_content(content, bytes(32))
    sealed = await alice.store.write(
        lambda db: alice.sessions.encrypt(
            db, (bob.account, 1), bob.sessions.local.key.public, z, START_MS
        )
    )
    control = changed(
        row,
        position=row.position + 1,
        prev=row.position,
        conv_seq=0,
        id=bytes(16),
        mode=CONTROL,
        kind=sealed.type,
        ciphertext=sealed.data,
        commitment=commitment(z),
    )
    effects = await bob.receive([control])
    assert effects.ack == control.position
    assert not effects.arrived
    assert kinds(await bob.shown(alice)) == [Message]


# ---- device lists


async def test_a_list_under_another_account_key_is_set_aside_until_accepted(
    tmp_path: Path, pair: Pair
) -> None:
    alice, bob, _ = pair
    impostor = await Device.make(tmp_path / "impostor", 7, alice.clock)
    forged = await relisted(impostor, bob.account)

    def offer(db: apsw.Connection) -> Adopted:
        return lists.adopt(db, bob.account, forged, START_MS)

    assert await alice.store.write(offer) is Adopted.CHANGED_KEY
    await alice.write_text(bob, "for the old key")
    with pytest.raises(NotTrusted, match="account_key"):
        await alice.frames({bob.account: bob})
    accepted = await alice.store.write(lambda db: lists.accept_changed(db, bob.account, START_MS))
    assert accepted
    held = await alice.store.read(lambda db: lists.held(db, bob.account))
    assert held is not None
    assert held.obj == forged
    assert not held.key_changed
    await impostor.store.close()


async def test_an_attached_list_under_another_account_key_is_told(
    tmp_path: Path, pair: Pair
) -> None:
    alice, bob, _ = pair
    # The same device under another account key: its own messages prove themselves to Bob.
    changed_key = generate(alice.sessions.rng)
    device = alice.sessions.local.key
    anew = first_list(alice.account, changed_key, device, b"", START_MS // 1000, alice.sessions.rng)

    def change(db: apsw.Connection) -> None:
        db.execute("DELETE FROM lists WHERE account = ?", (alice.account,))
        lists.adopt(db, alice.account, anew, START_MS)

    await alice.store.write(change)
    [row] = await posted(pair, "hello")
    effects = await bob.receive([row])
    assert effects.events == [IdentityChanged(alice.account)]
    assert kinds(await bob.shown(alice)) == [Message]


async def test_a_server_that_serves_the_pinned_keys_list_again_ends_the_change(
    tmp_path: Path, pair: Pair
) -> None:
    alice, bob, _ = pair
    impostor = await Device.make(tmp_path / "impostor", 7, alice.clock)
    forged = await relisted(impostor, bob.account)

    def offer(db: apsw.Connection) -> list[bool]:
        changed = []
        for obj in (forged, bob.signed_list):
            lists.adopt(db, bob.account, obj, START_MS)
            held = lists.held(db, bob.account)
            assert held is not None
            changed.append(held.key_changed)
        return changed

    assert await alice.store.write(offer) == [True, False]
    assert not await alice.store.write(lambda db: lists.accept_changed(db, bob.account, START_MS))
    await impostor.store.close()


async def relisted(device: Device, account: bytes) -> SignedObject:
    """A valid list of that device's keys for another account."""
    own = await device.store.read(lambda db: facts.get(db, Keys))
    assert own is not None
    return first_list(
        account,
        keys.account_key(own),
        keys.device_key(own),
        b"",
        START_MS // 1000,
        device.sessions.rng,
    )


async def test_a_held_list_older_than_three_weeks_is_fetched_before_use(pair: Pair) -> None:
    alice, bob, _ = pair
    held = await alice.store.read(lambda db: lists.held(db, bob.account))
    assert held is not None
    assert not held.stale(START_MS + 20 * DAY_MS)
    assert held.stale(START_MS + 22 * DAY_MS)


async def test_an_expired_list_narrows_to_the_primary(pair: Pair) -> None:
    alice, bob, _ = pair
    held = await alice.store.read(lambda db: lists.held(db, bob.account))
    assert held is not None
    long_after = START_MS + LIFETIME_S * 1000 + 2 * DAY_MS
    assert held.expired(long_after)
    assert [device.id for device in held.recipients(long_after)] == [1]
    adopted = await alice.store.write(
        lambda db: lists.adopt(db, bob.account, bob.signed_list, long_after)
    )
    assert adopted is Adopted.KNOWN


async def test_a_claim_the_server_cannot_prove_is_dropped_after_asking(pair: Pair) -> None:
    alice, bob, _ = pair

    def doubted(db: apsw.Connection) -> tuple[bool, bool]:
        lists.doubt(db, bob.account, set=9, version=9)
        held = lists.held(db, bob.account)
        assert held is not None
        before = held.stale(START_MS)
        lists.adopt(db, bob.account, bob.signed_list, START_MS)
        held = lists.held(db, bob.account)
        assert held is not None
        return before, held.stale(START_MS)

    assert await alice.store.write(doubted) == (True, False)
