"""Items: messages of a phone, sealed for whom they are for. A try is made of random bytes, and
written down before it can leave."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tests.chaos.history import Device, Tried

from linnet.wire import frames
from linnet.wire.frames import CONTROL, FULL, NARROWED, Part
from linnet.wire.ids import AccountId, direct_conversation, message_id, to_account

if TYPE_CHECKING:
    from tests.chaos.fleet import Fleet

SIZES = (50, 200, 200, 200, 2000, 8000)
TO_GROUPS = 0.3
"""Chance that somebody with groups writes to one of them."""


class Item:
    """A message of this device: on its disk from before the first try on. `to` is an account, or
    a group where `grouped`."""

    def __init__(self, to: bytes, conversation: bytes, id: bytes, mode: int, grouped: bool) -> None:
        self.to, self.conversation, self.id, self.mode = to, conversation, id, mode
        self.grouped = grouped
        self.frame: frames.Send | None = None
        self.due = 0.0
        self.stale = 0
        """A roster above the one it was sealed for, if the device heard of one."""


def write(device: Device, peers: list[bytes], fleet: Fleet, rng: random.Random) -> Item:
    """A new message to somebody, sealed."""
    id = message_id(time.time_ns() // 1_000_000, rng.randbytes(10))
    groups = fleet.circles.of(device)
    if groups and rng.random() < TO_GROUPS:
        group = rng.choice(groups)
        item = Item(group, group, id, FULL, True)
    else:
        to = rng.choice(peers)
        mode = rng.choices((FULL, NARROWED, CONTROL), (18, 1, 1))[0]
        conversation = direct_conversation(AccountId(device.account), AccountId(to))
        item = Item(to, conversation, id, FULL if to == device.account else mode, False)
    seal(item, device, fleet, rng)
    return item


def seal(item: Item, device: Device, fleet: Fleet, rng: random.Random) -> None:
    """Make the frame for whom is known now; another try has other bytes."""
    commitment, now_ms = rng.randbytes(32), time.time_ns() // 1_000_000
    if item.grouped:
        digests, roster = _seal_for_group(item, device, fleet, rng, commitment, now_ms), True
    else:
        digests, roster = _seal_for_two(item, device, fleet, rng, commitment, now_ms), False
    assert item.frame is not None
    item.stale = 0
    fleet.history.append(
        Tried(
            device,
            item.to,
            item.conversation,
            item.id,
            item.mode,
            commitment,
            digests,
            item.frame.roster if roster else 0,
            item.frame.sets,
        )
    )


def _seal_for_group(
    item: Item, device: Device, fleet: Fleet, rng: random.Random, commitment: bytes, now_ms: int
) -> dict[Device, bytes]:
    number, seats = fleet.circles.rosters[item.to]
    body = rng.randbytes(rng.choice(SIZES))
    item.frame = frames.Send(
        item.id, b"\x02" + item.to, FULL, commitment, now_ms, None, [], [], number, body
    )
    named = {Device(account, it) for account, (_, devices) in seats.items() for it in devices}
    return dict.fromkeys(named - {device}, digest(body))


def _seal_for_two(
    item: Item, device: Device, fleet: Fleet, rng: random.Random, commitment: bytes, now_ms: int
) -> dict[Device, bytes]:
    account, listed = device.account, fleet.lists
    theirs, mine = listed[item.to], listed[account]
    to_self = item.to == account
    others = [number for number in mine[1] if number != device.number]
    parts = _parts(others if to_self else theirs[1], rng)
    own = _parts([] if to_self or item.mode == CONTROL else others, rng)
    if item.mode == NARROWED:
        own = own[: rng.randrange(len(own) + 1)]
    sets = (theirs[0], mine[0]) if item.mode == FULL else None
    to = to_account(AccountId(item.to))
    item.frame = frames.Send(item.id, to, item.mode, commitment, now_ms, sets, parts, own)
    digests = {Device(item.to, part.device): digest(part.ciphertext) for part in parts}
    return digests | {Device(account, part.device): digest(part.ciphertext) for part in own}


def _parts(devices: Iterable[int], rng: random.Random) -> list[Part]:
    return [Part(it, 2, rng.randbytes(rng.choice(SIZES))) for it in devices]


def digest(data: bytes) -> bytes:
    """What stands for bytes in a history."""
    return hashlib.sha256(data).digest()
