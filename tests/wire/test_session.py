"""One socket's life, told as dialogues; then the table against every frame and state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.strategies import CLIENT_FRAMES, SERVER_FRAMES

from linnet.wire.codec import Unknown
from linnet.wire.errors import CLOSES, LocalError, RemoteError
from linnet.wire.frames import Ack, Deliver, Drain, Hello, Ping, Pong, Renew, Send, Sent, Welcome
from linnet.wire.session import CLIENT_SAYS, DEADLINES, SERVER_SAYS, Session, Side, State


class Socket:
    """Both ends of one socket; what one sends the other receives."""

    def __init__(self) -> None:
        self.client, self.server = Session(Side.CLIENT), Session(Side.SERVER)

    def client_says(self, frame: type) -> State:
        self.client.send(frame)
        self.server.receive(frame)
        assert self.client.state is self.server.state
        return self.client.state

    def server_says(self, frame: type) -> State:
        self.server.send(frame)
        self.client.receive(frame)
        assert self.client.state is self.server.state
        return self.server.state


def live(side: Side) -> Session:
    session = Session(side)
    client = side is Side.CLIENT
    (session.send if client else session.receive)(Hello)
    (session.receive if client else session.send)(Welcome)
    return session


def test_a_socket_lives_from_hello_to_drain() -> None:
    socket = Socket()
    assert socket.client_says(Hello) is State.GREETED
    assert socket.server_says(Welcome) is State.LIVE
    assert socket.client_says(Send) is State.LIVE
    assert socket.server_says(Sent) is State.LIVE
    assert socket.server_says(Deliver) is State.LIVE
    assert socket.client_says(Ack) is State.LIVE
    assert socket.client_says(Renew) is State.LIVE
    assert socket.server_says(Drain) is State.DRAINING
    assert socket.client_says(Send) is State.DRAINING
    assert socket.server_says(Sent) is State.DRAINING
    assert socket.client_says(Ping) is State.DRAINING
    assert socket.server_says(Pong) is State.DRAINING


@pytest.mark.parametrize("early", [kind for kind in CLIENT_FRAMES if kind is not Hello])
def test_whatever_comes_before_hello_closes_the_socket(early: type) -> None:
    server = Session(Side.SERVER)
    with pytest.raises(RemoteError) as raised:
        server.receive(early)
    assert raised.value.close.name == "unexpected"
    assert server.state is State.CLOSED


def test_a_client_waits_for_welcome() -> None:
    server = Session(Side.SERVER)
    server.receive(Hello)
    with pytest.raises(RemoteError):
        server.receive(Send)


@pytest.mark.parametrize("early", [*[k for k in SERVER_FRAMES if k is not Welcome], Unknown])
def test_nothing_comes_before_welcome(early: type) -> None:
    client = Session(Side.CLIENT)
    client.send(Hello)
    with pytest.raises(RemoteError):
        client.receive(early)


def test_hello_is_said_once() -> None:
    server = live(Side.SERVER)
    with pytest.raises(RemoteError, match="Hello in state live"):
        server.receive(Hello)


def test_drain_is_said_once() -> None:
    server = live(Side.SERVER)
    server.send(Drain)
    with pytest.raises(LocalError):
        server.send(Drain)


def test_a_client_passes_over_frames_it_does_not_know() -> None:
    client = live(Side.CLIENT)
    client.receive(Unknown)
    client.receive(Drain)
    client.receive(Unknown)
    assert client.state is State.DRAINING


def test_a_server_does_not() -> None:
    server = live(Side.SERVER)
    with pytest.raises(RemoteError):
        server.receive(Unknown)


@pytest.mark.parametrize("side", Side)
def test_nobody_says_what_the_other_end_says(side: Side) -> None:
    session = live(side)
    theirs: tuple[type, ...] = SERVER_FRAMES if side is Side.CLIENT else CLIENT_FRAMES
    for kind in (*theirs, Unknown):
        with pytest.raises(LocalError):
            session.send(kind)
    assert session.state is State.LIVE


def test_after_a_close_nothing_is_believed() -> None:
    for session in (Session(Side.SERVER), live(Side.SERVER)):
        session.close()
        session.close()
        for kind in CLIENT_FRAMES:
            with pytest.raises(RemoteError):
                session.receive(kind)
        with pytest.raises(LocalError):
            session.send(Pong)


def test_our_own_mistake_leaves_the_state_as_it_was() -> None:
    client = Session(Side.CLIENT)
    with pytest.raises(LocalError, match="Ack in state new"):
        client.send(Ack)
    client.send(Hello)
    assert client.state is State.GREETED


def test_every_state_has_its_row_and_messages_move_only_after_welcome() -> None:
    assert set(CLIENT_SAYS) == set(SERVER_SAYS) == set(State)
    moving = {State.LIVE, State.DRAINING}
    assert {state for state in State if Send in CLIENT_SAYS[state]} == moving
    assert {state for state in State if Deliver in SERVER_SAYS[state]} == moving


def test_every_frame_may_be_said_in_some_state() -> None:
    assert {kind for turns in CLIENT_SAYS.values() for kind in turns} == set(CLIENT_FRAMES)
    assert {kind for turns in SERVER_SAYS.values() for kind in turns} == set(SERVER_FRAMES)


def test_deadlines_end_in_known_closes() -> None:
    assert {close for _, close in DEADLINES.values()} <= set(CLOSES)
    assert DEADLINES[State.NEW][0] == 5


moves = st.tuples(st.booleans(), st.sampled_from((*CLIENT_FRAMES, *SERVER_FRAMES)))


@given(st.lists(moves, max_size=30))
def test_two_ends_that_keep_to_the_table_never_disagree(said: list[tuple[bool, type]]) -> None:
    socket = Socket()
    socket.client_says(Hello)
    socket.server_says(Welcome)
    for by_client, kind in said:
        say = socket.client_says if by_client else socket.server_says
        before = socket.client.state
        try:
            say(kind)
        except LocalError:
            assert socket.client.state is socket.server.state is before


@given(st.lists(st.sampled_from((*CLIENT_FRAMES, Unknown)), max_size=10))
def test_a_server_never_goes_live_without_saying_welcome(said: list[type]) -> None:
    server = Session(Side.SERVER)
    for kind in said:
        try:
            server.receive(kind)
        except RemoteError:
            assert server.state is State.CLOSED
    assert server.state in (State.NEW, State.GREETED, State.CLOSED)
