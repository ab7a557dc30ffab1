"""Connection: one socket. Reads frames, keeps the session's order and limits, pushes rows.

Plain callbacks on the event loop, no task and no await on the path of a message. What needs the
store is asked of the gateway, which owns the tasks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from picows import WSFrame, WSMsgType, WSTransport

from linnet.server.gateway.addresses import Addresses
from linnet.server.gateway.outbound import BINARY
from linnet.server.gateway.outlet import Outlet
from linnet.server.gateway.runs import runs_of
from linnet.server.gateway.splice import Spliced
from linnet.server.gateway.window import BEHIND, PUSH, Window
from linnet.server.ports.timeline import Accepted, Entry
from linnet.server.services.delivery.decide import Record
from linnet.server.services.delivery.view import sent, view
from linnet.server.services.delivery.work import Committed
from linnet.wire.codec import CODECS, Codec, Unknown
from linnet.wire.errors import ERRORS, RemoteError, RequestRefused
from linnet.wire.frames import (
    Ack,
    ClientFrame,
    Error,
    Hello,
    Own,
    Ping,
    Rejected,
    Renew,
    Row,
    Send,
    Sets,
    StatusQuery,
)
from linnet.wire.ids import is_message_id
from linnet.wire.limits import CIPHERTEXT_BYTES, FRAME_BYTES
from linnet.wire.session import State

if TYPE_CHECKING:
    from linnet.server.gateway.gateway import Gateway

_log = logging.getLogger("linnet.gateway")
_LIVE = (State.LIVE, State.DRAINING)
_BINARY, _TEXT = WSMsgType.BINARY, WSMsgType.TEXT
_CONTINUATION, _CLOSE = WSMsgType.CONTINUATION, WSMsgType.CLOSE
_NO_HEADERS: Any = {}
CONVERSATIONS_A_FRAME = 8
"""Conversations asked about that cost as much as a frame."""
_DECODERS = {name: codec.client_frame for name, codec in CODECS.items()}
"""Bound once, not by every socket."""


class Connection(Outlet):
    """See the module. `account`, `device`, `mailbox` and `window` are set once it is live."""

    __slots__ = (
        "_addresses",
        "_decode",
        "_partial",
        "_type",
        "account",
        "address",
        "asked",
        "asking",
        "catching_up",
        "device",
        "expires_ms",
        "folding",
        "head",
        "joined_tick",
        "mailbox",
        "progress_tick",
        "seen_tick",
        "tokens",
        "tokens_tick",
        "window",
    )

    def __init__(self, gateway: Gateway, codec: Codec, address: str) -> None:
        super().__init__(gateway, codec)
        self.address = address
        self.account = self.mailbox = b""
        self.device = self.head = self.expires_ms = 0
        self.tokens = gateway.config.frames.burst
        self.joined_tick = self.seen_tick = self.progress_tick = self.tokens_tick = (
            gateway.wheel.tick
        )
        self.catching_up = self.asking = self.folding = False
        self.asked: tuple[bytes, ...] = ()
        self.window: Window
        self._addresses: Addresses | None = None
        self._decode = _DECODERS[codec.name]
        self._type = _TEXT if codec.text else _BINARY
        self._partial: bytearray | None = None

    # ---- picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done."""
        self._transport = transport
        self._write = transport.underlying_transport.write
        # Kept by picows as long as the socket, they are a fifth of what an idle one costs.
        transport.request.headers = transport.response.headers = _NO_HEADERS
        self.gateway.connected(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone, whoever ended it."""
        self.session.close()
        self._transport = self._write = None
        self.gateway.disconnected(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """One WebSocket frame. Whatever it holds, the worst that happens is that it is closed."""
        try:
            said = self._read(frame)
            if said is None:
                return
            self.seen_tick = self.gateway.wheel.tick
            kind = type(said)
            self.session.receive(kind)
            self.tokens -= 1
            _HANDLERS[kind](self, said)
        except RemoteError as error:
            self.close(error.close.name)
        except Exception:
            # A bug of ours that a client found: it costs that client its socket, and is seen.
            _log.exception("a frame could not be handled")
            self.close("internal")

    def _read(self, frame: WSFrame) -> ClientFrame | Unknown | None:
        """What a frame says; None if it is not, or not yet, a whole message.

        Asking picows for a frame's type costs a third of decoding it, so that is asked only of
        what is not simply one of ours.
        """
        if frame.payload_size > FRAME_BYTES:
            raise RemoteError("too_large", "a frame over the frame limit")
        if frame.fin and self._partial is None:
            try:
                return self._decode(frame.get_payload_as_bytes())
            except RemoteError:
                if frame.msg_type == self._type:
                    raise
        whole = self._assemble(frame)
        return self._decode(whole) if whole is not None else None

    def pause_writing(self) -> None:
        """The kernel takes no more for now: rows wait in the store instead of in memory."""
        self.choked = True

    def resume_writing(self) -> None:
        """The kernel takes more."""
        self.choked = False
        self.gateway.catch_up_if_behind(self)

    def _assemble(self, frame: WSFrame) -> bytes | None:
        """A message that came in fragments, once it is whole; None for what is not a message."""
        kind = frame.msg_type
        if kind == _CLOSE:
            self.close(None)
            return None
        if kind not in (_BINARY, _TEXT, _CONTINUATION):
            return None
        expected = self._type if self._partial is None else _CONTINUATION
        if kind != expected:
            raise RemoteError("malformed", "not the subprotocol's frame type")
        self.tokens -= 1
        self._keep_rate()
        if self._partial is None:
            self._partial = bytearray()
        self._partial += frame.get_payload_as_bytes()
        if len(self._partial) > FRAME_BYTES:
            raise RemoteError("too_large", "fragments over the frame limit")
        if not frame.fin:
            return None
        whole, self._partial = bytes(self._partial), None
        return whole

    # ---- what a client says

    def _on_hello(self, said: Hello) -> None:
        self.gateway.hello(self, said)

    def _on_message(self, said: Send) -> None:
        if not self._within_rate():
            self.rejected(said.id, "rate_limited", None)
            return
        if not is_message_id(said.id):
            self.rejected(said.id, "malformed", None)
            return
        if self._addresses is None:
            self._addresses = Addresses(self.account)
        where = self._addresses.find(said.to)
        if where is None or ((said.roster or said.body) and where[1]):
            self.rejected(said.id, "not_supported", None)
            return
        if len(said.body) > CIPHERTEXT_BYTES:
            self.rejected(said.id, "too_large", None)
            return
        for part in said.parts if not said.own_parts else [*said.parts, *said.own_parts]:
            if len(part.ciphertext) > CIPHERTEXT_BYTES:
                self.rejected(said.id, "too_large", None)
                return
        record = Record(where[0], self.account, self.device, where[1], said, 0, 0)
        self.gateway.delivery.submit(record, self)

    def _on_ack(self, said: Ack) -> None:
        self._keep_rate()
        window = self.window
        before = window.acked
        try:
            others = window.ack(said.position)
        except ValueError:
            raise RemoteError("bad_resume", "ack above what was pushed") from None
        if window.acked > before:
            self.progress_tick = self.seen_tick
        runs = runs_of(others, self.account, window.gap) if others else {}
        if others:
            self.gateway.acknowledged(others[-1][1])
        self.gateway.delivery.ack(Committed(self.account, self.device, window.acked, runs))
        if window.behind:
            self.gateway.catch_up_if_behind(self)

    def _on_renew(self, said: Renew) -> None:
        self._keep_rate()
        try:
            identity = self.gateway.verify(said.token)
        except RequestRefused as refused:
            self._error(refused.code, "token")
            return
        if (identity.account, identity.device) != (self.account, self.device):
            raise RemoteError("unauthorized", "a token of another device")
        self.expires_ms = identity.expires_ms

    def _on_status_query(self, said: StatusQuery) -> None:
        self.tokens -= len(said.conversations) // CONVERSATIONS_A_FRAME
        self._keep_rate()
        self.gateway.status(self, said.conversations)

    def _on_ping(self, said: Ping) -> None:
        self._keep_rate()
        self.send(self.gateway.pong(self))

    def _within_rate(self) -> bool:
        """Token bucket of the socket, filled when it is empty rather than at each frame."""
        if self.tokens < 0:
            self.tokens += self.gateway.earned(self)
        return self.tokens >= 0

    def _keep_rate(self) -> None:
        """Only a message can be refused and sent again; too much of anything else ends it."""
        if self.tokens < 0 and not self._within_rate():
            raise RemoteError("rate_limited", "more frames than a socket may send")

    # ---- what delivery answers (services.delivery.inline.Origin)

    def repeated(self, first: Accepted) -> None:
        """An id that was accepted before."""
        self.send(sent(first, 0, 0))

    def rejected(self, id: bytes, code: str, sets: Sets | None, roster: int = 0) -> None:
        """A try that stored nothing."""
        self.gateway.on_refused(code)
        self.send(Rejected(id, code, ERRORS[code].retryable, sets, roster))

    # ---- pushing

    def notice(self, entry: Entry) -> None:
        """A row was committed in this mailbox: push it if the push rule and the window allow."""
        position = entry.position
        if position > self.head:
            self.head = position
        accepted, window = entry.accepted, self.window
        verdict = window.judge(entry.prev, position)
        if verdict is PUSH:
            if accepted.device == self.device and accepted.sender == self.account:
                # Its outcome and its row are known together: `sent` is the row's push.
                window.push(position, self.send(sent(accepted, position, entry.prev)), None)
            else:
                self.push(entry)
        elif verdict is BEHIND:
            own = accepted.device == self.device and accepted.sender == self.account
            if own and self.is_live():
                self.send(sent(accepted, 0, 0))
            self.gateway.catch_up_if_behind(self)

    def notice_spreads(self, row: int, spreads: list[Spliced]) -> None:
        """Group messages were committed, with rows of this number in this mailbox: those that
        nothing speaks against go out together, the others as any row would."""
        window, device, plain = self.window, self.device, self._opcode == BINARY
        for it in spreads:
            position, prev = it.first + row, it.prevs[row]
            if (
                plain
                and device in it.devices[row]
                and not (device == it.device and self.account == it.sender)
                and window.offer(prev, position, it.size, it.accepted)
            ):
                if position > self.head:
                    self.head = position
                self._out.append(it.frame(position, prev))
            else:
                self.notice(it.spread.entry(row))
        self.flush()

    def push(self, entry: Entry) -> None:
        """Send a row as this device sees it."""
        frame = view(entry, self.account, self.device)
        size = self.send(frame)
        kind = type(frame)
        accepted = None if kind is Own else entry.accepted
        self.window.push(entry.position, size, accepted, kind is Row)

    # ---- what others ask

    def is_at(self, state: State) -> bool:
        """Whether the session is in this state now."""
        return self.session.state is state

    def is_live(self) -> bool:
        """Whether messages move."""
        return self.session.state in _LIVE

    def look(self, tick: int) -> int | None:
        """The wheel's turn: see `Gateway.look`."""
        return self.gateway.look(self, tick)

    def _error(self, code: str, re: str) -> None:
        row = ERRORS[code]
        self.send(Error(code, row.text, row.retryable, re))


_HANDLERS: dict[type, Callable[[Connection, Any], None]] = {
    Hello: Connection._on_hello,
    Send: Connection._on_message,
    Ack: Connection._on_ack,
    Renew: Connection._on_renew,
    StatusQuery: Connection._on_status_query,
    Ping: Connection._on_ping,
}
