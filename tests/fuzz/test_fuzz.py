"""Every decoder, given what nobody meant to give it: it answers or refuses by name, in time."""

from __future__ import annotations

import os
import random
import secrets

import pytest
from tests.fuzz.decoder import CORPUS, Decoder
from tests.fuzz.mutate import mutated
from tests.fuzz.registry import DECODERS
from tests.fuzz.run import broken, run, run_all, smaller

SECONDS = float(os.environ.get("LINNET_FUZZ_SECONDS", "15"))
SLICE_S = 0.03


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("LINNET_FUZZ_SEED", secrets.randbelow(1 << 32)))


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda it: it.name)
def test_a_decoder_keeps_its_promise_about_its_corpus(decoder: Decoder) -> None:
    assert [it.hex() for it in decoder.examples() if broken(decoder, it)] == []


def test_a_slice_of_the_fuzzing_finds_nothing(seed: int) -> None:
    results = run_all(SLICE_S * len(DECODERS), seed)
    assert [it.crash for it in results if it.crash is not None] == []


@pytest.mark.slow
@pytest.mark.timeout(60 + int(2 * SECONDS))
def test_the_fuzzing_finds_nothing(seed: int) -> None:
    results = run_all(SECONDS, seed)
    assert [it.crash for it in results if it.crash is not None] == []


def test_every_decoder_accepts_what_is_valid_or_says_why_none_is_kept() -> None:
    never = {it.name for it in DECODERS if not any(map(it.accepts, it.examples()))}
    assert never == {
        "certificate-verified",  # its root is another one
        "sealed",  # what is inside has no certificate of ours
    }


def test_the_corpus_has_no_file_without_a_decoder() -> None:
    assert {it.stem for it in CORPUS.iterdir()} == {it.name for it in DECODERS}


def test_the_fuzzing_finds_a_decoder_that_breaks_its_promise() -> None:
    decoder = next(it for it in DECODERS if it.name == "packing")

    def careless(data: bytes) -> bytes:
        if len(data) > 3 and data[2] == 0x7F:
            raise KeyError("careless")
        return data

    result = run(Decoder("packing", careless, (ValueError,), ()), 20.0, random.Random("careless"))
    assert result.crash is not None
    assert len(result.crash[0]) == 4
    assert "KeyError" in result.crash[1]
    other = Decoder("packing", decoder.decode, decoder.errors, (), lambda value: b"another")
    assert "another encoding" in str(broken(other, decoder.examples()[0]))


def test_a_mutation_is_repeated_by_its_seed() -> None:
    examples = [b"one example", b"another"]
    first, second = (random.Random("seed") for _ in range(2))
    made = [mutated(first, examples) for _ in range(200)]
    assert made == [mutated(second, examples) for _ in range(200)]
    assert len(set(made)) > 150


def test_making_smaller_keeps_what_breaks() -> None:
    def never(data: bytes) -> bytes:
        assert b"!" not in data
        return data

    decoder = Decoder("packing", never, (ValueError,), ())
    assert smaller(decoder, b"a long line with ! in it") == b"!"
