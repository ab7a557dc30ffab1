"""What a server may answer over HTTP, and what becomes of what no server should."""

import pytest

from linnet.client.errors import Offline
from linnet.client.http import Http, read
from linnet.wire import rest


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"groups":1}', b'{"groups":"\xff"}', b'{"x":' + b"[" * 100_000],
    ids=["nothing", "another type", "another field", "no UTF-8", "nested without end"],
)
def test_an_answer_that_cannot_be_read_is_as_none(content: bytes) -> None:
    with pytest.raises(Offline):
        read(content, rest.OwnGroups)


async def test_who_asks_after_closing_gets_no_answer() -> None:
    http = Http("http://127.0.0.1:1", None)
    await http.close()
    with pytest.raises(Offline):
        await http.send("GET", "/groups", None, {})
