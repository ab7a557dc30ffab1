"""Unobtainable: device lists that the server was asked for, and that its answer left wanting.

One member of a group whose list nobody can show (it is newer than all that the server has, or not
there any more, or the server lies) must not keep all others waiting. After an hour of asking in
vain it is waited for no longer; who may be written to then is for whoever asks. What was never
answered, because the network was down, is not in vain.
"""

from collections.abc import Iterable
from typing import Final

import apsw
import msgspec

from linnet.client import facts, lists
from linnet.client.facts import Fact

PATIENCE_MS: Final = 3_600_000
ASK_AGAIN_MS: Final = 600_000
"""While it is waited for no longer it is asked for again this often."""


class AskedInVain(Fact, frozen=True, kw_only=True):
    """By account: since when, and when last (ms)."""

    accounts: dict[bytes, tuple[int, int]] = msgspec.field(default_factory=dict)


def answered(db: apsw.Connection, accounts: Iterable[bytes], now_ms: int) -> None:
    """The server answered what it has of these; what it gave is held, if it could be."""
    before = facts.get_or(db, AskedInVain()).accounts
    after = dict(before)
    for account in accounts:
        held = lists.held(db, account)
        if held is None or held.stale(now_ms):
            since_ms, _ = before.get(account, (now_ms, 0))
            after[account] = (min(since_ms, now_ms), now_ms)
        else:
            after.pop(account, None)
    if after != before:
        facts.put(db, AskedInVain(accounts=after))


def given_up(db: apsw.Connection, account: bytes, now_ms: int) -> bool:
    """Whether this list, which is wanting, is waited for no longer, and was asked for lately."""
    since_ms, asked_ms = facts.get_or(db, AskedInVain()).accounts.get(account, (now_ms, 0))
    return now_ms - since_ms >= PATIENCE_MS and 0 <= now_ms - asked_ms < ASK_AGAIN_MS
