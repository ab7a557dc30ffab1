"""The command: plays, shows, and stays up until it is stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import typer
from rich.console import Console

from linnet.cli.demo import registry
from linnet.cli.demo.play import TITLE, Exchange, Person, play
from linnet.cli.demo.show import show
from linnet.cli.demo.stage import Stage, built
from linnet.cli.demo.verdict import Verdict, search_works, searched, verdict
from linnet.cli.failures import Failure
from linnet.cli.running import Interrupted, run


def demo(once: bool, as_json: bool) -> None:
    """Run it. Raises Failure, or typer.Exit(1) if something did not arrive or was found."""
    try:
        if once:
            judged = run(_once(as_json))
        else:
            with suppress(Interrupted):  # stopping is how this ends
                run(_stay(as_json))
            return
    except Failure as failure:
        if as_json:
            print(json.dumps({"ok": False, "error": failure.told()}))
        raise
    if not judged.ok:
        raise typer.Exit(1)


async def _once(as_json: bool) -> Verdict:
    """Everything, searched again when the server has stopped."""
    async with built() as stage:
        said, _ = await _played(stage)
        passes = [searched(stage, said)]
        works = search_works(stage, said)
        await stage.stop()
        passes.append(searched(stage, said))
        judged = verdict(said, passes, works)
    if as_json:
        print(msgspec.json.encode(judged).decode())
    else:
        show(Console(), said, judged)
    return judged


async def _stay(as_json: bool) -> None:
    async with built() as stage:
        said, people = await _played(stage)
        judged = verdict(said, [searched(stage, said)], search_works(stage, said))
        running = _running(stage, people)
        with registry.entered(running):
            if as_json:
                told = msgspec.json.encode({"verdict": judged, "running": running})
                print(told.decode(), flush=True)
            else:
                show(Console(), said, judged)
                _invite(stage)
            raise await stage.ended()


async def _played(stage: Stage) -> tuple[list[Exchange], list[Person]]:
    """The play, with a line on the terminal that says what is going on."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return await play(stage, lambda what: None)
    with console.status("A server starts") as status:
        return await play(stage, lambda what: status.update(what))


def _running(stage: Stage, people: Sequence[Person]) -> registry.Running:
    """Who `--as` knows, and whom each talks to unless told otherwise: Alice, and she to Bob."""
    first, second, *_ = (person.name.lower() for person in people)
    return registry.Running(
        pid=os.getpid(),
        url=stage.url,
        people={
            name: registry.Person(
                str(person.directory), person.number, second if name == first else first
            )
            for person in people
            for name in (person.name.lower(),)
        },
    )


def _invite(stage: Stage) -> None:
    print(f"\nThe server stays up at {stage.url}. Chat, each in a terminal of its own:\n")
    print("  linnet chat --as alice\n  linnet chat --as bob")
    print(f'  linnet chat --as carol "{TITLE}"\n')
    print(f"Everything is in {stage.place} and is removed at the end: Ctrl-C.", flush=True)
