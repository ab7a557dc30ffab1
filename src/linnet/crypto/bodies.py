"""What the body of each kind of content holds; so far, `text`.

A body is an array that later versions may lengthen: readers ignore elements they do not know.
"""

from typing import Any

from linnet.crypto.content import Damaged
from linnet.signing.packing import Value


def text_body(text: str) -> Value:
    """Return the body of a `text`: [text]."""
    return [text]


def read_text(body: Any) -> str:
    """Return the text of a `text` body. Raises Damaged."""
    match body:
        case [str(text), *_]:
            return text
        case _:
            raise Damaged("not the body of a text")
