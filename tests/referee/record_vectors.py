"""Record what libsignal makes, for tests/vectors: python -m tests.referee.record_vectors

Recording again gives other bytes, because libsignal takes its own randomness. Do so only when a
format changes; what is recorded stays valid for good.
"""

import json
from pathlib import Path
from typing import Any, Final

from tests.crypto import sealed_vectors, sender_key_story
from tests.crypto.party import NOW_MS, Party, seeded
from tests.crypto.post import DAY_MS, Post
from tests.referee.libsignal import CURRENT, Libsignal, Stranger
from tests.referee.test_groups import TheirSpeaker

from linnet.crypto.sealed_sender_v2_messages import parse_sent, received_forms
from linnet.signing.keys import generate

VECTORS: Final = Path(__file__).parents[1] / "vectors"


def main() -> None:
    """Write every file that is recorded."""
    with Libsignal(CURRENT) as libsignal:
        write("safety_numbers/safety_numbers.json", safety_numbers(libsignal))
        sender_keys(libsignal)
        write("certificates/libsignal.json", certificates(libsignal))
        write("sealed_sender/libsignal.json", sealed_sender(libsignal))


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


def certificates(libsignal: Libsignal) -> dict[str, Any]:
    """Certificates that libsignal issued."""
    rng, cases = seeded("certificates"), []
    for number in range(3):
        post, account, key = Post(f"post {number}"), rng(16), generate(rng).public
        issued = libsignal.ask(
            "issue",
            server_id=number,
            server=post.server.private.hex(),
            root=post.root.private.hex(),
            account=account.hex(),
            device=number + 1,
            identity_key=key.hex(),
            expires=NOW_MS + DAY_MS,
        )
        case = {
            "name": f"issued by libsignal, {number}",
            "certificate": issued["sender"],
            "trust_root": post.root.public.hex(),
            "now_ms": NOW_MS,
        }
        cases.append({**case, **sealed_vectors.certificate_outcome(case)})
    about = f"Sender certificates by libsignal {CURRENT}; see docs/protocol/sealed-sender.md."
    return {"about": about, "cases": cases}


def sealed_sender(libsignal: Libsignal) -> dict[str, Any]:
    """A first message sealed in version 1, and a group message in version 2."""
    post, theirs = Post("vectors"), Stranger(libsignal, "recorded")
    party = theirs.address.account.hex()
    certificate = post.certify(theirs.address.account, theirs.identity_key)
    us = [Party(name, seeded(name)) for name in ("one", "two")]
    for each in us:
        theirs.open(each.address, each.bundle())
    speaker = TheirSpeaker(libsignal, "recorded group", party=party)
    speaker.distribution()
    shared = {"party": party, "certificate": certificate.hex(), "text": b"hello".hex()}
    single = libsignal.ask(
        "seal",
        **shared,
        peer=us[0].address.account.hex(),
        recipient_key=us[0].local.key.public.hex(),
        hint=1,
        group=None,
    )
    many = libsignal.ask(
        "seal_to_many",
        **shared,
        distribution=speaker.distribution_id,
        peers=[each.address.account.hex() for each in us],
        recipient_keys=[each.local.key.public.hex() for each in us],
        hint=2,
        group=(b"g" * 16).hex(),
    )
    sent = parse_sent(bytes.fromhex(many["data"]))
    forms = {account: data for account, _, data in received_forms(sent)}
    received = [("version 1", us[0], bytes.fromhex(single["data"]))]
    received += [("version 2", each, forms[each.address.account]) for each in us]
    opens = []
    for name, each, data in received:
        case = {
            "name": name,
            "recipient_private": each.local.key.private.hex(),
            "trust_root": post.root.public.hex(),
            "now_ms": NOW_MS,
            "data": data.hex(),
        }
        opens.append({**case, **sealed_vectors.opening_outcome(case)})
    about = f"Sealed sender by libsignal {CURRENT}; see docs/protocol/sealed-sender.md."
    split = {
        "data": many["data"],
        "received": [[account.hex(), data.hex()] for account, data in forms.items()],
    }
    return {"about": about, "open": opens, "sent": [split]}


if __name__ == "__main__":
    main()
