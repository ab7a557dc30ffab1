"""Results: one JSON file per measurement, with what it was measured on.

A figure without its machine, commit and command says nothing; so they are in the file.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shlex
import subprocess
from pathlib import Path

import msgspec

PACKAGES = ("picows", "uvloop", "msgspec", "uvicorn", "apsw", "litestar", "linnet")


class Machine(msgspec.Struct):
    """Where it ran."""

    cpu: str
    cores: int
    memory_gb: float
    kernel: str
    system: str


class Result(msgspec.Struct):
    """One measurement and its circumstances."""

    shape: str
    at: str
    commit: str
    """With "+" where files differed from it."""
    command: str
    python: str
    packages: dict[str, str]
    machine: Machine
    load_average: float
    """Of the last minute, this measurement included: above 2, others were at work here too."""
    report: object


def machine() -> Machine:
    """This machine."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=_cpu_model(Path("/proc/cpuinfo")),
        cores=os.cpu_count() or 1,
        memory_gb=round(pages / 1e9, 1),
        kernel=platform.release(),
        system=platform.machine(),
    )


def result(report: msgspec.Struct, shape: str, command: list[str]) -> Result:
    """A report with its circumstances; `command` is what a reader would type."""
    now = datetime.datetime.now(datetime.UTC)
    return Result(
        shape=shape,
        at=now.isoformat(timespec="seconds"),
        commit=_commit(Path.cwd()),
        command=shlex.join(command),
        python=platform.python_version(),
        packages=_versions(PACKAGES),
        machine=machine(),
        load_average=round(os.getloadavg()[0], 2),
        report=report,
    )


def write(folder: Path, made: Result) -> Path:
    """Store as `<date>-<shape>.json`, replacing one of the same day and shape."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{made.at[:10]}-{made.shape.replace(' ', '-')}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    return path


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _cpu_model(file: Path) -> str:
    if file.exists():
        for line in file.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _commit(folder: Path) -> str:
    """The commit checked out here, or "unknown" outside a checkout."""
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git(folder, "status", "--porcelain", "--", "src") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, timeout=10, check=True
    )
    return done.stdout.decode().strip()
