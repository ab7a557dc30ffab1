"""Bare: the least that telling many sockets can cost. A loop of system calls, nothing else.

Run as `python -m linnet.bench.bare SOCKETS BYTES ROUNDS`. It listens, says where, takes so many
connections and writes so many bytes to each in every round; then it says what that cost it.
`against` plays the other end.
"""

from __future__ import annotations

import select
import socket
import sys
import time

import msgspec

from linnet.bench.floor import say_listening
from linnet.bench.generator import say
from linnet.bench.process import Child
from linnet.bench.sockets import BACKLOG, source_address

_RECEIVE_BYTES = 1 << 16
_WAIT_S = 0.05
_WITHIN_S = 60.0


class Written(msgspec.Struct):
    """What the writes cost the process that made them, in microseconds each."""

    writes: int
    cpu_us: float
    wall_us: float


def against(child: Child, sockets: int) -> Written:
    """Connect so many sockets to a bare writer, read whatever comes, return what it measured.
    Raises BenchError."""
    at = child.listening(_WITHIN_S)
    poll, ends = select.epoll(), {}
    try:
        for number in range(sockets):
            end = socket.create_connection(
                ("127.0.0.1", at.port), _WITHIN_S, (source_address(number), 0)
            )
            end.setblocking(False)
            ends[end.fileno()] = end
            poll.register(end.fileno(), select.EPOLLIN)
        _read_all(poll, ends)
        return msgspec.json.decode(child.line(_WITHIN_S), type=Written)
    finally:
        poll.close()
        for end in ends.values():
            end.close()


def _read_all(poll: select.epoll, ends: dict[int, socket.socket]) -> None:
    """Until the writer has closed every socket, or says nothing for long."""
    silent_s = 0.0
    while ends and silent_s < _WITHIN_S:
        ready = poll.poll(_WAIT_S, len(ends))
        silent_s = 0.0 if ready else silent_s + _WAIT_S
        for number, _ in ready:
            if not ends[number].recv(_RECEIVE_BYTES):
                poll.unregister(number)
                ends.pop(number).close()


def main() -> None:
    """Listen, write, tell."""
    sockets, size, rounds = (int(it) for it in sys.argv[1:4])
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.settimeout(_WITHIN_S)
    port = listener.getsockname()[1]
    say_listening(f"http://127.0.0.1:{port}", port)
    ends = [listener.accept()[0] for _ in range(sockets)]
    for end in ends:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.settimeout(_WITHIN_S)
    payload, sends = bytes(size), [end.send for end in ends]
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        for send in sends:
            send(payload)
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - began
    for end in ends:
        end.close()
    writes = rounds * sockets
    say(Written(writes, cpu_s / writes * 1e6, wall_s / writes * 1e6))


if __name__ == "__main__":
    main()
