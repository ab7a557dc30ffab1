"""Opening a seal: who sent it, as the server certified that device, and the message inside.

The certificate's identity key must be on the sender's device list: `linnet.client.opening` sees to
that, as to everything else. From here on it is a message like any other, but for its channel.
"""

from dataclasses import dataclass

import apsw

from linnet.client import facts
from linnet.client.facts import Fact
from linnet.client.sealed.frames import NO_COMMITMENT, Unsealed
from linnet.client.sessions import Sessions
from linnet.crypto.content import Refused
from linnet.crypto.errors import BadCertificate
from linnet.crypto.sealed import open_sealed
from linnet.crypto.unidentified import SENDER_KEY
from linnet.wire.frames import Deliver
from linnet.wire.ids import AccountId, direct_conversation


class TrustRoot(Fact, frozen=True, kw_only=True):
    """The key that all sender certificates of this server lead back to, since the first day."""

    key: bytes


@dataclass(frozen=True, slots=True)
class Unsealer:
    """Opens with this device's identity key."""

    sessions: Sessions

    def __call__(self, db: apsw.Connection, frame: Deliver) -> Unsealed:
        """The frame, with its sender. Raises a CryptoError.

        The certificate must have been good when the server took the message: it may have waited.
        """
        root, me = facts.get(db, TrustRoot), self.sessions.me
        if root is None:
            raise BadCertificate("server")
        opened = open_sealed(
            self.sessions.local.key, frame.ciphertext, root.key, frame.server_timestamp
        )
        sender = opened.sender
        if (sender.account, sender.device) == (me.account, me.device):
            raise Refused("sent by this very device")
        if opened.content.type == SENDER_KEY:
            raise Refused("groups are not sealed")
        return Unsealed(
            position=frame.position,
            prev=frame.prev,
            conversation=direct_conversation(AccountId(me.account), AccountId(sender.account)),
            conv_seq=0,
            id=frame.id,
            sender=sender.account,
            device=sender.device,
            mode=frame.mode,
            kind=opened.content.type,
            ciphertext=opened.content.message,
            commitment=NO_COMMITMENT,
            timestamp=frame.timestamp,
            server_timestamp=frame.server_timestamp,
            identity=sender.identity_key,
        )
