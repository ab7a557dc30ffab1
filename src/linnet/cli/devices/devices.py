"""`linnet devices`: list, rename, revoke."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.places import As, AsJson, Dir, account_directory

if TYPE_CHECKING:
    from linnet.client.devices import OwnDevice

devices = typer.Typer(no_args_is_help=False)
Number = Annotated[int, typer.Argument(min=1, max=127, help="The device's number in the list.")]


@devices.callback(invoke_without_command=True)
def default(
    context: typer.Context, directory: Dir, person: As = None, as_json: AsJson = False
) -> None:
    """The devices of your account: list them, call one something else, take one off.

    Example: `linnet devices list --json`
    """
    command = context.invoked_subcommand
    if command is None:
        show(directory, person, as_json)
        return
    for name in context.params:  # taken here and forgotten, they would be of another account
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"write the options after `{command}`")


@devices.command("list")
def show(directory: Dir, person: As = None, as_json: AsJson = False) -> None:
    """List them. Works on every device, also offline.

    Example: `linnet devices list`
    """
    from linnet.cli.running import run

    run(_list(account_directory(directory, person), as_json))


@devices.command()
def rename(
    device: Number,
    name: Annotated[str, typer.Argument(help="At most 64 bytes are kept.")],
    directory: Dir,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Call a device something else. On the main device.

    Example: `linnet devices rename 2 laptop`
    """
    from linnet.cli.running import run

    run(_rename(account_directory(directory, person), device, name, as_json))


@devices.command()
def revoke(
    device: Number,
    directory: Dir,
    person: As = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a device off the account: it is logged out and reads nothing new. On the main device.

    What it read before stays on it. Its number is never used again.

    Example: `linnet devices revoke 2`
    """
    from linnet.cli.running import run

    run(_revoke(account_directory(directory, person), device, yes, as_json))


async def _list(directory: Path, as_json: bool) -> None:
    from linnet.cli.accounts import in_words
    from linnet.client import Client

    with in_words(directory):
        client = await Client.open(directory)
        try:
            found = await client.devices.all()
        finally:
            await client.close()
    if as_json:
        print(json.dumps([_as_object(device) for device in found]))
        return
    for device in found:
        print(_as_line(device))


async def _rename(directory: Path, device: int, name: str, as_json: bool) -> None:
    from linnet.cli.accounts import opened

    async with opened(directory) as client:
        await client.devices.rename(device, name)
        await client.flush()
        [renamed] = [one for one in await client.devices.all() if one.id == device]
    print(json.dumps(_as_object(renamed)) if as_json else _as_line(renamed))


async def _revoke(directory: Path, device: int, yes: bool, as_json: bool) -> None:
    from linnet.cli.accounts import opened

    async with opened(directory) as client:
        found = [one for one in await client.devices.all() if one.id == device]
        if found and not yes and not _wanted(found[0]):
            raise typer.Exit(1)
        await client.devices.revoke(device)
        await client.flush()
    if as_json:
        print(json.dumps({"device": device, "revoked": True}))
    else:
        print(f"Device {device} is off the account.")


def _wanted(device: OwnDevice) -> bool:
    from linnet.cli.asking import wanted

    sys.stderr.write(f"{_as_line(device)}\n")
    return wanted("Take it off your account?")


def _as_line(device: OwnDevice) -> str:
    from linnet.cli.told import KINDS, plain

    kind = KINDS.get(device.kind, "device")
    marks = [word for word, holds in (("main", device.main), ("here", device.here)) if holds]
    added = device.added.astimezone().strftime("%Y-%m-%d")
    line = f"{device.id:>3}  {kind:<8}  {added}  {plain(device.name)}"
    return (line + (f"  ({', '.join(marks)})" if marks else "")).rstrip()


def _as_object(device: OwnDevice) -> dict[str, object]:
    from linnet.cli.told import KINDS

    return {
        "device": device.id,
        "name": device.name,
        "kind": KINDS.get(device.kind, "device"),
        "added": device.added.isoformat(),
        "main": device.main,
        "here": device.here,
    }
