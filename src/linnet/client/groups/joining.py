"""What groups add to the inbox of an account: ciphers, readers, and answers to what got lost."""

from collections.abc import Callable, Mapping
from typing import Final

import apsw

from linnet.client import lists, outbox
from linnet.client.accepted import Accepted, Addressee
from linnet.client.groups import book, keys
from linnet.client.groups.log import Member, Page
from linnet.client.groups.opening import GroupCipher
from linnet.client.resends import Reissue
from linnet.crypto import sender_keys
from linnet.crypto.bodies import sender_key_body
from linnet.signing.keys import Rng

_KIND: Final = "sender_key"


def cipher(me: Member, offer: Callable[[Page], None]) -> GroupCipher:
    """What opens the ciphertexts of the groups of `me`; `offer` takes what comes attached."""
    return GroupCipher(me, offer)


def reissues(rng: Rng) -> Mapping[str, Reissue]:
    """A lost distribution is answered with the present key of every group the device is due."""

    def again(db: apsw.Connection, lost: Accepted, device: Addressee, now_ms: int) -> None:
        account, id, _ = device
        for group in book.ids(db):
            chain = keys.own(db, group)
            due = any(it.account == account and it.device == id for it in keys.holders(db, group))
            if chain is None or not due or not is_member(db, group, device):
                continue
            outbox.enqueue_control(
                db,
                id=outbox.new_id(db, now_ms, rng),
                peer=account,
                devices=(id,),
                kind=_KIND,
                body=sender_key_body(group, sender_keys.distribution_message(chain)),
                sent_ms=outbox.server_ms(db, now_ms),
            )

    return {_KIND: again}


def is_member(db: apsw.Connection, group: bytes, device: Addressee) -> bool:
    """Whether this very device may have what the group is sent today."""
    account, id, identity = device
    held, listed = book.group(db, group), lists.held(db, account)
    if held is None or listed is None or listed.key_changed:
        return False
    member, found = held.settled.members.get(account), listed.list.device(id)
    if member is None or member.account_key != listed.list.key:
        return False
    return found is not None and found.key == identity
