"""A group in memory for tests: one device that sends, and devices that read it."""

from dataclasses import dataclass, field

from tests.crypto.party import NOW_MS, Rng

from linnet.crypto import sender_keys
from linnet.crypto.sender_keys import SenderKeyBinding, SenderKeyRecord, SenderKeyState

ALICE = SenderKeyBinding(b"g" * 16, b"a" * 16, 1)


class Speaker:
    """Sends to the group, keeping its state as a store would."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.state: SenderKeyState = sender_keys.create(NOW_MS, rng)

    def distribution(self) -> bytes:
        return sender_keys.distribution_message(self.state)

    def send(self, text: bytes) -> bytes:
        self.state, message = sender_keys.encrypt(self.state, text, self.rng)
        return message

    def rotate(self) -> None:
        self.state = sender_keys.rotate(self.state, NOW_MS, self.rng)


@dataclass
class Listener:
    """Reads one device of the group, keeping one record for each distribution id."""

    sender: SenderKeyBinding = ALICE
    records: dict[bytes, SenderKeyRecord] = field(default_factory=dict)

    def take(self, distribution: bytes) -> None:
        id = sender_keys.distribution_id_of(distribution)
        self.records[id] = sender_keys.process_distribution(
            self.records.get(id), self.sender, distribution
        )

    def read(self, data: bytes) -> bytes:
        message = sender_keys.parse_message(data)
        record = self.records.get(message.distribution_id)
        self.records[message.distribution_id], text = sender_keys.decrypt(
            record, self.sender, message
        )
        return text

    def state(self) -> list[bytes]:
        """What a store would hold, to compare."""
        return [record.to_bytes() for record in self.records.values()]
