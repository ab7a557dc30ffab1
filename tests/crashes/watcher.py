"""The watcher: which message key encrypted what, and what left before it was stored.

It sits where a message key meets a plaintext. What happens inside a transaction counts once that
is committed: a key whose use was rolled back has encrypted nothing that anybody can see, because
every frame that leaves is looked up in the store of the account, from outside, before it goes.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linnet.crypto import linking, ratchet, sender_keys
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.frames import Send

Use = tuple[bytes, bytes]
"""A message key, and what it encrypted."""


class Watcher:
    """Watches all accounts of a test."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.used: dict[bytes, bytes] = {}
        self.wrong: list[str] = []
        self.frames = 0
        self._here = threading.local()
        for module in (ratchet, sender_keys):
            patch.setattr(module, "encrypt_cbc", self._watched(module.encrypt_cbc))
        patch.setattr(linking, "AESGCM", self._boxes(AESGCM))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What is encrypted inside counts if this ends well."""
        uses: list[Use] = []
        self._here.uses = uses
        try:
            yield
        finally:
            self._here.uses = None
        for key, plaintext in uses:
            self._count(key, plaintext)

    def leaves(self, data: bytes, database: Path) -> None:
        """A frame is about to leave the process."""
        if isinstance(CODECS[MSGPACK].client_frame(data), Send):
            self.leaves_as_stored(data, database)

    def leaves_as_stored(self, data: bytes, database: Path) -> None:
        """These bytes are about to leave, and must be in the store."""
        self.frames += 1
        db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
        with contextlib.closing(db):
            if db.execute("SELECT 1 FROM tries WHERE frame = ?", (data,)).fetchone() is None:
                self.wrong.append("a frame left that is not stored")

    def check(self) -> None:
        """Nothing was wrong, and something was seen."""
        assert not self.wrong
        assert self.used

    def _watched(self, encrypt: Callable[[bytes, bytes, bytes], bytes]) -> Any:
        def watched(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
            self._use(key + iv, plaintext)
            return encrypt(key, iv, plaintext)

        return watched

    def _boxes(self, cipher: Any) -> Any:
        watcher = self

        class Watched:
            def __init__(self, key: bytes) -> None:
                self._key, self._cipher = key, cipher(key)

            def encrypt(self, nonce: bytes, data: bytes, about: bytes | None) -> bytes:
                watcher._use(self._key + nonce, data)
                sealed: bytes = self._cipher.encrypt(nonce, data, about)
                return sealed

            def decrypt(self, nonce: bytes, data: bytes, about: bytes | None) -> bytes:
                opened: bytes = self._cipher.decrypt(nonce, data, about)
                return opened

        return Watched

    def _use(self, key: bytes, plaintext: bytes) -> None:
        uses: list[Use] | None = getattr(self._here, "uses", None)
        if uses is None:
            self._count(key, plaintext)
        else:
            uses.append((key, plaintext))

    def _count(self, key: bytes, plaintext: bytes) -> None:
        if self.used.setdefault(key, plaintext) != plaintext:
            self.wrong.append("a message key encrypted two plaintexts")
