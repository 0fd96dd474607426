"""How long a client is waited for: the body's pieces, and whose connection is ended."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings

from runtime.slowness import Body, Handled, Patient, TooSlow, Watch


@pytest.fixture(autouse=True)
def in_a_hurry(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is slower than that for 0.3 seconds is too slow."""
    monkeypatch.setattr("runtime.slowness.TICK", 0.02)
    settings.FORM_PATIENCE = settings.DOWNLOAD_PATIENCE = 0.3
    settings.LOWEST_RATE = 1000


class Clock:
    """Time that goes on when a test says so, and so is the same on a machine that is busy."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        self.now += 1e-6  # It never stands still.
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class RealTime(Clock):
    """The machine's own, for what goes by when the kernel heard or sent something last."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        threading.Event().wait(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Nothing is waited for: the watch has this clock, the connections are real."""
    made = Clock()
    monkeypatch.setattr("runtime.slowness.time", SimpleNamespace(monotonic=made.monotonic))
    return made


@pytest.fixture
def real_time() -> RealTime:
    return RealTime()


def handled() -> Handled:
    return Handled("127.0.0.1", time.monotonic())


# --- Bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [-1, 1, 299, 300, 301, 5000])
def test_a_body_is_read_as_it_is(size: int) -> None:
    whole = bytes(range(256)) * 5
    body, found = Body(io.BytesIO(whole), handled()), b""
    while piece := body.read(size):
        assert size < 0 or len(piece) <= size
        found += piece
    assert found == whole
    assert body.slow is None


def test_no_piece_is_longer_than_what_comes_in_time() -> None:
    asked = []

    class Asked(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return super().read(size)

    assert len(Body(Asked(bytes(1000)), handled()).read(900)) == 900
    assert asked == [300, 300, 300]


@pytest.mark.parametrize(("size", "pieces"), [(337, [337]), (338, [300, 38]), (900, [300] * 3)])
def test_a_little_more_is_read_at_once_and_may_take_as_much_longer(
    size: int, pieces: list[int]
) -> None:
    given, asked = handled(), []

    class Asked(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append((size, round(given.patience, 3)))
            return super().read(size)

    assert Body(Asked(bytes(1000)), given).read(size) == bytes(size)
    assert asked == [(piece, max(0.3, piece / 1000)) for piece in pieces]


def test_lines_can_be_read() -> None:
    body = Body(io.BytesIO(b"one\ntwo\nthree"), handled())
    assert [body.readline(), body.readline(2), body.readline()] == [b"one\n", b"tw", b"o\n"]
    assert [body.readline(), body.readline()] == [b"three", b""]


class Ended(io.BytesIO):
    """As the web server's body, when its client's connection is ended after a while."""

    def __init__(self, whole: bytes, clock: Clock) -> None:
        super().__init__(whole)
        self._clock = clock

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if len(found) < (size or 0):
            self._clock.wait(0.4)
        return found


def test_what_came_before_it_was_too_slow_is_not_lost(clock: Clock) -> None:
    body = Body(Ended(b"x" * 700, clock), handled())
    assert body.read(1000) == b"x" * 700
    with pytest.raises(TooSlow, match=r"Less than 1000.bytes a second came for 0 seconds"):
        body.read(1000)


def test_one_that_was_cut_off_is_not_called_slow() -> None:
    body = Body(io.BytesIO(b"x" * 700), handled())
    assert body.read(1000) == b"x" * 700
    assert body.read(1000) == b""
    assert body.slow is None


# --- Connections ------------------------------------------------------------------------------


class Client:
    """A connection to this process; `server` is its other end."""

    def __init__(self, listener: socket.socket) -> None:
        self.socket = socket.create_connection(listener.getsockname())
        self.server, _ = listener.accept()
        for end in (self.socket, self.server):
            end.settimeout(10)

    def has_ended(self) -> bool:
        """Whether the server reads an end where the client sent none."""
        self.server.setblocking(False)
        try:
            return self.server.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def connect() -> Iterator[Callable[[], Client]]:
    clients = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def one_more() -> Client:
            clients.append(Client(listener))
            return clients[-1]

        yield one_more
        for client in clients:
            client.socket.close()
            client.server.close()


@contextmanager
def looking(watch: Watch, clock: Clock) -> Iterator[Callable[[float], None]]:
    """Looks again and again, as the thread does, for so many seconds.

    Where nobody looks meanwhile (`clock.wait`), it is as on a machine that has so much else to do.
    """

    def look(seconds: float) -> None:
        end = clock.monotonic() + seconds
        while clock.monotonic() < end:
            watch.look()
            clock.wait(0.02)

    yield look


def begin(watch: Watch, clock: Clock, *, waits: bool) -> Handled:
    """A request, without the thread that would look at connections."""
    one = Handled("127.0.0.1", clock.monotonic())
    if waits:
        one.waiting, one.patience = clock.monotonic(), 0.3
    watch._handled.add(one)
    return one


@pytest.mark.parametrize("sends", [False, True])
def test_a_body_that_does_not_come_is_ended(
    connect: Callable[[], Client], clock: Clock, sends: bool
) -> None:
    watch, client = Watch(), connect()
    begin(watch, clock, waits=True)
    with looking(watch, clock) as look:
        look(0.2)
        assert not client.has_ended()
        if sends:
            client.socket.sendall(b"x")
            assert client.server.recv(1)
        look(0.3)
    assert client.has_ended()


@pytest.mark.parametrize("sends", [False, True])
def test_however_late_the_first_look_comes(
    connect: Callable[[], Client], clock: Clock, sends: bool
) -> None:
    """More than a tick after the body was waited for: nobody knows what had come by then."""
    watch, client = Watch(), connect()
    begin(watch, clock, waits=True)
    clock.wait(0.4)
    with looking(watch, clock) as look:
        look(0.1)
        assert not client.has_ended()
        if sends:
            client.socket.sendall(b"x")
            assert client.server.recv(1)
        look(0.5)
    assert client.has_ended()


def test_what_came_between_two_looks_that_are_far_apart_counts(
    connect: Callable[[], Client],
    clock: Clock,
) -> None:
    watch, client = Watch(), connect()
    begin(watch, clock, waits=True)
    for _ in range(4):
        watch.look()
        clock.wait(0.4)
        client.socket.sendall(b"x" * 4000)
        assert client.server.recv(4000)
    assert not client.has_ended()
    for _ in range(2):
        clock.wait(0.4)
        begin(watch, clock, waits=True)
        watch.look()
    clock.wait(0.4)
    watch.look()
    assert client.has_ended()


def test_one_that_was_connected_after_the_wait_began_is_another(
    connect: Callable[[], Client],
    clock: Clock,
) -> None:
    watch, client = Watch(), connect()
    begin(watch, clock, waits=True)
    watch.look()
    later = connect()
    with looking(watch, clock) as look:
        look(0.6)
    assert client.has_ended()
    assert not later.has_ended()


@pytest.mark.parametrize("late", [0, 0.5])
def test_one_that_comes_fast_enough_is_not(
    connect: Callable[[], Client], clock: Clock, late: float
) -> None:
    watch, client, slow = Watch(), connect(), connect()
    begin(watch, clock, waits=True)
    clock.wait(late)
    with looking(watch, clock) as look:
        for _ in range(6):
            client.socket.sendall(b"x" * 4000)
            assert client.server.recv(4000)
            look(0.1)
    assert not client.has_ended()
    assert slow.has_ended()


def test_what_the_server_has_not_read_is_not_its_clients_slowness(
    connect: Callable[[], Client],
    clock: Clock,
) -> None:
    watch, client = Watch(), connect()
    client.socket.sendall(b"x")
    begin(watch, clock, waits=True)
    with looking(watch, clock) as look:
        look(0.5)
    assert client.server.recv(1) == b"x"
    assert not client.has_ended()


def test_nobody_is_ended_for_a_request_that_is_worked_on(
    connect: Callable[[], Client], clock: Clock
) -> None:
    watch, client = Watch(), connect()
    begin(watch, clock, waits=False)
    with looking(watch, clock) as look:
        look(0.5)
    assert not client.has_ended()


def test_a_long_work_for_the_same_address_goes_on(
    connect: Callable[[], Client], real_time: RealTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.slowness.APART", 0.2)
    watch, slow = Watch(), connect()
    slow.socket.sendall(b"x")
    assert slow.server.recv(1)
    with looking(watch, real_time) as look:
        look(0.4)
        worked_on = connect()
        worked_on.socket.sendall(b"x")
        assert worked_on.server.recv(1)
        begin(watch, real_time, waits=False)
        begin(watch, real_time, waits=True)
        look(0.6)
    assert slow.has_ended()
    assert not worked_on.has_ended()


def test_a_quick_upload_beside_it_hides_no_slow_one(
    connect: Callable[[], Client], real_time: RealTime
) -> None:
    """From the same address, as all are behind a proxy; nearly always at work on what has come."""
    watch, slow, quick = Watch(), connect(), connect()
    begin(watch, real_time, waits=True)
    at_work = begin(watch, real_time, waits=False)
    with looking(watch, real_time) as look:
        for _ in range(8):
            slow.socket.sendall(b"x")
            assert slow.server.recv(1)
            real_time.wait(0.05)
            quick.socket.sendall(b"x" * 4000)
            assert quick.server.recv(4000)
            at_work.heard = real_time.monotonic()
            look(0.05)
    assert slow.has_ended()
    assert not quick.has_ended()


@pytest.mark.parametrize("takes", [0, 50])
def test_an_answer_that_nobody_takes_is_cut(
    connect: Callable[[], Client], clock: Clock, takes: int
) -> None:
    watch, client = Watch(), connect()
    fill(client.server)
    with looking(watch, clock) as look:
        for _ in range(15):
            if takes:
                client.socket.recv(takes)
            look(0.1)
    client.server.settimeout(10)
    with pytest.raises(OSError, match=r"Broken pipe|reset"):
        client.server.sendall(b"x")


def test_one_that_is_taken_is_not(connect: Callable[[], Client], real_time: RealTime) -> None:
    watch, client = Watch(), connect()
    with looking(watch, real_time) as look:
        for _ in range(6):
            fill(client.server)
            # As much as it takes for the window to open again.
            client.socket.recv(4 << 20)
            look(0.1)
    assert not client.has_ended()


def fill(server: socket.socket) -> None:
    """Send as much as the system takes."""
    server.setblocking(False)
    while True:
        try:
            server.send(bytes(1 << 20))
        except BlockingIOError:
            return


# --- Requests ---------------------------------------------------------------------------------


def start_response(*_arguments: object) -> None:
    """What a web server gives an application (PEP 3333)."""


class Answer:
    """What an application of Django's returns."""

    def __init__(self) -> None:
        self._resource_closers: list[Callable[[], object]] = []


def test_a_request_is_watched_until_its_answer_has_gone_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Watch()
    watch._is_running = True
    monkeypatch.setattr("runtime.slowness.WATCH", watch)
    answer = Answer()

    def application(environ: dict[str, Any], start_response: Any) -> Answer:
        assert isinstance(environ["wsgi.input"], Body)
        assert watch.waiting() == 0
        return answer

    environ = {"REMOTE_ADDR": "::ffff:192.0.2.1", "wsgi.input": io.BytesIO(b"x")}
    assert Patient(application)(environ, start_response) is answer
    [one] = watch._handled
    assert one.peer == "192.0.2.1"
    for close in answer._resource_closers:
        close()
    assert not watch._handled


def test_nothing_is_left_of_one_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    watch._is_running = True
    monkeypatch.setattr("runtime.slowness.WATCH", watch)

    def application(environ: dict[str, Any], start_response: Any) -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Patient(application)({"wsgi.input": io.BytesIO()}, start_response)
    assert not watch._handled
