"""Which group a name means."""

from __future__ import annotations

import pytest

from linnet.cli.names import group_name, matching
from linnet.client.groups.groups import GroupInfo
from linnet.wire.ids import GroupId


def group(first: int, title: str | None) -> GroupInfo:
    return GroupInfo(
        group=GroupId(bytes((first,)) * 16),
        version=1,
        title=title,
        titled=title is not None,
        members={},
        member=True,
        forked=False,
    )


CHOIR, LOUD, ABBA, UNNAMED = (
    group(1, "Choir"),
    group(2, "CHOIR"),
    group(3, "abba"),
    group(0xAB, None),
)
ALL = [CHOIR, LOUD, ABBA, UNNAMED]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Choir", [CHOIR]),
        ("choir", [CHOIR, LOUD]),
        ("Abba", [ABBA]),
        ("abab", [UNNAMED]),
        ("ABABABAB-abab", [UNNAMED]),
        ("aba", []),
        ("0101", [CHOIR]),
        ("", []),
        ("Cho", []),
    ],
)
def test_a_title_is_meant_before_an_id_and_letters_as_they_are_first(
    text: str, meant: list[GroupInfo]
) -> None:
    assert matching(ALL, text) == meant


def test_a_group_is_called_by_its_title_safe_to_print_or_by_its_id() -> None:
    assert group_name(group(1, "Ch\x1boir\n")) == "Choir "
    assert group_name(UNNAMED) == "group abababab"
