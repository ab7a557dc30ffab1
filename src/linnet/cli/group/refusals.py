"""Refusals: why a group does not allow something, for a person (docs/protocol/groups.md)."""

from __future__ import annotations

from linnet.cli.failures import Failure


def group_refused(reason: str) -> Failure:
    """What happened and what to do, for a reason of GroupRefused."""
    what, do = _WORDS.get(reason, (f"the group does not allow that ({reason}).", ""))
    return Failure(what, do=do)


_WORDS = {
    "no_such_group": ("there is no such group here.", "`linnet group list` names your groups."),
    "not_member": (
        "you are not a member of that group.",
        "Nothing is sent. Ask an admin of it to add you.",
    ),
    "not_admin": (
        "only an admin of the group can do that.",
        "`linnet group show` says who is one: ask them.",
    ),
    "last_admin": (
        "a group is not left without an admin.",
        "First make somebody else one with `linnet group promote`.",
    ),
    "oneself": ("nobody can do that to themselves.", "To go, `linnet group leave`."),
    "too_many": ("a group has at most 1,024 members.", ""),
    "already_member": ("they are members already.", ""),
    "no_such_member": (
        "they are not a member of the group.",
        "`linnet group show` says who is.",
    ),
    "no_change": ("that is so already.", "Nothing was changed."),
    "title_too_long": ("the title is too long.", "At most 512 bytes of UTF-8 are kept."),
    "busy": ("others are changing the group right now.", "Try again."),
    "stale": ("others are changing the group right now.", "Try again."),
}
