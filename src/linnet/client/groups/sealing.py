"""Sealing a message to a group: once, under our sender key, for everybody on the log.

What this needs first is a control message of ours to every device that does not have the key yet;
those are put into the outbox in the same transaction, and a message that overtakes its key waits
at its reader. Who is entitled is what the *log* says and their own lists; the server's roster is
only named, so that it refuses what was sealed for another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client import lists, outbox
from linnet.client.errors import KeyChanged, NotMember
from linnet.client.groups import book, keys, log
from linnet.client.groups.book import Group
from linnet.client.lists import Held
from linnet.client.outbox import Item, Try
from linnet.client.sealing import FRANKING_KEY_BYTES, Missing, encoded
from linnet.client.sessions import Peer, Sessions
from linnet.crypto import sender_keys
from linnet.crypto.bodies import sender_key_body
from linnet.crypto.content import Content, commitment, seal_content
from linnet.crypto.prekeys import PreKeyBundle
from linnet.crypto.sender_key_record import SenderKeyState
from linnet.crypto.sender_key_rotation import Holder, must_rotate
from linnet.signing.group_state import GroupState
from linnet.signing.objects import SignedObject
from linnet.wire.frames import FULL, Send
from linnet.wire.ids import GroupId, to_group

MAX_PROOF_BYTES: Final = 4_096
"""A longer entry is not attached to what is sent under it: whoever lacks it asks the server."""
MAX_MISSING: Final = 100
"""Lists asked for at a time: one request."""


@dataclass(frozen=True, slots=True)
class GroupSealer:
    """Seals with this device's sender keys."""

    sessions: Sessions

    def seal(
        self, db: apsw.Connection, item: Item, bundles: dict[Peer, PreKeyBundle], now_ms: int
    ) -> bytes | Missing:
        """As `sealing.Sealer` says. `item.peer` is the GroupId."""
        group = book.group(db, item.peer)
        if group is None or group.stale or not group.roster:
            return Missing(groups=(item.peer,))
        own = lists.held(db, self.sessions.me.account)
        self._check(group, own)
        members, missing = self._members(db, group.settled, now_ms)
        if missing or own is None:
            return Missing(lists=tuple(missing[:MAX_MISSING]))
        state = self._key(db, group.settled, members, now_ms)
        z = seal_content(
            self._content(db, item, group.settled, own), self.sessions.rng(FRANKING_KEY_BYTES)
        )
        moved, ciphertext = sender_keys.encrypt(state, z, self.sessions.rng)
        keys.put_own(db, item.peer, moved)
        frame = Send(
            id=item.id,
            to=to_group(GroupId(item.peer)),
            mode=FULL,
            commitment=commitment(z),
            timestamp=item.sent_ms,
            roster=group.roster,
            body=ciphertext,
        )
        made = Try(frame.commitment, z, self._addressees(members), own.list.version, encoded(frame))
        outbox.add_try(db, item.id, made)
        return made.frame

    def _check(self, group: Group, own: Held | None) -> None:
        if group.alarm is not None or not group.member:
            raise NotMember
        me = group.settled.members.get(self.sessions.me.account)
        if own is not None and (me is None or me.account_key != own.list.key):
            raise KeyChanged

    def _members(
        self, db: apsw.Connection, state: GroupState, now_ms: int
    ) -> tuple[dict[Holder, bytes], list[bytes]]:
        """The devices entitled to read, with their identity keys; and lists that are missing.

        A member who shows another account key than the log names gets nothing until `rekey`.
        """
        me = self.sessions.me
        entitled: dict[Holder, bytes] = {}
        missing = []
        for account, member in state.members.items():
            held = lists.held(db, account)
            if held is None or held.stale(now_ms):
                missing.append(account)
                continue
            if held.list.key != member.account_key or held.key_changed:
                continue
            for device in held.recipients(now_ms):
                if (account, device.id) != (me.account, me.device):
                    entitled[Holder(account, member.account_key, device.id)] = device.key
        return entitled, missing

    def _key(
        self,
        db: apsw.Connection,
        state: GroupState,
        entitled: Mapping[Holder, bytes],
        now_ms: int,
    ) -> SenderKeyState:
        """Our chain, replaced if that is due, and on its way to everybody entitled to it."""
        group, rng = state.group, self.sessions.rng
        chain, holders = keys.own(db, group), keys.holders(db, group)
        if chain is None:
            chain = sender_keys.create(now_ms, rng)
        elif must_rotate(chain, now_ms, holders, entitled.keys()):
            chain = sender_keys.rotate(chain, now_ms, rng)
            keys.forget_holders(db, group)
            holders = set()
        new: dict[bytes, list[Holder]] = {}
        for holder in entitled.keys() - holders:
            new.setdefault(holder.account, []).append(holder)
        body = sender_key_body(group, sender_keys.distribution_message(chain))
        for account, given in new.items():
            outbox.enqueue_control(
                db,
                id=outbox.new_id(db, now_ms, rng),
                peer=account,
                devices=tuple(sorted(holder.device for holder in given)),
                kind="sender_key",
                body=body,
                sent_ms=outbox.server_ms(db, now_ms),
            )
            keys.add_holders(db, group, given)
        return chain

    def _addressees(self, entitled: Mapping[Holder, bytes]) -> tuple[tuple[bytes, int, bytes], ...]:
        return tuple((it.account, it.device, key) for it, key in entitled.items())

    def _content(self, db: apsw.Connection, item: Item, state: GroupState, own: Held) -> Content:
        attached: list[SignedObject] = []
        if outbox.attached_version(db, item.lane) < own.list.version:
            attached.append(own.obj)
        attached += log.proof_of_head(db, state, MAX_PROOF_BYTES)
        return Content(
            id=item.id,
            to=to_group(GroupId(item.peer)),
            sender=self.sessions.me.account,
            device=self.sessions.me.device,
            counter=item.counter,
            sent_ms=item.sent_ms,
            own_list=own.ref,
            head=(state.version, state.head),
            kind=item.kind,
            body=item.body,
            attached=tuple(attached) or None,
        )
