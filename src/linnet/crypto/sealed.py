"""Seal and open messages whose sender the server does not see: what the rest of Linnet uses.

To one device: version 1. To devices of many: `sealed_sender_v2.seal_to_many`. Opening takes both,
and checks the certificate before it says who sent it. Three duties stay with the caller: the
sender's identity key must be on the sender's device list; the message inside must decrypt with a
session or sender key of that very device; and content must name it as its sender.
"""

from dataclasses import dataclass

from linnet.crypto import sealed_sender, sealed_sender_v2
from linnet.crypto.errors import BadCertificate, Malformed, WrongSender
from linnet.crypto.unidentified import (
    UnidentifiedContent,
    encode_unidentified,
    parse_unidentified,
)
from linnet.signing.certificates import (
    CertificateRejected,
    SenderCertificate,
    read_sender_certificate,
    verify_sender_certificate,
)
from linnet.signing.keys import KeyPair, Rng


@dataclass(frozen=True, slots=True)
class Opened:
    """A sealed message, and who the server certified as its sender."""

    sender: SenderCertificate
    content: UnidentifiedContent


def seal(sender: KeyPair, recipient_key: bytes, content: UnidentifiedContent, rng: Rng) -> bytes:
    """Seal for one device, by its identity key (33 bytes); takes 32 bytes of `rng`.

    Raises BadKey for a key that must not be used.
    """
    return sealed_sender.seal(sender, recipient_key, encode_unidentified(content), rng)


def open_sealed(recipient: KeyPair, data: bytes, trust_root: bytes, now_ms: int) -> Opened:
    """Open a sealed message of either version; `trust_root` is the server's root key.

    Raises Malformed, BadKey, BadMac; BadCertificate, WrongSender if the certificate is of another
    key than the one that sealed it.
    """
    match data[:1]:
        case sealed_sender.VERSION:
            sealing_key, plain = sealed_sender.unseal(recipient, data)
        case sealed_sender_v2.VERSION:
            plain = sealed_sender_v2.unseal(recipient, data, _claimed_key)
            sealing_key = _claimed_key(plain)
        case _:
            raise Malformed("another version of sealed sender")
    content = parse_unidentified(plain)
    try:
        sender = verify_sender_certificate(content.certificate, trust_root, now_ms)
    except CertificateRejected as rejected:
        raise BadCertificate(rejected.reason.value) from None
    if sender.identity_key != sealing_key:
        raise WrongSender("sealed by another key than the certificate's")
    return Opened(sender, content)


def _claimed_key(plain: bytes) -> bytes:
    try:
        return read_sender_certificate(parse_unidentified(plain).certificate).identity_key
    except CertificateRejected as rejected:
        raise BadCertificate(rejected.reason.value) from None
