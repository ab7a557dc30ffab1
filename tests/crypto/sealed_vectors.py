"""Vectors of certificates and sealed sender: `python -m tests.crypto.sealed_vectors` writes ours.

libsignal's are recorded by `tests/referee/record_vectors.py`. docs/protocol/sealed-sender.md says
what is in them.
"""

import json
from pathlib import Path
from typing import Any, Final

from tests.crypto.party import NOW_MS, seeded
from tests.crypto.post import DAY_MS, Correspondent, Post

from linnet.crypto import sealed
from linnet.crypto.errors import CryptoError
from linnet.crypto.messages import PREKEY, WHISPER
from linnet.crypto.sealed_sender_v2 import Device, Recipient, seal_to_many
from linnet.crypto.sealed_sender_v2_messages import parse_sent, received_forms
from linnet.crypto.unidentified import SENDER_KEY, UnidentifiedContent, encode_unidentified
from linnet.signing.certificates import (
    CertificateRejected,
    SenderCertificate,
    issue_sender_certificate,
    verify_sender_certificate,
)
from linnet.signing.keys import KeyPair, Rng, generate, public_key

VECTORS: Final = Path(__file__).parents[1] / "vectors"
CERTIFICATES: Final = VECTORS / "certificates"
SEALED: Final = VECTORS / "sealed_sender"
Case = dict[str, Any]


def shown(certificate: SenderCertificate) -> Case:
    """A sender certificate that was believed."""
    return {
        "account": certificate.account.hex(),
        "device": certificate.device,
        "identity_key": certificate.identity_key.hex(),
        "expires_ms": certificate.expires_ms,
        "server_id": certificate.server.id,
        "server_key": certificate.server.key.hex(),
    }


def certificate_outcome(case: Case) -> Case:
    """What verifying gives: a certificate, or a reason."""
    data, root = bytes.fromhex(case["certificate"]), bytes.fromhex(case["trust_root"])
    try:
        return {"valid": shown(verify_sender_certificate(data, root, case["now_ms"]))}
    except CertificateRejected as rejected:
        return {"reason": rejected.reason.value}


def opening_outcome(case: Case) -> Case:
    """What opening gives: sender and content, or the name of an error."""
    private = bytes.fromhex(case["recipient_private"])
    recipient = KeyPair(private, public_key(private))
    data, root = bytes.fromhex(case["data"]), bytes.fromhex(case["trust_root"])
    try:
        opened = sealed.open_sealed(recipient, data, root, case["now_ms"])
    except CryptoError as error:
        return {"error": type(error).__name__}
    return {"sender": shown(opened.sender), "content": content_shown(opened.content)}


def content_shown(content: UnidentifiedContent) -> Case:
    """The content of a sealed message."""
    return {
        "type": content.type,
        "certificate": content.certificate.hex(),
        "message": content.message.hex(),
        "hint": int(content.hint),
        "group": None if content.group is None else content.group.hex(),
    }


def content_of(case: Case) -> UnidentifiedContent:
    """The reverse."""
    group = case["group"]
    return UnidentifiedContent(
        case["type"],
        bytes.fromhex(case["certificate"]),
        bytes.fromhex(case["message"]),
        case["hint"],
        None if group is None else bytes.fromhex(group),
    )


def certificates() -> Case:
    """Good ones, and one for each reason to refuse."""
    post, rogue, rng = Post("vectors"), Post("rogue"), seeded("certificates")
    account, key = rng(16), generate(rng).public
    expires_ms = NOW_MS + DAY_MS
    good = post.certify(account, key, device=2)
    by_another = issue_sender_certificate(
        rogue.server, post.certificate, account, 2, key, expires_ms, rng
    )
    flipped = good[:-1] + bytes((good[-1] ^ 1,))
    cases: list[tuple[str, bytes, int]] = [
        ("good", good, NOW_MS),
        ("in its last millisecond", good, expires_ms),
        ("expired", good, expires_ms + 1),
        ("of another root", rogue.certify(account, key), NOW_MS),
        ("signed by another server", by_another, NOW_MS),
        ("signature changed", flipped, NOW_MS),
        ("cut short", good[:-1], NOW_MS),
        ("device 128", post.certify(account, key, device=128), NOW_MS),
        ("short key", post.certify(account, key[:-1]), NOW_MS),
    ]
    rows = []
    for name, data, now_ms in cases:
        row: Case = {
            "name": name,
            "certificate": data.hex(),
            "trust_root": post.root.public.hex(),
            "now_ms": now_ms,
        }
        rows.append({**row, **certificate_outcome(row)})
    return {
        "about": "Sender certificates of ours; see docs/protocol/sealed-sender.md.",
        "cases": rows,
    }


def sealing() -> Case:
    """What we seal with known randomness, both versions, and what opening gives."""
    post = Post("vectors")
    alice, bob, carol = (Correspondent(post, name) for name in ("alice", "bob", "carol"))
    seals, opens = [], []
    for number, (type, hint, group) in enumerate(
        ((WHISPER, 0, None), (PREKEY, 1, None), (SENDER_KEY, 2, b"g" * 16))
    ):
        content = UnidentifiedContent(type, alice.certificate, b"message %d" % number, hint, group)
        random = seeded(number)(32)
        data = sealed.seal(alice.key, bob.key.public, content, exactly(random))
        seals.append({**seal_shown(alice, bob, random, content), "data": data.hex()})
        opens.append(opening(post, bob, f"version 1, type {type}", data))
    recipients = [
        Recipient(bob.account, bob.key.public, (Device(1, 11), Device(2, 16_383))),
        Recipient(carol.account, carol.key.public, (Device(127, 0),)),
    ]
    plain = encode_unidentified(content)
    sent = seal_to_many(alice.key, recipients, plain, exactly(random))
    forms = list(received_forms(parse_sent(sent)))
    for to, place in ((bob, 0), (carol, 2)):
        opens.append(opening(post, to, f"version 2, form {place}", forms[place][2]))
    opens += refused(post, alice, bob, carol, content)
    many = {
        **seal_shown(alice, bob, random, content),
        "recipients": [
            {
                "account": each.account.hex(),
                "identity_key": each.identity_key.hex(),
                "devices": [list(device) for device in each.devices],
            }
            for each in recipients
        ],
        "sent": sent.hex(),
        "received": [[a.hex(), d.id, d.registration_id, data.hex()] for a, d, data in forms],
    }
    del many["recipient_key"]
    about = "Sealed sender, ours, both versions; see docs/protocol/sealed-sender.md."
    return {"about": about, "seal": seals, "seal_to_many": [many], "open": opens}


def exactly(random: bytes) -> Rng:
    """A generator that gives these bytes, to whoever wants so many."""

    def rng(count: int) -> bytes:
        assert count == len(random)
        return random

    return rng


def refused(
    post: Post,
    alice: Correspondent,
    bob: Correspondent,
    carol: Correspondent,
    content: UnidentifiedContent,
) -> list[Case]:
    """One case for each way to be refused."""
    rng = seeded("refused")
    good = sealed.seal(alice.key, bob.key.public, content, rng)
    expired = post.certify(alice.account, alice.key.public, expires_ms=NOW_MS - 1)
    stale = UnidentifiedContent(WHISPER, expired, b"stale")
    cases = [
        ("for another", carol, good),
        ("changed", bob, good[:-1] + bytes((good[-1] ^ 1,))),
        ("another version", bob, b"\x33" + good[1:]),
        (
            "sealed by another than certified",
            bob,
            sealed.seal(carol.key, bob.key.public, content, rng),
        ),
        ("expired certificate", bob, sealed.seal(alice.key, bob.key.public, stale, rng)),
    ]
    return [opening(post, to, name, data) for name, to, data in cases]


def seal_shown(
    sender: Correspondent, to: Correspondent, random: bytes, content: UnidentifiedContent
) -> Case:
    return {
        "sender_private": sender.key.private.hex(),
        "recipient_key": to.key.public.hex(),
        "random": random.hex(),
        "content": content_shown(content),
    }


def opening(post: Post, to: Correspondent, name: str, data: bytes) -> Case:
    """A case of opening, with its outcome."""
    case = {
        "name": name,
        "recipient_private": to.key.private.hex(),
        "trust_root": post.root.public.hex(),
        "now_ms": NOW_MS,
        "data": data.hex(),
    }
    return {**case, **opening_outcome(case)}


def write(path: Path, content: Case) -> None:
    """Write one file."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(CERTIFICATES / "ours.json", certificates())
    write(SEALED / "ours.json", sealing())
