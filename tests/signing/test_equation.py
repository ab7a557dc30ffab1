"""The fast answer and the exact one never differ, and the fast one is used only where it may be.

What an Ed25519 verifier may do differently is in R: torsion, small order, encodings not reduced.
"""

import importlib.util
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import nacl.bindings
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_sign_open,
)
from nacl.exceptions import BadSignatureError
from tests.signing import paper
from tests.signing.test_xeddsa import VECTORS

from linnet.signing import edwards, equation, xeddsa
from linnet.signing.edwards import L, P
from linnet.signing.equation import by_libsodium, exact, refuses_torsion

TORSION = equation.torsion()
IDENTITY = paper.encode(paper.IDENTITY)


@dataclass(frozen=True)
class Signed:
    """What the owner of a key could send, whatever they did to R."""

    point: bytes
    message: bytes
    nonce_point: bytes
    s: bytes

    @classmethod
    def with_nonce_point(cls, a: bytes, r: bytes, nonce_point: bytes, message: bytes) -> "Signed":
        """Holds exactly where `nonce_point` is the encoding of rB; r may be zero."""
        point = crypto_scalarmult_ed25519_base_noclamp(a)
        k = edwards.challenge(nonce_point, point, message)
        s = crypto_core_ed25519_scalar_add(crypto_core_ed25519_scalar_mul(k, a), r)
        return cls(point, message, nonce_point, s)

    @classmethod
    def torsioned(cls, a: bytes, r: bytes, extra: bytes, message: bytes) -> "Signed":
        """`extra` is added to R before the challenge: the cofactored equation always holds."""
        nonce_point = crypto_core_ed25519_add(crypto_scalarmult_ed25519_base_noclamp(r), extra)
        return cls.with_nonce_point(a, r, nonce_point, message)

    def answers(self) -> tuple[bool, bool]:
        return (
            exact(self.point, self.message, self.nonce_point, self.s),
            by_libsodium(self.point, self.message, self.nonce_point, self.s),
        )

    def signature(self) -> bytes:
        sign_bit = self.point[31] & edwards.SIGN_BIT
        return self.nonce_point + self.s[:31] + bytes((self.s[31] | sign_bit,))


def scalar(seed: bytes) -> bytes:
    return crypto_core_ed25519_scalar_reduce(seed)


def verified_by(holds: equation.Equation, public: bytes, message: bytes, signature: bytes) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xeddsa, "holds", holds)
        return xeddsa.verify(public, message, signature)


scalars = st.binary(min_size=64, max_size=64).filter(lambda seed: any(seed[:32])).map(scalar)
messages = st.binary(max_size=300)
places = st.integers(0, 7)


@settings(deadline=None)
@given(a=scalars, r=scalars, extra=places, message=messages)
def test_both_refuse_every_torsion_in_r_and_take_none(
    a: bytes, r: bytes, extra: int, message: bytes
) -> None:
    signed = Signed.torsioned(a, r, TORSION[extra], message)
    honest = TORSION[extra] == IDENTITY
    assert signed.answers() == (honest, honest)


@pytest.mark.parametrize("extra", range(8))
def test_both_agree_on_an_r_of_small_order(extra: int) -> None:
    signed = Signed.with_nonce_point(scalar(b"a" * 64), bytes(32), TORSION[extra], b"text")
    honest = TORSION[extra] == IDENTITY
    assert signed.answers() == (honest, honest)


@settings(deadline=None)
@given(a=scalars, y=st.integers(0, 18), sign=st.booleans(), r=scalars | st.just(bytes(32)))
@example(a=scalar(b"a" * 64), y=1, sign=False, r=bytes(32))
@example(a=scalar(b"a" * 64), y=1, sign=True, r=bytes(32))
def test_both_refuse_an_r_that_is_not_reduced(a: bytes, y: int, sign: bool, r: bytes) -> None:
    encoding = (y + P | sign << 255).to_bytes(32, "little")
    assert Signed.with_nonce_point(a, r, encoding, b"").answers() == (False, False)


@settings(deadline=None)
@given(a=scalars, y=st.sampled_from([1, P - 1]), r=scalars | st.just(bytes(32)))
def test_both_refuse_an_r_whose_x_is_minus_zero(a: bytes, y: int, r: bytes) -> None:
    encoding = (y | 1 << 255).to_bytes(32, "little")
    assert Signed.with_nonce_point(a, r, encoding, b"").answers() == (False, False)


@settings(deadline=None)
@given(a=scalars, nonce_point=st.binary(min_size=32, max_size=32), s=scalars | st.just(bytes(32)))
def test_both_refuse_noise(a: bytes, nonce_point: bytes, s: bytes) -> None:
    point = crypto_scalarmult_ed25519_base_noclamp(a)
    assert Signed(point, b"", nonce_point, s).answers() == (False, False)


@settings(deadline=None)
@given(
    a=scalars,
    r=scalars,
    extra=places,
    bit=st.none() | st.integers(0, 511),
    times_l=st.integers(0, 7),
    other=st.booleans(),
)
def test_verification_by_either_is_the_same_and_takes_only_what_is_whole(
    a: bytes, r: bytes, extra: int, bit: int | None, times_l: int, other: bool
) -> None:
    signed = Signed.torsioned(a, r, TORSION[extra], b"text")
    number = int.from_bytes(signed.signature(), "little")
    s = (number >> 256 & 2**255 - 1) + times_l * L
    if s < 2**255:
        number = number & ~((2**255 - 1) << 256) | s << 256
    flipped = number ^ (0 if bit is None else 1 << bit)
    key = paper_public(signed.point)
    arguments = key, b"other" if other else b"text", flipped.to_bytes(64, "little")
    whole = TORSION[extra] == IDENTITY and bit is None and not other
    whole = whole and (times_l == 0 or s >= 2**255)
    assert verified_by(exact, *arguments) is whole
    assert verified_by(by_libsodium, *arguments) is whole


def paper_public(point: bytes) -> bytes:
    """The 33 public bytes of an encoded point."""
    y = int.from_bytes(point, "little") & 2**255 - 1
    return paper.public((1 + y) * pow(1 - y, -1, P) % P)


@pytest.mark.parametrize("holds", [exact, by_libsodium])
@pytest.mark.parametrize("case", VECTORS["verify"], ids=lambda case: case["name"])
def test_both_follow_the_vectors(case: dict[str, Any], holds: equation.Equation) -> None:
    public, message, signature = (
        bytes.fromhex(case[name]) for name in ("public", "message", "signature")
    )
    assert verified_by(holds, public, message, signature) is case["valid"]


def test_the_torsion_points_are_the_multiples_of_one_of_order_8() -> None:
    generator = paper.recover(int.from_bytes(TORSION[0], "little"), 0)
    assert generator is not None
    assert [paper.encode(paper.mul(n, generator)) for n in range(1, 9)] == list(TORSION)
    assert len(set(TORSION)) == 8
    assert TORSION[7] == IDENTITY


# --- when the fast one is used -----------------------------------------------------------------


def cofactored(signed: bytes, point: bytes) -> bytes:
    """A verifier as RFC 8032 describes it first: 8sB = 8R + 8kA."""
    s, message = int.from_bytes(signed[32:64], "little"), signed[64:]
    nonce_point, a = decoded(signed[:32]), decoded(point)
    right = paper.add(nonce_point, paper.mul(paper.challenge(signed[:32], a, message), a))
    if paper.mul(8 * s, paper.BASE) != paper.mul(8, right):
        raise BadSignatureError
    return message


def decoded(data: bytes) -> paper.Point:
    number = int.from_bytes(data, "little")
    point = paper.recover(number & 2**255 - 1, number >> 255)
    assert point is not None
    return point


def taking(signed: bytes, point: bytes) -> bytes:
    return signed[64:]


def refusing(signed: bytes, point: bytes) -> bytes:
    raise BadSignatureError


def fresh_module() -> ModuleType:
    """The module as an import would make it now, beside the one in use."""
    spec = importlib.util.find_spec("linnet.signing.equation")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_verifier_that_multiplies_by_the_cofactor_is_found_out() -> None:
    assert not refuses_torsion(cofactored)


def test_a_verifier_that_misses_one_torsion_component_is_found_out() -> None:
    for missed in TORSION[:7]:

        def almost(signed: bytes, point: bytes, missed: bytes = missed) -> bytes:
            nonce_point = crypto_scalarmult_ed25519_base_noclamp(b"\x09" + bytes(31))
            if signed[:32] == crypto_core_ed25519_add(nonce_point, missed):
                return signed[64:]
            return crypto_sign_open(signed, point)

        assert not refuses_torsion(almost)


@pytest.mark.parametrize("opener", [taking, refusing])
def test_a_verifier_that_takes_or_refuses_everything_is_found_out(opener: Any) -> None:
    assert not refuses_torsion(opener)


def test_the_exact_equation_passes_the_check() -> None:
    def opener(signed: bytes, point: bytes) -> bytes:
        if not exact(point, signed[64:], signed[:32], signed[32:64]):
            raise BadSignatureError
        return signed[64:]

    assert refuses_torsion(opener)


@pytest.mark.parametrize("opener", [taking, refusing, cofactored])
def test_with_a_library_that_fails_the_check_group_operations_decide(
    opener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nacl.bindings, "crypto_sign_open", opener)
    module = fresh_module()
    assert module.holds is module.exact


def test_the_libsodium_that_is_pinned_passes_the_check() -> None:
    module = fresh_module()
    assert module.holds is module.by_libsodium
