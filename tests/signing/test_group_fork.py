"""Forks: two valid entries on one head are a proof; everything else is none."""

import pytest
from tests.signing.people import NOW_S, Person, after, begun, create, evidence

from linnet.signing.errors import Malformed
from linnet.signing.group_changes import Add, Leave, Promote, Remove
from linnet.signing.group_fold import found
from linnet.signing.group_fork import Evidence, Fork, fork, read_fork
from linnet.signing.objects import SignedObject
from linnet.signing.packing import pack

ANN, BOB, CID, DAN = (Person.named(name) for name in ("ann", "bob", "cid", "dan"))
BASE = begun(ANN, BOB, CID)
ONE = evidence(BASE, ANN, Remove((BOB.account,)))
OTHER = evidence(BASE, ANN, Add((DAN.pair,)))


def proof() -> Fork:
    found = fork(BASE, ONE, OTHER)
    assert found is not None
    return found


def test_a_log_shown_differently_to_two_members_is_proved_by_what_they_hold() -> None:
    to_bob = after(BASE, ANN, Add((DAN.pair,)))
    to_cid = after(BASE, ANN, Remove((BOB.account,)))
    assert (to_bob.version, to_bob.group) == (to_cid.version, to_cid.group)
    assert to_bob.head != to_cid.head
    assert fork(BASE, ONE, OTHER) == fork(BASE, OTHER, ONE) == proof()


def test_entries_by_two_actors_are_a_fork_too() -> None:
    assert fork(BASE, ONE, evidence(BASE, BOB, Leave())) is not None


def test_one_entry_twice_is_no_fork() -> None:
    again = Evidence(SignedObject(ONE.entry.body, ONE.entry.sig), ONE.cited)
    assert fork(BASE, ONE, again) is None


def test_an_entry_that_its_actor_had_no_right_to_is_no_fork() -> None:
    assert fork(BASE, ONE, evidence(BASE, BOB, Promote(CID.account))) is None
    assert fork(BASE, ONE, evidence(BASE, DAN, Leave())) is None


def test_an_entry_on_another_head_is_no_fork() -> None:
    later = after(BASE, ANN, Add((DAN.pair,)))
    assert fork(BASE, ONE, evidence(later, ANN, Remove((BOB.account,)))) is None
    assert fork(later, ONE, OTHER) is None


def test_a_forged_signature_is_no_fork() -> None:
    forged = Evidence(SignedObject(OTHER.entry.body, ONE.entry.sig), OTHER.cited)
    assert fork(BASE, ONE, forged) is None
    unproven = Evidence(OTHER.entry, SignedObject(OTHER.cited.body, bytes(64)))
    assert fork(BASE, ONE, unproven) is None


def test_two_first_entries_are_two_groups_and_no_fork() -> None:
    one, other = create(ANN), create(ANN)
    assert found(one, ANN.proven()).group != found(other, ANN.proven()).group
    assert fork(BASE, Evidence(one, ANN.newest), Evidence(other, ANN.newest)) is None


def test_a_proof_is_exported_and_checked_again() -> None:
    data = proof().to_bytes()
    assert read_fork(BASE, data) == proof()
    with pytest.raises(Malformed):
        read_fork(after(BASE, BOB, Leave()), data)


def row(part: Evidence) -> list[list[bytes]]:
    return [part.entry.as_pair(), part.cited.as_pair()]


LOW, HIGH = proof().one, proof().other


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [1, row(LOW)],
        [2, row(LOW), row(HIGH)],
        [True, row(LOW), row(HIGH)],
        [1, row(HIGH), row(LOW)],
        [1, row(LOW), row(LOW)],
        [1, row(LOW), row(HIGH)[:1]],
        [1, row(LOW), [b"", b""]],
        [1, row(LOW), row(HIGH), NOW_S],
    ],
)
def test_nothing_else_is_a_proof(value: object) -> None:
    with pytest.raises(Malformed):
        read_fork(BASE, pack(value))  # type: ignore[arg-type]
