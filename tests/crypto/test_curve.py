"""Agreement, and the keys it refuses."""

import pytest
from tests.crypto.party import seeded

from linnet.crypto.curve import agree, generate
from linnet.crypto.errors import BadKey

P = 2**255 - 19


def wire(u: int) -> bytes:
    return b"\x05" + u.to_bytes(32, "little")


def test_both_sides_agree() -> None:
    rng = seeded("agree")
    ours, theirs = generate(rng), generate(rng)
    assert agree(ours.private, theirs.public) == agree(theirs.private, ours.public)


@pytest.mark.parametrize(
    "public",
    [b"", wire(9)[1:], b"\x06" + wire(9)[1:], wire(9) + b"\x00"],
    ids=["empty", "no type", "another type", "too long"],
)
def test_what_is_no_key_is_refused(public: bytes) -> None:
    with pytest.raises(BadKey):
        agree(b"\x40" * 32, public)


@pytest.mark.parametrize("u", [P, P + 9, 2**255 - 1, 9 + 2**255, 2**256 - 1])
def test_a_key_that_is_not_canonical_is_refused(u: int) -> None:
    with pytest.raises(BadKey, match="canonical"):
        agree(b"\x40" * 32, wire(u))


@pytest.mark.parametrize(
    "u",
    [
        0,
        1,
        P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    ],
)
def test_a_point_of_small_order_is_refused(u: int) -> None:
    with pytest.raises(BadKey, match="small order"):
        agree(b"\x40" * 32, wire(u))
