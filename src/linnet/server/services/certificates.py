"""Certificates: the server's word which device holds which identity key, for sealed senders.

A sender puts its certificate inside the encryption; the server never sees it again. That the key
is on the sender's device list is for the recipient to check.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from linnet.server.ports.devices import Devices
from linnet.server.services.tokens import Identity
from linnet.signing.certificates import issue_sender_certificate, issue_server_certificate
from linnet.signing.keys import KeyPair, Rng, clamp, public_key
from linnet.wire.errors import RequestRefused
from linnet.wire.limits import SENDER_CERTIFICATE_S
from linnet.wire.rest import SenderCertificate, TrustRoot

SERVER_CERTIFICATE: Final = 1
"""Number of the only server certificate there is."""


@dataclass(frozen=True)
class Issuer:
    """The trust root's public key, and the server's key with the root's signature."""

    root: bytes
    server: KeyPair
    certificate: bytes


def issuer(secret: bytes, rng: Rng) -> Issuer:
    """The issuer that follows from the server's secret: the same keys at every start."""
    root, server = _pair(secret, b"root"), _pair(secret, b"server")
    certificate = issue_server_certificate(root.private, SERVER_CERTIFICATE, server.public, rng)
    return Issuer(root.public, server, certificate)


@dataclass(frozen=True)
class Certificates:
    """Certifies devices that are logged in."""

    issuer: Issuer
    devices: Devices
    now_ms: Callable[[], int]
    rng: Rng

    def root(self) -> TrustRoot:
        """The key that every certificate leads back to; clients keep it from their first day."""
        return TrustRoot(key=self.issuer.root)

    async def sender(self, identity: Identity) -> SenderCertificate:
        """A certificate for the calling device, for a day. Raises `unauthorized`."""
        device = await self.devices.get(identity.account, identity.device)
        if device is None or device.revoked:
            raise RequestRefused("unauthorized")
        expires_s = self.now_ms() // 1000 + SENDER_CERTIFICATE_S
        certificate = issue_sender_certificate(
            self.issuer.server,
            self.issuer.certificate,
            identity.account,
            identity.device,
            device.identity,
            expires_s * 1000,
            self.rng,
        )
        return SenderCertificate(certificate=certificate, expires=expires_s)


def _pair(secret: bytes, name: bytes) -> KeyPair:
    private = clamp(hmac.digest(secret, b"certificate " + name, hashlib.sha256))
    return KeyPair(private, public_key(private))
