"""`linnet serve`: one server in this process, until it is told to stop.

Loads neither client nor crypto.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.cli.failures import Failure, unwritten

if TYPE_CHECKING:
    from linnet.server.app import Server
    from linnet.server.config import Config


def _networks(given: list[str] | None) -> list[str] | None:
    for text in given or ():
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise typer.BadParameter(f"{text} is no network, such as 10.0.0.0/8.") from None
    return given


def serve(
    data: Annotated[
        Path, typer.Option(help="Everything the server keeps; made if it is not there.")
    ] = Path("linnet-data"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 or :: for all of this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NET",
            help="Believe X-Forwarded-For from a proxy in this network. May be repeated.",
            callback=_networks,
        ),
    ] = None,
    codes_file: Annotated[
        Path | None,
        typer.Option(help="Append registration codes to this file, not to standard error."),
    ] = None,
    trust_clock: Annotated[
        bool,
        typer.Option(
            "--trust-clock",
            help="Drop old messages although the clock moved: you have looked at it.",
        ),
    ] = False,
    restored: Annotated[
        bool,
        typer.Option("--restored", help="The data came from a backup: say so once, at first."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Say where it listens as one line of JSON.")
    ] = False,
    until_eof: Annotated[
        bool,
        typer.Option(
            "--until-eof", help="Also stop when standard input ends, as when its parent dies."
        ),
    ] = False,
) -> None:
    """Run a server until Ctrl-C or SIGTERM.

    Whoever registers is sent a six-digit code. This server has no SMS provider: it shows the
    codes to you, and you hand them over.

    Example: `linnet serve --data ./data --port 8080`
    """
    import logging

    from linnet.server.app import run
    from linnet.server.config import Config

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    config = Config(
        data=data,
        host=host,
        port=port,
        trusted_proxies=tuple(trusted_proxy or ()),
        codes_file=codes_file,
        trust_clock=trust_clock,
        restored=restored,
    )
    if until_eof:
        threading.Thread(target=_stop_at_eof, name="until-eof", daemon=True).start()
    _refuse_account(data)
    if codes_file is not None and data not in codes_file.parents:
        codes_file.touch(mode=0o600)  # a server without a place for codes registers nobody
        codes_file.open("a").close()
    with _explained(config):
        run(config, _announced_in_json if as_json else _announced)


def _announced(server: Server) -> None:
    where = f"Linnet listens at {server.url} and keeps its data in {server.config.data}."
    _say(f"{where}\nStop it with Ctrl-C.")


def _announced_in_json(server: Server) -> None:
    event = {"event": "listening", "url": server.url, "port": server.port, "pid": os.getpid()}
    _say(json.dumps(event))


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise typer.Exit(1) from None
    except OSError as error:
        raise unwritten(error) from error


def _refuse_account(data: Path) -> None:
    """Raises Failure if `data` is an account's directory: a server would write among its keys."""
    try:
        uri = f"{(data / 'linnet.db').absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            found = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone()
    except (sqlite3.Error, UnicodeError):  # there is none, or the server says what is wrong with it
        return
    if found:
        raise Failure(
            f"{data} is not a server's directory.",
            "It holds an account, as `linnet register` makes one. Nothing in it was changed.",
            "Name another directory with --data.",
        )


def _stop_at_eof() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _explained(config: Config) -> Iterator[None]:
    """Turn what can go wrong with a directory or a port into a Failure."""
    from linnet.server.backends.disk.secrets import SecretsUnreadable
    from linnet.server.backends.sqlite.database import InUse
    from linnet.server.backends.sqlite.migrate import NewerSchema
    from linnet.server.ports import Unavailable

    data = config.data
    try:
        with _alone():
            yield
    except InUse as error:
        raise Failure(
            f"another server is using {data}.",
            do="Stop that one first, or name another directory with --data.",
        ) from error
    except NewerSchema as error:
        raise Failure(
            f"{data} was written by a newer Linnet.", f"{error}.", "Install that version again."
        ) from error
    except SecretsUnreadable as error:
        raise Failure(
            f"the file {data / 'secrets'} is damaged or missing.",
            "Without the keys in it every login ends and no phone number is known.",
            "Restore it from a backup. Delete it only to begin anew, with an empty directory.",
        ) from error
    except Unavailable as error:
        raise Failure(f"{data} cannot be used.", _cause(error), _WHERE) from error
    except socket.gaierror as error:
        raise _bad_host(config, error) from error
    except OSError as error:
        raise _of_system(config, error) from error


@contextmanager
def _alone() -> Iterator[None]:
    """What ended the server, without the group its tasks wrap it in."""
    try:
        yield
    except ExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None


_WHERE = "Make room or give this user the directory, or name another one with --data."


def _of_system(config: Config, error: OSError) -> Failure:
    why = f"{os.strerror(error.errno) if error.errno else error}."
    if error.filename is not None:
        return Failure(f"{config.data} cannot be used.", why, _WHERE)
    if error.errno == errno.EADDRINUSE:
        return Failure(
            f"port {config.port} of {config.host} is taken by another program.",
            do="Name another with --port, or 0 to get a free one.",
        )
    if error.errno == errno.EACCES:
        return Failure(
            f"port {config.port} may not be opened by this user.",
            do="Name one above 1023 with --port.",
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL):
        return _bad_host(config, error)
    return Failure("the server cannot run here.", why)


def _bad_host(config: Config, error: OSError) -> Failure:
    return Failure(
        f"{config.host} is not an address of this machine.",
        f"{error.strerror}." if error.strerror else "",
        "Name one with --host; 127.0.0.1 is always there.",
    )


def _cause(error: BaseException) -> str:
    """Why a store could not be used: the innermost cause, without what was being stored."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError) and error.errno:
        return f"{os.strerror(error.errno)}."
    return f"{error}." if str(error) else f"{type(error).__name__}."
