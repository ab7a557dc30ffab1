"""Events: messages come from the store and none is lost; the rest is bounded and says so."""

from datetime import UTC, datetime

from linnet.client.events import (
    QUEUE_EVENTS,
    Arrived,
    Connection,
    ConnectionState,
    Event,
    Events,
    Message,
    Missed,
    State,
)
from linnet.wire.ids import AccountId, ConversationId, DeviceId, MessageId

ONLINE = ConnectionState(Connection.ONLINE)


class Shelf:
    """Arrived messages, as the store has them."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Arrived]] = []

    def add(self, text: str) -> None:
        message = Message(
            conversation=ConversationId(bytes(16)),
            sender=AccountId(bytes(16)),
            device=DeviceId(1),
            id=MessageId(bytes(16)),
            conv_seq=len(self.rows) + 1,
            sent_at=datetime.now(UTC),
            received_at=None,
            state=State.RECEIVED,
            kind="text",
            text=text,
        )
        self.rows.append((len(self.rows) + 1, message))

    async def after(self, seq: int) -> list[tuple[int, Arrived]]:
        return [row for row in self.rows if row[0] > seq][:2]


async def everything(events: Events) -> list[Event]:
    events.close()
    return [event async for event in events.read()]


async def test_messages_are_read_page_by_page_and_remembered() -> None:
    shelf = Shelf()
    for number in range(5):
        shelf.add(str(number))
    events = Events(shelf.after)
    reader = events.read()
    texts = []
    for _ in range(5):
        event = await anext(reader)
        assert isinstance(event, Message)
        texts.append(event.text)
    assert texts == ["0", "1", "2", "3", "4"]
    assert events.told == 4  # the last one is done with only when the next is asked for


async def test_a_slow_application_is_told_how_much_it_missed() -> None:
    events = Events(Shelf().after)
    for _ in range(QUEUE_EVENTS + 7):
        events.tell(ONLINE)
    seen = await everything(events)
    assert seen[0] == Missed(7)
    assert len(seen) == QUEUE_EVENTS + 1


async def test_a_message_that_arrives_while_reading_is_told() -> None:
    shelf = Shelf()
    events = Events(shelf.after)
    events.tell(ONLINE)
    reader = events.read()
    assert await anext(reader) == ONLINE
    shelf.add("news")
    events.messages_arrived()
    event = await anext(reader)
    assert isinstance(event, Message)
    assert event.text == "news"


async def test_closing_ends_the_iteration() -> None:
    assert await everything(Events(Shelf().after)) == []


def test_no_text_is_in_the_repr_of_a_message() -> None:
    shelf = Shelf()
    shelf.add("secret")
    assert "secret" not in repr(shelf.rows[0][1])
