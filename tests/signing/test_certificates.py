"""Certificates of senders: what is issued verifies, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.crypto.party import NOW_MS, seeded
from tests.crypto.post import Post

from linnet.signing.certificates import (
    MAX_BYTES,
    CertificateReason,
    CertificateRejected,
    ServerCertificate,
    issue_sender_certificate,
    issue_server_certificate,
    read_sender_certificate,
    verify_sender_certificate,
    verify_server_certificate,
)
from linnet.signing.keys import generate
from linnet.signing.protobuf import encode, fixed64
from linnet.signing.xeddsa import sign

POST = Post()
ACCOUNT, KEY = b"a" * 16, generate(seeded("alice")).public
EXPIRES_MS = NOW_MS + 1_000
GOOD = POST.certify(ACCOUNT, KEY, device=2, expires_ms=EXPIRES_MS)


def reason(data: bytes, *, root: bytes = POST.root.public, now_ms: int = NOW_MS) -> str:
    with pytest.raises(CertificateRejected) as refused:
        verify_sender_certificate(data, root, now_ms)
    assert str(refused.value) == f"certificate refused: {refused.value.reason}"
    return refused.value.reason.value


def signed(*fields: bytes) -> bytes:
    """A sender certificate with these fields, signed by the server."""
    body = b"".join(fields)
    return encode(((1, body), (2, sign(POST.server.private, body, POST.rng))))


DEVICE, EXPIRES = encode(((2, 2),)), fixed64(3, EXPIRES_MS)
REST = encode(((4, KEY), (5, POST.certificate)))
TEXT = encode(((6, b"61616161-6161-6161-6161-616161616161"),))
RAW = encode(((7, ACCOUNT),))


def test_what_was_issued_is_read() -> None:
    certificate = verify_sender_certificate(GOOD, POST.root.public, EXPIRES_MS)
    assert certificate == read_sender_certificate(GOOD)
    assert (certificate.account, certificate.device) == (ACCOUNT, 2)
    assert (certificate.identity_key, certificate.expires_ms) == (KEY, EXPIRES_MS)
    assert certificate.server == ServerCertificate(7, POST.server.public)


def test_a_server_certificate_is_read_alone() -> None:
    expected = ServerCertificate(7, POST.server.public)
    assert verify_server_certificate(POST.certificate, POST.root.public) == expected
    with pytest.raises(CertificateRejected, match="server"):
        verify_server_certificate(POST.certificate, POST.server.public)


@pytest.mark.parametrize("account", [TEXT, RAW], ids=["text", "bytes"])
def test_either_form_of_the_account_is_read(account: bytes) -> None:
    data = signed(DEVICE, EXPIRES, REST, account)
    assert verify_sender_certificate(data, POST.root.public, NOW_MS).account == ACCOUNT


def test_it_expires() -> None:
    assert reason(GOOD, now_ms=EXPIRES_MS + 1) == CertificateReason.EXPIRED


def test_another_root_does_not_count() -> None:
    assert reason(GOOD, root=Post("another").root.public) == CertificateReason.SERVER


def test_the_server_key_must_be_certified_by_the_root() -> None:
    rogue, rng = Post("rogue"), seeded(1)
    assert reason(rogue.certify(ACCOUNT, KEY)) == CertificateReason.SERVER
    chain = issue_server_certificate(rogue.root.private, 7, POST.server.public, rng)
    forged = issue_sender_certificate(POST.server, chain, ACCOUNT, 2, KEY, EXPIRES_MS, rng)
    assert reason(forged) == CertificateReason.SERVER


def test_another_than_the_certified_server_signs_nothing() -> None:
    forged = issue_sender_certificate(
        generate(seeded("x")), POST.certificate, ACCOUNT, 2, KEY, EXPIRES_MS, seeded(1)
    )
    assert reason(forged) == CertificateReason.SIGNATURE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(MAX_BYTES + 1),
        signed(EXPIRES, REST, TEXT),
        signed(DEVICE, REST, TEXT),
        signed(DEVICE, EXPIRES, TEXT),
        signed(DEVICE, EXPIRES, REST),
        signed(DEVICE, EXPIRES, REST, TEXT, RAW),
        signed(DEVICE, EXPIRES, REST, encode(((7, ACCOUNT[1:]),))),
        signed(DEVICE, EXPIRES, REST, encode(((6, b"not a uuid"),))),
        signed(DEVICE, EXPIRES, REST, encode(((6, b"\xff" * 36),))),
        signed(DEVICE, EXPIRES, REST, encode(((6, ACCOUNT.hex().encode()),))),
        signed(encode(((2, 0),)), EXPIRES, REST, TEXT),
        signed(encode(((2, 128),)), EXPIRES, REST, TEXT),
        signed(DEVICE, EXPIRES, encode(((4, KEY[1:]), (5, POST.certificate))), TEXT),
        signed(DEVICE, EXPIRES, encode(((4, KEY), (5, b""))), TEXT),
        signed(DEVICE, EXPIRES, encode(((4, KEY), (5, encode(((1, b""), (2, b"")))))), TEXT),
    ],
)
def test_what_is_not_the_format_is_malformed(data: bytes) -> None:
    assert reason(data) == CertificateReason.MALFORMED


def test_any_changed_byte_is_refused() -> None:
    for place in range(len(GOOD)):
        changed = bytearray(GOOD)
        changed[place] ^= 1
        assert reason(bytes(changed)) in list(CertificateReason)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert reason(data) == CertificateReason.MALFORMED
