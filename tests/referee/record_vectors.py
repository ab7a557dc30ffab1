"""Record what libsignal makes, for tests/vectors: python -m tests.referee.record_vectors

Recording again gives other bytes, because libsignal takes its own randomness. Do so only when a
format changes; what is recorded stays valid for good.
"""

import json
from pathlib import Path
from typing import Any, Final

from tests.crypto import sender_key_story
from tests.crypto.party import seeded
from tests.referee.libsignal import CURRENT, Libsignal
from tests.referee.test_groups import TheirSpeaker

from linnet.signing.keys import generate

VECTORS: Final = Path(__file__).parents[1] / "vectors"


def main() -> None:
    """Write every file that is recorded."""
    with Libsignal(CURRENT) as libsignal:
        write("safety_numbers/safety_numbers.json", safety_numbers(libsignal))
        sender_keys(libsignal)


def sender_keys(libsignal: Libsignal) -> None:
    """The story of a device that sends with libsignal."""
    steps: list[sender_key_story.Step] = []
    sender_key_story.tell(TheirSpeaker(libsignal, "story"), steps)
    about = f"Sender keys by libsignal {CURRENT}; see docs/protocol/sender-keys.md."
    sender_key_story.save("they-send.json", about, steps)


def write(path: str, content: dict[str, Any]) -> None:
    """Write one file, by its path in tests/vectors."""
    (VECTORS / path).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def safety_numbers(libsignal: Libsignal) -> dict[str, Any]:
    """Numbers of random accounts, from both sides, and one of an account and itself."""
    rng = seeded("safety numbers")
    cases = []
    for name in ("first", "second", "third"):
        us, them = (rng(16), generate(rng).public), (rng(16), generate(rng).public)
        cases.append(safety_number(libsignal, name, *us, *them))
        cases.append(safety_number(libsignal, f"{name}, other side", *them, *us))
    cases.append(safety_number(libsignal, "with oneself", *us, *us))
    return {
        "about": f"Safety numbers by libsignal {CURRENT}; see docs/protocol/safety-numbers.md.",
        "cases": cases,
    }


def safety_number(
    libsignal: Libsignal, name: str, account: bytes, key: bytes, peer: bytes, peer_key: bytes
) -> dict[str, str]:
    """One case."""
    given = {
        "local": account.hex(),
        "local_key": key.hex(),
        "remote": peer.hex(),
        "remote_key": peer_key.hex(),
    }
    made = libsignal.ask("fingerprint", **given)
    renamed = zip(("account", "account_key", "peer", "peer_key"), given.values(), strict=True)
    return {"name": name, **dict(renamed), **made}


if __name__ == "__main__":
    main()
