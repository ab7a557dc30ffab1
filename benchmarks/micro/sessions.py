"""What a session costs, ours beside libsignal in one run: python -m benchmarks.micro.sessions

A machine's speed moves while others use it, so both are measured in turns, round by round, and
the ratio of medians is what to look at. libsignal is driven through Node, as its users drive it:
its times include crossing into native code and its stores, not this harness's pipe. Ours include
no store; what a store needs on top, encoding and decoding a record, has its own row.
"""

import argparse
import json
import platform
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from os import urandom
from pathlib import Path
from statistics import fmean, median, quantiles
from time import perf_counter_ns

from tests.crypto.party import Party
from tests.referee.libsignal import Libsignal

from linnet.crypto import pqxdh
from linnet.crypto.curve import agree
from linnet.crypto.messages import parse_prekey
from linnet.crypto.record import SessionRecord
from linnet.signing import xeddsa
from linnet.signing.keys import generate

RESULTS = Path(__file__).parents[1] / "results"
TEXT = bytes(100)
PER_ROUND = 100
Times = dict[str, list[float]]
# Measured with a prototype on the machine and in the week of the design, µs.
REFERENCE = {
    "one X25519": 24,
    "sign": 42,
    "verify": 52,
    "initiate": 331,
    "PQXDH accept alone": 150,
    "ping-pong": 160,
}


def main() -> None:
    """Measure, print a table, and write it to `benchmarks/results/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help=f"of {PER_ROUND} each (10)")
    rounds = parser.parse_args().rounds
    ours: Times = {}
    theirs: Times = {}
    with Libsignal() as libsignal:
        libsignal.ask("measure", count=PER_ROUND)  # warm
        measure_ours({})
        for _ in range(rounds):
            measure_ours(ours)
            answer = libsignal.ask("measure", count=PER_ROUND)
            for name, times in answer.items():
                theirs.setdefault(name.replace("_", "-"), []).extend(times)
    result = {
        "what": "µs an operation; ping-pong and one-way are encrypt + decrypt of 100 bytes",
        "command": f"python -m benchmarks.micro.sessions --rounds {rounds}",
        "commit": git_commit(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {processor()}, Python {platform.python_version()}",
        "ours": {name: summary(times) for name, times in ours.items()},
        "libsignal_0_90_0_through_node": {name: summary(times) for name, times in theirs.items()},
        "reference": REFERENCE,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sessions.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    show(ours, theirs)


class Stopwatch:
    """Times one call after another, by name."""

    def __init__(self, times: Times) -> None:
        self._times = times

    def __call__(self, name: str, work: Callable[..., object], *arguments: object) -> None:
        began = perf_counter_ns()
        work(*arguments)
        self._times.setdefault(name, []).append((perf_counter_ns() - began) / 1000)


def measure_ours(times: Times) -> None:
    """One round of everything we measure."""
    timed = Stopwatch(times)
    measure_signatures(timed)
    alice, bob = measure_handshakes(timed)
    for number in range(PER_ROUND):
        sender, receiver = (bob, alice) if number % 2 == 0 else (alice, bob)
        timed("ping-pong", turn, sender, receiver)
    for _ in range(PER_ROUND):
        timed("one-way", turn, alice, bob)
        timed("record to bytes and back", store_and_load, bob.records[alice.address])


def measure_signatures(timed: Stopwatch) -> None:
    key, peer = generate(urandom), generate(urandom)
    for _ in range(PER_ROUND):
        timed("one X25519", agree, key.private, peer.public)
        timed("sign", xeddsa.sign, key.private, TEXT, urandom)
        timed("verify", xeddsa.verify, key.public, TEXT, xeddsa.sign(key.private, TEXT, urandom))


def measure_handshakes(timed: Stopwatch) -> tuple[Party, Party]:
    """Return the last pair, with a session that has read its first message."""
    bob = Party("bob", urandom)
    last_resort = bob.bundle(last_resort=True)
    for name, fresh in (("one-time", True), ("last-resort", False)):
        for _ in range(PER_ROUND):
            alice, bundle = Party("alice", urandom), bob.bundle() if fresh else last_resort
            timed("initiate", alice.open, bob.address, bundle)
            first = alice.send(bob.address, TEXT)
            bob.records.clear()
            timed(f"accept and read, {name} KEM key", bob.try_to_receive, alice.address, first)
            if not fresh:
                timed("PQXDH accept alone", accept_alone, bob, first.data)
    bob.receive(alice.address, first)
    return alice, bob


def accept_alone(bob: Party, data: bytes) -> None:
    """The agreement of the responder, without the first message."""
    first = parse_prekey(data)
    signed, kem = bob.prekeys.signed_keys[1], bob.prekeys.kem_keys[1]
    pqxdh.accept(bob.local.key, first, signed, bob.prekeys.one_time_keys[1], kem)


def store_and_load(record: SessionRecord) -> None:
    SessionRecord.from_bytes(record.to_bytes())


def turn(sender: Party, receiver: Party) -> None:
    """Encrypt and decrypt one message."""
    receiver.receive(sender.address, sender.send(receiver.address, TEXT))


def summary(times: list[float]) -> dict[str, float]:
    """Mean, median and 99th percentile."""
    p99 = quantiles(times, n=100)[98]
    return {"mean": round(fmean(times), 1), "p50": round(median(times), 1), "p99": round(p99, 1)}


def show(ours: Times, theirs: Times) -> None:
    print(f"{'µs':36}{'mean':>8}{'p50':>8}{'p99':>8}{'design':>8}{'libsignal p50':>16}{'ratio':>8}")
    for name, times in ours.items():
        each = summary(times)
        peer = theirs.get("accept" if name == "accept and read, one-time KEM key" else name)
        beside = f"{median(peer):16.1f}{each['p50'] / median(peer):8.2f}" if peer else ""
        values = f"{each['mean']:8.1f}{each['p50']:8.1f}{each['p99']:8.1f}"
        print(f"{name:36}{values}{REFERENCE.get(name, ''):>8}{beside}")


def git_commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip()


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


if __name__ == "__main__":
    main()
