"""Places: which directory, server and account a command means when it is not told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from linnet.cli.failures import Failure

SERVER = "http://127.0.0.1:8080"
"""Where `linnet serve` listens unless told otherwise."""


def home() -> Path:
    """The account directory used unless told otherwise (XDG Base Directory: data)."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "linnet" / "me"


Dir = Annotated[
    Path,
    typer.Option(
        "--dir",
        envvar="LINNET_DIR",
        default_factory=home,
        show_default="~/.local/share/linnet/me",
        help="The account's directory: its keys and its messages.",
    ),
]
As = Annotated[
    str | None,
    typer.Option("--as", help="A person of the running demo (alice or bob), instead of --dir."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON, one object a line.")]


def account_directory(directory: Path, person: str | None) -> Path:
    """Where the account is that a command was given. Raises Failure: no such person."""
    if person is None:
        return directory
    from linnet.cli.demo import registry

    running = registry.find()
    if running is None:
        raise Failure(
            "no demo is running here.", do="Start one with `linnet demo` in another terminal."
        )
    found = running.people.get(person.lower())
    if found is None:
        raise Failure(
            f"there is no {person!r} in the demo.", do=f"There are {', '.join(running.people)}."
        )
    return Path(found.directory)
