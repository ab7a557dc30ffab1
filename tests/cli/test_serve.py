"""`linnet serve`, started and stopped as a service would."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.cli.kit import LINNET, WITHIN_S, line_of, linnet, served, started

pytestmark = pytest.mark.slow


def test_it_says_where_it_listens_and_answers_there(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert server.stop() == 0


def test_its_json_line_names_the_event_the_port_and_the_process(tmp_path: Path) -> None:
    with started("serve", "--data", tmp_path, "--port", 0, "--json") as process:
        said = json.loads(line_of(process))
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_S) == 0
    assert said["event"] == "listening"
    assert said["url"] == f"http://127.0.0.1:{said['port']}"
    assert said["pid"] == process.pid


def test_without_a_codes_file_codes_go_to_standard_error_alone(tmp_path: Path) -> None:
    command = [*LINNET, "serve", "--data", str(tmp_path), "--port", "0", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        httpx.post(f"{url}/v1/registrations", json={"number": "+4917604069001"}).raise_for_status()
        process.terminate()
        out, err = process.communicate(timeout=WITHIN_S)
    assert out == ""
    assert "code +4917604069001 " in err


def test_a_codes_file_that_cannot_be_written_is_told_of_at_once(tmp_path: Path) -> None:
    for place in (tmp_path / "not there" / "codes", tmp_path):
        ran = linnet("serve", "--data", tmp_path / "data", "--port", 0, "--codes-file", place)
        assert (ran.code, ran.out) == (1, "")
        assert f"{place} cannot be used" in ran.err


def test_until_eof_it_ends_with_its_parents_pipe(tmp_path: Path) -> None:
    with started("serve", "--data", tmp_path, "--port", 0, "--json", "--until-eof") as process:
        line_of(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WITHIN_S) == 0


def test_a_directory_in_use_is_refused_by_name(tmp_path: Path) -> None:
    holder = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        ran = linnet("serve", "--data", tmp_path, "--port", 0)
    finally:
        os.close(holder)
    assert ran.code == 1
    assert f"another server is using {tmp_path}" in ran.err


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ran = linnet("serve", "--data", tmp_path, "--port", port)
    assert ran.code == 1
    assert f"port {port} of 127.0.0.1 is taken" in ran.err
    assert "--port" in ran.err


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    ran = linnet("serve", "--data", tmp_path, "--port", 0, "--host", "192.0.2.1")
    assert ran.code == 1
    assert "192.0.2.1 is not an address of this machine" in ran.err


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "linnet.db") as database:
        database.execute("PRAGMA user_version = 9999")
    database.close()
    ran = linnet("serve", "--data", tmp_path, "--port", 0)
    assert ran.code == 1
    assert "written by a newer Linnet" in ran.err


def test_damaged_secrets_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("damaged")
    ran = linnet("serve", "--data", tmp_path, "--port", 0)
    assert ran.code == 1
    assert "is damaged" in ran.err
    assert "backup" in ran.err
    assert (tmp_path / "secrets").read_text() == "damaged"


def test_a_file_in_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    ran = linnet("serve", "--data", tmp_path / "data", "--port", 0)
    assert ran.code == 1
    assert f"{tmp_path / 'data'} cannot be used" in ran.err


def test_a_disk_that_takes_no_more_is_told_as_that(tmp_path: Path) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [*LINNET, "serve", "--data", str(tmp_path), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
        preexec_fn=no_room,
    )
    assert done.returncode == 1
    assert f"{tmp_path} cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_trusted_proxy_that_is_no_network_is_wrong_use(tmp_path: Path) -> None:
    ran = linnet("serve", "--data", tmp_path, "--trusted-proxy", "10.0.0.1/8")
    assert ran.code == 2
    assert "10.0.0.1/8 is no network" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_only_a_proxy_that_was_named_is_believed_about_addresses(tmp_path: Path) -> None:
    for named, refused in (((), True), (("--trusted-proxy", "127.0.0.1"), False)):
        arguments = ("serve", "--data", tmp_path / f"{refused}", "--port", 0, "--json", *named)
        with started(*arguments) as process:
            url = json.loads(line_of(process))["url"]
            answers = [
                httpx.post(
                    f"{url}/v1/registrations",
                    json={"number": f"+49176040690{number:02}"},
                    headers={"x-forwarded-for": f"192.0.2.{number}"},
                ).status_code
                for number in range(11)
            ]
            process.send_signal(signal.SIGINT)
            assert process.wait(WITHIN_S) == 0
        assert (429 in answers) == refused
