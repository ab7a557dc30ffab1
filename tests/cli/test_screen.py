"""The screen, seen through a glass."""

from __future__ import annotations

import io
from typing import TextIO, cast

from hypothesis import given
from hypothesis import strategies as st
from tests.cli.glass import Glass

from linnet.cli.chat.screen import PROMPT, Plain, Terminal, end_of, wrapped

COLUMNS, ROWS = 30, 12


def terminal(glass: Glass, rows: int = ROWS) -> Terminal:
    return Terminal(cast("TextIO", glass), lambda: (glass.columns, rows))


def test_what_arrives_goes_above_what_is_being_typed() -> None:
    glass = Glass(COLUMNS)
    screen = terminal(glass)
    screen.typing("half a sen")
    screen.say("Bob: hello")
    screen.typing("half a sentence")
    assert glass.lines() == ["Bob: hello", "> half a sentence"]


def test_ticks_are_renewed_in_place() -> None:
    glass = Glass(COLUMNS)
    screen = terminal(glass)
    screen.own(b"1", "me: a message that needs more than one row", "sending")
    screen.say("Bob: hello")
    screen.typing("abc")
    screen.tick(b"1", "delivered")
    assert glass.lines()[0].startswith("✓✓ me: a message")
    assert glass.lines()[-2:] == ["Bob: hello", "> abc"]


def test_ticks_never_go_back() -> None:
    glass = Glass(COLUMNS)
    screen = terminal(glass)
    screen.own(b"1", "me: hi", "sending")
    screen.tick(b"1", "delivered")
    screen.tick(b"1", "sent")
    assert glass.lines()[0] == "✓✓ me: hi"


def test_a_tick_that_comes_before_its_line_is_kept_for_it() -> None:
    glass = Glass(COLUMNS)
    screen = terminal(glass)
    screen.tick(b"1", "sent")
    screen.own(b"1", "me: hi", "sending")
    assert glass.lines()[0] == "✓  me: hi"


def test_ticks_of_a_line_out_of_sight_are_told_in_a_new_line() -> None:
    glass = Glass(COLUMNS)
    screen = terminal(glass, rows=4)
    screen.own(b"1", "me: hi", "sent")
    for number in range(5):
        screen.say(f"Bob: {number}")
    screen.tick(b"1", "delivered")
    assert glass.lines()[0] == "✓  me: hi"
    assert glass.lines()[-2] == "✓✓ me: hi"


def test_after_the_window_changed_its_size_nothing_above_is_touched() -> None:
    size = [COLUMNS, ROWS]
    glass = Glass(COLUMNS)
    screen = Terminal(cast("TextIO", glass), lambda: (size[0], size[1]))
    screen.own(b"1", "me: hi", "sent")
    size[0] = COLUMNS - 1
    screen.tick(b"1", "delivered")
    assert glass.lines()[:2] == ["✓  me: hi", "✓✓ me: hi"]


def test_a_long_line_being_typed_shows_its_end_in_one_row() -> None:
    glass = Glass(COLUMNS)
    screen = terminal(glass)
    screen.typing("x" * 100 + "end")
    assert len(glass.lines()) == 1
    assert glass.lines()[0].endswith("xend")


_texts = st.text("ab cñß.日本語", max_size=90)
_said = st.tuples(st.just("say"), _texts)
_own = st.tuples(st.just("own"), _texts)
_typed = st.tuples(st.just("typing"), _texts)
_tick = st.tuples(st.just("tick"), st.integers(0, 20))


@given(st.lists(_said | _own | _typed | _tick, max_size=25))
def test_whatever_happens_every_line_stands_there_once_and_the_typed_one_last(
    steps: list[tuple[str, str | int]],
) -> None:
    glass = Glass(COLUMNS)
    screen = terminal(glass, rows=1000)
    lines: list[str] = []
    own: list[int] = []
    typed = ""
    screen.typing("")
    for step, what in steps:
        match step, what:
            case "say", str(text):
                screen.say(text)
                lines.append(text)
            case "own", str(text):
                screen.own(bytes([len(own)]), text, "sent")
                own.append(len(lines))
                lines.append(f"✓  {text}")
            case "typing", str(text):
                screen.typing(text)
                typed = text
            case "tick", int(number) if number < len(own):
                screen.tick(bytes([number]), "delivered")
                lines[own[number]] = "✓✓" + lines[own[number]][2:]
            case _:
                pass
    shown = [row.rstrip() for line in lines for row in wrapped(line, COLUMNS)]
    prompt = PROMPT + end_of(typed, COLUMNS - len(PROMPT) - 1)
    assert glass.lines() == [*shown, prompt.rstrip()]


def test_in_a_pipe_a_line_comes_again_with_its_ticks() -> None:
    out = io.StringIO()
    screen = Plain(out)
    screen.own(b"1", "me: hi", "sending")
    screen.tick(b"1", "sent")
    screen.tick(b"2", "sent")
    assert out.getvalue() == "⋯  me: hi\n✓  me: hi\n"
