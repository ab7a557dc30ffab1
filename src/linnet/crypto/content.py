"""Content: the exact bytes Z that every device of a conversation decrypts.

Z = k_f (32) ‖ packed array ‖ 0x80 ‖ 0x00…, padded so that its length says little. The server
carries the commitment C over Z and can read neither. Here are the bytes and the comparison with
the frame that brought them; sessions, sender keys and what a kind's body means are elsewhere.
"""

from hmac import compare_digest, digest
from typing import Final

from linnet.crypto.content_array import Content, Ref, Reference, pack_content, unpack_content
from linnet.crypto.errors import CryptoError
from linnet.crypto.kinds import NUMBERED, Channel, frame_channel, permitted
from linnet.signing.errors import Malformed
from linnet.signing.objects import label

__all__ = [
    "Content",
    "Damaged",
    "Ref",
    "Reference",
    "Refused",
    "TooLong",
    "check_frame",
    "check_nested",
    "commitment",
    "committed",
    "open_content",
    "padded_size",
    "seal_content",
]

FRANKING_KEY_BYTES: Final = 32
MAX_Z_BYTES: Final = 65_536

_BUCKET: Final = 160
_BUCKETS_TO: Final = 1_600
_FRANK: Final = label("frank")


class Damaged(CryptoError):
    """Z is not well formed: show it as damaged, acknowledge it, block nothing."""


class Refused(CryptoError):
    """Z contradicts the frame or the session that brought it, or its kind may not come so."""


class TooLong(ValueError):
    """More than one message can carry."""


def seal_content(content: Content, k_f: bytes) -> bytes:
    """Return Z for a fresh random franking key of 32 bytes; every retry sends the same Z.

    Raises ValueError for content that `open_content` would call damaged, TooLong if that is why.
    """
    try:
        packed = pack_content(content)
    except Malformed:
        raise ValueError("content outside the format") from None
    size = padded_size(FRANKING_KEY_BYTES + len(packed) + 1)
    if len(k_f) != FRANKING_KEY_BYTES:
        raise ValueError("franking key of a wrong size")
    if size > MAX_Z_BYTES:
        raise TooLong("content too long")
    return (k_f + packed + b"\x80").ljust(size, b"\0")


def open_content(z: bytes) -> Content:
    """Read Z. Raises Damaged unless these are the only bytes its content could have."""
    if len(z) > MAX_Z_BYTES:
        raise Damaged("too long")
    unpadded = z.rstrip(b"\0")
    if len(unpadded) <= FRANKING_KEY_BYTES or unpadded[-1] != 0x80:
        raise Damaged("no end mark")
    if padded_size(len(unpadded)) != len(z):
        raise Damaged("padding of a wrong length")
    try:
        return unpack_content(unpadded[FRANKING_KEY_BYTES:-1])
    except Malformed:
        raise Damaged("not the array of content") from None


def commitment(z: bytes) -> bytes:
    """Return C = HMAC-SHA256(k_f, "linnet/frank/1" ‖ 0x00 ‖ Z), 32 bytes, as the frame has it."""
    return digest(z[:FRANKING_KEY_BYTES], _FRANK + z, "sha256")


def committed(z: bytes, claimed: bytes) -> bool:
    """Tell whether `claimed` is the commitment of Z."""
    return compare_digest(commitment(z), claimed)


def padded_size(length: int) -> int:
    """Return the padded length: the next multiple of 160 up to 1,600, above that Padmé."""
    if length <= _BUCKETS_TO:
        return -(-length // _BUCKET) * _BUCKET
    exponent = length.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-length // step) * step


def check_frame(
    content: Content,
    *,
    id: bytes,
    to: bytes,
    sender: bytes,
    device: int,
    mode: int,
    own: bytes,
    primary: bool = False,
    linking: bool = False,
    sealed: bool = False,
) -> None:
    """Compare content with what brought it. Raises Refused.

    `id`, `to` and `mode` are the frame's; `sender` and `device` are whom the session or sender key
    authenticated, and if `sealed` the certificate named; `own` is the receiving account; `primary`
    and `linking` are of `kinds.permitted`.
    """
    channel = frame_channel(to, sender, mode, sealed=sealed)
    if (content.id, content.to, content.sender, content.device) != (id, to, sender, device):
        raise Refused("content names another message, conversation or sender")
    if channel is None or not _addressed(channel, to, sender, own):
        raise Refused("not addressed to this account")
    ours = sender == own
    if not permitted(content.kind, channel, own_account=ours, primary=primary, linking=linking):
        raise Refused("this kind may not come this way")
    if (content.counter > 0) != (channel in NUMBERED):
        raise Refused("counter where none belongs, or none where one belongs")


def check_nested(content: Content, *, account: bytes, device: int | None = None) -> None:
    """Compare content whose Z came inside other content, by the account that the session is of.

    `device` is the session's too for a `resend`, None for what an own device passes on. Raises
    Refused.
    """
    if content.sender != account or device not in (None, content.device):
        raise Refused("nested content of another sender")


def _addressed(channel: Channel, to: bytes, sender: bytes, own: bytes) -> bool:
    match channel:
        case Channel.GROUP:
            return True
        case Channel.DIRECT:
            return own in (to[1:], sender)
        case _:  # control and what is sealed have no own copies
            return to[1:] == own
