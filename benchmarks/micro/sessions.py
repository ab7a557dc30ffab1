"""What a session costs, ours beside libsignal in one run: python -m benchmarks.micro.sessions

A machine's speed moves while others use it, so both are measured in turns, round by round, and
the ratio of medians is what to look at. libsignal is driven through Node, as its users drive it:
its times include crossing into native code and its stores, not this harness's pipe. Ours include
no store; what a store needs on top, encoding and decoding a record, has its own row. Where Node or
libsignal is not to be had, ours are measured alone.
"""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from os import urandom
from pathlib import Path
from statistics import fmean, median, quantiles
from time import perf_counter_ns

import msgspec
from tests.crypto.party import Party
from tests.referee.libsignal import Libsignal, Missing

from linnet.bench import results
from linnet.crypto import pqxdh
from linnet.crypto.curve import agree
from linnet.crypto.messages import parse_prekey
from linnet.crypto.record import SessionRecord
from linnet.signing import edwards, equation, xeddsa
from linnet.signing.keys import generate

TEXT = bytes(100)
PER_ROUND = 100
PACKAGES = ("linnet", "cryptography", "msgspec", "pynacl")
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
# Names in libsignal's answer, and ours.
SAME = {
    "initiate": "initiate",
    "accept": "accept and read, one-time KEM key",
    "ping_pong": "ping-pong",
    "one_way": "one-way",
}


class Cost(msgspec.Struct):
    """One operation, in microseconds."""

    mean_us: float
    p50_us: float
    p99_us: float


class SessionsReport(msgspec.Struct):
    """What is kept. ping-pong and one-way are encrypt + decrypt of 100 bytes."""

    rounds: int
    operations_per_round: int
    verified_by: str
    """`by_libsodium`, or `exact` where the installed one failed the check of its verifier."""
    ours: dict[str, Cost]
    libsignal_0_103_0_through_node: dict[str, Cost]
    """Empty where it could not be had."""
    ratio_of_p50: dict[str, float]
    """Ours to theirs."""
    reference_us: dict[str, int]


def main() -> None:
    """Measure, print a table, and write it to a folder if one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help=f"of {PER_ROUND} each (10)")
    parser.add_argument("--results", type=Path, help="folder for the result file")
    given = parser.parse_args()
    report = measure(given.rounds)
    show(report)
    if given.results is not None:
        command = ["python", "-m", "benchmarks.micro.sessions", "--rounds", str(given.rounds)]
        made = results.result(report, "sessions", command)
        made.packages = {name: version(name) for name in PACKAGES}
        print(results.write(given.results, made))


def measure(rounds: int) -> SessionsReport:
    """Ours and theirs in turns, after one round of each that does not count."""
    ours: Times = {}
    theirs: Times = {}
    with ExitStack() as stack:
        libsignal = start_libsignal(stack)
        measure_ours({})
        measure_theirs({}, libsignal)
        for _ in range(rounds):
            measure_ours(ours)
            measure_theirs(theirs, libsignal)
    mine, peers = costs(ours), costs(theirs)
    return SessionsReport(
        rounds=rounds,
        operations_per_round=PER_ROUND,
        verified_by=equation.holds.__name__,
        ours=mine,
        libsignal_0_103_0_through_node=peers,
        ratio_of_p50={
            name: round(mine[name].p50_us / peer.p50_us, 2) for name, peer in peers.items()
        },
        reference_us=REFERENCE,
    )


def start_libsignal(stack: ExitStack) -> Libsignal | None:
    try:
        return stack.enter_context(Libsignal())
    except Missing as missing:
        print(f"ours alone: {missing}")
        return None


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


def measure_theirs(times: Times, libsignal: Libsignal | None) -> None:
    """One round of what libsignal lets be measured, under the names of ours."""
    if libsignal is None:
        return
    for name, each in libsignal.ask("measure", count=PER_ROUND).items():
        times.setdefault(SAME[name], []).extend(each)


def measure_signatures(timed: Stopwatch) -> None:
    key, peer = generate(urandom), generate(urandom)
    for _ in range(PER_ROUND):
        timed("one X25519", agree, key.private, peer.public)
        timed("sign", xeddsa.sign, key.private, TEXT, urandom)
        signature = xeddsa.sign(key.private, TEXT, urandom)
        timed("verify", xeddsa.verify, key.public, TEXT, signature)
        edwards.point_of.cache_clear()
        timed("verify, first under a key", xeddsa.verify, key.public, TEXT, signature)


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


def costs(times: Times) -> dict[str, Cost]:
    return {name: cost(each) for name, each in times.items()}


def cost(times: list[float]) -> Cost:
    """Mean, median and 99th percentile."""
    p99 = quantiles(times, n=100)[98]
    return Cost(round(fmean(times), 1), round(median(times), 1), round(p99, 1))


def show(report: SessionsReport) -> None:
    print(f"{'µs':40}{'mean':>8}{'p50':>8}{'p99':>8}{'design':>8}{'libsignal p50':>16}{'ratio':>8}")
    for name, each in report.ours.items():
        peer = report.libsignal_0_103_0_through_node.get(name)
        beside = f"{peer.p50_us:16.1f}{report.ratio_of_p50[name]:8.2f}" if peer else ""
        values = f"{each.mean_us:8.1f}{each.p50_us:8.1f}{each.p99_us:8.1f}"
        print(f"{name:40}{values}{REFERENCE.get(name, ''):>8}{beside}")


if __name__ == "__main__":
    main()
