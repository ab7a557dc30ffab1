"""Linking, the encryption: an honest linking, and everything in between that goes wrong."""

import os
from hashlib import sha256
from typing import TypeVar

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.crypto.party import seeded

from linnet.crypto import curve
from linnet.crypto.device_name import BadName, seal_name
from linnet.crypto.errors import BadKey, Malformed
from linnet.crypto.linking import (
    BadBox,
    Channel,
    Grant,
    Invitation,
    Opening,
    accept,
    answer,
    invite,
    offered_name,
    open_countersignature,
    open_grant,
    seal_countersignature,
    seal_grant,
)
from linnet.signing.device_list import check_list, decode_list, first_list
from linnet.signing.keys import generate
from linnet.signing.linking import LinkCode, OfferSwapped, check_offer, decode_offer, encode_offer
from linnet.signing.list_revision import with_device
from linnet.signing.packing import pack

T = TypeVar("T")
NOW_S = 1_800_000_000
RNG = seeded("linking")
ACCOUNT = RNG(16)
ACCOUNT_KEY, PRIMARY, LAPTOP = (generate(RNG) for _ in range(3))
LIST = first_list(ACCOUNT, ACCOUNT_KEY, PRIMARY, b"", NOW_S, RNG)
GRANT = Grant(
    ACCOUNT, 2, ACCOUNT_KEY.public, NOW_S, "+4915112345678", bytes(range(32)), 1, LIST.hash
)
INVITATION = invite(LAPTOP.public, 2, "laptop", RNG)
CODE, OFFER = INVITATION.code, decode_offer(INVITATION.offer)


def met(invitation: Invitation = INVITATION) -> tuple[Channel, Channel]:
    """The channels of primary and new device."""
    primary, opening = answer(invitation.code, invitation.offer, RNG)
    return primary, accept(invitation, opening)


def test_a_device_is_linked_step_by_step() -> None:
    code = LinkCode.from_text(CODE.to_text())
    offer = check_offer(code, INVITATION.offer)
    assert (offered_name(code, offer), offer.kind) == ("laptop", 2)

    primary, opening = answer(code, INVITATION.offer, RNG)
    primary, box = seal_grant(primary, GRANT)

    device, granted = open_grant(accept(INVITATION, opening), box)
    assert granted == GRANT
    device, signed = seal_countersignature(device, granted, LAPTOP, RNG)

    name = seal_name(GRANT.storage_key, ACCOUNT, 2, "laptop", RNG)
    primary, listed = open_countersignature(primary, signed, GRANT, offer, name)
    obj = with_device(LIST, ACCOUNT_KEY, listed, NOW_S, RNG)

    new = check_list(obj, account=ACCOUNT, account_key=granted.account_key, now_s=NOW_S, held=LIST)
    assert new.device(granted.device_id) == listed
    assert listed.key == LAPTOP.public
    assert (new.version, new.prev) == (granted.list_version + 1, granted.list_hash)


def test_the_keys_are_derived_as_written() -> None:
    """HKDF(DH ‖ KEM secret ‖ q, `linnet/link/1` ‖ 0 ‖ SHA-256(code ‖ offer ‖ e ‖ ct)), 64 bytes."""
    primary, opening = answer(CODE, INVITATION.offer, RNG)
    dh = curve.agree(INVITATION.exchange_private, b"\x05" + opening.exchange)
    kem = MLKEM1024PrivateKey.from_seed_bytes(INVITATION.kem_seed).decapsulate(opening.ciphertext)
    seen = CODE.to_bytes() + INVITATION.offer + opening.exchange + opening.ciphertext
    info = b"linnet/link/1\x00" + sha256(seen).digest()
    out = HKDF(SHA256(), 64, bytes(32), info).derive(dh + kem + CODE.q)
    assert (primary.send_key, primary.receive_key) == (out[:32], out[32:])
    _, first = primary.seal(b"first")
    assert AESGCM(out[:32]).decrypt(bytes(12), first, CODE.link_id) == b"first"
    after, _ = primary.seal(b"first")
    _, second = after.seal(b"second")
    assert AESGCM(out[:32]).decrypt(bytes(11) + b"\x01", second, CODE.link_id) == b"second"


def test_boxes_open_in_order_once_and_at_the_other_end() -> None:
    primary, device = met()
    after_one, one = primary.seal(b"one")
    _, two = after_one.seal(b"two")
    with pytest.raises(BadBox):
        device.open(two)
    device, plain = device.open(one)
    assert plain == b"one"
    with pytest.raises(BadBox):
        device.open(one)
    with pytest.raises(BadBox):
        primary.open(one)
    assert device.open(two)[1] == b"two"


def test_two_linkings_share_no_key() -> None:
    again = invite(LAPTOP.public, 2, "laptop", RNG)
    keys = [key for channel in (*met(), *met(again)) for key in (channel.send_key,)]
    assert len(set(keys)) == 4


# --- somebody in between -----------------------------------------------------------------------


def test_a_swapped_kem_key_is_noticed_before_anything_is_sent() -> None:
    theirs = decode_offer(invite(LAPTOP.public, 2, "laptop", RNG).offer).kem_key
    swapped = encode_offer(replace(OFFER, kem_key=theirs))
    with pytest.raises(OfferSwapped):
        answer(CODE, swapped, RNG)


def test_a_swapped_device_key_is_noticed_too() -> None:
    swapped = encode_offer(replace(OFFER, device_key=generate(RNG).public))
    with pytest.raises(OfferSwapped):
        answer(CODE, swapped, RNG)


def test_a_server_that_has_not_seen_the_code_cannot_answer() -> None:
    """It has the offer and the link id, and may make up the rest."""
    guess = LinkCode.of(CODE.exchange, CODE.link_id, bytes(32), INVITATION.offer)
    impostor, opening = answer(guess, INVITATION.offer, RNG)
    _, box = seal_grant(impostor, GRANT)
    with pytest.raises(BadBox):
        open_grant(accept(INVITATION, opening), box)


def test_a_relayed_linking_fails_if_any_part_of_the_answer_is_changed() -> None:
    primary, opening = answer(CODE, INVITATION.offer, RNG)
    _, box = seal_grant(primary, GRANT)
    _, other = answer(CODE, INVITATION.offer, RNG)
    for changed in (
        replace(opening, exchange=other.exchange),
        replace(opening, ciphertext=other.ciphertext),
        replace(opening, ciphertext=opening.ciphertext[:-1] + bytes((opening.ciphertext[-1] ^ 1,))),
    ):
        with pytest.raises(BadBox):
            open_grant(accept(INVITATION, changed), box)


def test_a_code_that_is_replayed_answers_another_linking_no_more() -> None:
    """The same person's next code has other keys: an answer to the old one opens nothing."""
    primary, opening = answer(CODE, INVITATION.offer, RNG)
    _, box = seal_grant(primary, GRANT)
    with pytest.raises(BadBox):
        open_grant(accept(invite(LAPTOP.public, 2, "laptop", RNG), opening), box)


def test_a_device_that_signs_for_other_ids_is_not_listed() -> None:
    for changes in ({"device_id": 3}, {"account": bytes(16)}, {"added_s": 1}):
        primary, device = met()
        _, box = seal_countersignature(device, replace(GRANT, **changes), LAPTOP, RNG)
        with pytest.raises(BadKey):
            open_countersignature(primary, box, GRANT, OFFER, b"")


def test_a_device_that_signs_with_another_key_than_it_offered_is_not_listed() -> None:
    primary, device = met()
    _, box = seal_countersignature(device, GRANT, generate(RNG), RNG)
    with pytest.raises(BadKey):
        open_countersignature(primary, box, GRANT, OFFER, b"")


@pytest.mark.parametrize(
    "opening",
    [
        Opening(bytes(32), bytes(1_568)),
        Opening(bytes(31), bytes(1_568)),
        Opening(b"\xff" * 32, bytes(1_568)),
        Opening(generate(RNG).public[1:], bytes(1_567)),
    ],
    ids=["small order", "short", "not canonical", "short ciphertext"],
)
def test_an_answer_of_bad_values_is_refused(opening: Opening) -> None:
    with pytest.raises(BadKey):
        accept(INVITATION, opening)


def test_an_offer_of_bad_values_is_refused() -> None:
    unreduced = encode_offer(replace(OFFER, kem_key=b"\xff" * 1_568))
    with pytest.raises(BadKey):
        answer(LinkCode.of(CODE.exchange, CODE.link_id, CODE.q, unreduced), unreduced, RNG)
    low = LinkCode.of(bytes(32), CODE.link_id, CODE.q, INVITATION.offer)
    with pytest.raises(BadKey):
        answer(low, INVITATION.offer, RNG)


# --- what dies midway --------------------------------------------------------------------------


def test_either_side_goes_on_from_what_it_stored() -> None:
    """Both may be written down between any two steps; the boxes then are the same ones."""

    def stored(value: T) -> T:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value))

    primary, opening = answer(CODE, INVITATION.offer, RNG)
    primary, box = seal_grant(primary, GRANT)
    device, granted = open_grant(accept(stored(INVITATION), stored(opening)), box)
    _, signed = seal_countersignature(stored(device), stored(granted), LAPTOP, RNG)
    _, listed = open_countersignature(stored(primary), signed, stored(GRANT), OFFER, b"")
    assert listed.id == 2


def test_a_grant_that_was_never_used_leaves_its_id_to_the_next_device() -> None:
    tablet = generate(RNG)
    invitation = invite(tablet.public, 2, "", RNG)
    primary, device = met(invitation)
    _, box = seal_countersignature(device, GRANT, tablet, RNG)
    offer = decode_offer(invitation.offer)
    _, listed = open_countersignature(primary, box, GRANT, offer, b"")
    assert decode_list(with_device(LIST, ACCOUNT_KEY, listed, NOW_S, RNG).body).next_id == 3


# --- what is in the boxes ----------------------------------------------------------------------

ROW = [1, ACCOUNT, 2, ACCOUNT_KEY.public, NOW_S, None, bytes(32), [1, LIST.hash]]


def test_the_grant_is_the_array_of_the_specification() -> None:
    primary, device = met()
    _, box = seal_grant(primary, replace(GRANT, number=None, storage_key=bytes(32)))
    assert device.open(box)[1] == pack(ROW)


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, 2),
        (0, True),
        (1, bytes(15)),
        (2, 0),
        (2, 128),
        (2, True),
        (3, bytes(32)),
        (4, -1),
        (5, b"+49"),
        (5, "+" + "1" * 16),
        (6, bytes(31)),
        (7, [0, LIST.hash]),
        (7, [1, b""]),
        (7, [1]),
        (7, []),
        (7, [1, LIST.hash, None]),
        (7, [True, LIST.hash]),
        (7, None),
    ],
)
def test_no_other_array_is_a_grant(index: int, value: object) -> None:
    primary, device = met()
    _, box = primary.seal(pack([*ROW[:index], value, *ROW[index + 1 :]]))
    with pytest.raises(Malformed):
        open_grant(device, box)


@pytest.mark.parametrize(
    "plaintext",
    [b"", b"\xc1", pack(None), pack([]), pack(ROW[:-1]), pack([2, bytes(64)]), pack([1]),
     pack([True, bytes(64)])],
)  # fmt: skip
def test_nothing_else_is_a_grant_or_a_counter_signature(plaintext: bytes) -> None:
    primary, device = met()
    with pytest.raises(Malformed):
        open_grant(device, primary.seal(plaintext)[1])
    with pytest.raises(Malformed):
        open_countersignature(primary, device.seal(plaintext)[1], GRANT, OFFER, b"")


CHANNEL = met()[1]


@given(st.binary(max_size=100))
def test_noise_is_no_box(data: bytes) -> None:
    with pytest.raises(BadBox):
        CHANNEL.open(data)


def test_the_name_is_read_with_the_code_only() -> None:
    assert b"laptop" not in INVITATION.offer
    blind = LinkCode.of(CODE.exchange, CODE.link_id, bytes(32), INVITATION.offer)
    with pytest.raises(BadName):
        offered_name(blind, OFFER)
    unnamed = invite(LAPTOP.public, 2, "", os.urandom)
    assert offered_name(unnamed.code, decode_offer(unnamed.offer)) == ""


def test_secrets_are_not_shown() -> None:
    primary, _ = met()
    shown = repr((INVITATION, primary, GRANT))
    assert "15112345678" not in shown
    for secret in (INVITATION.kem_seed, primary.send_key, GRANT.storage_key):
        assert repr(secret) not in shown
