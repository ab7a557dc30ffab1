"""The official libsignal in a Node child process, with the face of a `Party`.

Started by the fixtures beside this file, by the recorder of transcripts and by the benchmark.
"""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from tests.crypto.transcript import from_json, to_json

from linnet.crypto.messages import Address
from linnet.crypto.prekeys import PreKeyBundle
from linnet.crypto.session import Ciphertext

HERE: Final = Path(__file__).parent
CURRENT: Final = "0.103.0"
"""What its users run: the post-quantum ratchet is mandatory, and messages name addresses."""
VERSIONS: Final = (CURRENT, "0.90.0")
INSTALL_TIMEOUT_S: Final = 300
STOP_TIMEOUT_S: Final = 10


class Missing(Exception):
    """Node or its packages are not to be had."""


class Refused(Exception):
    """libsignal refused the message; the text is its own."""


class Libsignal:
    """The child process, which runs one version: one request at a time."""

    def __init__(self, version: str = CURRENT) -> None:
        _install()
        self.version = version
        self._process = subprocess.Popen(
            ["node", "peer.mjs", version],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, op: str, **arguments: object) -> dict[str, Any]:
        """Return the answer. Raises Refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Missing("the Node peer has stopped")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    def __enter__(self) -> "Libsignal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=STOP_TIMEOUT_S)


class Stranger:
    """A device that runs libsignal."""

    def __init__(self, libsignal: Libsignal, name: str, *, registration_id: int = 4711) -> None:
        self._libsignal = libsignal
        self.address = Address(name.encode().ljust(16, b"\0")[:16], 1)
        created = libsignal.ask("create", party=self._name, registration_id=registration_id)
        self.identity_key = bytes.fromhex(created["identity_key"])

    @property
    def _name(self) -> str:
        return self.address.account.hex()

    def bundle(self, *, one_time: bool = True) -> PreKeyBundle:
        """Make fresh pre-keys and publish them."""
        answer = self._libsignal.ask("bundle", party=self._name, one_time=one_time)
        return from_json(PreKeyBundle, answer["bundle"])

    def open(self, peer: Address, bundle: PreKeyBundle) -> None:
        self._libsignal.ask(
            "initiate", party=self._name, peer=peer.account.hex(), bundle=to_json(bundle)
        )

    def send(self, peer: Address, text: bytes) -> Ciphertext:
        answer = self._libsignal.ask(
            "encrypt", party=self._name, peer=peer.account.hex(), text=text.hex()
        )
        return Ciphertext(answer["type"], bytes.fromhex(answer["data"]))

    def receive(self, peer: Address, ciphertext: Ciphertext) -> bytes:
        answer = self._libsignal.ask(
            "decrypt",
            party=self._name,
            peer=peer.account.hex(),
            type=ciphertext.type,
            data=ciphertext.data.hex(),
        )
        return bytes.fromhex(answer["text"])


def _install() -> None:
    """Install the packages of the lock file unless they are there. Raises Missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("Node 20 or newer, with npm, is not installed")
    with (HERE / "package.json").open() as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        installed = HERE / "node_modules" / ".package-lock.json"
        wanted = HERE / "package-lock.json"
        if installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime:
            return
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise Missing(f"npm ci failed:\n{done.stderr[-2000:]}")
        installed.touch()
