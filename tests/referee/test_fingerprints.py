"""Safety numbers beside the official ones: the digits, the codes, and comparing them."""

import pytest
from tests.crypto.party import seeded
from tests.referee.libsignal import Libsignal

from linnet.crypto.safety_number import safety_number
from linnet.signing.keys import generate

pytestmark = pytest.mark.referee


@pytest.mark.parametrize("seed", range(8))
def test_digits_and_codes_are_equal(libsignal: Libsignal, seed: int) -> None:
    rng = seeded(seed)
    us, them = (rng(16), generate(rng).public), (rng(16), generate(rng).public)
    ours, theirs = safety_number(*us, *them), safety_number(*them, *us)
    names = ("local", "local_key", "remote", "remote_key")
    question = {name: value.hex() for name, value in zip(names, us + them, strict=True)}
    answer = libsignal.ask("fingerprint", **question)
    assert answer["digits"] == ours.digits
    assert answer["scannable"] == ours.scannable.hex()
    for scanned, same in ((theirs, True), (ours, False)):
        answer = libsignal.ask("compare_fingerprint", **question, scanned=scanned.scannable.hex())
        assert answer["same"] == same == ours.compare(scanned.scannable)
