"""Sealed messages of both versions: who opens them, who is named, and what is refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.crypto.party import NOW_MS, seeded
from tests.crypto.post import DAY_MS, Correspondent, Post

from linnet.crypto import sealed, sealed_sender, sealed_sender_v2
from linnet.crypto.errors import BadCertificate, BadKey, BadMac, CryptoError, Malformed, WrongSender
from linnet.crypto.messages import WHISPER
from linnet.crypto.protobuf import STRING, decode, encode
from linnet.crypto.sealed_sender_v2 import Device, Recipient, seal_to_many
from linnet.crypto.sealed_sender_v2_messages import parse_sent, received_forms
from linnet.crypto.unidentified import UnidentifiedContent, encode_unidentified
from linnet.signing.keys import KeyPair, generate

POST = Post()
ALICE, BOB, CAROL = (Correspondent(POST, name) for name in ("alice", "bob", "carol"))
CONTENT = UnidentifiedContent(WHISPER, ALICE.certificate, b"a message")


def version_1(sender: KeyPair, to: Correspondent, content: UnidentifiedContent) -> bytes:
    return sealed.seal(sender, to.key.public, content, seeded(1))


def version_2(sender: KeyPair, to: Correspondent, content: UnidentifiedContent) -> bytes:
    recipient = Recipient(to.account, to.key.public, (Device(1, 1),))
    sent = seal_to_many(sender, [recipient], encode_unidentified(content), seeded(1))
    [(_, _, received)] = received_forms(parse_sent(sent))
    return received


Seal = Callable[[KeyPair, Correspondent, UnidentifiedContent], bytes]
both = pytest.mark.parametrize("seal", [version_1, version_2])


def opened(data: bytes, *, by: Correspondent = BOB, now_ms: int = NOW_MS) -> sealed.Opened:
    return sealed.open_sealed(by.key, data, POST.root.public, now_ms)


@both
def test_the_receiver_learns_content_and_sender(seal: Seal) -> None:
    result = opened(seal(ALICE.key, BOB, CONTENT))
    assert result.content == CONTENT
    assert (result.sender.account, result.sender.device) == (ALICE.account, 1)
    assert result.sender.identity_key == ALICE.key.public


@both
def test_nothing_on_the_outside_names_the_sender(seal: Seal) -> None:
    data = seal(ALICE.key, BOB, CONTENT)
    for secret in (ALICE.account, ALICE.key.public[1:], ALICE.certificate[:40], b"a message"):
        assert secret not in data


@both
def test_another_opens_nothing(seal: Seal) -> None:
    with pytest.raises(BadMac):
        opened(seal(ALICE.key, BOB, CONTENT), by=CAROL)


@both
def test_any_changed_byte_is_refused(seal: Seal) -> None:
    honest = seal(ALICE.key, BOB, CONTENT)
    for place in range(len(honest)):
        forged = bytearray(honest)
        forged[place] ^= 1
        with pytest.raises(CryptoError):
            opened(bytes(forged))


@both
def test_whoever_seals_in_anothers_name_is_refused(seal: Seal) -> None:
    with pytest.raises((WrongSender, BadMac)):
        opened(seal(CAROL.key, BOB, CONTENT))


@both
def test_a_certificate_of_another_server_is_refused(seal: Seal) -> None:
    rogue = Correspondent(Post("rogue"), "alice")
    content = UnidentifiedContent(WHISPER, rogue.certificate, b"a message")
    with pytest.raises(BadCertificate, match="server"):
        opened(seal(rogue.key, BOB, content))


@both
def test_an_expired_certificate_is_refused(seal: Seal) -> None:
    data = seal(ALICE.key, BOB, CONTENT)
    assert opened(data, now_ms=NOW_MS + DAY_MS).content == CONTENT
    with pytest.raises(BadCertificate, match="expired"):
        opened(data, now_ms=NOW_MS + DAY_MS + 1)


@both
def test_without_a_certificate_nothing_is_opened(seal: Seal) -> None:
    with pytest.raises(BadCertificate, match="malformed"):
        opened(seal(ALICE.key, BOB, UnidentifiedContent(WHISPER, b"none", b"a message")))


@both
def test_small_order_keys_are_sealed_to_by_nobody(seal: Seal) -> None:
    nobody = Correspondent(POST, "nobody")
    nobody.key = KeyPair(bytes(32), b"\x05" + bytes(32))
    with pytest.raises(BadKey):
        seal(ALICE.key, nobody, CONTENT)


def test_one_message_to_devices_of_many_with_keys_of_their_own() -> None:
    recipients = [
        Recipient(BOB.account, BOB.key.public, (Device(1, 11), Device(2, 12))),
        Recipient(BOB.account, CAROL.key.public, (Device(3, 13),)),
    ]
    data = seal_to_many(ALICE.key, recipients, encode_unidentified(CONTENT), seeded(1))
    forms = list(received_forms(parse_sent(data)))
    assert [device.id for _, device, _ in forms] == [1, 2, 3]
    assert forms[0][2] == forms[1][2]
    assert opened(forms[1][2]).content == opened(forms[2][2], by=CAROL).content == CONTENT


def outer_fields(data: bytes) -> dict[int, bytes]:
    return decode(data, 1, len(data), {1: STRING, 2: STRING, 3: STRING}).strings


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_version_1_without_a_field_is_malformed(missing: int) -> None:
    fields = outer_fields(version_1(ALICE.key, BOB, CONTENT))
    del fields[missing]
    with pytest.raises(Malformed):
        opened(b"\x11" + encode(fields.items()))


def test_version_1_around_another_than_a_key_is_malformed() -> None:
    short = KeyPair(ALICE.key.private, ALICE.key.public[:-1])
    with pytest.raises(Malformed, match="identity key"):
        opened(version_1(short, BOB, CONTENT))


@pytest.mark.parametrize(
    "data", [b"", b"\x12abc", b"\x23" + bytes(200), b"\x11" + bytes(sealed_sender.MAX_BYTES)]
)
def test_other_versions_and_sizes_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        opened(data)


@given(st.sampled_from((b"\x11", b"\x22", b"")), st.binary(max_size=200))
def test_any_bytes_are_refused(version: bytes, data: bytes) -> None:
    with pytest.raises(CryptoError):
        opened(version + data)


def test_what_names_the_sender_decides_before_anything_is_returned() -> None:
    def nobody(content: bytes) -> bytes:
        raise BadCertificate("malformed")

    with pytest.raises(BadCertificate):
        sealed_sender_v2.unseal(BOB.key, version_2(ALICE.key, BOB, CONTENT), nobody)
    with pytest.raises(BadMac):
        sealed_sender_v2.unseal(
            BOB.key,
            version_2(ALICE.key, BOB, CONTENT),
            lambda content: generate(seeded("x")).public,
        )
