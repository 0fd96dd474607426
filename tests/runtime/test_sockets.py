"""What the kernel tells of the clients' connections, and how one is ended."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from runtime.sockets import (
    UNSENT,
    Connection,
    Connections,
    cut,
    same_address,
    state_of,
    stop_listening_to,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A client, and this process's end of its connection."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with (
        socket.create_server((request.param, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as client,
    ):
        server, _ = listener.accept()
        server.settimeout(10)
        client.settimeout(10)
        with server:
            yield client, server


def of(server: socket.socket) -> Connection:
    [found] = [one for one in Connections().all() if one.descriptor == server.fileno()]
    return found


def test_only_what_was_accepted_is_a_clients(pair: Pair) -> None:
    client, server = pair
    seen = Connections()
    descriptors = {one.descriptor for one in seen.all()}
    assert server.fileno() in descriptors
    assert client.fileno() not in descriptors
    assert of(server).peer == same_address(client.getsockname()[0])
    assert seen.all() == seen.all()


def test_one_that_has_ended_is_none(pair: Pair) -> None:
    _, server = pair
    seen = Connections()
    seen.all()
    descriptor = server.fileno()
    server.close()
    assert descriptor not in {one.descriptor for one in seen.all()}


def test_what_has_happened_on_it(pair: Pair) -> None:
    client, server = pair
    connection = of(server)
    client.sendall(b"x" * 100)
    assert server.recv(40) == b"x" * 40
    server.sendall(b"y" * 7)
    assert client.recv(7) == b"y" * 7
    state = state_of(connection)
    assert state is not None
    assert (state.received, state.unread) == (100, 60)
    assert state.taken + state.untaken == 7
    assert time.monotonic() - 60 < state.heard <= time.monotonic()


def test_little_waits_in_it_unsent_and_in_those_that_are_accepted_later(pair: Pair) -> None:
    _, server = pair
    host = server.getsockname()[0]
    with socket.create_server((host, 0), family=server.family) as listener:
        Connections().all()
        with (
            socket.create_connection(listener.getsockname()[:2]),
            listener.accept()[0] as accepted,
        ):
            for one in (server, accepted):
                assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == UNSENT


def test_a_client_can_still_be_told_why_nobody_listens_to_it(pair: Pair) -> None:
    client, server = pair
    client.sendall(b"x")
    stop_listening_to(of(server))
    assert server.recv(10) == b"x"
    assert server.recv(10) == b""
    server.sendall(b"too slow")
    assert client.recv(10) == b"too slow"


def test_a_cut_one_is_over_for_both(pair: Pair) -> None:
    client, server = pair
    cut(of(server))
    assert client.recv(10) == b""
    with pytest.raises(OSError, match="Broken pipe"):
        server.sendall(b"x")


def test_another_that_has_its_descriptor_is_left_alone(pair: Pair) -> None:
    client, server = pair
    former = Connection(server.fileno(), os.fstat(server.fileno()).st_ino + 1, "127.0.0.1")
    cut(former)
    stop_listening_to(former)
    client.sendall(b"x")
    assert server.recv(10) == b"x"


@pytest.mark.parametrize(
    ("text", "written"),
    [("127.0.0.1", "127.0.0.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::0001", "::1"), ("", "")],
)
def test_an_address_is_written_in_one_way(text: str, written: str) -> None:
    assert same_address(text) == written
