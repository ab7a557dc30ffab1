"""Opening a message to a group: the signature, the chain, and the head of the log that it cites.

The cipher of kind 7 for `linnet.client.opening.Opener`. What cannot be judged yet (the key, the
log, the list is missing) is parked with the chain unmoved, so that it can be tried again. A message
that is sent again pairwise is held to the same head.
"""

from collections.abc import Callable
from dataclasses import dataclass

import apsw

from linnet.client import lists
from linnet.client.groups import book, head_claims, keys, log
from linnet.client.groups.log import Member, Page
from linnet.crypto import sender_keys
from linnet.crypto.content import Content, Damaged, Refused, open_content
from linnet.crypto.errors import NoSenderKey, WrongSender
from linnet.crypto.sender_key_messages import SenderKeyMessage
from linnet.crypto.sender_key_record import SenderKeyBinding
from linnet.signing.group_entry import decode_entry
from linnet.signing.group_errors import EntryRefused
from linnet.signing.group_state import GroupState
from linnet.wire.frames import Deliver


@dataclass(frozen=True, slots=True)
class GroupCipher:
    """Decrypts what comes to the groups of `me`. `offer` is called, in the store's thread, with the
    entry that a message brought to prove the head it cites."""

    me: Member
    offer: Callable[[Page], None]

    def __call__(self, db: apsw.Connection, frame: Deliver, identity: bytes, now_ms: int) -> bytes:
        """Z of a group message. As `opening.Cipher` says."""
        if not book.known(db, frame.conversation):
            raise NoSenderKey("a group that is not known yet")
        message = sender_keys.parse_message(frame.ciphertext)
        binding = SenderKeyBinding(frame.conversation, frame.sender, frame.device)
        record = keys.given(db, message.distribution_id, binding)
        if record is None:
            self._check_unclaimed(db, message)
        moved, z = sender_keys.decrypt(record, binding, message)
        try:
            content = open_content(z)
        except Damaged:
            keys.put_given(db, moved)
            return z  # whoever opens it says so
        self.admit(db, frame, content)
        keys.put_given(db, moved)
        return z

    def _check_unclaimed(self, db: apsw.Connection, message: SenderKeyMessage) -> None:
        """Raise WrongSender for what somebody else signed, or for another group: no key that is
        still to come would open it."""
        for record in keys.of_anybody(db, message.distribution_id):
            if sender_keys.is_signed(record, message):
                raise WrongSender("signed by another device, or for another group")

    def admit(self, db: apsw.Connection, frame: Deliver, content: Content) -> None:
        """Judge content for a group by the head it cites, where it stands in the group's order.

        Raises NoSenderKey while the log is not there, Refused if its author may not say this.
        """
        group = book.group(db, frame.conversation)
        if group is None:
            raise NoSenderKey("a group that is not known yet")
        if content.head is None:
            raise Refused("content for a group cites the head of its log")
        version, name = content.head
        if version > group.settled.version:
            self._offer(frame, content)
            book.want(db, frame.conversation, version)
            if version > group.kept and _is_member(db, group.settled, frame.sender):
                claimant = (frame.sender, frame.device)
                head_claims.note(db, frame.conversation, *claimant, version)
            raise NoSenderKey("the log goes on further than is known here")
        if log.entry_hash(db, frame.conversation, version) != name:
            self._offer(frame, content)
            raise Refused("the head of another history")
        rostered = book.roster_version(db, frame.conversation, frame.roster)
        if rostered is not None and version < rostered:
            raise Refused("an older head than its roster's")
        state = log.state_at(db, frame.conversation, version)
        if state is None or not _is_member(db, state, frame.sender):
            raise Refused("its author is no member there")
        if not self.me.belongs(state):
            raise Refused("from before this account joined")
        if not book.in_order(db, frame.conversation, frame.conv_seq, frame.roster):
            raise Refused("an older roster than a message before it named")

    def _offer(self, frame: Deliver, content: Content) -> None:
        """Entries and lists that came attached, for the log's own checks."""
        entries, cited = [], []
        for obj in content.attached or ():
            try:
                decode_entry(obj.body)
                entries.append(obj)
            except EntryRefused:
                cited.append(obj)
        if entries:
            self.offer(Page(frame.conversation, entries, cited))


def _is_member(db: apsw.Connection, state: GroupState, account: bytes) -> bool:
    member, held = state.members.get(account), lists.held(db, account)
    return member is not None and held is not None and member.account_key == held.list.key
