"""The search: what it promises to find, it finds."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.cli.demo import search
from linnet.cli.demo.search import files_under, forms

SECRET = "Die Nachtigall singt um Viertel nach elf."


@pytest.mark.parametrize(
    ("form", "stored"),
    [
        ("raw", SECRET.encode()),
        ("hex", SECRET.encode().hex().encode()),
        ("hex", SECRET.encode().hex().upper().encode()),
        ("utf-16", SECRET.encode("utf-16-le")),
        ("utf-16", SECRET.encode("utf-16-be")),
        ("base64", base64.b64encode(SECRET.encode())),
        ("base64", base64.b64encode(b"x" + SECRET.encode())),
        ("base64", base64.urlsafe_b64encode(b"??" + SECRET.encode() + b"?")),
    ],
)
def test_each_form_is_found_and_named(tmp_path: Path, form: str, stored: bytes) -> None:
    (tmp_path / "file").write_bytes(b"\x00before" + stored + b"after\xff")
    found = search.search(files_under(tmp_path), [SECRET.encode()])
    assert form in {finding.form for finding in found.findings}
    assert found.bytes == len(stored) + 13


def test_letters_escaped_in_json_are_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps({"text": "Grüße"}))
    found = search.search(files_under(tmp_path), ["Grüße".encode()])
    assert [finding.form for finding in found.findings] == ["json"]


def test_ciphertext_is_not_taken_for_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 64)
    assert not search.search(files_under(tmp_path), [SECRET.encode()]).findings


def test_files_in_directories_are_read_and_links_are_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "data" / "deeper"
    inside.mkdir(parents=True)
    (inside / "file").write_text(SECRET)
    (tmp_path / "data" / "link").symlink_to("/etc/passwd")
    assert files_under(tmp_path / "data") == [inside / "file"]


def test_a_text_across_two_blocks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_BLOCK_BYTES", 64)
    (tmp_path / "file").write_bytes(b"." * 50 + SECRET.encode() + b"." * 50)
    found = search.search(files_under(tmp_path), [SECRET.encode()])
    assert 50 in {finding.offset for finding in found.findings}


@given(st.binary(min_size=24, max_size=200), st.data())
def test_a_secret_cut_in_two_anywhere_is_found_in_one_half(
    secret: bytes, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(secret)))
    needles = forms(secret)
    assert any(needle in secret[:cut] or needle in secret[cut:] for needle in needles)


@given(st.binary(min_size=12, max_size=60), st.binary(max_size=7), st.binary(max_size=7))
def test_base64_of_anything_around_a_secret_is_found(
    secret: bytes, before: bytes, after: bytes
) -> None:
    stored = base64.b64encode(before + secret + after)
    assert any(needle in stored for needle, form in forms(secret).items() if form == "base64")


def test_a_file_that_vanished_is_no_error(tmp_path: Path) -> None:
    assert search.search([tmp_path / "gone"], [b"anything at all"]).files == 0
