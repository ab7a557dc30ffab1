"""Checker: whether all devices tell one and the same story, and what is wrong with it if not.

Pure: it reads what devices kept, and returns what it found in words.

- Of a conversation the server made one order: at a place there is one message everywhere, and what
  a device wrote one after the other stands so.
- A device has every message that was placed while it was linked, and none from before or after.
  In groups where people come and go it has what was encrypted for it, and nothing else.
- What `send` took over is there, and all of it got its answer.
- Nothing was undecryptable, damaged, or is still parked, but what removed devices sent: whoever
  knows of the removal when it arrives cannot verify it any more (docs/protocol/healing.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.soak.handset import Handset
from tests.soak.kept import Kept

from linnet.client.events import Arrived, Message, State
from linnet.wire.ids import AccountId, direct_conversation

ALLOWED_FAILURES = frozenset({"not_member", "no_such_group"})


@dataclass(frozen=True, slots=True)
class Place:
    """A message where the server put it."""

    conversation: bytes
    conv_seq: int
    id: bytes
    sender: bytes
    device: int
    at_ms: int
    text: str | None


def check(kept: list[Kept], steady: Iterable[bytes] = ()) -> list[str]:
    """Everything that is wrong. `steady`: groups of everybody, whose members never changed."""
    found = [*_healthy(kept), *_answered(kept), *_converged(kept)]
    story, clashes = _story(kept)
    found += clashes
    found += _in_order(story)
    conversations = {it.conversation for it in story.values()}
    for conversation in sorted(conversations):
        places = [it for it in story.values() if it.conversation == conversation]
        places.sort(key=lambda it: it.conv_seq)
        if conversation in set(steady) or _is_direct(conversation, kept):
            found += _complete(conversation, places, kept, steady)
        else:
            found += _as_encrypted(conversation, places, kept)
    return found


def _story(kept: list[Kept]) -> tuple[dict[tuple[bytes, int], Place], list[str]]:
    """What stands at each place of each conversation, by all devices together."""
    story: dict[tuple[bytes, int], Place] = {}
    found = []
    ids: dict[tuple[bytes, bytes], int] = {}
    for one in kept:
        for place in _places(one):
            known = story.setdefault((place.conversation, place.conv_seq), place)
            if (known.id, known.text, known.device) != (place.id, place.text, place.device):
                found.append(f"{one.handset.name}: another message at {_at(place)}")
            if ids.setdefault((place.conversation, place.id), place.conv_seq) != place.conv_seq:
                found.append(f"{one.handset.name}: twice, at {_at(place)}")
    return story, found


def _places(one: Kept) -> Iterator[Place]:
    for rows in one.rows.values():
        for row in rows:
            if row.conv_seq is not None and row.received_at is not None:
                yield Place(
                    row.conversation,
                    row.conv_seq,
                    row.id,
                    row.sender,
                    row.device,
                    round(row.received_at.timestamp() * 1000),
                    row.text if isinstance(row, Message) else None,
                )


def _healthy(kept: list[Kept]) -> Iterator[str]:
    removed = _removed(kept)
    for one in kept:
        health = one.health
        wrong = {
            name: count
            for name in ("undecryptable", "damaged", "reader_failed", "resends_refused")
            if (count := getattr(health, name))
        }
        parked = [id.hex() for id, by in one.parked.items() if by not in removed]
        if parked and one.handset.revoking_ms is None:
            yield f"{one.handset.name}: parked {parked}"
        if wrong or health.dropped:
            yield f"{one.handset.name}: health {wrong} dropped {dict(health.dropped)}"
        for rows in one.rows.values():
            for row in rows:
                if not isinstance(row, Message):
                    yield f"{one.handset.name}: {type(row).__name__} ({row.reason}) {_row(row)}"


def _removed(kept: list[Kept]) -> set[tuple[bytes, int]]:
    """The devices that were removed."""
    gone = (it.handset for it in kept if it.handset.revoking_ms is not None)
    return {(it.account, it.device) for it in gone}


def _unverified(one: Kept, place: Place, kept: list[Kept]) -> bool:
    """Whether it is parked because the device that sent it was removed before it arrived."""
    return place.id in one.parked and (place.sender, place.device) in _removed(kept)


def _answered(kept: list[Kept]) -> Iterator[str]:
    for one in kept:
        held = {row.id: row for rows in one.rows.values() for row in rows}
        for id in one.handset.said:
            if id not in held:
                yield f"{one.handset.name}: lost {id.hex()}, which it took over"
        for id, row in held.items():
            arrived = (row.sender, row.device) != (one.handset.account, one.handset.device)
            if arrived and id not in one.handset.heard and one.handset.revoking_ms is None:
                yield f"{one.handset.name}: nobody was told of {_row(row)}"
        if one.handset.revoking_ms is not None:
            continue
        if one.busy:
            yield f"{one.handset.name}: something waits in the outbox"
        for row in held.values():
            if row.state is State.FAILED and row.reason in ALLOWED_FAILURES:
                continue
            if row.state not in (State.SENT, State.DELIVERED, State.RECEIVED):
                yield f"{one.handset.name}: {row.state.value} {row.reason} {_row(row)}"
            elif row.state is State.SENT and _ticks(row, one, kept):
                yield f"{one.handset.name}: never ticked {_row(row)}"


def _in_order(story: dict[tuple[bytes, int], Place]) -> Iterator[str]:
    """What one device wrote into a conversation stands in the order in which it wrote it."""
    last: dict[tuple[bytes, bytes, int], int] = {}
    for _, place in sorted(story.items()):
        if place.text is None:
            continue
        number = int(place.text.split()[1])
        by = (place.conversation, place.sender, place.device)
        if number <= last.get(by, 0):
            yield f"out of order: {place.text[:20]} at {_at(place)}"
        last[by] = number


def _complete(
    conversation: bytes, places: list[Place], kept: list[Kept], steady: Iterable[bytes]
) -> Iterator[str]:
    """Where everybody stays: a device has what was placed while it was linked."""
    inside = set() if conversation in set(steady) else _sides(conversation, kept)
    for one in kept:
        handset = one.handset
        if inside and handset.account not in inside:
            continue
        has = {row.conv_seq for row in one.rows.get(conversation, ())}
        first = min((it.conv_seq for it in places if it.conv_seq in has), default=1 << 60)
        for place in places:
            must = place.at_ms > handset.born_ms or place.conv_seq > first
            if handset.revoking_ms is not None or _unverified(one, place, kept):
                must = False
            if must and place.conv_seq not in has:
                yield f"{handset.name}: misses {_at(place)} by {place.text and place.text[:20]}"
            yield from _not_outside(handset, place, place.conv_seq in has)


def _as_encrypted(conversation: bytes, places: list[Place], kept: list[Kept]) -> Iterator[str]:
    """Where people come and go: a device has what was encrypted for it.

    While it is linked there may be lists that name it, and no roster yet: then it gets nothing
    (docs/protocol/delivery.md, Groups)."""
    addressees = {id: to for one in kept for id, to in one.addressees.items()}
    removed = _removed(kept)
    for one in kept:
        handset = one.handset
        me = (handset.account, handset.device)
        has = {row.conv_seq for row in one.rows.get(conversation, ())}
        first = min((it.conv_seq for it in places if it.conv_seq in has), default=1 << 60)
        for place in places:
            mine = (place.sender, place.device) == me
            to = addressees.get(place.id)
            if to is None and (place.sender, place.device) in removed:
                continue  # it was shown out before it heard that this was accepted
            if to is None:
                yield f"nobody knows for whom {_at(place)} was"
                continue
            if place.conv_seq in has and not mine and me not in to:
                yield f"{handset.name}: has {_at(place)}, which was not for it"
            must = place.at_ms > handset.born_ms or place.conv_seq > first
            if handset.revoking_ms is not None or _unverified(one, place, kept):
                must = False
            if must and place.conv_seq not in has and (mine or me in to):
                yield f"{handset.name}: misses {_at(place)} by {place.text and place.text[:20]}"
            yield from _not_outside(handset, place, place.conv_seq in has)


def _not_outside(handset: Handset, place: Place, has: bool) -> Iterator[str]:
    if has and place.at_ms < handset.linking_ms:
        yield f"{handset.name}: has {_at(place)} from before it was linked"
    if has and handset.revoked_ms is not None and place.at_ms > handset.revoked_ms:
        yield f"{handset.name}: has {_at(place)} from after it was removed"


def _converged(kept: list[Kept]) -> Iterator[str]:
    """What is not messages: members, titles, read marks, settings, lists of devices."""
    live = [it for it in kept if it.handset.revoking_ms is None]
    for group in {id for one in live for id in one.groups}:
        views = {
            one.handset.name: one.groups[group]
            for one in live
            if group in one.groups and one.groups[group].member
        }
        states = {(it.version, it.members) for it in views.values()}
        # A title whose key only removed devices had is lost until the next one.
        titles = {it.title for it in views.values()} - {None}
        if len(states) > 1 or len(titles) > 1:
            told = {name: (it.version, it.title and it.title[:12]) for name, it in views.items()}
            yield f"group {group.hex()[:8]} is not the same everywhere: {told}"
    for account in {one.handset.account for one in live}:
        own = [one for one in live if one.handset.account == account]
        devices = {one.handset.name: sorted(one.listed) for one in own}
        if len({str(it) for it in devices.values()}) > 1:
            yield f"lists of devices differ: {devices}"
        if len({str(sorted(one.settings.items())) for one in own}) > 1:
            yield f"settings differ: { {one.handset.name: one.settings for one in own} }"
        marks = {str(sorted(_own_marks(one, account))) for one in own}
        if len(marks) > 1:
            told_marks = {
                one.handset.name: [(it.hex()[:8], up_to) for it, up_to in _own_marks(one, account)]
                for one in own
            }
            yield f"read marks differ: {told_marks}"


def _own_marks(one: Kept, account: bytes) -> Iterator[tuple[bytes, int]]:
    for (conversation, by), up_to in one.marks.items():
        if by == account:
            yield conversation, up_to


def _sides(conversation: bytes, kept: list[Kept]) -> set[bytes]:
    accounts = {one.handset.account for one in kept}
    return {
        side
        for a in accounts
        for b in accounts
        if direct_conversation(AccountId(a), AccountId(b)) == conversation
        for side in (a, b)
    }


def _is_direct(conversation: bytes, kept: list[Kept]) -> bool:
    return bool(_sides(conversation, kept))


def _ticks(row: Arrived, one: Kept, kept: list[Kept]) -> bool:
    """Whether the device that wrote it must learn that it arrived."""
    here = row.device == one.handset.device
    return here and not _is_note(row) and _is_direct(row.conversation, kept)


def _is_note(row: Arrived) -> bool:
    return row.conversation == direct_conversation(row.sender, row.sender)


def _at(place: Place) -> str:
    return f"{place.conversation.hex()[:8]}:{place.conv_seq}"


def _row(row: Arrived) -> str:
    return f"{row.conversation.hex()[:8]}:{row.conv_seq} {row.id.hex()}"
