"""Claims: device lists that content quotes as (version, hash) and that are not held here.

A quoted list is a hint: it is asked for. If neither the message nor the server can show it, the
device that quoted it is marked unconfirmed, and sending to whom it concerns pauses for an hour,
once for that device: whoever lies stops nobody for longer. Nothing here decides who a message
goes to.
"""

from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client import lists
from linnet.client.events import Unconfirmed
from linnet.client.lists import Held
from linnet.client.sql import every, first
from linnet.crypto.content import Ref
from linnet.wire.ids import AccountId, DeviceId

PAUSE_MS: Final = 3_600_000
ASK_AGAIN_MS: Final = 600_000
"""During a pause the list is asked for again this often."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Sending waits. `ask`: accounts whose lists are worth fetching now; `told`: what is new."""

    ask: tuple[bytes, ...] = ()
    told: tuple[Unconfirmed, ...] = ()


def note(
    db: apsw.Connection, account: bytes, quoted: Ref, claimant: bytes, device: int, now_ms: int
) -> None:
    """A device of `claimant` quotes this list of `account`. Asks for it if it is not held."""
    held = lists.held(db, account)
    if held is None or quoted[0] < held.list.version or quoted == held.ref:
        return
    db.execute(
        "INSERT INTO claims (account, claimant, device, version, hash, claimed_ms)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, claimant, device) DO UPDATE SET"
        " version = excluded.version, hash = excluded.hash, claimed_ms = excluded.claimed_ms",
        (account, claimant, device, *quoted, now_ms),
    )
    if _judged_ms(db, account, claimant, device) is None or _asked_long_ago(held, now_ms):
        lists.doubt(db, account, version=max(quoted[0], held.list.version + 1))


def pause(db: apsw.Connection, peer: Held, own: Held, now_ms: int) -> Pause | None:
    """Whether messages to `peer` wait because of claims about either list, which were fetched since
    the claims were made. Begins the pause of a claim that the server could not prove."""
    account, me = peer.list.account, own.list.account
    rows = every(
        db,
        "SELECT account, claimant, device, version, hash, claimed_ms, judged_ms FROM claims"
        " WHERE account = ? OR (account = ? AND claimant = ?)",
        (account, me, account),
    )
    told: list[Unconfirmed] = []
    ask: set[bytes] = set()
    paused = False
    for subject, claimant, device, version, quoted, claimed_ms, judged_ms in rows:
        held = peer if subject == account else own
        if not _open(held, version, quoted) or held.fetched_ms < claimed_ms:
            continue
        if judged_ms is None:
            judged_ms = now_ms
            _judge(db, subject, claimant, device, now_ms)
            told.append(Unconfirmed(AccountId(claimant), DeviceId(device)))
        if 0 <= now_ms - judged_ms < PAUSE_MS:
            paused = True
            if now_ms - held.fetched_ms >= ASK_AGAIN_MS:
                ask.add(subject)
    return Pause(tuple(ask), tuple(told)) if paused else None


def unconfirmed(db: apsw.Connection, account: bytes) -> list[int]:
    """Devices of an account that quote a list which nobody could show, and still do."""
    rows = every(
        db,
        "SELECT account, device, version, hash FROM claims"
        " WHERE claimant = ? AND judged_ms IS NOT NULL",
        (account,),
    )
    found = set()
    for subject, device, version, quoted in rows:
        held = lists.held(db, subject)
        if held is not None and _open(held, version, quoted):
            found.add(device)
    return sorted(found)


def _open(held: Held, version: int, quoted: bytes) -> bool:
    """Whether the claim is still not proven by the held list."""
    if version != held.list.version:
        return version > held.list.version
    return (version, quoted) != held.ref


def _asked_long_ago(held: Held, now_ms: int) -> bool:
    return not 0 <= now_ms - held.fetched_ms < PAUSE_MS


def _judged_ms(db: apsw.Connection, account: bytes, claimant: bytes, device: int) -> int | None:
    row = first(
        db,
        "SELECT judged_ms FROM claims WHERE account = ? AND claimant = ? AND device = ?",
        (account, claimant, device),
    )
    return None if row is None else row[0]


def _judge(db: apsw.Connection, account: bytes, claimant: bytes, device: int, now_ms: int) -> None:
    """The claim is not proven: its device has had its pause, whatever list it quotes of whom."""
    db.execute(
        "UPDATE claims SET judged_ms = ? WHERE account = ? AND claimant = ? AND device = ?",
        (now_ms, account, claimant, device),
    )
