"""The console shows a code to the operator, in one line."""

from pathlib import Path

import pytest

from linnet.server.backends.codes.console import ConsoleCodes
from linnet.server.ports import Unavailable


async def test_a_code_is_printed_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    await ConsoleCodes().send("+4915112345678", "012345", 300)
    assert capsys.readouterr().err == "code +4915112345678 012345 300\n"


async def test_a_code_is_appended_to_a_private_file(tmp_path: Path) -> None:
    codes = ConsoleCodes(tmp_path / "codes")
    await codes.send("+4915112345678", "012345", 300)
    await codes.send("+4915112345679", "999999", 300)
    assert (tmp_path / "codes").read_text().splitlines() == [
        "code +4915112345678 012345 300",
        "code +4915112345679 999999 300",
    ]
    assert (tmp_path / "codes").stat().st_mode & 0o777 == 0o600


async def test_a_file_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await ConsoleCodes(tmp_path / "missing" / "codes").send("+4915112345678", "012345", 300)
