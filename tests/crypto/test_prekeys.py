"""Pre-keys and the bundle that publishes them."""

from dataclasses import replace

import pytest
from tests.crypto.party import Party, seeded

from linnet.crypto.errors import BadKey
from linnet.crypto.prekeys import PreKeyBundle, generate_kem, generate_one_time, verify_bundle
from linnet.signing.keys import generate
from linnet.signing.xeddsa import sign


@pytest.fixture
def bundle() -> PreKeyBundle:
    return Party("bob", seeded("bundle")).bundle()


def test_a_bundle_of_ours_is_good(bundle: PreKeyBundle) -> None:
    verify_bundle(bundle)
    verify_bundle(replace(bundle, pre_key=None, pre_key_id=None))


def test_a_bundle_of_another_identity_is_refused(bundle: PreKeyBundle) -> None:
    with pytest.raises(BadKey):
        verify_bundle(replace(bundle, identity_key=generate(seeded("mallory")).public))


@pytest.mark.parametrize("field", ["signed_pre_key", "kem_pre_key"])
def test_a_swapped_key_is_refused(bundle: PreKeyBundle, field: str) -> None:
    other = Party("mallory", seeded("mallory")).bundle()
    with pytest.raises(BadKey):
        verify_bundle(replace(bundle, **{field: getattr(other, field)}))


@pytest.mark.parametrize(
    "point", [b"\x05" + bytes(32), b"\x05" + b"\xff" * 31 + b"\x7f"], ids=["small order", "above p"]
)
def test_a_point_that_agrees_on_nothing_is_refused_however_well_signed(point: bytes) -> None:
    rng = seeded("points")
    party = Party("bob", rng)
    bundle = party.bundle()
    signature = sign(party.local.key.private, point, rng)
    with pytest.raises(BadKey):
        verify_bundle(replace(bundle, signed_pre_key=point, signed_pre_key_sig=signature))
    with pytest.raises(BadKey):
        verify_bundle(replace(bundle, pre_key=point))


@pytest.mark.parametrize("change", [{"pre_key": None}, {"pre_key_id": None}])
def test_half_a_one_time_key_is_refused(bundle: PreKeyBundle, change: dict[str, None]) -> None:
    with pytest.raises(BadKey):
        verify_bundle(replace(bundle, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("registration_id", [0, 0x4000])
def test_a_registration_id_has_14_bits(bundle: PreKeyBundle, registration_id: int) -> None:
    with pytest.raises(BadKey):
        verify_bundle(replace(bundle, registration_id=registration_id))


def test_ids_count_up() -> None:
    rng = seeded("ids")
    assert [key.id for key in generate_one_time(7, 3, rng)] == [7, 8, 9]
    assert [key.id for key in generate_kem(generate(rng), 7, 2, 0, rng)] == [7, 8]


def test_private_halves_are_not_shown() -> None:
    party = Party("bob", seeded("repr"))
    party.bundle()
    for key in (party.prekeys.signed(1), party.prekeys.one_time(1), party.prekeys.kem(1)):
        assert "private" not in repr(key)
        assert "seed" not in repr(key)
