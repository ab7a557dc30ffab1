"""The command: an account, a peer, a screen, a keyboard, and what is said at the end."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from linnet.cli.accounts import opened
from linnet.cli.chat.conversation import Conversation
from linnet.cli.chat.keyboard import by_key
from linnet.cli.chat.partner import Circle, Partner, Person
from linnet.cli.chat.screen import Plain, Screen, Terminal
from linnet.cli.demo import registry
from linnet.cli.names import Names, addressee
from linnet.client import Client
from linnet.client.groups.groups import GroupInfo


async def chat(directory: Path, to: str | None, person: str | None, history: int) -> None:
    """Talk until the person leaves. Raises Failure."""
    text, name = _peer(to, person)
    async with opened(directory) as client:
        names = Names(client)
        partner = await _partner(client, names, text, name)
        with ExitStack() as stack:
            screen = _screen(stack)
            screen.say(f"· you talk to {partner.name}, encrypted end to end; /help helps")
            conversation = Conversation(client, partner, names, screen)
            try:
                await conversation.run(history)
            finally:
                screen.leave()
        if left := conversation.unsent():
            print(f"{left} unsent: it goes out when this account is next online.")


def _peer(to: str | None, person: str | None) -> tuple[str, str]:
    """Whom the person named, and what to call them; empty if that is to be looked up."""
    if to is not None:
        return to, ""
    running = registry.find()
    assert running is not None
    assert person is not None
    peer = running.people[person.lower()].peer
    return running.people[peer].number, peer.capitalize()


async def _partner(client: Client, names: Names, text: str, name: str) -> Partner:
    whom = await addressee(client, text)
    if isinstance(whom, GroupInfo):
        await names.learn_people(whom.members)
        return Circle(client, whom, names)
    account = await client.find(whom) if isinstance(whom, str) else whom
    await names.learn_people([account])
    return Person(client, account, name or names.briefly(account))


def _screen(stack: ExitStack) -> Screen:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Plain(sys.stdout)
    stack.enter_context(by_key())
    return Terminal(sys.stdout, shutil.get_terminal_size)
