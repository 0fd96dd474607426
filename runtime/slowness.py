"""How long a client is waited for: bodies that do not come, answers that nobody takes.

A request holds a thread while its body arrives and while its answer leaves. So a client that sends
a byte now and then, or reads none, must not be waited for without end; and the web server would
(Granian has no time-out for either). Each read of a body is timed here, and once a second a thread
of its own looks at the process's connections (`sockets`) and ends those that are too slow:

- a body must come at `LOWEST_RATE` at least, piece by piece: what is asked for in one piece, within
  `FORM_PATIENCE` seconds, of an upload `UPLOAD_PATIENCE`. Else its reader gets `TooSlow`, and the
  client can still be told;
- an answer must be taken at `LOWEST_RATE`, over `DOWNLOAD_PATIENCE` seconds. Else its connection is
  cut: its client sees it end before its `Content-Length`.

What the server itself is slow in is never held against a client: bytes that came and nobody read,
time in which there was nothing to send, a look that came late. So a body is ended by the first look
that begins `patience` or more after the end of another that saw its connection while it was waited
for: within `patience`, two times `TICK` and what two looks take, whenever a piece began and however
late the looks are.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext

from runtime.sockets import (
    Connection,
    Connections,
    State,
    cut,
    same_address,
    state_of,
    stop_listening_to,
)

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks at the connections."""

CONTINUE = len(b"HTTP/1.1 100 Continue\r\n\r\n")
"""Bytes that are sent to a client that asked whether its body is wanted (RFC 9110, 10.1.1)."""

APART = 2.0
"""Seconds by which a request may begin later than its last byte came."""


A_LITTLE = 8
"""What is longer than a piece by one part of so many, or less, is read at once, and may take as
much longer: uploads are read in pieces of nearly what comes at the lowest rate in a minute."""


class Readable(Protocol):
    """What a web server gives an application to read a body from (PEP 3333)."""

    def read(self, size: int, /) -> bytes: ...


class TooSlow(OSError):
    """The body came more slowly than `rate` bytes a second, for `seconds`. In words for people."""

    def __init__(self, seconds: float, rate: int) -> None:
        super().__init__(
            gettext(
                "Less than %(rate)s a second came for %(seconds)d seconds, so the server waited no "
                "longer."
            )
            % {"rate": filesizeformat(rate), "seconds": round(seconds)}
        )


@dataclass(eq=False)
class Handled:
    """A request that this process is at work on. Times are of the monotonic clock."""

    peer: str
    heard: float
    """When something of it came last: its head, or a piece of its body."""
    waiting: float | None = None
    """Since when it waits for a piece of its body; None while it does something else."""
    patience: float = 0.0


class Body:
    """A request's body, read in pieces of which none may take too long.

    The web server's `read` returns what was asked for, and less only where the body ends.
    """

    def __init__(self, body: Readable, handled: Handled) -> None:
        self._body = body
        self._handled = handled
        self.patience = float(settings.FORM_PATIENCE)
        """Seconds for a piece; whoever takes uploads gives more."""
        self.slow: TooSlow | None = None
        """Why it has ended, where it was too slow."""
        self.taken = 0
        """Bytes of it that were read."""

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, or all that is left.

        Fewer where the client has gone or was too slow, and then nothing, or TooSlow.
        """
        if self.slow is not None:
            raise self.slow
        pieces = []
        left = size if size >= 0 else None
        while left is None or left:
            most = max(int(settings.LOWEST_RATE * self.patience), 1)
            wanted = most if left is None else min(left, most)
            if left is not None and left <= most + most // A_LITTLE:
                wanted = left  # Rather than a rest of its own, and both joined.
            pieces.append(piece := self._piece(wanted))
            if len(piece) < wanted:
                break
            if left is not None:
                left -= wanted
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if not data and self.slow is not None:
            raise self.slow
        return data

    def readline(self, size: int = -1, /) -> bytes:
        """Up to the end of the line, as `read`. Byte by byte: no parser of ours asks for lines."""
        line = bytearray()
        while (size < 0 or len(line) < size) and (byte := self.read(1)):
            line += byte
            if byte == b"\n":
                break
        return bytes(line)

    def _piece(self, wanted: int) -> bytes:
        handled, patience = self._handled, max(self.patience, wanted / settings.LOWEST_RATE)
        begun = time.monotonic()
        handled.patience, handled.waiting = patience, begun
        try:
            piece = self._body.read(wanted)
        finally:
            handled.waiting, handled.heard = None, time.monotonic()
        self.taken += len(piece)
        if len(piece) < wanted and handled.heard - begun >= patience:
            self.slow = TooSlow(patience, settings.LOWEST_RATE)
        return piece


def slowness_of(request: HttpRequest) -> TooSlow | None:
    """Why a request's body ended before its time, where that is its client's slowness."""
    body = request.META.get("wsgi.input")
    return body.slow if isinstance(body, Body) else None


@dataclass(frozen=True)
class Look:
    """One look at the connections. What was seen in it is noted as of its end."""

    begun: float
    """Whatever was connected by then was seen."""
    ended: float


@dataclass
class Seen:
    """What is remembered of a connection."""

    changes: deque[tuple[float, int, int]] = field(default_factory=deque)
    """When what was received and taken were seen to change, and to what; the oldest first."""
    sending: tuple[float, int] | None = None
    """Since when there has always been something to take, and what was taken by then."""

    def note(self, now: float, state: State, oldest: float) -> None:
        """Remember what is seen now. Nobody asks what was before `oldest`."""
        numbers = (state.received, state.taken)
        if not self.changes or self.changes[-1][1:] != numbers:
            self.changes.append((now, *numbers))
        # The newest of those that are too old says how it stood at the beginning of the time kept.
        while len(self.changes) > 1 and self.changes[1][0] < oldest:
            self.changes.popleft()

    def at(self, moment: float) -> tuple[int, int] | None:
        """What had been received and taken by then; None where it was not there yet."""
        before = [numbers for seen, *numbers in self.changes if seen <= moment]
        return (before[-1][0], before[-1][1]) if before else None


class Watch:
    """Knows the requests that are handled, and ends connections of clients that are too slow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handled: set[Handled] = set()
        self._connections = Connections()
        self._seen: dict[Connection, Seen] = {}
        self._looks: deque[Look] = deque()
        self._is_running = False

    @contextmanager
    def handling(self, peer: str) -> Iterator[Handled]:
        """For as long as a request is at work, its answer on the way included."""
        handled = self.begin(peer)
        try:
            yield handled
        finally:
            self.end(handled)

    def begin(self, peer: str) -> Handled:
        """A request has come from that address."""
        handled = Handled(same_address(peer), time.monotonic())
        with self._lock:
            self._handled.add(handled)
            if not self._is_running:
                # Not before: a thread does not survive that a process is forked.
                threading.Thread(target=self._run, name="patience", daemon=True).start()
                self._is_running = True
        return handled

    def end(self, handled: Handled) -> None:
        """The request is over. Safe to repeat."""
        with self._lock:
            self._handled.discard(handled)

    def waiting(self) -> int:
        """How many requests wait for their bodies now."""
        with self._lock:
            return sum(handled.waiting is not None for handled in self._handled)

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                # Whatever it is: without this thread, clients would be waited for without end.
                log.exception("the connections could not be looked at")
            time.sleep(TICK)

    def look(self) -> None:
        """Look at every connection once, and end those that are too slow."""
        with self._lock:
            handled = list(self._handled)
        begun = time.monotonic()
        found = {one: state for one in self._connections.all() if (state := state_of(one))}
        look = Look(begun, now := time.monotonic())
        self._looks.append(look)
        # As above: one of them is always a patience ago, however far apart they are.
        oldest = begun - float(max(settings.FORM_PATIENCE, settings.UPLOAD_PATIENCE))
        while len(self._looks) > 1 and self._looks[1].ended < oldest:
            self._looks.popleft()
        self._seen = {one: self._seen.get(one) or Seen() for one in found}
        for one, state in found.items():
            self._seen[one].note(now, state, oldest)
            if self._is_not_taken(self._seen[one], state, now):
                log.warning("a client took its answer too slowly: its connection was cut")
                cut(one)
        for one in self._too_slow(handled, found, look):
            stop_listening_to(one)

    def _is_not_taken(self, seen: Seen, state: State, now: float) -> bool:
        """Whether there was something to take all the time, and too little was."""
        if not state.untaken:
            seen.sending = None
            return False
        since, taken = seen.sending or (now, state.taken)
        seen.sending = (since, taken)
        if now - since < settings.DOWNLOAD_PATIENCE:
            return False
        seen.sending = (now, state.taken)
        return state.taken - taken < settings.LOWEST_RATE * (now - since)

    def _too_slow(
        self, handled: list[Handled], found: dict[Connection, State], look: Look
    ) -> Iterator[Connection]:
        """The connections whose bodies some request has waited for too long.

        A request knows its client's address alone. Its connection is one from there on which
        nothing happened, or next to nothing, for as long as it waits. Others are like that, too:
        idle ones, which are over soon anyway, and those of requests that are worked on for long:
        these are left out.
        """
        at_work: dict[str, set[Connection]] = {}
        for late in handled:
            if (since := self._first_look(late, look)) is None:
                continue
            if (peer := late.peer) not in at_work:
                at_work[peer] = self._at_work(peer, handled, found)
            for connection, state in found.items():
                if (
                    connection.peer == peer
                    and connection not in at_work[peer]
                    and not state.unread
                    and not state.untaken
                    and self._is_too_quiet(self._seen[connection], state, late, since)
                ):
                    yield connection

    @staticmethod
    def _at_work(
        peer: str, handled: list[Handled], found: dict[Connection, State]
    ) -> set[Connection]:
        """The connections from there of requests that wait for nothing.

        Each of these has the one whose last byte came when its work began: the nearest of all, or
        somebody's quick upload would stand for the slow one beside it.
        """
        states = [(one, state.heard) for one, state in found.items() if one.peer == peer]
        pairs = sorted(
            (apart, number, place)
            for number, one in enumerate(handled)
            if one.peer == peer and one.waiting is None
            for place, (_, heard) in enumerate(states)
            if (apart := abs(one.heard - heard)) <= APART
        )
        requests, places = set[int](), set[int]()
        for _, number, place in pairs:
            if number not in requests and place not in places:
                requests.add(number)
                places.add(place)
        return {states[place][0] for place in places}

    def _first_look(self, late: Handled, look: Look) -> Look | None:
        """The first one since the request waits; None where that is not a patience ago.

        Not the moment itself: what had come by then nobody knows, and on a busy machine the next
        look is any time later.
        """
        if (waiting := late.waiting) is None:
            return None
        first = bisect_left(self._looks, waiting, key=lambda one: one.begun)
        since = self._looks[first] if first < len(self._looks) else look
        return since if look.begun - since.ended >= late.patience else None

    @staticmethod
    def _is_too_quiet(seen: Seen, state: State, late: Handled, since: Look) -> bool:
        # Its own connection was there before the request: one that was not seen then is another.
        if (before := seen.at(since.ended)) is None:
            return False
        received, taken = state.received - before[0], state.taken - before[1]
        # As many as the body has: one in chunks, which is longer, is refused at every door (411).
        return taken <= CONTINUE and received < settings.LOWEST_RATE * late.patience


WATCH = Watch()


class Patient:
    """A WSGI application whose requests are watched, from their head to the end of their answer."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        handled = WATCH.begin(environ.get("REMOTE_ADDR", ""))
        environ["wsgi.input"] = Body(environ["wsgi.input"], handled)
        try:
            answer = self._application(environ, start_response)
        except BaseException:
            WATCH.end(handled)
            raise
        # Closed by the server when all of it was sent, or the client has gone (PEP 3333).
        answer._resource_closers.append(lambda: WATCH.end(handled))
        return answer
