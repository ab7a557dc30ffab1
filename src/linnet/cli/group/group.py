"""`linnet group`: its commands and their arguments; what they do is in `linnet.cli.group.work`."""

from __future__ import annotations

from typing import Annotated

import typer

from linnet.cli.places import As, AsJson, Dir, account_directory
from linnet.cli.send import Delivered, Wait

group = typer.Typer(
    help="Groups: make them, see them, change them, write to them.\n\n"
    "Example: `linnet group create Choir +4917604069002 +4917604069003`",
    no_args_is_help=True,
)
Named = Annotated[
    str,
    typer.Argument(metavar="GROUP", help="Its title, its id, or the beginning of its id."),
]
Who = Annotated[str, typer.Argument(metavar="WHO", help="An E.164 number or an account id.")]
Whom = Annotated[list[str], typer.Argument(metavar="WHO", help="E.164 numbers or account ids.")]


@group.command()
def create(
    title: Annotated[
        str, typer.Argument(metavar="TITLE", help="At most 512 bytes of UTF-8; may be empty.")
    ],
    directory: Dir,
    who: Annotated[
        list[str] | None, typer.Argument(metavar="WHO", help="E.164 numbers or account ids.")
    ] = None,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Begin a group, with you as its admin, and print its id.

    The title is encrypted. Who is a member is not: the server must know whom to deliver to.

    Example: `linnet group create Choir +4917604069002 +4917604069003`
    """
    from linnet.cli.group.work import made
    from linnet.cli.running import run

    run(made(account_directory(directory, person), title, who or [], as_json))


@group.command("list")
def list_all(directory: Dir, person: As = None, as_json: AsJson = False) -> None:
    """List the groups that you are in, oldest first.

    Without a server it lists what was known last. With --json: one array.

    Example: `linnet group list --json`
    """
    from linnet.cli.group.work import listed
    from linnet.cli.running import run

    run(listed(account_directory(directory, person), as_json))


@group.command()
def show(name: Named, directory: Dir, person: As = None, as_json: AsJson = False) -> None:
    """Show who is in a group, and who is an admin.

    Example: `linnet group show Choir`
    """
    from linnet.cli.group.work import shown
    from linnet.cli.running import run

    run(shown(account_directory(directory, person), name, as_json))


@group.command()
def add(name: Named, who: Whom, directory: Dir, person: As = None, as_json: AsJson = False) -> None:
    """Add people. They read what is written from then on, and nothing from before. For admins.

    Example: `linnet group add Choir +4917604069004`
    """
    from linnet.cli.group.work import adding, changed
    from linnet.cli.running import run

    run(changed(account_directory(directory, person), name, adding(who), as_json))


@group.command()
def remove(
    name: Named, who: Whom, directory: Dir, person: As = None, as_json: AsJson = False
) -> None:
    """Remove people. What is written after that never reaches them. For admins.

    What they have read stays with them.

    Example: `linnet group remove Choir +4917604069004`
    """
    from linnet.cli.group.work import changed, removing
    from linnet.cli.running import run

    run(changed(account_directory(directory, person), name, removing(who), as_json))


@group.command()
def leave(name: Named, directory: Dir, person: As = None, as_json: AsJson = False) -> None:
    """Leave a group. Only an admin can let you in again.

    If you were its only admin, whoever has been there longest becomes one.

    Example: `linnet group leave Choir`
    """
    from linnet.cli.group.work import changed, leaving
    from linnet.cli.running import run

    run(changed(account_directory(directory, person), name, leaving(), as_json))


@group.command()
def promote(
    name: Named, who: Who, directory: Dir, person: As = None, as_json: AsJson = False
) -> None:
    """Make a member an admin. For admins.

    Example: `linnet group promote Choir +4917604069002`
    """
    from linnet.cli.group.work import changed, promoting
    from linnet.cli.running import run

    run(changed(account_directory(directory, person), name, promoting(who), as_json))


@group.command()
def demote(
    name: Named, who: Who, directory: Dir, person: As = None, as_json: AsJson = False
) -> None:
    """Make an admin an ordinary member. For admins.

    Example: `linnet group demote Choir +4917604069002`
    """
    from linnet.cli.group.work import changed, demoting
    from linnet.cli.running import run

    run(changed(account_directory(directory, person), name, demoting(who), as_json))


@group.command()
def rekey(
    name: Named, who: Who, directory: Dir, person: As = None, as_json: AsJson = False
) -> None:
    """Let a member go on under new keys, as an ordinary member. For admins.

    Somebody who lost all devices and registered again gets nothing that is written to the group
    until an admin does this, after having compared safety numbers and accepted the new keys.

    Example: `linnet group rekey Choir +4917604069002`
    """
    from linnet.cli.group.work import changed, rekeying
    from linnet.cli.running import run

    run(changed(account_directory(directory, person), name, rekeying(who), as_json))


@group.command()
def title(
    name: Named,
    text: Annotated[str, typer.Argument(help="At most 512 bytes of UTF-8.")],
    directory: Dir,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Give a group another title. For admins.

    Example: `linnet group title Choir "Choir on Fridays"`
    """
    from linnet.cli.group.work import changed, retitling
    from linnet.cli.running import run

    run(changed(account_directory(directory, person), name, retitling(text), as_json))


@group.command()
def send(
    name: Named,
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    directory: Dir,
    person: As = None,
    delivered: Delivered = False,
    wait: Wait = 30.0,
    as_json: AsJson = False,
) -> None:
    """Send a text to a group, encrypted end to end, and wait until the server has it (✓).

    With --json, `delivered` says of every other member whether a device of theirs has it.

    Example: `linnet group send Choir "Friday at eight?" --delivered`
    """
    from linnet.cli.names import the_group
    from linnet.cli.running import run
    from linnet.cli.send import deliver, said

    where = account_directory(directory, person)
    run(deliver(where, lambda it: the_group(it, name), said(text), delivered, wait, as_json))
