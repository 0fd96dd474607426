"""Places of transfers: how many may run at once in this process, and how many of one person's.

A transfer holds a thread for as long as its client takes. So transfers never have all threads:
whoever comes when their places are taken by clients that are slow is refused at once, in words, and
pages go on. In a crowd of quick ones a place is soon free: there one waits for it, a few seconds at
most. One person has a few of the places, not all. Counted in this process alone, since its threads
are; nothing is left over when it dies.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts import limits, lockouts
from accounts.outside import capability, is_outside
from files.web.transfers.bodies import is_tus
from runtime.connections import release
from securestore import error_pages, errors, metrics

GetResponse = Callable[[HttpRequest], HttpResponseBase]

TRANSFERS = {
    "files:download": {"GET"},
    "files:download_several": {"POST"},
    "files:version_download": {"GET"},
    "files:read_by": {"POST"},
    "folders:read_by": {"POST"},
    "folders:zip": {"POST"},
    "links:download": {"GET"},
    "links:file_download": {"GET"},
    "links:zip": {"POST"},
    "files:upload": {"POST"},
    "files:reencrypt": {"POST"},
    "uploads": {"POST"},
    "upload": {"PATCH", "POST"},
    "asked_send": {"POST"},
    "asked_uploads": {"POST"},
    "asked_upload": {"PATCH", "POST"},
    "api:content": {"GET", "PUT"},
    "api:folder_content": {"GET", "PUT"},
    "api:file_content": {"GET"},
    "api:version_content": {"GET"},
    "admin:audit_auditevent_export": {"GET", "POST"},
    "admin:audit_auditevent_changelist": {"POST"},
}
"""The views whose answers, or whose bodies, may take as long as a client does."""

WAIT = 5
"""Seconds after which somebody who was refused may find a place."""

PATIENCE = 5.0
"""Seconds for which somebody waits for a place in a crowd that moves: a thread waits with them."""

LATELY = 2.0
"""Seconds within which as many must have begun or ended as want to wait."""

TOLD_FOR = 3600
"""Seconds for which one refusal of a person's transfers speaks for all, in the audit log."""


class NoPlace(Exception):
    """No transfer more may begin: `number` are running, of this person or of all."""

    def __init__(self, number: int, *, is_own: bool) -> None:
        super().__init__(f"{number} transfers are running")
        self.number = number
        self.is_own = is_own


class Waiting:
    """Somebody who waits for a place."""

    def __init__(self, person: int) -> None:
        self.person = person
        # A bare lock: whoever opens it may be a finalizer, in the very thread that waits for it.
        self.door = threading.Lock()
        self.door.acquire()


class Places:
    """Counts what is running, and lets in who waits."""

    def __init__(self) -> None:
        # A request that is thrown away gives its place back whenever that is, in a lock as well.
        self._lock = threading.RLock()
        self._running: Counter[int] = Counter()
        self._moves: deque[tuple[float, int]] = deque()
        self._waiting: list[Waiting] = []

    def take(self, person: int, *, patience: float = 0) -> None:
        """Begin a transfer of a person's; wait for up to `patience` seconds in a crowd that moves.

        Raises NoPlace.
        """
        with self._lock:
            refused = self._refusal(person)
            if refused is None:
                self._begin(person)
                return
            if not patience or not self._is_short(refused, person):
                raise refused
            waiting = Waiting(person)
            self._waiting.append(waiting)
        if waiting.door.acquire(timeout=patience):
            return
        with self._lock:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                raise refused
            # Let in at this very moment.

    def running(self, person: int | None = None) -> int:
        """How many transfers are running: of a person, or of all."""
        with self._lock:
            return self._running.total() if person is None else self._running[person]

    def give_back(self, person: int) -> None:
        """A transfer of theirs has ended."""
        with self._lock:
            self._running[person] -= 1
            self._running += Counter()  # Without those who have none left.
            self._move(person)
            for waiting in list(self._waiting):
                if self._refusal(waiting.person) is None:
                    self._waiting.remove(waiting)
                    self._begin(waiting.person)
                    waiting.door.release()

    def _begin(self, person: int) -> None:
        self._running[person] += 1
        self._move(person)

    def _refusal(self, person: int) -> NoPlace | None:
        """Why they may not begin now, where they may not."""
        if self._running[person] >= settings.TRANSFERS_PER_PERSON:
            return NoPlace(self._running[person], is_own=True)
        if person < 0 and (outside := self._outside()) >= max(settings.TRANSFERS_AT_ONCE // 2, 1):
            # However many doors there are for people outside: people inside find a place.
            return NoPlace(outside, is_own=False)
        if (running := self._running.total()) >= settings.TRANSFERS_AT_ONCE:
            return NoPlace(running, is_own=False)
        return None

    def _outside(self) -> int:
        """How many run for people outside, whose doors are counted below zero."""
        return sum(number for person, number in self._running.items() if person < 0)

    def _move(self, person: int) -> None:
        now = time.monotonic()
        self._moves.append((now, person))
        while self._moves[0][0] < now - LATELY:
            self._moves.popleft()

    def _is_short(self, refused: NoPlace, person: int) -> bool:
        """Whether the wait will be: fewer wait than transfers have begun or ended lately."""
        since = time.monotonic() - LATELY
        own = refused.is_own
        moves = sum(at > since and (not own or who == person) for at, who in self._moves)
        waiting = sum(not own or one.person == person for one in self._waiting)
        return waiting < moves


PLACES = Places()


class PlacesMiddleware:
    """Takes a place before a view that transfers, and gives it back when its answer has gone out.

    Must stand after those that find out who asks, and whether they may.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response = self.get_response(request)
        except BaseException:
            leave(request)
            raise
        # Closed by the server when all of it was sent, or the client has gone (PEP 3333).
        response._resource_closers.append(partial(leave, request))  # type: ignore[attr-defined]
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        # Who asks costs queries: asked for where it matters, and of no page that has failed.
        if request.method not in TRANSFERS.get(name, ()) or (person := whose(request)) is None:
            return None
        try:
            take(person)
        except NoPlace as refused:
            return refusal(request, refused, plain=is_tus(request.path_info))
        # Given back with the request itself at the latest, whatever becomes of its answer.
        place = weakref.finalize(request, PLACES.give_back, person)
        request.place = place  # type: ignore[attr-defined]
        return None


def whose(request: HttpRequest) -> int | None:
    """Whose transfer it is: a person's by number, or that of a door for people outside, below zero.

    A door has as many places as a person, whoever stands at it, and takes none of its maker's.
    """
    if request.user.is_authenticated:
        return int(request.user.pk)
    match = request.resolver_match
    text = match.kwargs.get("token") if match and is_outside(request.path_info) else None
    return None if text is None else -1 - int(capability.digest_of(text)[:15], 16)


def take(person: int) -> None:
    """A place of this process, at once or soon. Raises NoPlace."""
    try:
        PLACES.take(person)
    except NoPlace:
        release()  # Who waits holds no connection to the database.
        PLACES.take(person, patience=PATIENCE)


def leave(request: HttpRequest) -> None:
    """Give the request's place back, if it has one. Safe to repeat."""
    place = getattr(request, "place", None)
    if place is not None:
        place()


def refusal(request: HttpRequest, refused: NoPlace, *, plain: bool) -> HttpResponse:
    """The answer to who found no place; one's own limit is in the audit log."""
    page = error_pages.too_many_transfers(refused.number, is_own=refused.is_own)
    if refused.is_own:
        person: Any = request.user if request.user.is_authenticated else None
        new = limits.is_news(f"transfers:{whose(request)}", TOLD_FOR)
        lockouts.note(request, "transfers", WAIT, user=person, new=new)
    else:
        metrics.note_failure(type(refused).__name__)
    response = errors.answer_safely(request, page, plain=plain)
    if refused.is_own:
        response.problem = "too_many_transfers"  # type: ignore[attr-defined]
    response["Retry-After"] = str(WAIT)
    return response
