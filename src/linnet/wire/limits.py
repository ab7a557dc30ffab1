"""The limits both ends keep. Server policy (rates, quotas) is in `linnet.server.config`."""

from __future__ import annotations

import msgspec

FRAME_BYTES = 256 * 1024
"""Largest frame either end accepts, in bytes; a longer one closes the socket with `too_large`."""
CIPHERTEXT_BYTES = 128 * 1024
"""Largest ciphertext for one device. In base64, with all around it, it fits a frame: what one end
may send another may receive. A larger one is refused as `too_large`."""
HELLO_WITHIN_S = 5
"""A socket that has not said `hello` by then is closed."""
WELCOME_WITHIN_S = 15
"""A socket that has not been answered with `welcome` by then is closed, by either end."""
TOKEN_GRACE_S = 60
"""How long a socket outlives its access token."""
ACCOUNT_DEVICES = 16
"""Devices an account may list."""
GROUP_MEMBERS = 1024
"""Accounts a group may have."""
LISTS_AT_ONCE = 100
"""Device lists that one request may ask for."""
GROUP_LOG_ENTRIES = 500
"""Entries one page of a group's log may hold."""
LINK_LIFE_S = 120
"""How long an offer to link lives when its QR code is shown."""
LINK_TEXT_LIFE_S = 600
"""How long it lives when its text form is carried by hand."""
SENDER_CERTIFICATE_S = 24 * 3600
"""How long a sender certificate is good for."""
POSITION_END = 1 << 53
"""Positions stay below this: JavaScript's exact integers."""
ID_AHEAD_MS = 5 * 60 * 1000
"""A MessageId further ahead of the server's clock is refused as `id_time`."""
HORIZON_MS = 30 * 24 * 3600 * 1000
"""Retention, and the age at which a MessageId is refused as `id_time`."""
STATUS_CONVERSATIONS = 256
"""Conversations one `status?` may ask about."""
WATERMARK_INTERVALS = 8
"""Intervals kept of one device's delivered watermark."""
SYNC_ROWS = 500
"""Rows one page of `/v1/messages/sync` may hold."""


class SessionLimits(msgspec.Struct, frozen=True, array_like=True):
    """What the server asks of this socket; sent in `welcome`, so it can be eased under load."""

    ping_s: int = 5
    offline_after_s: int = 30
    window_frames: int = 256
    window_bytes: int = 1024 * 1024
    frame_bytes: int = FRAME_BYTES
