"""Runs: a decoder is given mutated examples for a while, and keeps its promise or does not.

`python -m tests.fuzz.run` does this with all decoders for `LINNET_FUZZ_SECONDS` together and
prints a table; `LINNET_FUZZ_SEED` repeats a run's inputs, `LINNET_FUZZ_ONLY` names one decoder.
What breaks a promise is made smaller and printed as a line for the decoder's corpus.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.fuzz.decoder import Decoder
from tests.fuzz.mutate import mutated
from tests.fuzz.registry import DECODERS

SECONDS: Final = 3600.0
SHRINKS: Final = 2_000


@dataclass
class Result:
    """What came of a run. `crash`: the input that broke the promise, and how."""

    name: str
    inputs: int = 0
    accepted: int = 0
    slowest_ms: float = 0.0
    crash: tuple[bytes, str] | None = None


def broken(decoder: Decoder, data: bytes) -> str | None:
    """How this input breaks the decoder's promise, if it does."""
    start = time.perf_counter()
    try:
        decoder.accepts(data)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    took = time.perf_counter() - start
    return f"took {took:.1f} s" if took > decoder.within_s else None


def run(decoder: Decoder, seconds: float, rng: random.Random) -> Result:
    """Give it mutated examples until the time is over, or it breaks its promise."""
    result, examples = Result(decoder.name), decoder.examples()
    until = time.perf_counter() + seconds
    while (start := time.perf_counter()) < until:
        data = mutated(rng, examples)
        try:
            result.accepted += decoder.accepts(data)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"[:200]
            result.crash = smaller(decoder, data), said
            return result
        took_ms = (time.perf_counter() - start) * 1000
        result.inputs += 1
        result.slowest_ms = max(result.slowest_ms, took_ms)
        if took_ms > decoder.within_s * 1000 and broken(decoder, data):
            result.crash = data, f"took {took_ms:.0f} ms"
            return result
    return result


def smaller(decoder: Decoder, data: bytes) -> bytes:
    """A shorter input that breaks the promise too, if there is one."""
    step, tries = max(1, len(data) // 2), 0
    while step and tries < SHRINKS:
        for at in range(0, len(data), step):
            tries += 1
            shorter = data[:at] + data[at + step :]
            if broken(decoder, shorter):
                data = shorter
                break
        else:
            step //= 2
    return data


def table(results: list[Result]) -> str:
    """The results, one a line."""
    lines = [f"{'decoder':26}{'inputs':>12}{'accepted':>12}{'slowest ms':>12}"]
    for it in results:
        lines.append(f"{it.name:26}{it.inputs:12,}{it.accepted:12,}{it.slowest_ms:12.1f}")
        if it.crash is not None:
            lines.append(f"  {it.crash[1]}\n  {it.crash[0].hex() or '-'}")
    total = sum(it.inputs for it in results)
    failed = sum(it.crash is not None for it in results)
    lines.append(f"{total:,} inputs, {failed} decoders broke their promise")
    return "\n".join(lines)


def run_all(
    seconds: float, seed: int, only: str = "", told: Callable[[str], None] = print
) -> list[Result]:
    """All decoders, or `only` one, in `seconds` together."""
    chosen = [it for it in DECODERS if only in ("", it.name)]
    told(f"LINNET_FUZZ_SEED={seed}")
    results = [run(it, seconds / len(chosen), random.Random(f"{seed} {it.name}")) for it in chosen]
    told(table(results))
    return results


def main() -> int:
    """As the module says; 1 if a promise was broken."""
    seconds = float(os.environ.get("LINNET_FUZZ_SECONDS", SECONDS))
    seed = int(os.environ.get("LINNET_FUZZ_SEED", secrets.randbelow(1 << 32)))
    results = run_all(seconds, seed, os.environ.get("LINNET_FUZZ_ONLY", ""))
    return int(any(it.crash is not None for it in results))


if __name__ == "__main__":
    sys.exit(main())
