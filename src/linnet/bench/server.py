"""The server's process in a benchmark: the server itself, all features on, on a free port.

Run as `python -m linnet.bench.server DATA`. Only one limit is raised: the frames one socket may
send, because a benchmark's few sockets say what thousands of people would. The limiter still
counts every frame. It ends with whoever started it.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

import msgspec

from linnet.bench.floor import say_listening
from linnet.server import app
from linnet.server.config import Config, Gateway, Rate

_SET_DEATH_SIGNAL = 1  # prctl(2), PR_SET_PDEATHSIG


def config(data: Path) -> Config:
    """What a benchmark's server is told."""
    frames = Rate(burst=100_000, every_s=0.000_01)
    return Config(data=data, port=0, gateway=msgspec.structs.replace(Gateway(), frames=frames))


def main() -> None:
    """Serve the data directory named on the command line until SIGTERM."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
    app.run(config(Path(sys.argv[1])), lambda server: say_listening(server.url, server.port))


if __name__ == "__main__":
    main()
