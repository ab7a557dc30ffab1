"""The arguments of `linnet demo`; what it does is loaded when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from linnet.cli.places import AsJson


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the conversation, without staying up.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start a server and three people, and see what the server keeps of what they say.

    Everything is in a temporary directory and on this machine only. The server stays up, so that
    you can chat as each with `linnet chat --as alice`, until Ctrl-C removes it all.

    With --once the exit code is 0 only if every message arrived and none of their text is
    anywhere in what the server wrote.

    Example: `linnet demo --once --json`
    """
    from linnet.cli.demo.command import demo as run_demo

    run_demo(once, as_json)
