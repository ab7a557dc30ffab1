"""Conversation: keeps a screen and an account in step, both ways."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from linnet.cli.accounts import in_short
from linnet.cli.chat.keyboard import keys
from linnet.cli.chat.partner import Partner
from linnet.cli.chat.screen import Screen
from linnet.cli.chat.typed import Typed
from linnet.cli.listen import stopped
from linnet.cli.names import Names
from linnet.cli.running import until_one_ends
from linnet.cli.told import as_line, clock, words
from linnet.cli.warned import why_not
from linnet.client import (
    Arrived,
    Client,
    Connection,
    ConnectionState,
    Damaged,
    Delivered,
    Event,
    Message,
    NotSent,
    Sent,
    TextTooLong,
    Undecryptable,
)
from linnet.client.errors import GroupRefused
from linnet.client.events import Healed

LAST_TICKS_WITHIN_S = 30
"""At the end of piped input, how long to wait for the server to take what was sent."""

HELP = "/quit leaves (or Ctrl-D) · // begins a text with /"


class Conversation:
    """One conversation on one screen."""

    def __init__(self, client: Client, partner: Partner, names: Names, screen: Screen) -> None:
        self._client = client
        self._partner = partner
        self._names = names
        self._screen = screen
        self._here = partner.conversation
        self._seen: set[tuple[bytes, bytes]] = set()
        self._unsent: set[bytes] = set()
        self._settled: set[bytes] = set()
        self._all_settled = asyncio.Event()
        self._online = True

    async def run(self, history: int) -> None:
        """Show the last messages, then talk until the person leaves. Raises Failure."""
        for message in await self._client.messages(self._here, limit=history):
            await self._names.learn(message)
            self._show(message)
        self._screen.typing("")
        await until_one_ends(self._hear(), self._type())

    def unsent(self) -> int:
        """How many messages the server does not have yet."""
        return len(self._unsent)

    # ---- from the person

    async def _type(self) -> None:
        typed = Typed()
        while not typed.ended:
            data = await keys()
            lines = typed.feed(data)
            self._screen.typing(typed.text)
            for line in lines if data else [typed.text]:
                if not await self._said(line.strip()):
                    return
            if not data:
                await self._last_ticks()
                return

    async def _said(self, line: str) -> bool:
        """Send a line or do what it commands; False to leave."""
        match line:
            case "":
                pass
            case "/quit":
                return False
            case _ if line.startswith("/") and not line.startswith("//"):
                await self._command(line)
            case _:
                await self._send(line.removeprefix("/") if line.startswith("//") else line)
        return True

    async def _command(self, line: str) -> None:
        answers = self._partner.told(line)
        if answers is None:
            self._screen.say(f"· {HELP} · {self._partner.help}")
            return
        async for answer in answers:
            self._screen.say(f"· {answer}")

    async def _send(self, text: str) -> None:
        try:
            id = await self._partner.send(text)
        except (TextTooLong, GroupRefused) as error:
            self._screen.say(f"· {in_short(error)}")
            return
        if id not in self._settled:
            self._unsent.add(id)
        self._screen.own(id, f"{clock(datetime.now(UTC))} you: {text}", "sending")

    # ---- from the account

    async def _hear(self) -> None:
        async for event in self._client.events():
            await self._names.learn(event)
            self._heard(event)

    def _heard(self, event: Event) -> None:
        match event:
            case Message() | Undecryptable() | Damaged():
                self._show(event)
            case Sent(id=id, conversation=self._here):
                self._settle(id, "sent")
            case Delivered(id=id, conversation=self._here):
                self._settle(id, "delivered")
            case NotSent(id=id, conversation=self._here, state=state):
                self._settle(id, state)
                self._screen.say(f"· not sent: {why_not(event)}")
            case Healed(conversation=self._here, message=Message() as message):
                self._show(message, again=True)
            case ConnectionState():
                self._connection(event)
            case _:
                line = as_line(event, self._names.person, self._names.group)
                for news in self._partner.news(event) or ([line] if line else []):
                    self._screen.say(f"· {news}")

    def _settle(self, id: bytes, state: str) -> None:
        self._settled.add(id)
        self._unsent.discard(id)
        self._screen.tick(id, state)
        if not self._unsent:
            self._all_settled.set()

    async def _last_ticks(self) -> None:
        """At the end of piped input nobody types on: wait for the server to have everything."""
        self._all_settled.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_TICKS_WITHIN_S):
                while self._unsent:
                    await self._all_settled.wait()

    def _connection(self, event: ConnectionState) -> None:
        """Say when it breaks and when it is back, not each try in between."""
        if event.state is Connection.STOPPED:
            raise stopped(event)
        if event.state is Connection.WAITING and self._online:
            self._screen.say("· the server cannot be reached; what you write waits")
            self._online = False
        if event.state is Connection.ONLINE and not self._online:
            self._screen.say("· back online")
            self._online = True

    def _show(self, message: Arrived, *, again: bool = False) -> None:
        """A message, once; `again` if it takes the place of one that could not be read."""
        if (message.sender, message.id) in self._seen and not again:
            return
        self._seen.add((message.sender, message.id))
        at = clock(message.sent_at)
        if message.conversation != self._here:
            where = self._names.group(message.conversation) or self._names.person(message.sender)
            self._screen.say(f"· {at} a message in another conversation: {where}")
        elif message.sender != self._client.account:
            note = " [sent again]" if again else ""
            self._screen.say(f"   {at} {self._partner.author(message)}: {words(message)}{note}")
        else:
            if message.state == "sending":
                self._unsent.add(message.id)
            self._screen.own(message.id, f"{at} you: {words(message)}", message.state)
