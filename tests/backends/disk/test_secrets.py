"""Secrets are made once, kept private, and never silently replaced."""

import base64
from pathlib import Path

import pytest

from linnet.server.backends.disk.secrets import SecretsUnreadable, load
from linnet.server.ports import Unavailable


def test_what_was_made_is_read_again(tmp_path: Path) -> None:
    made = load(tmp_path / "data" / "secrets")
    assert load(tmp_path / "data" / "secrets", rng=_never) == made
    assert len({made.pepper, made.access, made.refresh, made.certificates}) == 4


def test_a_file_of_an_older_linnet_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    keys = [base64.b64encode(bytes([n]) * 32).decode() for n in range(3)]
    content = b'{"pepper":"%s","access":"%s","refresh":"%s"}' % tuple(key.encode() for key in keys)
    (tmp_path / "secrets").write_bytes(content)
    secrets = load(tmp_path / "secrets", rng=_never)
    assert (secrets.pepper, secrets.refresh) == (bytes(32), b"\x02" * 32)
    assert len(secrets.certificates) == 32
    assert secrets.certificates not in (secrets.pepper, secrets.access, secrets.refresh)
    assert load(tmp_path / "secrets", rng=_never) == secrets
    assert (tmp_path / "secrets").read_bytes() == content


def test_only_the_owner_may_read_them_and_no_draft_stays(tmp_path: Path) -> None:
    load(tmp_path / "data" / "secrets")
    (file,) = (tmp_path / "data").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_made_meanwhile_by_another_is_the_one_used(tmp_path: Path) -> None:
    theirs = load(tmp_path / "theirs")

    def rng(size: int) -> bytes:
        if not (tmp_path / "secrets").exists():
            (tmp_path / "secrets").write_bytes((tmp_path / "theirs").read_bytes())
        return bytes(size)

    assert load(tmp_path / "secrets", rng) == theirs


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"pepper":"AA==","access":"AA==","refresh":"AA=="}',
        b'{"pepper":"%b","access":"%b","refresh":"%b","certificates":"AA=="}'
        % ((b"A" * 43 + b"=",) * 3),
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secrets").write_bytes(content)
    with pytest.raises(SecretsUnreadable):
        load(tmp_path / "secrets")
    assert (tmp_path / "secrets").read_bytes() == content


def test_a_disk_that_fails_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable):
        load(tmp_path / "file" / "secrets")


def test_nothing_is_shown(tmp_path: Path) -> None:
    assert repr(load(tmp_path / "secrets")) == "Secrets(…)"


def _never(size: int) -> bytes:
    raise AssertionError("asked for randomness")
