"""The last step of XEdDSA verification: does sB − kA encode to R, byte for byte?

Two answers that are always the same. `exact` computes the encoding with group operations.
`by_libsodium` has libsodium's Ed25519 verifier decide, in half the time; `holds` is that one only
where a check at import proved of the library installed that it does not multiply by the cofactor:
one that does accepts an R with torsion, which others refuse.

A is a point of order L that `linnet.signing.edwards` accepted, s < L; nothing is checked again.
"""

from collections.abc import Callable
from itertools import accumulate, repeat
from typing import Final

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_sub,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
    crypto_sign_open,
)
from nacl.exceptions import CryptoError

from linnet.signing.edwards import P, challenge

__all__ = ["Equation", "by_libsodium", "exact", "holds", "refuses_torsion", "torsion"]

Equation = Callable[[bytes, bytes, bytes, bytes], bool]
"""(A, message, R, s): 32 bytes each, and a message of any size."""

Opener = Callable[[bytes, bytes], bytes]
"""(R ‖ s ‖ message, A) → message; raises CryptoError."""

# The point of order 8 with the smaller y and an even x. It generates the torsion subgroup.
_ORDER_8: Final = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
_Y_MASK: Final = 2**255 - 1


def torsion() -> tuple[bytes, ...]:
    """The eight points of small order, canonically encoded: multiples 1 to 8 of one of order 8."""
    return tuple(accumulate(repeat(_ORDER_8, 8), crypto_core_ed25519_add))


def exact(point: bytes, message: bytes, nonce_point: bytes, s: bytes) -> bool:
    """Tell whether sB − kA encodes to R, with group operations alone. R is never decoded."""
    k = challenge(nonce_point, point, message)
    try:
        ka = crypto_scalarmult_ed25519_noclamp(k, point)
        sb = crypto_scalarmult_ed25519_base_noclamp(s)
    except CryptoError:  # s = 0 or k = 0, for which no one can find a matching R
        return False
    return crypto_core_ed25519_sub(sb, ka) == nonce_point


def by_libsodium(point: bytes, message: bytes, nonce_point: bytes, s: bytes) -> bool:
    """Tell the same, asking libsodium's verifier wherever its answer could not differ."""
    y = int.from_bytes(nonce_point, "little") & _Y_MASK
    # Verifiers differ in an R of small order or not reduced; −0 is an x of small order only.
    if y in _SMALL_ORDER_YS or y >= P or not any(s):
        return exact(point, message, nonce_point, s)
    return _opens(crypto_sign_open, nonce_point + s + message, point)


def refuses_torsion(opener: Opener) -> bool:
    """Tell whether a verifier takes a good signature and refuses it with any torsion in R.

    sB − kA has order L here, so the torsion is all that tells the exact equation from the one
    multiplied by the cofactor: a verifier of that one fails this.
    """
    a, r, message = b"\x07" + bytes(31), b"\x09" + bytes(31), b"is the cofactor multiplied in?"
    point = crypto_scalarmult_ed25519_base_noclamp(a)
    good_nonce_point = crypto_scalarmult_ed25519_base_noclamp(r)
    answers = []
    for extra in torsion():
        nonce_point = crypto_core_ed25519_add(good_nonce_point, extra)
        k = challenge(nonce_point, point, message)
        s = crypto_core_ed25519_scalar_add(crypto_core_ed25519_scalar_mul(k, a), r)
        answers.append(_opens(opener, nonce_point + s + message, point))
    return answers == [False] * 7 + [True]  # the eighth multiple is the identity


def _opens(opener: Opener, signed: bytes, point: bytes) -> bool:
    try:
        opener(signed, point)
    except CryptoError:
        return False
    return True


_SMALL_ORDER_YS: Final = frozenset(int.from_bytes(t, "little") & _Y_MASK for t in torsion())

holds: Final[Equation] = by_libsodium if refuses_torsion(crypto_sign_open) else exact
