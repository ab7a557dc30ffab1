"""The written vectors of certificates and sealed sender, replayed without libsignal."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.crypto.sealed_vectors import (
    CERTIFICATES,
    SEALED,
    certificate_outcome,
    certificates,
    content_of,
    opening_outcome,
    sealing,
)

from linnet.crypto import sealed
from linnet.crypto.sealed_sender_v2 import Device, Recipient, seal_to_many
from linnet.crypto.sealed_sender_v2_messages import parse_sent, received_forms
from linnet.crypto.unidentified import encode_unidentified
from linnet.signing.keys import KeyPair, public_key


def cases(folder: Path, section: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}-{number}")
        for path in sorted(folder.glob("*.json"))
        for number, case in enumerate(json.loads(path.read_text()).get(section, []))
    ]


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def sender_of(case: dict[str, Any]) -> KeyPair:
    private = raw(case["sender_private"])
    return KeyPair(private, public_key(private))


@pytest.mark.parametrize("case", cases(CERTIFICATES, "cases"))
def test_certificates(case: dict[str, Any]) -> None:
    outcome = {name: case[name] for name in ("valid", "reason") if name in case}
    assert certificate_outcome(case) == outcome


@pytest.mark.parametrize("case", cases(SEALED, "open"))
def test_opening(case: dict[str, Any]) -> None:
    outcome = {name: case[name] for name in ("sender", "content", "error") if name in case}
    assert opening_outcome(case) == outcome


@pytest.mark.parametrize("case", cases(SEALED, "seal"))
def test_sealing(case: dict[str, Any]) -> None:
    content, random = content_of(case["content"]), raw(case["random"])
    data = sealed.seal(sender_of(case), raw(case["recipient_key"]), content, lambda count: random)
    assert data.hex() == case["data"]


@pytest.mark.parametrize("case", cases(SEALED, "seal_to_many"))
def test_sealing_to_many(case: dict[str, Any]) -> None:
    recipients = [
        Recipient(
            raw(each["account"]),
            raw(each["identity_key"]),
            tuple(Device(*device) for device in each["devices"]),
        )
        for each in case["recipients"]
    ]
    plain, random = encode_unidentified(content_of(case["content"])), raw(case["random"])
    sent = seal_to_many(sender_of(case), recipients, plain, lambda count: random)
    assert sent.hex() == case["sent"]
    forms = [
        [account.hex(), device.id, device.registration_id, data.hex()]
        for account, device, data in received_forms(parse_sent(sent))
    ]
    assert forms == case["received"]


@pytest.mark.parametrize("case", cases(SEALED, "sent"))
def test_splitting_what_libsignal_sealed_to_many(case: dict[str, Any]) -> None:
    forms = [
        [account.hex(), data.hex()]
        for account, _, data in received_forms(parse_sent(raw(case["data"])))
    ]
    assert forms == case["received"]


def test_our_vectors_are_those_our_code_makes() -> None:
    """`python -m tests.crypto.sealed_vectors` writes them again."""
    assert json.loads((CERTIFICATES / "ours.json").read_text()) == certificates()
    assert json.loads((SEALED / "ours.json").read_text()) == sealing()


def test_both_implementations_and_every_refusal_are_written_down() -> None:
    reasons = {param.values[0].get("reason") for param in cases(CERTIFICATES, "cases")}
    assert reasons == {None, "malformed", "server", "signature", "expired"}
    errors = {param.values[0].get("error") for param in cases(SEALED, "open")}
    assert errors == {None, "BadMac", "Malformed", "WrongSender", "BadCertificate"}
    for folder in (CERTIFICATES, SEALED):
        assert {path.stem for path in folder.glob("*.json")} == {"ours", "libsignal"}
