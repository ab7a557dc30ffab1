"""Gather: writes the corpus, out of the vectors and a few examples made here.

`python -m tests.fuzz.gather` adds a valid example or a few to every decoder that has none; what is
there stays.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from typing import Any, Final

from tests.crypto.party import acquainted
from tests.fuzz.decoder import CORPUS
from tests.fuzz.registry import DECODERS, DEVICE, GROUP, ID16, KEY, NOW_MS, NUMBER, OFFER
from tests.signing.people import Person, evidence

from linnet.crypto import sender_keys
from linnet.crypto.messages import WHISPER
from linnet.crypto.record import SessionRecord
from linnet.crypto.sealed import seal
from linnet.crypto.sender_key_record import SenderKeyBinding
from linnet.crypto.unidentified import UnidentifiedContent
from linnet.signing.device_list import countersign
from linnet.signing.group_changes import (
    Add,
    Confirm,
    Leave,
    Promote,
    Rekey,
    Remove,
    encode_change,
)
from linnet.signing.group_fork import fork
from linnet.signing.linking import LinkCode, encode_offer
from linnet.signing.packing import pack

VECTORS: Final = CORPUS.parents[1] / "vectors"
FOLDERS: Final = (
    "certificates",
    "content",
    "groups",
    "linking",
    "lists",
    "safety_numbers",
    "sealed_sender",
    "sender_keys",
    "signing",
    "spqr",
    "transcripts",
    "wire",
)
EXAMPLES: Final = 8
BYTES_MOST: Final = 3_000


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)


def from_vectors() -> list[bytes]:
    """What the vectors hold, as bytes: hex, base 64, and the text itself."""
    found: dict[bytes, None] = {}
    for folder in FOLDERS:
        for file in sorted((VECTORS / folder).glob("*.json")):
            for text in strings(json.loads(file.read_text())):
                try:
                    found[bytes.fromhex(text)] = None
                except ValueError:
                    found[text.encode()] = None
                    try:
                        found[base64.b64decode(text, validate=True)] = None
                    except ValueError:
                        continue
    return [data for data in found if len(data) <= BYTES_MOST]


CHANGES: Final = (
    Add((Person.named("dan").pair,)),
    Remove((ID16,)),
    Leave(),
    Promote(ID16),
    Rekey(ID16, DEVICE.public),
    Confirm(),
)


def talked() -> list[SessionRecord]:
    """Records of sessions: answered, and with one archived."""
    alice, bob = acquainted("fuzz")
    records = [alice.records[bob.address], bob.records[alice.address]]
    alice.open(bob.address, bob.bundle())
    return [*records, alice.records[bob.address]]


def made() -> dict[str, list[bytes]]:
    """Examples of what no vector holds as it is."""
    rng = random.Random("gather").randbytes
    signature = countersign(DEVICE, ID16, DEVICE.public, 2, 1, rng)
    code = LinkCode.of(DEVICE.public[1:], ID16, KEY, encode_offer(OFFER))
    records = talked()
    chain = sender_keys.create(NOW_MS, rng)
    given = sender_keys.process_distribution(
        None, SenderKeyBinding(ID16, ID16, 1), sender_keys.distribution_message(chain)
    )
    hidden = UnidentifiedContent(WHISPER, b"certificate", b"message")
    ann, bob, dan = (Person.named(name) for name in ("ann", "bob", "dan"))
    proof = fork(
        GROUP, evidence(GROUP, ann, Remove((bob.account,))), evidence(GROUP, ann, Add((dan.pair,)))
    )
    assert proof is not None
    bodies = [
        ["hello"],
        [7, None],
        [0, [NOW_MS, ID16]],
        [True, 1],
        [ID16, 1, KEY],
        [ID16, 3],
        [[ID16, ID16]],
        ["entries", [["setting", b"a", b"b", 1]]],
        ["read", [[ID16, 3]]],
        ["sent", ID16, NOW_MS, bytes(160)],
        [ID16, 5, bytes(160)],
    ]
    return {
        "bodies": [pack(body) for body in bodies],  # type: ignore[arg-type]
        "signal": [pack([1, NOW_MS, "typing", [True]]), pack([1, NOW_MS, "later", None])],
        "device-name": [b"laptop", "Küche".encode()],
        "title": [b"Choir", b""],
        "backup": [pack([1, ID16, KEY])],
        "grant": [
            pack([1, ID16, 2, DEVICE.public, 1, number, KEY, [1, KEY]])
            for number in (None, "+1555")
        ],
        "countersignature": [pack([1, signature])],
        "safety-number": [NUMBER.scannable],
        "session-record": [record.to_bytes() for record in records],
        "session": [data for record in records for data in record.archived],
        "sender-key-state": [chain.to_bytes()],
        "sender-key-record": [given.to_bytes()],
        "sealed": [seal(DEVICE, DEVICE.public, hidden, rng)],
        "protobuf": [b"\x08\x05\x12\x03abc", b""],
        "crypto-protobuf": [b"\x08\x05\x12\x03abc", b""],
        "change": [pack(encode_change(change)) for change in CHANGES],
        "fork": [proof.to_bytes()],
        "link-code": [code.to_bytes()],
        "link-text": [code.to_text().encode()],
        "offer": [encode_offer(OFFER)],
        "rest": [
            b'{"body":"AAAA","sig":"' + base64.b64encode(bytes(64)) + b'"}',
            b'{"number":"+15550100001"}',
            b'{"type":"about:blank","title":"t","status":429,"detail":"d","code":"rate_limited",'
            b'"retryable":true}',
        ],
        "ids": [b"00010203-0405-0607-0809-0a0b0c0d0e0f"],
    }


def frames() -> dict[str, list[bytes]]:
    """Frames of the vectors, in both forms."""
    found: dict[str, list[bytes]] = {}
    for row in json.loads((VECTORS / "wire" / "frames.json").read_text()):
        found.setdefault(f"wire-msgpack-{row['from']}", []).append(bytes.fromhex(row["msgpack"]))
        found.setdefault(f"wire-json-{row['from']}", []).append(row["json"].encode())
    return found


def spread(examples: list[bytes]) -> list[bytes]:
    """A few of them, of different sizes."""
    by_size = sorted({len(it): it for it in examples}.values(), key=len)
    step = max(1, -(-len(by_size) // EXAMPLES))
    return by_size[::step]


def main() -> None:
    """Write what is missing."""
    CORPUS.mkdir(exist_ok=True)
    vectors, own, wire = from_vectors(), made(), frames()
    for decoder in DECODERS:
        file = CORPUS / f"{decoder.name}.hex"
        if file.exists():
            continue
        found = wire.get(decoder.name) or own.get(decoder.name)
        found = found or spread([it for it in vectors if decoder.accepts(it)])
        if decoder.name == "content-array":
            whole = next(it for it in DECODERS if it.name == "content").examples()
            found = [z[32:].rstrip(b"\0")[:-1] for z in whole]
        elif decoder.name == "certificate-verified":
            found = next(it for it in DECODERS if it.name == "certificate").examples()
        lines = [data.hex() or "-" for data in found]
        file.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        print(f"{decoder.name:24} {len(lines)}")


if __name__ == "__main__":
    main()
