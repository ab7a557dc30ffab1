"""The authenticator: only who knows all secrets so far can send a key or answer one.

Without it, whoever once read a state could put his own ML-KEM key in the way of the next epoch
(ML-KEM Braid r1). The key itself needs no MAC: its hash is in the header.
"""

from hmac import compare_digest

from linnet.crypto.errors import Malformed
from linnet.crypto.secret import SecretStruct
from linnet.crypto.spqr import kdf


class Authenticator(SecretStruct, frozen=True, array_like=True):
    """A value: `after` makes the next one."""

    root: bytes
    mac_key: bytes

    def after(self, epoch: int, secret: bytes) -> "Authenticator":
        """The authenticator that knows the secret of `epoch` too."""
        return Authenticator(*kdf.update(self.root, epoch, secret))

    def with_mac(self, epoch: int, header: bytes) -> bytes:
        """The header and its MAC."""
        return header + kdf.header_mac(self.mac_key, epoch, header)

    def opened(self, epoch: int, data: bytes) -> bytes:
        """The header of what `with_mac` made. Raises Malformed if the MAC is wrong."""
        header, mac = data[: -kdf.MAC_BYTES], data[-kdf.MAC_BYTES :]
        if not compare_digest(kdf.header_mac(self.mac_key, epoch, header), mac):
            raise Malformed("a header that is not authentic")
        return header

    def ct2_with_mac(self, epoch: int, ct1: bytes, ct2: bytes) -> bytes:
        """The second part of a ciphertext, and a MAC over both."""
        return ct2 + kdf.ciphertext_mac(self.mac_key, epoch, ct1, ct2)

    def check_ct2(self, epoch: int, ct1: bytes, data: bytes) -> None:
        """Raise Malformed if `data` is not what `ct2_with_mac` made."""
        ct2, mac = data[: -kdf.MAC_BYTES], data[-kdf.MAC_BYTES :]
        if not compare_digest(kdf.ciphertext_mac(self.mac_key, epoch, ct1, ct2), mac):
            raise Malformed("a ciphertext that is not authentic")


def first_authenticator(pq_key: bytes) -> Authenticator:
    """The authenticator that both sides start with, from what PQXDH agreed on."""
    return Authenticator(bytes(32), bytes(32)).after(1, pq_key)
