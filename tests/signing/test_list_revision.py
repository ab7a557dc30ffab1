"""What an account does with its devices, version by version, and random chains of lists."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace
from tests.signing.people import NOW_S, Person, stream

from linnet.signing import keys
from linnet.signing.device_list import (
    DeviceList,
    ListedDevice,
    check_list,
    countersign,
    decode_list,
    next_list,
    prove_list,
)
from linnet.signing.errors import ListReason, ListRejected
from linnet.signing.list_alarm import conflict
from linnet.signing.list_format import MAX_DEVICE_ID, encode_list
from linnet.signing.list_revision import renamed, signed_again, with_device
from linnet.signing.objects import SignedObject, sign_object

ANN = Person.named("ann revising")
FIRST = ANN.newest
RNG = stream("revisions")


def device(id: int, *, person: Person = ANN) -> ListedDevice:
    pair = keys.generate(RNG)
    signature = countersign(pair, person.account, person.key.public, id, NOW_S, RNG)
    return ListedDevice(id, pair.public, b"", NOW_S, 2, signature)


def body(obj: SignedObject) -> DeviceList:
    return decode_list(obj.body)


def without(held: SignedObject, id: int) -> SignedObject:
    """The list without a device: its revocation."""
    rest = [entry for entry in body(held).devices if entry.id != id]
    return next_list(held, ANN.key, rest, NOW_S, RNG)


SECOND = with_device(FIRST, ANN.key, device(2), NOW_S, RNG)


def test_a_new_device_raises_version_and_set() -> None:
    new = body(SECOND)
    assert (new.version, new.set, new.next_id, new.prev) == (2, 2, 3, FIRST.hash)
    assert (new.primary, [entry.id for entry in new.devices]) == (1, [1, 2])


def test_a_recovered_account_makes_the_new_device_its_primary() -> None:
    recovered = with_device(SECOND, ANN.key, device(3), NOW_S, RNG, primary=True)
    assert body(recovered).primary == 3
    without_old = without(recovered, 1)
    assert [entry.id for entry in body(without_old).devices] == [2, 3]


@pytest.mark.parametrize("id", [1, 2, 4])
def test_a_new_device_takes_the_next_id_and_no_other(id: int) -> None:
    with pytest.raises(ListRejected) as refusal:
        with_device(SECOND, ANN.key, device(id), NOW_S, RNG)
    assert refusal.value.reason is ListReason.ID_REUSED


def test_a_counter_signature_taken_from_another_account_lists_nobody() -> None:
    with pytest.raises(ListRejected) as refusal:
        with_device(FIRST, ANN.key, device(2, person=Person.named("bob")), NOW_S, RNG)
    assert refusal.value.reason is ListReason.COUNTERSIGNATURE


def test_a_revoked_id_is_never_used_again() -> None:
    third = without(SECOND, 2)
    assert (body(third).set, body(third).next_id) == (3, 3)
    with pytest.raises(ListRejected) as refusal:
        with_device(third, ANN.key, device(2), NOW_S, RNG)
    assert refusal.value.reason is ListReason.ID_REUSED
    assert body(with_device(third, ANN.key, device(3), NOW_S, RNG)).next_id == 4


def test_the_primary_cannot_be_revoked() -> None:
    with pytest.raises(ListRejected) as refusal:
        without(SECOND, 1)
    assert refusal.value.reason is ListReason.PRIMARY


def test_the_weekly_signing_bounces_nobody() -> None:
    """Frames name the set, and the set stays."""
    again = signed_again(SECOND, ANN.key, NOW_S + 7 * 86_400, RNG)
    assert (body(again).version, body(again).set) == (3, 2)
    assert body(again).expires == body(SECOND).expires + 7 * 86_400


def test_a_new_name_changes_no_set() -> None:
    named = renamed(SECOND, ANN.key, 2, b"sealed", NOW_S, RNG)
    assert (body(named).version, body(named).set) == (3, 2)
    assert [entry.name for entry in body(named).devices] == [b"", b"sealed"]


def test_only_a_listed_device_can_be_renamed() -> None:
    with pytest.raises(KeyError):
        renamed(SECOND, ANN.key, 3, b"", NOW_S, RNG)


def test_no_list_is_signed_with_another_account_key() -> None:
    with pytest.raises(ListRejected):
        signed_again(SECOND, Person.named("bob").key, NOW_S, RNG)


def test_a_signing_that_crashed_before_the_upload_is_the_same_version_with_the_same_body() -> None:
    """What was persisted is uploaded; signing anew instead would be the proof of a conflict."""
    persisted = signed_again(SECOND, ANN.key, NOW_S, RNG)
    anew = signed_again(SECOND, ANN.key, NOW_S + 1, RNG)
    assert conflict(persisted, anew) is not None
    uploaded = SignedObject.from_msgpack(persisted.to_msgpack())
    assert conflict(persisted, uploaded) is None
    held = body(uploaded)
    assert held == check_list(
        uploaded, account=ANN.account, account_key=ANN.key.public, now_s=NOW_S, held=SECOND
    )


class Chain(RuleBasedStateMachine):
    """An account that adds, revokes, renames and signs again, seen by who missed some of it."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = [FIRST]
        self.ever: dict[int, bytes] = body(FIRST).device_keys()

    @property
    def newest(self) -> DeviceList:
        return body(self.chain[-1])

    @rule(primary=st.booleans())
    def add(self, primary: bool) -> None:
        new = device(self.newest.next_id)
        self.chain.append(with_device(self.chain[-1], ANN.key, new, NOW_S, RNG, primary=primary))
        assert new.id not in self.ever
        self.ever[new.id] = new.key

    @rule(which=st.integers(0, 9))
    def revoke(self, which: int) -> None:
        rest = [id for id in self.newest.device_keys() if id != self.newest.primary]
        if rest:
            id = rest[which % len(rest)]
            self.chain.append(without(self.chain[-1], id))

    @rule(name=st.binary(max_size=8))
    def rename(self, name: bytes) -> None:
        primary = self.newest.primary
        self.chain.append(renamed(self.chain[-1], ANN.key, primary, name, NOW_S, RNG))

    @rule()
    def sign_again(self) -> None:
        self.chain.append(signed_again(self.chain[-1], ANN.key, NOW_S, RNG))

    @rule(held=st.integers(0, 99), offered=st.integers(0, 99))
    def somebody_holds_one_and_is_offered_another(self, held: int, offered: int) -> None:
        old, new = (self.chain[which % len(self.chain)] for which in (held, offered))
        reason = None
        try:
            check_list(new, account=ANN.account, account_key=None, now_s=NOW_S, held=old)
        except ListRejected as refusal:
            reason = refusal.reason
        expected = ListReason.ROLLBACK if body(new).version < body(old).version else None
        assert reason is expected
        assert conflict(old, new) is None

    @rule(at=st.integers(0, 99))
    def a_fork_of_the_chain_is_the_alarm(self, at: int) -> None:
        old = self.chain[at % len(self.chain)]
        later = self.chain[at % len(self.chain) + 1 :]
        forked = signed_again(old, ANN.key, NOW_S + 1, RNG)
        assert (conflict(forked, later[0]) is not None) if later else True

    @invariant()
    def versions_count_by_one_and_name_the_one_before(self) -> None:
        assert self.newest.version == len(self.chain)
        if len(self.chain) > 1:
            assert self.newest.prev == self.chain[-2].hash

    @invariant()
    def the_set_rises_when_devices_change_and_only_then(self) -> None:
        if len(self.chain) > 1:
            before = body(self.chain[-2])
            changed = before.device_keys() != self.newest.device_keys()
            assert self.newest.set == before.set + changed

    @invariant()
    def ids_mean_one_key_for_ever(self) -> None:
        assert self.newest.device_keys().items() <= self.ever.items()
        assert self.newest.next_id == max(self.ever) + 1 <= MAX_DEVICE_ID + 1

    @invariant()
    def it_proves_itself(self) -> None:
        assert prove_list(self.chain[-1]).listed == self.newest


TestChain = Chain.TestCase
TestChain.settings = settings(
    max_examples=settings().max_examples // 4, stateful_step_count=20, deadline=None
)


def test_the_127th_device_is_the_last() -> None:
    last = replace(body(FIRST), devices=(device(127),), primary=127, next_id=128)
    full = sign_object("device-list", ANN.key.private, encode_list(last), RNG)
    assert prove_list(full).listed.next_id == 128
    beyond = replace(last.devices[0], id=128)
    with pytest.raises(ListRejected) as refusal:
        with_device(full, ANN.key, beyond, NOW_S, RNG)
    assert refusal.value.reason is ListReason.MALFORMED
