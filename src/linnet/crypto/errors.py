"""What can go wrong in the end-to-end protocol, one class for each thing a caller can do about it.

No error text ever carries keys, plaintext or addresses.
"""


class CryptoError(Exception):
    """The message or key was refused. The state that was passed in is still the valid one."""


class Malformed(CryptoError):
    """Bytes that are no message, no record, or no padded plaintext of this protocol."""


class BadKey(CryptoError):
    """A public key, KEM ciphertext or signature over a pre-key that must not be used."""


class Untrusted(CryptoError):
    """The identity key is not the one that this record of sessions belongs to."""


class NoSession(CryptoError):
    """There is no session to use: fetch a bundle, or wait for a pre-key message."""


class StaleSession(CryptoError):
    """The peer has not answered this session for 30 days: fetch a new bundle."""


class UnknownPreKey(CryptoError):
    """The message names a pre-key that this device never had, has used up or has expired."""


class Replayed(CryptoError):
    """A first message to the last-resort keys that was accepted before."""


class WrongAddress(CryptoError):
    """The addresses under the MAC are missing, or are not this sender and this receiver."""


class BadMac(CryptoError):
    """No session of the record authenticates this message."""


class Duplicate(CryptoError):
    """The key of this message was used already: it has been read before."""


class TooFarAhead(CryptoError):
    """The counter would skip more messages than one message may."""


class NoSenderKey(CryptoError):
    """The sender key of this message has not come, or was given up: park it until one comes."""


class WrongSender(CryptoError):
    """The sender key, or sealed message, belongs to another device or group than is claimed."""


class BadSignature(CryptoError):
    """A group message that was not signed by the device whose sender key it names."""


class BadCertificate(CryptoError):
    """The certificate of a sealed sender is not of our server, has expired, or is another's."""
