"""The erasure code: whatever chunks arrive, enough of them give the data back."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.crypto.errors import Malformed
from linnet.crypto.spqr.erasure import MAX_CHUNKS, Chunk, Decoder, Encoder, chunk_of

COUNTS = (3, 5, 30, 36)  # header, ct2, ct1, key
numbers = st.integers(0, MAX_CHUNKS - 1)


def decoded(size: int, chunks: list[Chunk]) -> bytes | None:
    decoder = Decoder(size)
    for chunk in chunks:
        decoder = decoder.with_chunk(chunk)
    return decoder.decoded()


def test_the_first_chunks_are_the_data() -> None:
    data = Random(1).randbytes(160)
    assert b"".join(chunk_of(data, number) for number in range(5)) == data


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_sufficient_subset_decodes(data: st.DataObject) -> None:
    count = data.draw(st.sampled_from(COUNTS))
    close = data.draw(st.booleans())
    content = Random(data.draw(st.integers(0, 1000))).randbytes(32 * count)
    pool = st.integers(0, 2 * count) if close else numbers
    arrived = data.draw(st.lists(pool, min_size=count, max_size=count, unique=True))
    chunks = [Chunk(number, chunk_of(content, number)) for number in arrived]
    assert decoded(32 * count, chunks) == content
    assert decoded(32 * count, chunks[:-1]) is None


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(COUNTS), st.lists(numbers, max_size=12), st.randoms())
def test_chunks_more_than_needed_and_twice_change_nothing(
    count: int, more: list[int], chance: Random
) -> None:
    content = chance.randbytes(32 * count)
    arrived = [*range(1, count), *more, *more]
    chance.shuffle(arrived)
    chunks = [Chunk(number, chunk_of(content, number)) for number in arrived]
    got = decoded(32 * count, chunks)
    assert got == (content if len(set(arrived)) >= count else None)


def test_a_number_that_came_before_adds_nothing() -> None:
    decoder = Decoder(96).with_chunk(Chunk(7, b"a" * 32))
    assert decoder.with_chunk(Chunk(7, b"b" * 32)) is decoder


def test_an_encoder_counts_up_and_starts_over() -> None:
    content = bytes(range(96))
    encoder, chunk = Encoder(content).next()
    assert (chunk.number, chunk.data) == (0, content[:32])
    encoder, chunk = encoder.next()
    assert (chunk.number, chunk.data) == (1, content[32:64])
    encoder, chunk = Encoder(content, MAX_CHUNKS - 1).next()
    assert chunk.number == MAX_CHUNKS - 1
    assert encoder.number == 0


def test_a_decoder_that_was_damaged_in_the_store_is_refused() -> None:
    with pytest.raises(Malformed):
        Decoder(32, b"x" * 35).decoded()
