"""A server's keys in memory for tests of sealed sending, and devices that it certifies."""

from tests.crypto.party import NOW_MS, seeded

from linnet.signing.certificates import issue_sender_certificate, issue_server_certificate
from linnet.signing.keys import KeyPair, generate

DAY_MS = 86_400_000


class Post:
    """A server that issues certificates."""

    def __init__(self, name: str = "post") -> None:
        self.rng = seeded(name)
        self.root, self.server = generate(self.rng), generate(self.rng)
        self.certificate = issue_server_certificate(
            self.root.private, 7, self.server.public, self.rng
        )

    def certify(
        self, account: bytes, identity_key: bytes, *, device: int = 1, expires_ms: int | None = None
    ) -> bytes:
        return issue_sender_certificate(
            self.server,
            self.certificate,
            account,
            device,
            identity_key,
            NOW_MS + DAY_MS if expires_ms is None else expires_ms,
            self.rng,
        )


class Correspondent:
    """A device with an identity key and a certificate of it."""

    def __init__(self, post: Post, name: str) -> None:
        self.account = name.encode().ljust(16, b"\0")[:16]
        self.key: KeyPair = generate(seeded(name))
        self.certificate = post.certify(self.account, self.key.public)
