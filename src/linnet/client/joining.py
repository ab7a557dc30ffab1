"""Joining: the inbox of an account, out of the parts that open, read, take and send again.

What further mechanisms bring (readers of their kinds, ciphers that are not pairwise, who is a
member of a group, how a lost control message is answered) is passed here.
"""

from collections.abc import Mapping

from linnet.client.groups.opening import GroupCipher
from linnet.client.inbox import Inbox
from linnet.client.opening import Opener
from linnet.client.readers import readers
from linnet.client.reading import Reader
from linnet.client.resend_taking import ResendReader, no_groups
from linnet.client.resends import Member, Reissue, Resends, nobody
from linnet.client.sealed.copies import CopyReader
from linnet.client.sessions import Sessions
from linnet.client.taking import Taker
from linnet.wire.frames import SENDER_KEY


def joined_inbox(
    sessions: Sessions,
    *,
    more: Mapping[str, Reader] | None = None,
    groups: GroupCipher | None = None,
    reissue: Mapping[str, Reissue] | None = None,
    member: Member = nobody,
) -> Inbox:
    """An inbox that reads receipts, resends, what `readers` names and `more`."""
    me = sessions.me.account
    resends = Resends(me, sessions.rng, member, reissue or {})
    everything: dict[str, Reader] = {
        "resend_request": resends.read_request,
        **readers(sessions),
        **(more or {}),
    }
    everything["sync"] = CopyReader(me, everything, everything["sync"])
    everything["resend"] = ResendReader(me, everything, groups.admit if groups else no_groups)
    ciphers = {} if groups is None else {SENDER_KEY: groups}
    return Inbox(Opener(sessions, Taker(me, everything), ciphers), resends)
