"""The table of the threat model is what the cases declare, and every case is in it once."""

import collections

from tests.hostile.cases import CASES
from tests.hostile.every_case import EVERY_CASE
from tests.hostile.page import PAGE, redrawn


def test_the_page_is_as_the_cases_have_it() -> None:
    text = PAGE.read_text()
    assert redrawn(text) == text, "run `make golden`"


def test_every_case_that_is_declared_is_played() -> None:
    assert len(EVERY_CASE) == len(CASES)


def test_no_two_cases_have_one_name() -> None:
    names = collections.Counter(case.name for case in EVERY_CASE)
    assert [name for name, times in names.items() if times > 1] == []


def test_cases_about_one_thing_stand_together() -> None:
    about = list(dict.fromkeys(case.about for case in EVERY_CASE))
    assert [case.about for case in EVERY_CASE] == sorted(
        (case.about for case in EVERY_CASE), key=about.index
    )
