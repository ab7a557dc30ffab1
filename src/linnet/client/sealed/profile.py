"""Profile keys: this account's own, whom it was given, and those of others.

From a profile key follows the delivery key, without which nobody can send this account sealed
messages. Every device of whoever this account wrote to is given it, pairwise; who is blocked or
removed is not, and a new one is made then. The own devices have it in common: the highest number
holds. Asking the server is `linnet.client.sealed.upkeep`'s.
"""

from collections.abc import Mapping
from typing import Final

import apsw

from linnet.client import facts, lists, outbox, synced
from linnet.client.accepted import Accepted, Addressee
from linnet.client.facts import Identity
from linnet.client.own_channel import OwnChannel
from linnet.client.resends import Reissue
from linnet.client.sealed import own_profile
from linnet.client.sealed.own_profile import Profile
from linnet.client.sealed.state import BLOCKED, YES, blocked
from linnet.client.sql import every
from linnet.client.synced import Entry
from linnet.crypto.bodies_control import ProfileKey
from linnet.crypto.body import body_of
from linnet.crypto.profile_key import delivery_key, new_profile_key
from linnet.signing.keys import Rng
from linnet.wire.ids import AccountId, direct_conversation

KIND: Final = "profile_key"
SCOPE: Final = "profile_key"
"""Others' profile keys, by account."""
WRITTEN: Final = "written"
"""Accounts that this one wrote to: they are given its profile key."""


def make(db: apsw.Connection, channel: OwnChannel, rng: Rng) -> None:
    """Make the first profile key, on the main device, unless there is one."""
    identity = facts.get(db, Identity)
    assert identity is not None, "an account that is open is registered"
    held = lists.held(db, identity.account)
    if facts.get(db, Profile) is not None or held is None:
        return
    if held.list.primary != identity.device:
        return  # the main device tells its own
    facts.put(db, Profile(key=new_profile_key(rng), number=1))
    for (account,) in every(
        db, "SELECT account FROM lists WHERE account != ?", (identity.account,)
    ):
        conversation = direct_conversation(AccountId(identity.account), AccountId(account))
        wrote = every(
            db,
            "SELECT 1 FROM messages WHERE conversation = ? AND sender = ? LIMIT 1",
            (conversation, identity.account),
        )
        if wrote:  # before there were profile keys
            synced.merge(db, Entry(WRITTEN, account, YES, 1))
    tell(db, channel)


def replace(db: apsw.Connection, channel: OwnChannel, rng: Rng) -> None:
    """Make a new profile key: who holds only the one before is shut out once it is registered."""
    before = facts.get(db, Profile)
    number = 1 if before is None else before.number + 1
    facts.put(db, Profile(key=new_profile_key(rng), number=number))
    tell(db, channel)


def tell(db: apsw.Connection, channel: OwnChannel) -> None:
    """Tell the other own devices the profile key in force."""
    for said in own_profile.told(db):
        channel.tell(db, said)


def delivery_of(db: apsw.Connection, account: bytes) -> bytes | None:
    """The key to show for sealed requests about an account, one's own too; None if not known."""
    identity, profile = facts.get(db, Identity), facts.get(db, Profile)
    if identity is not None and identity.account == account:
        ready = profile is not None and profile.registered
        return delivery_key(profile.key) if ready and profile is not None else None
    key = synced.value(db, SCOPE, account)
    return delivery_key(key) if key else None


def learn(db: apsw.Connection, account: bytes, body: ProfileKey, server_ms: int) -> bool:
    """Keep an account's profile key, and let what waited for it go; whether it is news."""
    if not synced.merge(db, Entry(SCOPE, account, body.key, server_ms)):
        return False
    db.execute(
        "UPDATE outbox SET hold_until_ms = 0, holds = 0"
        " WHERE peer = ? AND way IN ('sealed', 'sealed_control')",
        (account,),
    )
    return True


def wrote_to(db: apsw.Connection, channel: OwnChannel, account: bytes) -> bool:
    """This account writes to another: the conversation is accepted. Whether that is new."""
    if account == channel.account or blocked(db, account) or may_have(db, account):
        return False
    channel.write(db, WRITTEN, account, YES)
    return True


def shut_out(db: apsw.Connection, channel: OwnChannel, account: bytes, *, blocked: bool) -> None:
    """Take an account out of those that are given our profile key, and make a new one, so that what
    it holds opens nothing any more."""
    channel.write(db, WRITTEN, account, b"")
    if blocked:
        channel.write(db, BLOCKED, account, YES)
    replace(db, channel, channel.world.rng)


def let_in(db: apsw.Connection, channel: OwnChannel, account: bytes) -> None:
    """Block an account no longer. It is given our profile key when this account writes to it."""
    channel.write(db, BLOCKED, account, b"")


def may_have(db: apsw.Connection, account: bytes) -> bool:
    """Whether an account is given our profile key."""
    return synced.value(db, WRITTEN, account) == YES and not blocked(db, account)


def give_all(db: apsw.Connection, now_ms: int, rng: Rng) -> bool:
    """Put the profile key into the outbox for every device that may have it and was not given it;
    whether there was any."""
    profile = facts.get(db, Profile)
    if profile is None or not profile.registered:
        return False
    given = [
        give(db, account, profile, now_ms, rng)
        for account, value in synced.of_scope(db, WRITTEN)
        if value == YES
    ]
    return any(given)


def give(
    db: apsw.Connection,
    account: bytes,
    profile: Profile,
    now_ms: int,
    rng: Rng,
    again: frozenset[int] = frozenset(),
) -> bool:
    """As `give_all`, for one account; its devices `again` even if they were given it."""
    held = lists.held(db, account)
    if held is None or held.key_changed or not may_have(db, account):
        return False
    had = {
        (device, identity)
        for device, identity in every(
            db,
            "SELECT device, identity FROM profile_given WHERE account = ? AND number = ?",
            (account, profile.number),
        )
        if device not in again
    }
    new = [device for device in held.list.devices if (device.id, device.key) not in had]
    if not new:
        return False
    outbox.enqueue_control(
        db,
        id=outbox.new_id(db, now_ms, rng),
        peer=account,
        devices=tuple(device.id for device in new),
        kind=KIND,
        body=body_of(ProfileKey(profile.key)),
        sent_ms=outbox.server_ms(db, now_ms),
    )
    db.executemany(
        "INSERT OR REPLACE INTO profile_given VALUES (?, ?, ?, ?)",
        [(account, device.id, device.key, profile.number) for device in new],
    )
    return True


def reissues(rng: Rng) -> Mapping[str, Reissue]:
    """A profile key that was lost on its way is answered with the one in force."""

    def again(db: apsw.Connection, lost: Accepted, device: Addressee, now_ms: int) -> None:
        profile = facts.get(db, Profile)
        if profile is not None and profile.registered:
            give(db, device[0], profile, now_ms, rng, frozenset({device[1]}))

    return {KIND: again}
