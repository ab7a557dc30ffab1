"""What holds for every command."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from linnet.cli.app import app

COMMANDS = ["demo", "serve", "register", "send", "listen", "chat", "bench load", "bench idle"]
GROUP = "create list show add remove leave promote demote rekey title send"
COMMANDS += [f"group {command}" for command in GROUP.split()]
COMMANDS += ["safety", "sealed", "link", "approve", "recover", "bench fanout"]
COMMANDS += ["devices list", "devices rename", "devices revoke"]


def asked(*arguments: str) -> Result:
    """What a command says that does nothing: in this process, because a new one takes long."""
    return CliRunner().invoke(app, arguments, prog_name="linnet")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    helped = asked(*command.split(), "--help")
    assert helped.exit_code == 0
    assert "Example" in helped.stdout
    assert f"linnet {command}" in helped.stdout


def test_the_group_commands_together_have_an_example_too() -> None:
    assert "Example: linnet group create" in asked("group", "--help").stdout


def test_the_overview_names_every_command() -> None:
    listed = asked("--help").stdout
    assert all(command.split()[0] in listed for command in COMMANDS)


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense",
        "serve --nonsense",
        "serve --port 70000",
        "register",
        "register --number +4917604069001 --server example.org",
        "register --number 017604069001",
        "send +4917604069001",
        "chat",
        "listen --count 0",
        "group add Choir",
        "group promote Choir",
        "bench load --rate 10 --in-flight 2",
        "bench load --pairs many",
        "bench idle --connections 0",
    ],
)
def test_wrong_use_exits_with_2_and_says_what_was_wrong(wrong: str) -> None:
    ran = asked(*wrong.split())
    assert ran.exit_code == 2
    assert "Usage" in ran.stderr


def _loaded_by(statement: str) -> set[str]:
    """Top-level packages, and ours to the second level, in a process after `statement`."""
    program = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return {".".join(name.split(".")[:2]) for name in done.stdout.decode().split()}


def test_asking_for_help_loads_none_of_what_the_commands_need() -> None:
    loaded = _loaded_by("import linnet.cli.app")
    ours = {name for name in loaded if name.startswith("linnet.")}
    assert ours == {"linnet.cli"}
    assert not loaded & {"httpx", "apsw", "cryptography", "litestar", "uvicorn", "asyncio"}


def test_serving_loads_neither_client_nor_crypto() -> None:
    loaded = _loaded_by("import linnet.cli.app, linnet.server.app")
    assert "linnet.server" in loaded
    assert not loaded & {"linnet.client", "linnet.crypto"}
