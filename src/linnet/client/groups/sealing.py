"""Sealing a message to a group: once, under our sender key, for everybody on the log.

What this needs first is a control message of ours to every device that does not have the key yet;
those are put into the outbox in the same transaction, and a message that overtakes its key waits
at its reader. Who is entitled is what the *log* says and their own lists; the server's roster is
only named, so that it refuses what was sealed for another one.
"""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Final

import apsw

from linnet.client import lists, outbox
from linnet.client.errors import GroupStopped, KeyChanged, NotMember
from linnet.client.groups import book, head_claims, keys, log
from linnet.client.groups.audience import Audience, Audiences
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


@dataclass(frozen=True, slots=True)
class GroupSealer:
    """Seals with this device's sender keys."""

    sessions: Sessions
    audiences: Audiences = field(init=False)

    def __post_init__(self) -> None:
        me = self.sessions.me
        object.__setattr__(self, "audiences", Audiences((me.account, me.device)))

    def seal(
        self, db: apsw.Connection, item: Item, bundles: dict[Peer, PreKeyBundle], now_ms: int
    ) -> bytes | Missing:
        """As `sealing.Sealer` says. `item.peer` is the GroupId."""
        group = book.group(db, item.peer)
        if group is None or group.stale or not group.roster:
            return Missing(groups=(item.peer,))
        own = lists.held(db, self.sessions.me.account)
        self._check(group, own)
        if group.holding:
            return Missing()
        told = head_claims.judged(db, item.peer, group.kept, now_ms)
        if told is not None:
            return Missing(told=told)
        audience = self.audiences.of(db, group.settled, now_ms)
        if isinstance(audience, Missing):
            return audience
        assert own is not None, "it was judged with the others"
        state = self._key(db, group.settled, audience, now_ms)
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
        made = Try(
            commitment=frame.commitment,
            z=z,
            addressees=(),
            own_version=own.list.version,
            frame=encoded(frame),
            packed=audience.packed,
        )
        outbox.add_try(db, item.id, made)
        return made.frame

    def _check(self, group: Group, own: Held | None) -> None:
        if group.alarm is not None:
            raise GroupStopped
        if not group.member:
            raise NotMember
        me = group.settled.members.get(self.sessions.me.account)
        if own is not None and (me is None or me.account_key != own.list.key):
            raise KeyChanged

    def _key(
        self, db: apsw.Connection, state: GroupState, audience: Audience, now_ms: int
    ) -> SenderKeyState:
        """Our chain, replaced if that is due, and on its way to everybody entitled to it."""
        group, rng = state.group, self.sessions.rng
        chain = keys.own(db, group)
        unchanged = keys.audience(db, group) == audience.name
        nobody: frozenset[Holder] = frozenset()
        if chain is not None and unchanged and not must_rotate(chain, now_ms, nobody, nobody):
            return chain
        entitled, holders = audience.devices.keys(), keys.holders(db, group)
        if chain is None:
            chain = sender_keys.create(now_ms, rng)
        elif must_rotate(chain, now_ms, holders, entitled):
            chain = sender_keys.rotate(chain, now_ms, rng)
            keys.forget_holders(db, group)
            holders = set()
        keys.put_own(db, group, chain)
        self._distribute(db, group, chain, entitled - holders, now_ms)
        keys.put_audience(db, group, audience.name)
        return chain

    def _distribute(
        self,
        db: apsw.Connection,
        group: bytes,
        chain: SenderKeyState,
        new: Set[Holder],
        now_ms: int,
    ) -> None:
        """Put the chain, as it stands, into the outbox for these devices."""
        by_account: dict[bytes, list[Holder]] = {}
        for holder in sorted(new):
            by_account.setdefault(holder.account, []).append(holder)
        body = sender_key_body(group, sender_keys.distribution_message(chain))
        sent_ms = outbox.server_ms(db, now_ms)
        for account, given in by_account.items():
            outbox.enqueue_control(
                db,
                id=outbox.new_id(db, now_ms, self.sessions.rng),
                peer=account,
                devices=tuple(holder.device for holder in given),
                kind="sender_key",
                body=body,
                sent_ms=sent_ms,
            )
        keys.add_holders(db, group, new)

    def _content(self, db: apsw.Connection, item: Item, state: GroupState, own: Held) -> Content:
        attached: list[SignedObject] = []
        if outbox.attached_version(db, item.lane) < own.list.version:
            attached.append(own.obj)
        attached += log.proof_of_head(db, state, MAX_PROOF_BYTES, again=item.tries > 0)
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
