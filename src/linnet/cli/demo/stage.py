"""Stage: the demo's directory and its server, which is `linnet serve` in a process of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from linnet.cli.failures import Failure

STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 20
CODE_WITHIN_S = 10
_LOOK_EVERY_S = 0.02


class Stage:
    """A running server and where everything of the demo is."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.data = place / "server"
        """The directory the server was told to keep its data in."""
        self.log = place / "server.log"
        """What it said on standard error."""
        self.codes = place / "codes"
        self.url = ""
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the server; returns when it answers. Raises Failure."""
        command = [sys.executable, "-m", "linnet.cli", "serve", "--json", "--until-eof"]
        command += ["--data", str(self.data), "--port", "0", "--codes-file", str(self.codes)]
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: the server goes last
            )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                line = await self._process.stdout.readline()
            self.url = str(json.loads(line)["url"])
        except (TimeoutError, ValueError) as error:
            raise Failure("the server did not start.", self._last_words()) from error

    async def ended(self) -> Failure:
        """Wait until the server ends by itself, and say so."""
        assert self._process is not None
        code = await self._process.wait()
        return Failure(f"the server ended with exit code {code}.", self._last_words())

    async def code(self, number: str) -> str:
        """The last code that was sent to a number. Raises Failure if none comes."""
        for _ in range(round(CODE_WITHIN_S / _LOOK_EVERY_S)):
            if found := self._codes_for(number):
                return found[-1]
            await asyncio.sleep(_LOOK_EVERY_S)
        raise Failure("the server sent no code.", self._last_words())

    async def stop(self) -> None:
        """Ask the server to stop; kill it if it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOPS_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _codes_for(self, number: str) -> list[str]:
        if not self.codes.exists():
            return []
        lines = [line.split() for line in self.codes.read_text(encoding="ascii").splitlines()]
        return [line[2] for line in lines if line[1:2] == [number]]

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "Its last words: " + " / ".join(lines[-3:]) if lines else ""


@asynccontextmanager
async def built() -> AsyncIterator[Stage]:
    """A stage with a running server. Both the server and the directory are gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="linnet-demo-"))
    stage = Stage(place)
    try:
        await stage.start()
        yield stage
    finally:
        try:
            await stage.stop()
        finally:
            shutil.rmtree(place, ignore_errors=True)
