"""Shown: a group as lines for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from linnet.cli.names import SHORT, Names, by_rank, group_name
from linnet.client.groups.groups import GroupInfo
from linnet.signing.group_state import Role
from linnet.wire.ids import AccountId, show

FORKED = "Its history was forked: members were shown different ones. Nothing is sent to it."


def print_group(info: GroupInfo, names: Names, as_json: bool) -> None:
    """One group."""
    print(json.dumps(as_object(info, names)) if as_json else "\n".join(as_lines(info, names)))


def print_groups(groups: Sequence[GroupInfo], names: Names, me: AccountId, as_json: bool) -> None:
    """All groups: a line each, or one JSON array."""
    if as_json:
        print(json.dumps([as_object(info, names) for info in groups]))
        return
    for info in groups:
        print(as_line(info, me))


def as_line(info: GroupInfo, me: AccountId) -> str:
    """The beginning of the id, how many there are, the title, and what one is there."""
    marks = [
        word for word, holds in (("admin", _is_admin(info, me)), ("forked", info.forked)) if holds
    ]
    line = f"{show(info.group)[:SHORT]}  {_members(info):<12}  {group_name(info)}"
    return line + (f"  ({', '.join(marks)})" if marks else "")


def as_lines(info: GroupInfo, names: Names) -> Iterator[str]:
    """The title, the id, and everybody: admins first."""
    yield group_name(info)
    yield f"{show(info.group)}, {_members(info)}"
    if not info.member:
        yield "You are not a member of it any more."
    if info.forked:
        yield FORKED
    for account in by_rank(info, names):
        yield f"  {info.members[account].value:<6}  {names.person(account)}"


def as_object(info: GroupInfo, names: Names) -> dict[str, Any]:
    """What a program may want to know. Names are for people only."""
    return {
        "group": show(info.group),
        "title": info.title,
        "version": info.version,
        "member": info.member,
        "forked": info.forked,
        "members": [
            {"account": show(account), "role": role.value, "name": names.person(account)}
            for account, role in info.members.items()
        ],
    }


def _is_admin(info: GroupInfo, me: AccountId) -> bool:
    return info.members.get(me) is Role.ADMIN


def _members(info: GroupInfo) -> str:
    count = len(info.members)
    return f"{count} member{'' if count == 1 else 's'}"
