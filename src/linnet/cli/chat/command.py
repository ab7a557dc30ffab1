"""The command: an account, a peer, a screen, a keyboard, and what is said at the end."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from linnet.cli.accounts import opened, recipient
from linnet.cli.chat.conversation import Conversation
from linnet.cli.chat.keyboard import by_key
from linnet.cli.chat.screen import Plain, Screen, Terminal
from linnet.cli.demo import registry
from linnet.client import Client
from linnet.wire.ids import AccountId, show


async def chat(directory: Path, to: str | None, person: str | None, history: int) -> None:
    """Talk until the person leaves. Raises Failure."""
    whom, name = _peer(to, person)
    async with opened(directory) as client:
        peer = await _account(client, whom)
        with ExitStack() as stack:
            screen = _screen(stack)
            screen.say(f"· you talk to {name}, encrypted end to end; /help helps")
            conversation = Conversation(client, peer, name, screen)
            try:
                await conversation.run(history)
            finally:
                screen.leave()
        if left := conversation.unsent():
            print(f"{left} unsent: it goes out when this account is next online.")


def _peer(to: str | None, person: str | None) -> tuple[AccountId | str, str]:
    """Whom the person named, and what to call them."""
    if to is None:
        running = registry.find()
        assert running is not None
        assert person is not None
        peer = running.people[person.lower()].peer
        return running.people[peer].number, peer.capitalize()
    whom = recipient(to)
    return whom, whom if isinstance(whom, str) else show(whom)[:8]


async def _account(client: Client, whom: AccountId | str) -> AccountId:
    return await client.find(whom) if isinstance(whom, str) else whom


def _screen(stack: ExitStack) -> Screen:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Plain(sys.stdout)
    stack.enter_context(by_key())
    return Terminal(sys.stdout, shutil.get_terminal_size)
