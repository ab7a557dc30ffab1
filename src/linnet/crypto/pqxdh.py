"""PQXDH (revision 3): two parties derive one secret, of whom one may be asleep.

Uses keys that were checked and looked up by the caller: signatures in `prekeys.verify_bundle`,
ids and replays in `session`. The order of the Diffie-Hellman secrets is on the wire.
"""

from linnet.crypto import kem
from linnet.crypto.curve import agree
from linnet.crypto.kdf import Agreement, agreement
from linnet.crypto.messages import PreKeySignalMessage
from linnet.crypto.prekeys import KemPreKey, OneTimePreKey, PreKeyBundle, SignedPreKey
from linnet.signing.keys import KeyPair


def initiate(identity: KeyPair, base: KeyPair, bundle: PreKeyBundle) -> tuple[Agreement, bytes]:
    """Return what is agreed, and the KEM ciphertext to send. `base` is fresh and used once.

    Raises BadKey for a public key that must not be used.
    """
    secrets = [
        agree(identity.private, bundle.signed_pre_key),
        agree(base.private, bundle.identity_key),
        agree(base.private, bundle.signed_pre_key),
    ]
    if bundle.pre_key is not None:
        secrets.append(agree(base.private, bundle.pre_key))
    kem_ciphertext, secret = kem.encapsulate(bundle.kem_pre_key)
    return agreement(b"".join((*secrets, secret))), kem_ciphertext


def accept(
    identity: KeyPair,
    message: PreKeySignalMessage,
    signed: SignedPreKey,
    one_time: OneTimePreKey | None,
    kem_pre_key: KemPreKey,
) -> Agreement:
    """Return what the sender of `message` agreed to, with the private halves it names.

    Raises BadKey for a public key that must not be used.
    """
    secrets = [
        agree(signed.private, message.identity_key),
        agree(identity.private, message.base_key),
        agree(signed.private, message.base_key),
    ]
    if one_time is not None:
        secrets.append(agree(one_time.private, message.base_key))
    secret = kem.decapsulate(kem_pre_key.seed, message.kem_ciphertext, keep=kem_pre_key.last_resort)
    return agreement(b"".join((*secrets, secret)))
