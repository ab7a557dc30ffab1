"""The two message formats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.crypto.errors import Malformed, WrongAddress
from linnet.crypto.messages import (
    MAX_BYTES,
    Address,
    address_field,
    check_addresses,
    encode_prekey,
    encode_signal,
    parse_prekey,
    parse_signal,
)

KEY = b"\x05" + bytes(range(32))
MAC = b"12345678"
KEM = b"\x08" * 1569
ALICE = Address(b"a" * 16, 1)
BOB = Address(b"b" * 16, 7)


def signal(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "ratchet_key": KEY,
        "counter": 3,
        "previous_counter": 200,
        "ciphertext": b"c" * 32,
        "pq_ratchet": b"pq",
        "addresses": address_field(ALICE, BOB),
    }
    return encode_signal(**{**fields, **changes}) + MAC  # type: ignore[arg-type]


def prekey(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "registration_id": 9,
        "pre_key_id": 1,
        "signed_pre_key_id": 2,
        "kem_pre_key_id": 3,
        "kem_ciphertext": KEM,
        "base_key": KEY,
        "identity_key": KEY,
        "message": signal(),
    }
    return encode_prekey(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_signal_message_in_bytes() -> None:
    assert signal(ciphertext=b"c" * 16).hex() == (
        "44" + "0a21" + KEY.hex() + "1003" + "18c801" + "2210" + "63" * 16 + "2a027071"
        + "3224" + "00" + "61" * 16 + "01" + "00" + "62" * 16 + "07" + MAC.hex()
    )  # fmt: skip


def test_a_prekey_message_in_bytes() -> None:
    inner = signal()
    assert prekey().hex() == (
        "44" + "0801" + "1221" + KEY.hex() + "1a21" + KEY.hex()
        + "22" + f"{len(inner):02x}" + inner.hex()
        + "2809" + "3002" + "3803" + "42a10c" + KEM.hex()
    )  # fmt: skip


def test_a_signal_message_is_parsed() -> None:
    data = signal()
    message = parse_signal(data)
    assert message.ratchet_key == KEY
    assert (message.counter, message.previous_counter) == (3, 200)
    assert message.ciphertext == b"c" * 32
    assert message.pq_ratchet == b"pq"
    assert message.addresses == address_field(ALICE, BOB)
    assert message.covered + message.mac == data
    assert message.mac == MAC


def test_a_prekey_message_is_parsed() -> None:
    message = parse_prekey(prekey(pre_key_id=None))
    assert message.pre_key_id is None
    assert (message.registration_id, message.signed_pre_key_id, message.kem_pre_key_id) == (9, 2, 3)
    assert message.kem_ciphertext == KEM
    assert message.message == parse_signal(signal())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x44",
        b"\x44" + MAC[1:],
        b"\x44" + MAC,
        b"\x34" + signal()[1:],
        b"\x45" + signal()[1:],
        signal(ratchet_key=KEY[1:]),
        signal(ratchet_key=None),
        signal(counter=None),
        signal(ciphertext=None),
        signal(ciphertext=b"c" * MAX_BYTES),
    ],
)
def test_a_bad_signal_message_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_signal(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x44",
        b"\x33" + prekey()[1:],
        prekey(message=b""),
        prekey(message=None),
        prekey(message=prekey()),
        prekey(base_key=KEY + b"x"),
        prekey(identity_key=b""),
        prekey(kem_ciphertext=KEM[1:]),
        prekey(signed_pre_key_id=None),
        prekey(kem_pre_key_id=2**32),
    ],
)
def test_a_bad_prekey_message_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_prekey(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    for parse in (parse_signal, parse_prekey):
        with pytest.raises(Malformed):
            parse(b"\x44" + data)


@given(st.data())
def test_a_damaged_message_is_parsed_or_refused(data: st.DataObject) -> None:
    message = bytearray(prekey())
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = parse_prekey(bytes(message))
    except Malformed:
        return
    assert parsed.message.covered + parsed.message.mac in bytes(message)


def test_addresses_have_to_be_these_two_in_this_order() -> None:
    message = parse_signal(signal())
    check_addresses(message, ALICE, BOB, required=True)
    for sender, receiver in ((BOB, ALICE), (ALICE, Address(BOB.account, 1)), (BOB, BOB)):
        with pytest.raises(WrongAddress):
            check_addresses(message, sender, receiver, required=False)


def test_addresses_may_be_missing_only_where_they_are_not_required() -> None:
    message = parse_signal(signal(addresses=None))
    check_addresses(message, ALICE, BOB, required=False)
    with pytest.raises(WrongAddress):
        check_addresses(message, ALICE, BOB, required=True)


@pytest.mark.parametrize(("account", "device"), [(b"a" * 15, 1), (b"a" * 16, 0), (b"a" * 16, 128)])
def test_an_address_has_an_account_and_a_device(account: bytes, device: int) -> None:
    with pytest.raises(ValueError, match="address"):
        Address(account, device)
