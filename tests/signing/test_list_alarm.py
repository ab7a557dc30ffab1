"""The alarm: two valid lists that contradict each other, and nothing less."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from tests.signing.people import NOW_S, Person, stream

from linnet.signing.device_list import (
    DeviceList,
    ListedDevice,
    check_list,
    decode_list,
    encode_list,
    first_list,
)
from linnet.signing.errors import ListReason, ListRejected, Malformed
from linnet.signing.list_alarm import ListConflict, conflict, read_conflict
from linnet.signing.objects import SignedObject, sign_object
from linnet.signing.packing import pack

ANN = Person.named("ann alarmed")
ANN.link()
FIRST, SECOND = ANN.lists
ANN.again()
THIRD = ANN.newest
ONE, TWO, THREE = (decode_list(obj.body) for obj in ANN.lists)


def signed(listed: DeviceList) -> SignedObject:
    return sign_object("device-list", ANN.key.private, encode_list(listed), stream("alarm"))


def renamed(devices: Sequence[ListedDevice]) -> tuple[ListedDevice, ...]:
    return tuple(replace(device, name=b"other") for device in devices)


SAME_VERSION = signed(replace(TWO, devices=renamed(TWO.devices)))
SAME_SET = signed(replace(THREE, devices=ONE.devices))


@pytest.mark.parametrize(
    ("one", "other"), [(SECOND, SAME_VERSION), (SECOND, SAME_SET)], ids=["version", "set"]
)
def test_one_version_with_two_hashes_or_one_set_with_other_devices_is_the_alarm(
    one: SignedObject, other: SignedObject
) -> None:
    proof = conflict(one, other)
    assert proof is not None
    assert {proof.one, proof.other} == {one, other}
    assert conflict(other, one) == proof
    assert read_conflict(proof.to_bytes()) == proof


def test_what_the_check_calls_a_conflict_is_the_alarm() -> None:
    for other in (SAME_VERSION, SAME_SET):
        with pytest.raises(ListRejected) as refusal:
            check_list(other, account=ANN.account, account_key=None, now_s=NOW_S, held=SECOND)
        assert refusal.value.reason is ListReason.CONFLICT


OTHER_KEY = Person.named("another", ANN.account)
FORGED = SignedObject(SAME_VERSION.body, SECOND.sig)
NO_ALARM = {
    "the same list": (SECOND, SECOND),
    "one body under two signatures": (SECOND, signed(TWO)),
    "a later version of the same set": (SECOND, THIRD),
    "another set": (FIRST, SECOND),
    "a forged signature": (SECOND, FORGED),
    "another account key": (FIRST, OTHER_KEY.newest),
    "another account": (FIRST, first_list(b"b" * 16, ANN.key, ANN.devices[1], b"", NOW_S, ANN.rng)),
    "a list that breaks a rule": (SECOND, signed(replace(TWO, primary=9))),
    "no list": (SECOND, SignedObject(b"", bytes(64))),
}


@pytest.mark.parametrize(("one", "other"), NO_ALARM.values(), ids=NO_ALARM)
def test_nothing_less_is_an_alarm(one: SignedObject, other: SignedObject) -> None:
    assert conflict(one, other) is None
    assert conflict(other, one) is None


def proof() -> ListConflict:
    found = conflict(SECOND, SAME_VERSION)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "value",
    [
        None,
        [1, proof().one.as_pair()],
        [2, proof().one.as_pair(), proof().other.as_pair()],
        [True, proof().one.as_pair(), proof().other.as_pair()],
        [1, proof().other.as_pair(), proof().one.as_pair()],
        [1, SECOND.as_pair(), THIRD.as_pair()],
        [1, SECOND.as_pair(), [b""]],
    ],
)
def test_nothing_else_is_a_proof(value: object) -> None:
    with pytest.raises(Malformed):
        read_conflict(pack(value))  # type: ignore[arg-type]
