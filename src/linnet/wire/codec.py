"""Codec: frames to bytes and back, for both subprotocols.

`linnet.v1.msgpack` carries frames as arrays; `linnet.v1.json` as objects with base64 bytes.
Unknown frame types are returned as `Unknown`, so that a newer peer is an event, not an error.
"""

from __future__ import annotations

import types
import typing
from typing import Any, Protocol

import msgspec

from linnet.wire.errors import RemoteError
from linnet.wire.frames import ClientFrame, Frame, ServerFrame

MSGPACK = "linnet.v1.msgpack"
JSON = "linnet.v1.json"

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that decoding foreign bytes may raise."""


class Unknown(msgspec.Struct, frozen=True):
    """A well-formed frame of a type this end does not know."""

    type: str


class Codec(Protocol):
    """One subprotocol. `text` says whether its WebSocket messages are text."""

    name: str
    text: bool

    def encode(self, frame: Frame) -> bytes:
        """The bytes of a frame."""

    def client_frame(self, data: bytes | memoryview) -> ClientFrame | Unknown:
        """What a client said. Raises RemoteError."""

    def server_frame(self, data: bytes | memoryview) -> ServerFrame | Unknown:
        """What a server said. Raises RemoteError."""


def _twin(native: type[msgspec.Struct], made: dict[type, type]) -> type[msgspec.Struct]:
    """The object form of an array struct: same tag, names, constraints and defaults."""
    if native in made:
        return made[native]
    hints = typing.get_type_hints(native, include_extras=True)
    fields: list[Any] = []
    for info in msgspec.structs.fields(native):
        default = msgspec.field(name=info.encode_name)
        if info.default is not msgspec.NODEFAULT:
            default = msgspec.field(name=info.encode_name, default=info.default)
        elif info.default_factory is not msgspec.NODEFAULT:
            default = msgspec.field(name=info.encode_name, default_factory=info.default_factory)
        fields.append((info.name, _swap(hints[info.name], made), default))
    config = native.__struct_config__
    made[native] = msgspec.defstruct(
        native.__name__ + "Object", fields, tag=config.tag, tag_field="type" if config.tag else None
    )
    return made[native]


def _swap(hint: Any, made: dict[type, type]) -> Any:
    """The same annotation with every array struct in it replaced by its twin."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _twin(hint, made)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is None:
        return hint
    if origin is typing.Annotated:
        return typing.Annotated[(_swap(args[0], made), *args[1:])]
    if origin is types.UnionType:
        return typing.Union[tuple(_swap(arg, made) for arg in args)]  # noqa: UP007 - built at run time
    return origin[tuple(_swap(arg, made) for arg in args)]


class MsgpackCodec:
    """Arrays in MessagePack: the default, and the one measured."""

    name = MSGPACK
    text = False

    def __init__(self) -> None:
        self.encode = msgspec.msgpack.Encoder().encode
        self._client = msgspec.msgpack.Decoder(ClientFrame)
        self._server = msgspec.msgpack.Decoder(ServerFrame)

    def client_frame(self, data: bytes | memoryview) -> ClientFrame | Unknown:
        try:
            return typing.cast("ClientFrame", self._client.decode(data))
        except UNREADABLE as error:
            return _unknown_msgpack(data, ClientFrame, error)

    def server_frame(self, data: bytes | memoryview) -> ServerFrame | Unknown:
        try:
            return typing.cast("ServerFrame", self._server.decode(data))
        except UNREADABLE as error:
            return _unknown_msgpack(data, ServerFrame, error)


class JsonCodec:
    """Objects in JSON: for reading, debugging and small clients."""

    name = JSON
    text = True

    def __init__(self) -> None:
        self._objects: dict[type, type] = {}
        client = [_twin(frame, self._objects) for frame in typing.get_args(ClientFrame)]
        server = [_twin(frame, self._objects) for frame in typing.get_args(ServerFrame)]
        self._natives = {twin: native for native, twin in self._objects.items()}
        self._client = msgspec.json.Decoder(typing.Union[tuple(client)])  # noqa: UP007
        self._server = msgspec.json.Decoder(typing.Union[tuple(server)])  # noqa: UP007
        self._encoder = msgspec.json.Encoder()

    def encode(self, frame: Frame) -> bytes:
        twin = self._objects[type(frame)]
        return self._encoder.encode(msgspec.convert(frame, twin, from_attributes=True))

    def client_frame(self, data: bytes | memoryview) -> ClientFrame | Unknown:
        return typing.cast("ClientFrame | Unknown", self._decode(self._client, data, ClientFrame))

    def server_frame(self, data: bytes | memoryview) -> ServerFrame | Unknown:
        return typing.cast("ServerFrame | Unknown", self._decode(self._server, data, ServerFrame))

    def _decode(self, decoder: Any, data: bytes | memoryview, known: Any) -> Any:
        try:
            found = decoder.decode(data)
        except UNREADABLE as error:
            return _unknown_json(data, known, error)
        return msgspec.convert(found, self._natives[type(found)], from_attributes=True)


class _Tagged(msgspec.Struct):
    type: str


def _tags(known: Any) -> set[str]:
    return {frame.__struct_config__.tag for frame in typing.get_args(known)}


def _unknown_msgpack(data: bytes | memoryview, known: Any, error: Exception) -> Unknown:
    """An unknown tag is an event; anything else is the peer's fault."""
    try:
        items = msgspec.msgpack.decode(data, type=list[msgspec.Raw])
        tag = msgspec.msgpack.decode(items[0], type=str)
    except (*UNREADABLE, IndexError):
        raise RemoteError("malformed", "not a frame") from None
    return _unless_known(tag, known, error)


def _unknown_json(data: bytes | memoryview, known: Any, error: Exception) -> Unknown:
    try:
        tag = msgspec.json.decode(data, type=_Tagged).type
    except UNREADABLE:
        raise RemoteError("malformed", "not a frame") from None
    return _unless_known(tag, known, error)


def _unless_known(tag: str, known: Any, error: Exception) -> Unknown:
    if tag in _tags(known):
        # msgspec names the field and the expected type, never the value; other errors hold bytes
        # of the frame, a token's perhaps, and so go no further.
        detail = str(error) if isinstance(error, msgspec.DecodeError) else "unreadable"
        raise RemoteError("malformed", f"{tag}: {detail}") from None
    return Unknown(tag[:64])


CODECS: dict[str, Codec] = {codec.name: codec for codec in (MsgpackCodec(), JsonCodec())}
"""Subprotocol name to codec, in the order the server prefers."""
