"""The arguments of `linnet chat`; what it does is loaded when it runs."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from linnet.cli.places import As, Dir, account_directory


def chat(
    directory: Dir,
    to: Annotated[
        str | None,
        typer.Argument(
            help="An E.164 number, an account id, or a group. In the demo: the other person."
        ),
    ] = None,
    person: As = None,
    history: Annotated[int, typer.Option(min=0, help="Show so many earlier messages.")] = 20,
) -> None:
    """Talk to somebody or to a group, a line at a time.

    Ticks: ⋯ waits, ✓ the server has it, ✓✓ a device of theirs has it, in a group of everybody.
    Leave with Ctrl-D.

    Examples: `linnet chat +4917604069002` · `linnet chat Choir` · `linnet chat --as alice`
    """
    from linnet.cli.chat.command import chat as run_chat
    from linnet.cli.running import Interrupted, run

    if to is None and person is None:
        raise typer.BadParameter("say whom to talk to", param_hint="TO")
    where = account_directory(directory, person)
    with suppress(Interrupted):  # stopping is how this command ends
        run(run_chat(where, to, person, history))
