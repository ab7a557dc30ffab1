"""The protobuf of `linnet.signing.protobuf`, refusing in the words of this package.

The reader lives there because the server too reads certificates.
"""

from collections.abc import Mapping

from linnet.crypto.errors import Malformed
from linnet.signing import errors, protobuf
from linnet.signing.protobuf import FIXED64, STRING, VARINT, Fields, encode

__all__ = ["FIXED64", "STRING", "VARINT", "Fields", "decode", "encode"]


def decode(data: bytes, start: int, end: int, known: Mapping[int, int]) -> Fields:
    """Decode `data[start:end]`, returning the fields of `known`: {number: its type}.

    Varints are uint32. Raises Malformed.
    """
    try:
        return protobuf.decode(data, start, end, known)
    except errors.Malformed:
        raise Malformed("not the protobuf of this message") from None
