"""A user's mistakes and what the machine refuses: words and exit code 1, never a traceback."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from pathlib import Path

import pytest
from tests.cli.kit import LINNET, WITHIN_S, linnet

from linnet.cli.failures import in_words
from linnet.client.store import Store

pytestmark = pytest.mark.slow

REGISTER = ("register", "--number", "+4917604069001")


def in_shell(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `script` with the command as its "$@"."""
    command = ["bash", "-c", script, "bash", *LINNET, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert "Traceback" not in ran.stderr, ran.stderr
    assert "Exception ignored" not in ran.stderr, ran.stderr
    return ran


@pytest.mark.parametrize("server", ["http://[::1", "http://127.0.0.1:x", "http://127.0.0.1:99999"])
def test_an_address_that_is_none_is_wrong_use(server: str, tmp_path: Path) -> None:
    ran = linnet(*REGISTER, "--server", server, "--dir", tmp_path / "me")
    assert ran.code == 2
    assert "--server" in ran.err
    assert not (tmp_path / "me").exists()


def test_an_address_that_only_http_finds_wrong_is_told_as_that(tmp_path: Path) -> None:
    ran = linnet(*REGISTER, "--server", "http://exa mple\x7f", "--dir", tmp_path / "me")
    assert ran.code == 1
    assert "address is not valid" in ran.err
    assert not (tmp_path / "me").exists()


@pytest.mark.parametrize("place", ["a-file", "a-file/in-it", "/proc/x"])
def test_a_place_that_cannot_hold_an_account_is_named(place: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    ran = linnet(*REGISTER, "--dir", tmp_path / place)
    assert ran.code == 1
    assert f"{tmp_path / place} cannot be used" in ran.err


def test_a_file_system_that_takes_no_writing_is_told_with_the_file() -> None:
    failure = in_words(OSError(errno.EROFS, os.strerror(errno.EROFS), "me/lock"))
    assert failure is not None
    assert failure.told().startswith("linnet: me/lock cannot be used.\n  Read-only file system.")


def test_text_that_is_not_unicode_is_told_as_that() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        os.fsdecode(b"\xff").encode()
    failure = in_words(caught.value)
    assert failure is not None
    assert "not valid Unicode" in failure.told()
    ran = in_shell(
        'printf "\\377" | PYTHONIOENCODING=utf-8:strict "$@"', "send", "+4917604069002", "-"
    )
    assert ran.returncode == 1
    assert "not valid Unicode" in ran.stderr


def test_a_bug_stays_a_traceback() -> None:
    assert in_words(ZeroDivisionError()) is None


def test_what_the_encoding_lacks_ends_no_command() -> None:
    ran = linnet("listen", "--as", "Zoë", PYTHONIOENCODING="ascii", TMPDIR="/nonexistent")
    assert ran.code == 1
    helped = linnet("send", "--help", PYTHONIOENCODING="ascii")
    assert helped.code == 0
    assert "?" in helped.out


def test_output_that_is_full_is_told_in_one_place(tmp_path: Path) -> None:
    for arguments in (("--help",), ("serve", "--data", tmp_path, "--port", 0, "--json")):
        ran = in_shell('"$@" >/dev/full', *arguments)
        assert ran.returncode == 1
        assert "the output cannot be written" in ran.stderr


def test_nobody_reading_ends_it_quietly(tmp_path: Path) -> None:
    serve = ("serve", "--data", tmp_path, "--port", 0, "--json")
    ran = in_shell('set -o pipefail; { sleep 0.2; "$@"; } | true', *serve)
    assert ran.returncode == 1
    assert "linnet: " not in ran.stderr


def test_an_accounts_directory_is_not_served(tmp_path: Path) -> None:
    async def make() -> None:
        store = Store(tmp_path)
        await store.open()
        await store.close()

    asyncio.run(make())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ran = linnet("serve", "--data", tmp_path, "--port", 0)
    assert ran.code == 1
    assert f"{tmp_path} is not a server's directory" in ran.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
