"""Device lists: every rule, broken one at a time, and the account's own signing.

`python tests/signing/test_device_list.py` writes the vectors again; the test says if they differ.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from linnet.signing import keys
from linnet.signing.device_list import (
    CLOCK_SLACK_S,
    FIRST_PREV,
    KIND_BROWSER,
    KIND_TERMINAL,
    LIFETIME_S,
    DeviceList,
    ListedDevice,
    check_list,
    countersign,
    countersigned,
    decode_list,
    encode_device,
    encode_list,
    first_list,
    next_list,
)
from linnet.signing.errors import ListReason, ListRejected, Malformed
from linnet.signing.keys import KeyPair
from linnet.signing.list_format import MAX_DEVICE_ID, MAX_NAME_BYTES
from linnet.signing.objects import SignedObject, sign_object
from linnet.signing.packing import pack, unpack

FILE = Path(__file__).parents[1] / "vectors" / "signing" / "device_list.json"
NOW_S = 1_800_000_000


def stream(seed: str) -> keys.Rng:
    """A repeatable source of bytes."""
    state = [0]

    def rng(size: int) -> bytes:
        state[0] += 1
        block = sha256(f"{seed} {state[0]}".encode()).digest()
        return (block * 4)[:size]

    return rng


RNG = stream("device list")
ACCOUNT = RNG(16)
KEY = keys.generate(RNG)
PHONE, LAPTOP, TABLET, OTHER = (keys.generate(RNG) for _ in range(4))


def entry(pair: KeyPair, id: int, kind: int = KIND_BROWSER) -> ListedDevice:
    signature = countersign(pair, ACCOUNT, KEY.public, id, NOW_S, stream(f"entry {id}"))
    return ListedDevice(id, pair.public, b"", NOW_S, kind, signature)


def signed(listed: DeviceList, key: KeyPair = KEY) -> SignedObject:
    return sign_object("device-list", key.private, encode_list(listed), stream("sign"))


FIRST = first_list(ACCOUNT, KEY, PHONE, b"", NOW_S, stream("first"))
ONE = decode_list(FIRST.body)
SECOND = next_list(FIRST, KEY, [*ONE.devices, entry(LAPTOP, 2)], NOW_S, stream("second"))
TWO = decode_list(SECOND.body)
THIRD = next_list(SECOND, KEY, TWO.devices, NOW_S + 9, stream("third"))
THREE = decode_list(THIRD.body)
FOURTH = next_list(THIRD, KEY, ONE.devices, NOW_S + 9, stream("fourth"))
FOUR = decode_list(FOURTH.body)


@dataclass(frozen=True)
class Case:
    name: str
    obj: SignedObject
    reason: ListReason | None = None
    held: SignedObject | None = None
    account: bytes = ACCOUNT
    account_key: bytes | None = KEY.public
    now_s: int = NOW_S

    def check(self) -> DeviceList:
        return check_list(
            self.obj,
            account=self.account,
            account_key=self.account_key,
            now_s=self.now_s,
            held=self.held,
        )


def accepted() -> Iterator[Case]:
    yield Case("first list", FIRST)
    yield Case("first list at a first meeting", FIRST, account_key=None)
    yield Case("two devices", SECOND)
    yield Case("the next version", SECOND, held=FIRST)
    yield Case("signed again", THIRD, held=SECOND)
    yield Case("two versions later", THIRD, held=FIRST)
    yield Case("a device left", FOURTH, held=THIRD)
    yield Case("a device came and went in between", FOURTH, held=FIRST)
    yield Case("the held list itself", SECOND, held=SECOND)
    resigned = SignedObject(SECOND.body, signed(TWO).sig)
    yield Case("the held body under another signature", resigned, held=SECOND)
    yield Case("issued a day ahead", FIRST, now_s=NOW_S - CLOCK_SLACK_S)
    yield Case("a day after it expired", FIRST, now_s=ONE.expires + CLOCK_SLACK_S)
    renamed = [replace(device, name=b"new name") for device in TWO.devices]
    named = next_list(SECOND, KEY, renamed, NOW_S, stream("named"))
    yield Case("another name, the same set", named, held=SECOND)
    moved = next_list(SECOND, KEY, TWO.devices, NOW_S, stream("moved"), primary=2)
    yield Case("another primary, the same set", moved, held=SECOND)
    last = replace(ONE, devices=(entry(LAPTOP, 127),), primary=127, next_id=128)
    yield Case("the last id there is", signed(last))


def broken() -> Iterator[Case]:
    reason = ListReason
    yield Case("not packed", signed_body(b"\xc1"), reason.MALFORMED)
    yield Case("signature of 63 bytes", SignedObject(FIRST.body, FIRST.sig[1:]), reason.MALFORMED)
    yield Case("another account", FIRST, reason.ACCOUNT, account=bytes(16))
    yield Case("another pinned key", FIRST, reason.ACCOUNT_KEY, account_key=OTHER.public)
    yield Case("signed by another key", signed(ONE, OTHER), reason.SIGNATURE)
    yield Case("signed by the device", signed(ONE, PHONE), reason.SIGNATURE)
    unlabelled = sign_object("device", KEY.private, FIRST.body, stream("label"))
    yield Case("signed under another label", unlabelled, reason.SIGNATURE)
    yield from of_one_list()
    yield from after_another()


def signed_body(body: bytes) -> SignedObject:
    return sign_object("device-list", KEY.private, body, stream("body"))


def of_one_list() -> Iterator[Case]:
    reason = ListReason

    def changed(name: str, why: ListReason, base: DeviceList = ONE, **changes: Any) -> Case:
        return Case(name, signed(replace(base, **changes)), why)

    yield changed("lives 35 days and a second", reason.LIFETIME, expires=NOW_S + LIFETIME_S + 1)
    yield changed("expires when issued", reason.LIFETIME, expires=NOW_S)
    ahead = NOW_S - CLOCK_SLACK_S - 1
    yield Case("issued over a day ahead", FIRST, reason.NOT_YET, now_s=ahead)
    late = ONE.expires + CLOCK_SLACK_S + 1
    yield Case("over a day after it expired", FIRST, reason.EXPIRED, now_s=late)
    yield changed("version 0", reason.VERSION, version=0)
    yield changed("set 0", reason.VERSION, set=0)
    yield changed("version 1 with a predecessor", reason.PREV, prev=bytes(31) + b"\1")
    yield changed("version 2 without one", reason.PREV, version=2)
    phone, laptop = TWO.devices
    yield changed("ids descending", reason.IDS, TWO, devices=(laptop, phone))
    yield changed("one id twice", reason.IDS, TWO, devices=(phone, entry(LAPTOP, 1)))
    yield changed("next id not above", reason.IDS, next_id=1)
    yield changed("next id above 128", reason.IDS, next_id=129)
    yield changed("one key twice", reason.KEYS, TWO, devices=(phone, entry(PHONE, 2)))
    yield changed("the account key as a device's", reason.KEYS, devices=(entry(KEY, 1),))
    yield changed("primary not listed", reason.PRIMARY, primary=2)
    yield changed("no device", reason.PRIMARY, devices=())
    taken = replace(
        laptop, countersig=countersign(LAPTOP, bytes(16), KEY.public, 2, NOW_S, stream("taken"))
    )
    yield changed(
        "counter-signed for another account", reason.COUNTERSIGNATURE, TWO, devices=(phone, taken)
    )
    other = replace(
        laptop, countersig=countersign(LAPTOP, ACCOUNT, OTHER.public, 2, NOW_S, stream("other"))
    )
    yield changed(
        "counter-signed for another account key",
        reason.COUNTERSIGNATURE,
        TWO,
        devices=(phone, other),
    )
    yield changed(
        "counter-signed under another id",
        reason.COUNTERSIGNATURE,
        TWO,
        next_id=4,
        devices=(phone, replace(laptop, id=3)),
    )
    yield changed(
        "counter-signed at another time",
        reason.COUNTERSIGNATURE,
        TWO,
        devices=(phone, replace(laptop, added=NOW_S + 1)),
    )
    yield changed(
        "counter-signed by another device",
        reason.COUNTERSIGNATURE,
        TWO,
        devices=(phone, replace(laptop, key=TABLET.public)),
    )


def after_another() -> Iterator[Case]:
    reason = ListReason

    def changed(
        name: str, why: ListReason, held: SignedObject, base: DeviceList, **changes: Any
    ) -> Case:
        return Case(name, signed(replace(base, **changes)), why, held)

    yield Case("an older version", FIRST, reason.ROLLBACK, SECOND)
    yield changed("the same version, another body", reason.CONFLICT, SECOND, TWO, issued=NOW_S + 1)
    yield changed("another predecessor", reason.PREV, FIRST, TWO, prev=bytes(31) + b"\1")
    yield changed("other devices, the same set", reason.CONFLICT, FIRST, TWO, set=1)
    yield changed("other devices, the same set, later", reason.CONFLICT, SECOND, FOUR, set=2)
    yield changed("the set falls", reason.SET, SECOND, THREE, set=1)
    yield changed("the set rises for nothing", reason.SET, SECOND, THREE, set=3)
    yield changed("next id falls", reason.ID_REUSED, THIRD, FOUR, next_id=2)
    back = (*ONE.devices, entry(TABLET, 2))
    yield changed(
        "a removed id comes back",
        reason.ID_REUSED,
        FOURTH,
        FOUR,
        version=5,
        set=4,
        prev=FOURTH.hash,
        devices=back,
    )
    yield changed("an id with another key", reason.ID_REUSED, SECOND, THREE, set=3, devices=back)
    rekeyed = first_list(ACCOUNT, OTHER, PHONE, b"", NOW_S, stream("rekeyed"))
    yield Case(
        "another account key than the held list's",
        rekeyed,
        reason.ACCOUNT_KEY,
        FIRST,
        account_key=None,
    )
    yield Case("a held list that is none", SECOND, reason.MALFORMED, signed_body(b""))


CASES = [*accepted(), *broken()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_list_is_taken_or_refused_for_the_one_reason(case: Case) -> None:
    if case.reason is None:
        assert encode_list(case.check()) == case.obj.body
        return
    with pytest.raises(ListRejected) as refusal:
        case.check()
    assert refusal.value.reason is case.reason


def test_every_reason_is_in_some_case() -> None:
    assert {case.reason for case in CASES} == {None, *ListReason}


def vector(case: Case) -> dict[str, Any]:
    def both(obj: SignedObject) -> dict[str, Any]:
        return {"msgpack": pack(obj.as_pair()).hex(), "json": json.loads(msgspec.json.encode(obj))}

    return {
        "name": case.name,
        "list": both(case.obj),
        "account": case.account.hex(),
        "account_key": case.account_key and case.account_key.hex(),
        "now_s": case.now_s,
        "held": case.held and both(case.held),
        "reason": case.reason,
    }


def build() -> dict[str, Any]:
    device = TWO.devices[1]
    body = encode_device(ACCOUNT, KEY.public, device.id, device.key, device.added)
    return {
        "about": "Device lists; see docs/protocol/signing.md. Bytes are hex, in JSON forms base64.",
        "device": {
            "body": body.hex(),
            "key": device.key.hex(),
            "countersignature": device.countersig.hex(),
        },
        "lists": [vector(case) for case in CASES],
    }


def test_the_committed_vectors_are_those_this_file_builds() -> None:
    assert json.loads(FILE.read_text()) == build()


# --- bodies ------------------------------------------------------------------------------------

ROW: list[Any] = unpack(SECOND.body)


def test_the_body_is_the_array_of_the_specification() -> None:
    phone, laptop = TWO.devices
    assert unpack(SECOND.body) == [
        1, ACCOUNT, KEY.public, 2, 2, FIRST.hash, NOW_S, NOW_S + LIFETIME_S, 1, 3,
        [
            [1, PHONE.public, b"", NOW_S, KIND_TERMINAL, phone.countersig],
            [2, LAPTOP.public, b"", NOW_S, KIND_BROWSER, laptop.countersig],
        ],
    ]  # fmt: skip
    assert ONE.prev == FIRST_PREV == bytes(32)


def with_item(index: int, value: Any) -> list[Any]:
    return [*ROW[:index], value, *ROW[index + 1 :]]


def with_device(index: int, value: Any) -> list[Any]:
    device = ROW[10][0]
    return with_item(10, [[*device[:index], value, *device[index + 1 :]]])


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        ROW[:-1],
        [*ROW, None],
        with_item(0, 2),
        with_item(0, True),
        with_item(1, bytes(15)),
        with_item(2, b"\x06" + bytes(32)),
        with_item(2, bytes(32)),
        with_item(3, -1),
        with_item(3, True),
        with_item(4, b""),
        with_item(5, bytes(31)),
        with_item(10, None),
        with_item(10, [None]),
        with_item(10, [[]]),
        with_item(10, ROW[10] * 64),
        with_device(0, 0),
        with_device(0, MAX_DEVICE_ID + 1),
        with_device(1, b"\x05"),
        with_device(2, bytes(MAX_NAME_BYTES + 1)),
        with_device(2, "name"),
        with_device(3, -1),
        with_device(4, 256),
        with_device(5, bytes(63)),
    ],
    ids=str,
)
def test_a_body_of_another_shape_is_malformed(row: Any) -> None:
    with pytest.raises(Malformed):
        decode_list(pack(row))


@given(data=st.binary(max_size=80))
def test_noise_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_list(data)


@given(position=st.integers(0, len(SECOND.body) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_nothing(position: int, byte: int) -> None:
    body = bytearray(SECOND.body)
    same = body[position] == byte
    body[position] = byte
    case = Case("", SignedObject(bytes(body), SECOND.sig))
    if same:
        case.check()
    else:
        with pytest.raises(ListRejected):
            case.check()


def test_a_device_is_found_by_its_id() -> None:
    assert TWO.device(2) == TWO.devices[1]
    assert TWO.device(3) is None


# --- an account's own lists --------------------------------------------------------------------


def test_the_first_list_names_one_device_for_35_days() -> None:
    assert (ONE.version, ONE.set, ONE.primary, ONE.next_id) == (1, 1, 1, 2)
    assert (ONE.issued, ONE.expires) == (NOW_S, NOW_S + 35 * 86_400)
    assert countersigned(ACCOUNT, KEY.public, ONE.devices[0])


def test_signing_again_raises_the_version_and_not_the_set() -> None:
    assert (THREE.version, THREE.set, THREE.prev) == (3, 2, SECOND.hash)
    assert THREE.devices == TWO.devices


def test_a_removal_raises_the_set_and_keeps_the_next_id() -> None:
    assert (FOUR.set, FOUR.next_id) == (3, 3)


def test_devices_are_sorted_before_signing() -> None:
    again = next_list(SECOND, KEY, reversed(TWO.devices), NOW_S, stream("again"))
    assert decode_list(again.body).devices == TWO.devices


def test_a_list_that_breaks_a_rule_is_never_signed() -> None:
    with pytest.raises(ListRejected) as refusal:
        next_list(FOURTH, KEY, [*ONE.devices, entry(TABLET, 2)], NOW_S, stream("never"))
    assert refusal.value.reason is ListReason.ID_REUSED


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
