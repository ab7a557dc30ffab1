"""Rules of the whole repository: sizes, docstrings, what no file may name, pins, imports."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "linnet"
MODULES = sorted(SOURCE.rglob("*.py"))
LINES_MOST = 400
LONGER: dict[str, str] = {}
"""Modules that may be longer, each with its reason."""


def tracked() -> list[Path]:
    """The files git keeps, those about to be added included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().rstrip("\0").split("\0")
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ---- source


def test_a_module_stays_within_one_idea() -> None:
    long = {
        name_of(path): lines
        for path in MODULES
        if (lines := len(path.read_text().splitlines())) > LINES_MOST
    }
    assert {name: lines for name, lines in long.items() if name not in LONGER} == {}
    assert set(LONGER) <= set(long), "listed, but not long any more"


def test_a_module_says_what_it_is() -> None:
    silent = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert [name_of(path) for path in silent] == []


def test_every_folder_of_the_source_is_a_package() -> None:
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    assert [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


# ---- what no file may name

# Written in pieces, so that this file keeps its own rule.
MACHINE = re.compile(
    "(?<![\\w.}~-])/(?:" + "|".join(("root", "work", "tmp")) + ")/|/(?:home|Users)/\\w"
)
REGISTRY = re.compile(
    "|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "npm" + r"js\.(?:org|com)"))
)


def naming(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{name_of(path)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert naming(MACHINE) == []


def test_no_file_names_a_package_registry() -> None:
    assert naming(REGISTRY) == []


def test_the_patterns_find_what_they_are_for() -> None:
    for path in ("/" + "tmp/x", 'open("/' + 'root/x")', "in /" + "work/main", "/" + "home/ann/x"):
        assert MACHINE.search(path)
    for path in ("docs/work/x", "a/tmp/b", "~/tmp/x", "$HOME/tmp/"):
        assert not MACHINE.search(path)
    assert REGISTRY.search("https://" + "pypi" + ".org/simple")
    assert REGISTRY.search("https://registry." + "npm" + "js.org/x")


# ---- documents


def test_links_between_documents_lead_somewhere() -> None:
    dead = []
    for page in (path for path in tracked() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                dead.append(f"{name_of(page)} → {target}")
    assert dead == []


def test_every_make_target_is_in_the_guide() -> None:
    makefile = (ROOT / "Makefile").read_text()
    guide = (ROOT / "docs" / "guides" / "develop.md").read_text()
    targets = re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE)
    assert targets
    assert [target for target in targets if f"`make {target}`" not in guide] == []


def test_the_changelog_has_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()


# ---- pins


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def needed(name: str, extras: frozenset[str], found: dict[str, str]) -> dict[str, str]:
    """`found`, filled with what a distribution needs, and that needs, at the installed versions."""
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        wanted = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras | {""}
        )
        key = canonicalize_name(requirement.name)
        if wanted and key not in found:
            found[key] = metadata.version(key)
            needed(key, frozenset(requirement.extras), found)
    return found


def test_the_pins_are_what_the_project_needs_at_the_versions_installed() -> None:
    assert pinned() == needed("linnet", frozenset({"dev"}), {})


# ---- imports

PLANTS = {
    "Clients and server meet only in wire and signing": (
        "client/planted.py",
        "import linnet.server.config",
    ),
    "The server cannot encrypt or decrypt user content": (
        "server/services/planted.py",
        "import linnet.crypto.kdf",
    ),
    "crypto knows no frames": ("crypto/planted.py", "import linnet.wire.frames"),
    "wire, signing and crypto do no I/O and read no clock": ("wire/planted.py", "import time"),
    "The SDK has no user interface": ("client/planted.py", "import rich"),
    "A packet crosses the server in one direction": (
        "server/ports/planted.py",
        "import linnet.server.services",
    ),
    "Backends know ports, not services": (
        "server/backends/memory/planted.py",
        "import linnet.server.services",
    ),
    "Backends do not know each other": (
        "server/backends/memory/planted.py",
        "import linnet.server.backends.sqlite.database",
    ),
    "Drivers stay in their backend": ("server/services/planted.py", "import apsw"),
}
"""Contract to a file and a line that breaks it."""

STRANGERS = {
    "Clients and server meet only in wire and signing": "stranger.py",
    "A packet crosses the server in one direction": "server/stranger.py",
}
"""Contract to a module that it gives no place."""


def verdicts(copy: Path) -> dict[str, str]:
    """Contract to KEPT or BROKEN in a copy of the source."""
    told = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).stdout
    return {name.strip(): word for name, word in re.findall(r"^(.+) (KEPT|BROKEN)", told, re.M)}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignored)
    return tmp_path


def contracts() -> list[str]:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    return [contract["name"] for contract in tool["importlinter"]["contracts"]]


def test_every_contract_has_a_plant() -> None:
    assert sorted(PLANTS) == sorted(contracts())


def test_the_source_keeps_every_import_contract(copy: Path) -> None:
    assert verdicts(copy) == dict.fromkeys(contracts(), "KEPT")


@pytest.mark.parametrize("contract", PLANTS)
def test_a_planted_import_breaks_its_contract(copy: Path, contract: str) -> None:
    where, line = PLANTS[contract]
    (copy / "src" / "linnet" / where).write_text(f'"""Planted."""\n\n{line}\n')
    assert verdicts(copy)[contract] == "BROKEN"


@pytest.mark.parametrize("contract", STRANGERS)
def test_a_module_without_a_place_breaks_its_contract(copy: Path, contract: str) -> None:
    (copy / "src" / "linnet" / STRANGERS[contract]).write_text('"""Planted."""\n')
    assert verdicts(copy)[contract] == "BROKEN"
