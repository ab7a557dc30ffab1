"""Certificates and sealed sender against the official implementation, in both roles."""

import pytest
from tests.crypto.party import NOW_MS, Party, seeded
from tests.crypto.post import DAY_MS, Correspondent, Post
from tests.referee.libsignal import Libsignal, Refused, Stranger
from tests.referee.test_groups import TheirSpeaker

from linnet.crypto import sealed
from linnet.crypto.errors import CryptoError
from linnet.crypto.messages import PREKEY, WHISPER
from linnet.crypto.sealed_sender_v2 import Device, Recipient, seal_to_many
from linnet.crypto.sealed_sender_v2_messages import encode_sent, parse_sent, received_forms
from linnet.crypto.unidentified import (
    SENDER_KEY,
    UnidentifiedContent,
    encode_unidentified,
    parse_unidentified,
)
from linnet.signing.certificates import issue_sender_certificate, verify_sender_certificate
from linnet.signing.keys import KeyPair, generate, public_key

pytestmark = pytest.mark.referee
POST = Post()
HINTS = pytest.mark.parametrize(
    ("hint", "group"), [(0, None), (1, b"g" * 16), (2, None)], ids=["default", "group", "implicit"]
)


class Theirs:
    """A device that runs libsignal, with a certificate of ours."""

    def __init__(self, libsignal: Libsignal, name: str) -> None:
        self.libsignal = libsignal
        self.stranger = Stranger(libsignal, name)
        self.account = self.stranger.address.account
        self.party = self.account.hex()
        self.certificate = POST.certify(self.account, self.stranger.identity_key)

    def unseal(self, data: bytes) -> dict[str, object]:
        return self.libsignal.ask("unseal", party=self.party, data=data.hex())


@pytest.fixture
def theirs(libsignal: Libsignal) -> Theirs:
    return Theirs(libsignal, "sealed")


def content_of(device: Correspondent, hint: int, group: bytes | None) -> UnidentifiedContent:
    return UnidentifiedContent(WHISPER, device.certificate, b"a message", hint, group)


# ---- certificates


@pytest.mark.parametrize("seed", range(4))
def test_they_believe_our_certificates(libsignal: Libsignal, seed: int) -> None:
    rng = seeded(seed)
    account, key = rng(16), generate(rng).public
    data = POST.certify(account, key, device=1 + seed)
    question = {"certificate": data.hex(), "root": POST.root.public.hex()}
    answer = libsignal.ask("validate", **question, now=NOW_MS + DAY_MS)
    assert answer == {
        "valid": True,
        "account": account.hex(),
        "device": 1 + seed,
        "identity_key": key.hex(),
        "expires": NOW_MS + DAY_MS,
        "server_id": 7,
        "server_key": POST.server.public.hex(),
    }
    assert not libsignal.ask("validate", **question, now=NOW_MS + DAY_MS + 1)["valid"]
    other = {**question, "root": POST.server.public.hex()}
    assert not libsignal.ask("validate", **other, now=NOW_MS)["valid"]


@pytest.mark.parametrize("seed", range(4))
def test_we_believe_theirs_which_have_the_same_bytes(libsignal: Libsignal, seed: int) -> None:
    rng = seeded(seed)
    account, key = rng(16), generate(rng).public
    answer = libsignal.ask(
        "issue",
        server_id=7,
        server=POST.server.private.hex(),
        root=POST.root.private.hex(),
        account=account.hex(),
        device=1 + seed,
        identity_key=key.hex(),
        expires=NOW_MS + DAY_MS,
    )
    theirs = bytes.fromhex(answer["sender"])
    read = verify_sender_certificate(theirs, POST.root.public, NOW_MS)
    assert (read.account, read.device, read.identity_key) == (account, 1 + seed, key)
    assert (read.expires_ms, read.server.id) == (NOW_MS + DAY_MS, 7)
    server, signature = bytes.fromhex(answer["server"]), 64
    assert POST.certificate[:-signature] == server[:-signature]
    ours = issue_sender_certificate(
        POST.server, server, account, 1 + seed, key, NOW_MS + DAY_MS, rng
    )
    assert ours[:-signature] == theirs[:-signature]


# ---- version 1


@HINTS
def test_they_open_what_we_seal(theirs: Theirs, hint: int, group: bytes | None) -> None:
    us = Correspondent(POST, "us")
    content = content_of(us, hint, group)
    data = sealed.seal(us.key, theirs.stranger.identity_key, content, seeded(hint))
    answer = theirs.unseal(data)
    assert (answer["type"], answer["hint"]) == (WHISPER, hint)
    assert answer["message"] == content.message.hex()
    assert answer["group"] == (None if group is None else group.hex())
    assert answer["account"] == us.account.hex()
    assert answer["identity_key"] == us.key.public.hex()


@HINTS
def test_we_open_what_they_seal(theirs: Theirs, hint: int, group: bytes | None) -> None:
    us = Party("us", seeded("us"))
    theirs.stranger.open(us.address, us.bundle())
    answer = theirs.libsignal.ask(
        "seal",
        party=theirs.party,
        peer=us.address.account.hex(),
        recipient_key=us.local.key.public.hex(),
        certificate=theirs.certificate.hex(),
        text=b"hello".hex(),
        hint=hint,
        group=None if group is None else group.hex(),
    )
    data = bytes.fromhex(answer["data"])
    opened = sealed.open_sealed(us.local.key, data, POST.root.public, NOW_MS)
    assert opened.sender.account == theirs.account
    assert opened.content.type == answer["type"] == PREKEY
    assert opened.content.message.hex() == answer["message"]
    assert (opened.content.hint, opened.content.group) == (hint, group)
    again = encode_unidentified(opened.content)
    assert parse_unidentified(again) == opened.content


def test_they_refuse_a_forgery_and_one_for_another(theirs: Theirs) -> None:
    us = Correspondent(POST, "us")
    key, content = theirs.stranger.identity_key, content_of(us, 0, None)
    data = sealed.seal(us.key, key, content, seeded(1))
    for place in (5, 60, 100, len(data) - 1):
        forged = bytearray(data)
        forged[place] ^= 1
        with pytest.raises(Refused):
            theirs.unseal(bytes(forged))
    with pytest.raises(Refused):
        theirs.unseal(sealed.seal(us.key, us.key.public, content, seeded(1)))


# ---- version 2


@HINTS
def test_they_open_our_version_2(theirs: Theirs, hint: int, group: bytes | None) -> None:
    us = Correspondent(POST, "us")
    content = content_of(us, hint, group)
    recipient = Recipient(theirs.account, theirs.stranger.identity_key, (Device(1, 4711),))
    sent = seal_to_many(us.key, [recipient], encode_unidentified(content), seeded(hint))
    [(account, device, received)] = received_forms(parse_sent(sent))
    assert (account, device) == (theirs.account, Device(1, 4711))
    split = theirs.libsignal.ask("split_for_one", data=sent.hex())
    assert split["data"] == received.hex()
    answer = theirs.unseal(received)
    assert (answer["type"], answer["hint"]) == (WHISPER, hint)
    assert answer["message"] == content.message.hex()
    assert answer["identity_key"] == us.key.public.hex()


def test_each_of_ours_opens_their_version_2(theirs: Theirs) -> None:
    """A group message to three accounts, sealed once."""
    parties = [Party(name, seeded(name)) for name in ("one", "two", "three")]
    for party in parties:
        theirs.stranger.open(party.address, party.bundle())
    speaker = TheirSpeaker(theirs.libsignal, "sealed group", party=theirs.party)
    speaker.distribution()
    answer = theirs.libsignal.ask(
        "seal_to_many",
        party=theirs.party,
        distribution=speaker.distribution_id,
        peers=[party.address.account.hex() for party in parties],
        recipient_keys=[party.local.key.public.hex() for party in parties],
        certificate=theirs.certificate.hex(),
        text=b"hello, all".hex(),
        hint=1,
        group=(b"g" * 16).hex(),
    )
    data = bytes.fromhex(answer["data"])
    sent = parse_sent(data)
    assert encode_sent(sent) == data
    forms = {account: received for account, _, received in received_forms(sent)}
    assert forms.keys() == {party.address.account for party in parties}
    for party in parties:
        received = forms[party.address.account]
        opened = sealed.open_sealed(party.local.key, received, POST.root.public, NOW_MS)
        assert (opened.sender.account, opened.content.type) == (theirs.account, SENDER_KEY)
        assert opened.content.message.hex() == answer["message"]
    with pytest.raises(CryptoError):
        sealed.open_sealed(parties[0].local.key, forms[parties[1].address.account], b"", NOW_MS)


def test_they_refuse_a_version_2_by_another_than_its_certificate_says(theirs: Theirs) -> None:
    us, mallory = Correspondent(POST, "us"), generate(seeded("mallory"))
    recipient = Recipient(theirs.account, theirs.stranger.identity_key, (Device(1, 4711),))
    content = encode_unidentified(content_of(us, 0, None))
    [(_, _, received)] = received_forms(
        parse_sent(seal_to_many(mallory, [recipient], content, seeded(1)))
    )
    with pytest.raises(Refused):
        theirs.unseal(received)


def test_their_private_key_is_the_one_of_their_identity(theirs: Theirs) -> None:
    """What the vectors are recorded with."""
    private = bytes.fromhex(theirs.libsignal.ask("private_key", party=theirs.party)["private"])
    assert KeyPair(private, public_key(private)).public == theirs.stranger.identity_key
