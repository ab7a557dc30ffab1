"""Two processes of one account: the second is told, and a killed one leaves nothing locked."""

import subprocess
import sys
from pathlib import Path

import pytest

from linnet.client.store import Store

pytestmark = pytest.mark.slow

OPEN = """
import asyncio, sys
from pathlib import Path
from linnet.client.store import Store

async def main() -> None:
    store = Store(Path(sys.argv[1]))
    await store.open(create=False)
    print("open", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def other(directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OPEN, str(directory)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def test_a_second_process_is_told_that_another_one_has_the_account(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.open()
    with other(tmp_path) as process:
        out, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert said.splitlines()[-1].endswith("AccountInUse: another process has this account open")
    await store.close()


async def test_a_killed_process_leaves_nothing_locked(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.open()
    await store.close()
    with other(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        process.kill()
    again = Store(tmp_path)
    await again.open(create=False)
    await again.close()
