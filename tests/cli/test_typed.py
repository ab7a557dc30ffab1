"""The line being typed, key by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.cli.chat.typed import Typed


def test_enter_finishes_a_line_and_begins_the_next() -> None:
    typed = Typed()
    assert typed.feed(b"hello\nwor") == ["hello"]
    assert typed.text == "wor"


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (b"abc\x7f", "ab"),
        (b"\x7f\x7fa", "a"),
        ("ä日\x7f".encode(), "ä"),
        (b"one two\x17", "one "),
        (b"one two  \x17", "one "),
        (b"one\x15two", "two"),
        (b"a\tb", "a b"),
        (b"a\x00\x07b", "ab"),
        (b"a\x1b[Ab", "ab"),
        (b"a\x1b[1;5Cb", "ab"),
        (b"a\x1bOPb", "ab"),
        (b"a\x1b[3~b", "ab"),
        (b"a\x1bxb", "ab"),
        (b"a\x1b[200~pasted\x1b[201~", "apasted"),
    ],
)
def test_keys_edit_the_line(keys: bytes, text: str) -> None:
    typed = Typed()
    typed.feed(keys)
    assert typed.text == text


def test_ctrl_d_ends_only_on_an_empty_line() -> None:
    typed = Typed()
    typed.feed(b"a\x04")
    assert not typed.ended
    typed.feed(b"\x7f\x04")
    assert typed.ended


@given(st.text(st.characters(codec="utf-8")), st.data())
def test_it_does_not_matter_how_the_bytes_are_cut(text: str, data: st.DataObject) -> None:
    whole = text.encode()
    cut = data.draw(st.integers(0, len(whole)))
    at_once, in_two = Typed(), Typed()
    lines = at_once.feed(whole)
    assert in_two.feed(whole[:cut]) + in_two.feed(whole[cut:]) == lines
    assert in_two.text == at_once.text


@given(st.binary())
def test_no_bytes_can_put_a_control_character_into_a_line(keys: bytes) -> None:
    typed = Typed()
    lines = typed.feed(keys)
    assert all(letter.isprintable() or letter == "\u200d" for letter in "".join(lines) + typed.text)
