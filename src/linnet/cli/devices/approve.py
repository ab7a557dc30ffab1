"""`linnet approve`: on the main device, let in the device that shows this code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.asking import must_be_answered, wanted
from linnet.cli.places import As, AsJson, Dir, account_directory

if TYPE_CHECKING:
    from linnet.client.approving import LinkOffer


def approve(
    code: Annotated[str, typer.Argument(help="The text that the new device shows.")],
    directory: Dir,
    person: As = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Link the device that shows this code to your account.

    Only on the main device. You are asked first: say yes only to a device that you hold in your
    hands, for it will read everything from then on.

    Example: `linnet approve AQx4…`
    """
    from linnet.cli.running import run

    if not yes:
        must_be_answered()  # before anything is asked of the server: a code is good once
    run(_approve(account_directory(directory, person), code, yes, as_json))


async def _approve(directory: Path, code: str, yes: bool, as_json: bool) -> None:
    import json

    from linnet.cli.accounts import opened
    from linnet.client.approving import KEYS_WITHIN_S

    async def confirm(offer: LinkOffer) -> bool:
        agreed = yes or asked(offer)
        if agreed:
            sys.stderr.write(f"Waiting for the new device, {KEYS_WITHIN_S:.0f} s at most.\n")
        return agreed

    async with opened(directory) as client:
        device = await client.approve_link(code, confirm)
        told = await client.flush()
    if as_json:
        print(json.dumps({"device": device}))
        return
    print(f"Linked as device {device}.")
    if not told:
        print("It gets your settings and contacts when this account is next online.")


def asked(offer: LinkOffer) -> bool:
    """Whether a person wants this device."""
    from linnet.cli.told import KINDS, plain

    kind, name = KINDS.get(offer.kind, "device"), plain(offer.name)
    called = f" that calls itself “{name}”" if name else ""
    return wanted(f"Link a {kind}{called}?")
