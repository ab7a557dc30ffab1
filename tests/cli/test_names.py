"""Which group a name means."""

from __future__ import annotations

from typing import cast

import pytest

from linnet.cli.failures import Failure
from linnet.cli.names import addressee, group_name, known_group, matching
from linnet.client import Client
from linnet.client.errors import GroupRefused
from linnet.client.groups.groups import GroupInfo
from linnet.wire.ids import AccountId, GroupId, show


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
SLY = group(5, "01010101")
"""Somebody's group, called what the id of another begins with."""
ALL = [CHOIR, LOUD, ABBA, UNNAMED, SLY]


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
        ("01010101", [SLY, CHOIR]),
        ("0101010101", [CHOIR]),
        ("", []),
        ("Cho", []),
    ],
)
def test_a_title_is_meant_and_letters_as_they_are_first_and_an_id_beside_it(
    text: str, meant: list[GroupInfo]
) -> None:
    assert matching(ALL, text) == meant


class OnlyGroups:
    """A client with groups, as far as names are concerned."""

    groups: OnlyGroups

    def __init__(self) -> None:
        self.groups = self

    async def all(self) -> list[GroupInfo]:
        return [*ALL, TITLED]

    async def info(self, id: GroupId) -> GroupInfo:
        for one in await self.all():
            if one.group == id:
                return one
        raise GroupRefused("unknown")


PERSON = AccountId(bytes((7,)) * 16)
TITLED = group(6, show(PERSON))


async def test_a_group_called_like_an_account_is_not_that_account() -> None:
    client = cast("Client", OnlyGroups())
    assert await addressee(client, show(PERSON)) == PERSON
    assert await addressee(client, show(TITLED.group)) == TITLED
    assert await known_group(client, show(PERSON)) is None


async def test_who_may_mean_two_groups_is_told_enough_to_name_one() -> None:
    client = cast("Client", OnlyGroups())
    with pytest.raises(Failure, match="2 groups") as failed:
        await known_group(client, "01010101")
    assert show(CHOIR.group) in str(failed.value.why)
    assert await known_group(client, show(CHOIR.group)) == CHOIR


def test_a_group_is_called_by_its_title_safe_to_print_or_by_its_id() -> None:
    assert group_name(group(1, "Ch\x1boir\n")) == "Choir "
    assert group_name(UNNAMED) == "group abababab"


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("+4917604069001: pay now", "“+4917604069001: pay now”"),
        ("+4917604069001", "“+4917604069001”"),
        ("Ada: hi” · Ben", '“Ada: hi" · Ben”'),
        ("Book club", "Book club"),
    ],
)
def test_a_title_does_not_pass_for_somebody_who_speaks(title: str, shown: str) -> None:
    assert group_name(group(1, title)) == shown
