"""What a supervisor or a load balancer asks. Answers tell no internals: the log has them.

Anybody may ask, and often: the store is asked at most every two seconds by a process, whoever and
how many ask, and nobody waits for it longer than five.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from files import vault
from files.crypto.slots import DERIVATIONS

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds after which a store that has not answered counts as failed."""

FRESH = 2.0
"""Seconds for which an answer of the store is good."""


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all. Reads nothing."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when files can be stored and read; else 503, and which part fails."""
    checks = {
        "database": check_database,
        "store": STORE.check,
        "keyring": vault.check_keyring,
        # One that hangs holds its thread and its memory for as long as the process lives.
        "passwords": DERIVATIONS.check,
    }
    parts = {part: _outcome(part, check) for part, check in checks.items()}
    ok = all(outcome == "ok" for outcome in parts.values())
    return JsonResponse(parts, status=200 if ok else 503)


def check_database() -> None:
    """Raises `django.db.Error` when the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _outcome(part: str, check: Callable[[], object]) -> str:
    try:
        check()
    except Exception as error:
        # Whatever it is, the part cannot be used.
        log.error("not ready: %s: %s: %s", part, type(error).__name__, error)
        return "failed"
    return "ok"


class Probe:
    """Asks something slow on a thread of its own, one at a time, and remembers the answer a while.

    The thread is needed because no time-out of the store's client covers everything: a host name
    that does not resolve, an answer that trickles. It cannot be stopped, so as long as one hangs no
    other is begun, and those who ask are told at once.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._begun = 0.0
        self._done: threading.Event | None = None
        self._answered = -FRESH
        self._error: Exception | None = None

    def check(self) -> None:
        """Raises what the question raised, or TimeoutError."""
        with self._lock:
            now = time.monotonic()
            if self._done is None and now - self._answered >= FRESH:
                self._done, self._begun = threading.Event(), now
                thread = threading.Thread(target=self._run, args=[self._done], daemon=True)
                thread.start()
            done, left = self._done, self._begun + PATIENCE - now
        if done is not None and not done.wait(max(left, 0)):
            raise TimeoutError(f"no answer within {PATIENCE:.0f} seconds")
        if (error := self._error) is not None:
            raise error.with_traceback(None)

    def forget(self) -> None:
        """Ask anew at the next check."""
        with self._lock:
            self._answered = -FRESH

    def _run(self, done: threading.Event) -> None:
        error: Exception | None = None
        try:
            self._ask()
        except Exception as failure:
            error = failure
        with self._lock:
            self._error, self._answered, self._done = error, time.monotonic(), None
        done.set()


STORE = Probe(vault.check_store)
