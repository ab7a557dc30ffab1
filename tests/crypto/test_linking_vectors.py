"""Linkings as a file, for every implementation, with all that is secret in them.

The KEM's randomness is fixed here with a second implementation of ML-KEM, because the library of
the code under test takes none from outside. `python -m tests.crypto.test_linking_vectors` writes
the vectors again; the test says if they differ.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from kyber_py.ml_kem import ML_KEM_1024
from msgspec.structs import replace
from tests.crypto.party import seeded

from linnet.crypto import curve
from linnet.crypto.linking import (
    Channel,
    Grant,
    Invitation,
    Opening,
    accept,
    invite,
    offered_name,
    open_countersignature,
    open_grant,
    seal_countersignature,
    seal_grant,
)
from linnet.signing.keys import KeyPair, generate, public_key
from linnet.signing.linking import LinkCode, check_offer, decode_offer, transcript

FILE = Path(__file__).parents[1] / "vectors" / "linking" / "linking.json"
NOW_S = 1_800_000_000


def build() -> dict[str, Any]:
    named = linking("with a name and a number", "kitchen laptop ☕", "+4915112345678")
    return {
        "about": "Linking; see docs/protocol/devices.md. Bytes are hex.",
        "cases": [named, linking("with neither", "", None)],
    }


def linking(about: str, name: str, number: str | None) -> dict[str, Any]:
    rng = seeded(about)
    account_key, device, exchange = generate(rng), generate(rng), generate(rng)
    invitation = invite(device.public, 2, name, rng)
    code, kem_key = invitation.code, decode_offer(invitation.offer).kem_key
    secret, ciphertext = ML_KEM_1024._encaps_internal(kem_key, rng(32))
    opening = Opening(exchange.public[1:], ciphertext)
    at_device = accept(invitation, opening)
    at_primary = replace(at_device, send_key=at_device.receive_key, receive_key=at_device.send_key)
    grant = Grant(rng(16), 2, account_key.public, NOW_S, number, rng(32), 7, rng(32))
    _, grant_box = seal_grant(at_primary, grant)
    _, signed_box = seal_countersignature(at_device, grant, device, rng)
    seen = transcript(code, invitation.offer, opening.exchange, ciphertext)
    return in_hex(
        {
            "name": about,
            "device_private": device.private,
            "exchange_private": invitation.exchange_private,
            "kem_seed": invitation.kem_seed,
            "device_name": name,
            "code": code.to_bytes(),
            "text": code.to_text(),
            "offer": invitation.offer,
            "primary_exchange_private": exchange.private,
            "primary_exchange": opening.exchange,
            "kem_ciphertext": ciphertext,
            "kem_secret": secret,
            "dh_secret": curve.agree(exchange.private, b"\x05" + code.exchange),
            "transcript": seen,
            "key_to_device": at_primary.send_key,
            "key_to_primary": at_primary.receive_key,
            "grant": at_device.open(grant_box)[1],
            "grant_box": grant_box,
            "countersignature": at_primary.open(signed_box)[1],
            "countersignature_box": signed_box,
        }
    )


def in_hex(values: dict[str, Any]) -> dict[str, Any]:
    return {key: v.hex() if isinstance(v, bytes) else v for key, v in values.items()}


def cases() -> list[Any]:
    found: list[Any] = json.loads(FILE.read_text())["cases"] if FILE.exists() else []
    return found


def test_the_committed_vectors_are_those_this_file_builds() -> None:
    assert json.loads(FILE.read_text()) == build()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_both_sides_of_a_vector_come_to_the_same(case: Any) -> None:
    def raw(field: str) -> bytes:
        return bytes.fromhex(case[field])

    code = LinkCode.from_text(case["text"])
    offer = check_offer(code, raw("offer"))
    assert code == LinkCode.from_bytes(raw("code"))
    assert offered_name(code, offer) == case["device_name"]

    invitation = Invitation(code, raw("offer"), raw("exchange_private"), raw("kem_seed"))
    at_device = accept(invitation, Opening(raw("primary_exchange"), raw("kem_ciphertext")))
    keys = (raw("key_to_device"), raw("key_to_primary"))
    assert (at_device.receive_key, at_device.send_key) == keys
    at_primary = Channel(code.link_id, *keys)

    _, grant = open_grant(at_device, raw("grant_box"))
    assert seal_grant(at_primary, grant)[1] == raw("grant_box")
    device = KeyPair(raw("device_private"), public_key(raw("device_private")))
    assert offer.device_key == device.public
    box = raw("countersignature_box")
    _, listed = open_countersignature(at_primary, box, grant, offer, b"")
    assert (listed.key, listed.id, listed.added) == (device.public, grant.device_id, grant.added_s)


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
