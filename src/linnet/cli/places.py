"""Places: which directory, server and account a command means when it is not told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

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
    typer.Option(
        "--as", help="A person of the running demo (alice, bob or carol), instead of --dir."
    ),
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


Server = Annotated[
    str,
    typer.Option(
        "--server",
        default_factory=lambda: SERVER,
        show_default=SERVER,
        help="The server's address.",
    ),
]
E164 = Annotated[
    str,
    typer.Option("--number", help="Your phone number, with + and country code.", metavar="+49…"),
]


def checked_server(server: str) -> None:
    """Raises typer.BadParameter unless this can be the address of a server."""
    if not server.startswith(("http://", "https://")):
        raise typer.BadParameter("it begins with http:// or https://", param_hint="--server")
    try:
        urlsplit(server).port  # noqa: B018 - raises for a host or a port that is none
    except ValueError as error:
        raise typer.BadParameter(f"{error}", param_hint="--server") from None


def checked_number(number: str) -> str:
    """The number without spaces. Raises typer.BadParameter unless it can be one."""
    number = number.replace(" ", "")
    if not (number.startswith("+") and number[1:].isdecimal() and 7 <= len(number) <= 16):
        raise typer.BadParameter(
            "+, country code and number, as in +4917604069001", param_hint="--number"
        )
    return number
