"""Write the vectors of SPQR, in `tests/vectors/spqr`: python -m tests.crypto.spqr.vectors

They were made by this code after it had talked to libsignal 0.103.0 over many epochs; writing them
again must change nothing. Everything random in them is given, so that any implementation can
replay them. All bytes are hex.
"""

import json
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.crypto.spqr.pair import PQ_KEY, Packet, Side

from linnet.crypto.kdf import message_keys, message_seed
from linnet.crypto.spqr import kdf, kem
from linnet.crypto.spqr.authenticator import first_authenticator
from linnet.crypto.spqr.erasure import chunk_of

FOLDER: Final = Path(__file__).parents[2] / "vectors" / "spqr"
MESSAGES: Final = 420
Vector = dict[str, Any]


def derivations() -> Vector:
    """Every derivation once, each from given input."""
    secret, shared, header = bytes(range(32, 64)), bytes(range(64, 96)), bytes(range(96, 160))
    ct1, ct2 = bytes(960), bytes(range(128))
    first = first_authenticator(PQ_KEY)
    after = first.after(7, secret)
    start = kdf.first_chains(PQ_KEY)
    more = kdf.more_chains(start.root, secret)
    chain, keys = start.a_to_b, []
    for counter in (1, 2, 3):
        chain, key = kdf.next_key(chain, counter)
        keys.append(key.hex())
    mixed = message_keys(message_seed(bytes(32)), bytes.fromhex(keys[0]))
    return {
        "pq_key": PQ_KEY.hex(),
        "authenticator": {"root": first.root.hex(), "mac_key": first.mac_key.hex()},
        "epoch": 7,
        "secret": secret.hex(),
        "authenticator_after": {"root": after.root.hex(), "mac_key": after.mac_key.hex()},
        "shared": shared.hex(),
        "epoch_secret": kdf.epoch_secret(shared, 7).hex(),
        "header": header.hex(),
        "header_mac": kdf.header_mac(first.mac_key, 7, header).hex(),
        "ct1": ct1.hex(),
        "ct2": ct2.hex(),
        "ciphertext_mac": kdf.ciphertext_mac(after.mac_key, 7, ct1, ct2).hex(),
        "chains": {name: value.hex() for name, value in start._asdict().items()},
        "chains_after": {name: value.hex() for name, value in more._asdict().items()},
        "keys_a_to_b": keys,
        "message_keys": {
            "chain_key": bytes(32).hex(),
            "salt": keys[0],
            **{name: value.hex() for name, value in mixed._asdict().items()},
        },
    }


def erasure() -> list[Vector]:
    """For each size that is coded, chunks of the data and beyond it."""
    chance = Random("erasure")
    made = []
    for count in (3, 5, 30, 36):
        data = chance.randbytes(32 * count)
        numbers = (0, count - 1, count, count + 1, 255, 256, 40_000, 65_535)
        chunks = {str(number): chunk_of(data, number).hex() for number in numbers}
        made.append({"data": data.hex(), "chunks": chunks})
    return made


def encapsulations() -> list[Vector]:
    """The two steps, with what is between them."""
    chance = Random("encapsulations")
    made = []
    for _ in range(4):
        seed, coins = chance.randbytes(64), chance.randbytes(32)
        parts = kem.public_parts(seed)
        first = kem.encapsulate_1(parts.header, coins)
        made.append(
            {
                "seed": seed.hex(),
                "header": parts.header.hex(),
                "vector": parts.vector.hex(),
                "coins": coins.hex(),
                "ct1": first.ct1.hex(),
                "ct2": kem.encapsulate_2(first.kept, parts.vector).hex(),
                "secret": first.secret.hex(),
            }
        )
    return made


def conversation() -> Vector:
    """A bad network, step by step: `send` gives message and key, `receive` names a message."""
    chance = Random("conversation")
    taken = bytearray()

    def rng(size: int) -> bytes:
        taken.extend(made := chance.randbytes(size))
        return made

    sides = {"A": Side(rng, initiator=True), "B": Side(rng, initiator=False)}
    steps: list[Vector] = []
    waiting: list[tuple[int, str, Packet]] = []
    for number in range(MESSAGES):
        by, to = chance.choice(("AB", "BA"))
        taken.clear()
        packet = sides[by].send()
        steps.append(
            {
                "do": "send",
                "by": by,
                "random": taken.hex(),
                "message": packet.data.hex(),
                "key": packet.key.hex(),
            }
        )
        waiting.append((number, to, packet))
        while len(waiting) > chance.randrange(8):
            number_then, to_then, due = waiting.pop(chance.randrange(len(waiting)))
            if chance.random() < 0.1:
                continue
            assert sides[to_then].receive(due) == due.key
            steps.append({"do": "receive", "by": to_then, "number": number_then})
    ends = {name: side.epoch for name, side in sides.items()}
    return {"pq_key": PQ_KEY.hex(), "steps": steps, "epochs": ends}


def files() -> dict[str, str]:
    """Every file by name."""
    made: dict[str, Any] = {
        "derivations": derivations(),
        "erasure": erasure(),
        "encapsulations": encapsulations(),
    }
    texts = {name: json.dumps(value, indent=1) + "\n" for name, value in made.items()}
    told = conversation()
    steps = ",\n".join(json.dumps(step) for step in told.pop("steps"))
    texts["conversation"] = f'{json.dumps(told)[:-1]}, "steps": [\n{steps}\n]}}\n'
    return {f"{name}.json": text for name, text in texts.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)
