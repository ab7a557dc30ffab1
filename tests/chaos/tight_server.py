"""A server whose bounds are so tight that a short test meets what usually takes days.

Run as `python -m tests.chaos.tight_server KIND DATA PORT CODES`. Segments close after 400 rows,
folds come every 150, memory forgets at once, windows and pages hold a few rows. KIND is `tight`, or
`forgetful` for one that also loses a commit now and then and says nothing, which the loss test must
notice, or `leaping` for one whose wall clock is off by as many seconds as the file `leap` beside
its data says; it looks there on SIGUSR1. It says where it listens and ends with its standard input,
as `linnet serve` does when told `--json --until-eof`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from linnet.server import app
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.timeline import SqliteTimeline
from linnet.server.config import Accounts, Config, Delivery, Gateway, Groups, Rate, Sealed
from linnet.server.ports.timeline import Batch
from linnet.server.services.clock import Clock
from linnet.wire.limits import SessionLimits


class TightTimeline(SqliteTimeline):
    """Rolls and folds all the time."""

    def __init__(self, database: Database, **options: Any) -> None:
        super().__init__(database, rows_most=400, fold_after=150, **options)


class ForgetfulTimeline(TightTimeline):
    """Says of every 50th batch that it is stored, and did not store it."""

    commits = 0

    async def commit(self, batch: Batch) -> None:
        self.commits += 1
        if self.commits % 50:
            await super().commit(batch)
        else:
            self._note(batch)


KINDS = {"tight": TightTimeline, "forgetful": ForgetfulTimeline, "leaping": TightTimeline}


class LeapingClock(Clock):
    """A wall clock that somebody sets; the steady one does not follow."""

    off_s = 0.0

    def __init__(self) -> None:
        super().__init__(lambda: time.time() + self.off_s)


def _leap_on_signal(file: Path) -> None:
    def leap(*_: object) -> None:
        LeapingClock.off_s = float(file.read_text())

    signal.signal(signal.SIGUSR1, leap)
    setattr(app, "Clock", LeapingClock)  # noqa: B010


def config(data: Path, port: int, codes: Path) -> Config:
    """Little of everything."""
    session = SessionLimits(window_frames=8, window_bytes=4096)
    delivery = Delivery(batch_most=16, recent_ids=64, cached=16, page_rows=5, page_bytes=2048)
    gateway = Gateway(session=session, drain_within_s=1, reread_s=15)
    often = Rate(burst=120, every_s=0.02)  # a clock that went back leaves buckets empty
    return Config(
        data,
        port=port,
        codes_file=codes,
        gateway=gateway,
        delivery=delivery,
        accounts=Accounts(requests=often),
        groups=Groups(entries=often, added=often),
        sealed=Sealed(address=often, account=often),
    )


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _announce(server: app.Server) -> None:
    print(json.dumps({"url": server.url, "port": server.port}), flush=True)


def main() -> None:
    """Serve what the command line names."""
    kind, data, port, codes = sys.argv[1:]
    setattr(app, "SqliteTimeline", KINDS[kind])  # noqa: B010
    if kind == "leaping":
        _leap_on_signal(Path(data).with_name("leap"))
    threading.Thread(target=_end_with_input, daemon=True).start()
    app.run(config(Path(data), int(port), Path(codes)), _announce)


if __name__ == "__main__":
    main()
