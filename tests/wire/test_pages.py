"""docs/protocol says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.wire import pages

PAGES = sorted(pages.PAGES.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_drawn_parts_of_a_page_equal_the_code(page: Path) -> None:
    assert page.read_text() == pages.redrawn(page.read_text()), "run `make golden`"


def test_every_drawn_part_is_on_a_page() -> None:
    shown = [name for page in PAGES for name in pages.drawn_in(page.read_text())]
    assert sorted(shown) == sorted(pages.DRAWN)


def test_a_page_that_differs_is_seen() -> None:
    text = "before\n<!-- drawn: close-ranges -->\nold\n<!-- end -->\nafter\n"
    again = pages.redrawn(text)
    assert again != text
    assert again.startswith("before\n<!-- drawn: close-ranges -->\n\n| codes |")
    assert again.endswith("<!-- end -->\nafter\n")
    assert pages.redrawn(again) == again
