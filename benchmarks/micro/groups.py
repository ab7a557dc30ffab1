"""What group messages and sealed sending cost, ours beside libsignal in one run.

python -m benchmarks.micro.groups; measured as in benchmarks.micro.sessions. *decrypt* and *encrypt*
are of 100 bytes and include no store; *open sealed* includes the certificate. *rotate for 2,048
devices* is all a sender computes when somebody left a group of 1,024 members with two devices each:
a new key, and its distribution through 2,048 open sessions, each record encoded for the store.
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from os import urandom
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.micro.sessions import Cost, Stopwatch, Times, costs, start_libsignal
from tests.crypto.group import ALICE, Listener, Speaker
from tests.crypto.party import NOW_MS, Party
from tests.crypto.post import Correspondent, Post
from tests.referee.libsignal import Libsignal, Stranger

from linnet.bench import results
from linnet.crypto import sealed, sender_keys
from linnet.crypto.bodies import sender_key_body
from linnet.crypto.content import Content, seal_content
from linnet.crypto.messages import Address
from linnet.crypto.safety_number import fingerprint
from linnet.crypto.sealed_sender_v2 import Device, Recipient, seal_to_many
from linnet.crypto.sender_key_record import SenderKeyRecord
from linnet.crypto.unidentified import SENDER_KEY, UnidentifiedContent, encode_unidentified
from linnet.signing.certificates import verify_sender_certificate

TEXT = bytes(100)
PER_ROUND = 100
DEVICES = 2_048
PACKAGES = ("linnet", "cryptography", "msgspec", "pynacl")
# Names in libsignal's answers, and ours.
SAME = {
    "distribute": "take a distribution",
    "encrypt": "group encrypt",
    "decrypt": "group decrypt",
    "seal": "seal, version 1",
    "open": "open sealed, version 1",
}


class GroupsReport(msgspec.Struct):
    """What is kept."""

    rounds: int
    operations_per_round: int
    ours: dict[str, Cost]
    libsignal_0_103_0_through_node: dict[str, Cost]
    """Empty where it could not be had."""
    ratio_of_p50: dict[str, float]
    """Ours to theirs."""
    rotate_for_2048_devices_ms: list[float]


def main() -> None:
    """Measure, print a table, and write it to a folder if one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help=f"of {PER_ROUND} each (10)")
    parser.add_argument("--results", type=Path, help="folder for the result file")
    given = parser.parse_args()
    report = measure(given.rounds)
    show(report)
    if given.results is not None:
        command = ["python", "-m", "benchmarks.micro.groups", "--rounds", str(given.rounds)]
        made = results.result(report, "groups", command)
        made.packages = {name: version(name) for name in PACKAGES}
        print(results.write(given.results, made))


def measure(rounds: int) -> GroupsReport:
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
    return GroupsReport(
        rounds=rounds,
        operations_per_round=PER_ROUND,
        ours=mine,
        libsignal_0_103_0_through_node=peers,
        ratio_of_p50={
            name: round(mine[name].p50_us / peer.p50_us, 2) for name, peer in peers.items()
        },
        rotate_for_2048_devices_ms=list(measure_rotation()),
    )


def measure_ours(times: Times) -> None:
    """One round of everything we measure."""
    timed = Stopwatch(times)
    measure_group(timed)
    measure_sealed(timed)
    for _ in range(5):
        timed("fingerprint", fingerprint, b"a" * 16, b"\5" + bytes(32))


def measure_group(timed: Stopwatch) -> None:
    alice, bob = Speaker(urandom), Listener()
    for _ in range(PER_ROUND):
        timed("take a distribution", bob.take, alice.distribution())
    sent: list[bytes] = []
    for _ in range(PER_ROUND):
        timed("group encrypt", lambda: sent.append(alice.send(TEXT)))
    for message in sent:
        timed("group decrypt", bob.read, message)
        timed("record to bytes and back", store_and_load, bob)


def store_and_load(listener: Listener) -> None:
    for record in listener.records.values():
        SenderKeyRecord.from_bytes(record.to_bytes())


def measure_sealed(timed: Stopwatch) -> None:
    post = Post()
    alice, bob = Correspondent(post, "alice"), Correspondent(post, "bob")
    content = UnidentifiedContent(SENDER_KEY, alice.certificate, bytes(240))
    plain, root = encode_unidentified(content), post.root.public
    recipients = [Recipient(bob.account, bob.key.public, (Device(1, 1),))] * 10
    data = sealed.seal(alice.key, bob.key.public, content, urandom)
    for _ in range(PER_ROUND):
        timed("seal, version 1", sealed.seal, alice.key, bob.key.public, content, urandom)
        timed("open sealed, version 1", sealed.open_sealed, bob.key, data, root, NOW_MS)
        timed("verify a certificate", verify_sender_certificate, alice.certificate, root, NOW_MS)
    for _ in range(PER_ROUND // 10):
        timed("seal to 10, version 2", seal_to_many, alice.key, recipients, plain, urandom)


def measure_theirs(times: Times, libsignal: Libsignal | None) -> None:
    """One round of what libsignal lets be measured, under the names of ours."""
    if libsignal is None:
        return
    post, one, two = Post(), Stranger(libsignal, "one"), Stranger(libsignal, "two")
    shared: dict[str, Any] = {
        "party": one.address.account.hex(),
        "peer": two.address.account.hex(),
        "distribution": sender_keys.create(NOW_MS, urandom).distribution_id.hex(),
        "count": PER_ROUND,
    }
    answers = libsignal.ask("measure_groups", **shared)
    answers |= libsignal.ask(
        "measure_sealed",
        **shared,
        recipient_key=two.identity_key.hex(),
        certificate=post.certify(one.address.account, one.identity_key).hex(),
        root=post.root.public.hex(),
        now=NOW_MS,
    )
    for name, each in answers.items():
        times.setdefault(SAME[name], []).extend(each)


def measure_rotation() -> Iterator[float]:
    """Milliseconds of three rotations for 2,048 devices, over sessions that are open."""
    alice, bob = Party("alice", urandom), Party("bob", urandom)
    bundle = bob.bundle()
    devices = [Address(urandom(16), 1) for _ in range(DEVICES)]
    for address in devices:
        alice.open(address, bundle)
    state = sender_keys.create(NOW_MS, urandom)
    for _ in range(3):
        times: Times = {}
        Stopwatch(times)("rotate", rotate_for, alice, devices, state)
        yield round(times["rotate"][0] / 1000, 1)


def rotate_for(alice: Party, devices: list[Address], state: sender_keys.SenderKeyState) -> None:
    """Everything between the decision and what would be stored and sent."""
    rotated = sender_keys.rotate(state, NOW_MS, urandom)
    body = sender_key_body(ALICE.group, sender_keys.distribution_message(rotated))
    for address in devices:
        content = Content(
            id=urandom(16),
            to=b"\1" + address.account,
            sender=alice.address.account,
            device=1,
            counter=0,
            sent_ms=NOW_MS,
            own_list=(1, bytes(32)),
            kind="sender_key",
            body=body,
        )
        alice.send(address, seal_content(content, urandom(32)))
        alice.records[address].to_bytes()


def show(report: GroupsReport) -> None:
    print(f"{'µs':32}{'mean':>8}{'p50':>8}{'p99':>8}{'libsignal p50':>16}{'ratio':>8}")
    for name, each in report.ours.items():
        peer = report.libsignal_0_103_0_through_node.get(name)
        beside = f"{peer.p50_us:16.1f}{report.ratio_of_p50[name]:8.2f}" if peer else ""
        print(f"{name:32}{each.mean_us:8.1f}{each.p50_us:8.1f}{each.p99_us:8.1f}{beside}")
    print(f"rotate for {DEVICES} devices: {report.rotate_for_2048_devices_ms} ms")


if __name__ == "__main__":
    main()
