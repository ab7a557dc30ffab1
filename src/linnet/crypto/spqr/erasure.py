"""The erasure code: any as many chunks as the data has give the data back (ML-KEM Braid r1).

Data is cut into chunks of 32 bytes, 16 elements of a field. The k-th elements of the chunks are the
values at 0, 1, 2 … of the k-th of 16 polynomials, and chunk x is their values at x: so the first
chunks are the data itself. Chunk numbers have 16 bits.

An encoder and a decoder are values: what they return replaces them.
"""

from functools import lru_cache
from typing import Final

from linnet.crypto.errors import Malformed
from linnet.crypto.secret import SecretStruct
from linnet.crypto.spqr.field import CHUNK_BYTES, log, power, scaled_sum, spread

MAX_CHUNKS: Final = 0x10000

_NUMBER_BYTES: Final = 2
_ENTRY_BYTES: Final = _NUMBER_BYTES + CHUNK_BYTES


class Chunk(SecretStruct, frozen=True, array_like=True):
    """One chunk and its number."""

    number: int
    data: bytes


class Encoder(SecretStruct, frozen=True, array_like=True):
    """Data on its way out. `number` is that of the next chunk."""

    data: bytes
    number: int = 0

    def next(self) -> tuple["Encoder", Chunk]:
        """Return the encoder after it and the next chunk; after 65,536 they come again."""
        chunk = Chunk(self.number, chunk_of(self.data, self.number))
        return Encoder(self.data, (self.number + 1) % MAX_CHUNKS), chunk


class Decoder(SecretStruct, frozen=True, array_like=True):
    """Data coming in: `size` bytes of it, and the chunks so far as number ‖ data each."""

    size: int
    entries: bytes = b""

    def with_chunk(self, chunk: Chunk) -> "Decoder":
        """The decoder with one more chunk. A number seen before adds nothing."""
        number = chunk.number.to_bytes(_NUMBER_BYTES)
        entries = self.entries
        for at in range(0, len(entries), _ENTRY_BYTES):
            if entries[at : at + _NUMBER_BYTES] == number:
                return self
        return Decoder(self.size, entries + number + chunk.data)

    def decoded(self) -> bytes | None:
        """The data, or None while chunks are missing."""
        if len(self.entries) // _ENTRY_BYTES < self.size // CHUNK_BYTES:
            return None
        return _decoded(_parsed(self.entries), self.size // CHUNK_BYTES)


def chunk_of(data: bytes, number: int) -> bytes:
    """Chunk `number` (0 to 65,535) of `data`, whose length is a multiple of 32."""
    if number * CHUNK_BYTES < len(data):
        return data[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
    chunks = {
        at // CHUNK_BYTES: data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)
    }
    return _interpolated(chunks, _weights(tuple(chunks)), number)


def _parsed(entries: bytes) -> dict[int, bytes]:
    """The chunks by number. Raises Malformed for a stored state that is damaged."""
    if len(entries) % _ENTRY_BYTES:
        raise Malformed("not the chunks of a decoder")
    return {
        int.from_bytes(entries[at : at + _NUMBER_BYTES]): entries[
            at + _NUMBER_BYTES : at + _ENTRY_BYTES
        ]
        for at in range(0, len(entries), _ENTRY_BYTES)
    }


def _decoded(chunks: dict[int, bytes], count: int) -> bytes:
    missing = [number for number in range(count) if number not in chunks]
    if missing:
        known = dict(chunks)
        weights = _weights(tuple(known))
        for number in missing:
            chunks[number] = _interpolated(known, weights, number)
    return b"".join(chunks[number] for number in range(count))


def _interpolated(chunks: dict[int, bytes], weights: list[int], at: int) -> bytes:
    """The chunk at a number that is not among `chunks` (Lagrange, with barycentric weights)."""
    logs = [log(at ^ number) for number in chunks]
    whole = sum(logs)
    return scaled_sum(
        (power(whole - each + weight), spread(data))
        for each, weight, data in zip(logs, weights, chunks.values(), strict=True)
    )


@lru_cache(maxsize=8)  # four sizes that are encoded, each with the same numbers every time
def _weights(numbers: tuple[int, ...]) -> list[int]:
    """For each number, the logarithm of 1 / product of its differences from the others."""
    return [-sum(log(one ^ other) for other in numbers if other != one) for one in numbers]
