"""What a supervisor or a load balancer asks. Answers tell no internals: the log has them.

Anybody may ask, and often: the store is asked, and the database and the cache are written to, at
most every two seconds by a process, whoever and how many ask. Nobody waits for the store longer
than five.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from files.keys import wrapping
from files.keys.master_keys import keyring
from files.upkeep import pulse
from files.vault import stored_objects
from runtime import database_state
from runtime.caches import CacheUnavailable
from runtime.slots import DERIVATIONS

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds after which a store that has not answered counts as failed."""

FRESH = 2.0
"""Seconds for which an answer is good."""

UNCHANGED = 60.0
"""Seconds for which an answer is good of which keys are needed: it is a count of all objects."""


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all. Reads nothing."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when files can be stored and read; else 503, and which part fails."""
    checks = {
        "database": DATABASE.check,
        "cache": CACHE.check,
        "store": STORE.check,
        "keyring": check_keyring,
        # One that hangs holds its thread and its memory for as long as the process lives.
        "passwords": DERIVATIONS.check,
    }
    parts = {part: _outcome(part, check) for part, check in checks.items()}
    ok = all(outcome == "ok" for outcome in parts.values())
    return JsonResponse(parts, status=200 if ok else 503)


def check_database() -> None:
    """Raises `django.db.Error` when it takes no writes, NotInService when it was moved."""
    if state := database_state.read():
        if not state.readable:
            raise database_state.NotInService(state.words)
        return  # Closed: pages that only read go on.
    pulse.check()


def check_cache() -> None:
    """Raises CacheUnavailable when the cache does not keep what it is told."""
    said = secrets.token_hex(8)
    cache.set("securestore:ready", said, timeout=60)
    if cache.get("securestore:ready") is None:
        raise CacheUnavailable("the cache forgets what it is told")


def check_keyring() -> None:
    """Raises as `wrapping.check_keyring`; counts no objects where that was done a moment ago."""
    wrapping.check_keyring(NEEDED.keys())


def _outcome(part: str, check: Callable[[], object]) -> str:
    try:
        check()
    except Exception as error:
        # Whatever it is, the part cannot be used.
        log.error("not ready: %s: %s: %s", part, type(error).__name__, error)
        return "failed"
    return "ok"


class KeysNeeded:
    """Which master keys are needed, counted once in a while however many ask.

    Where one is missing, it is counted again after `FRESH` seconds: somebody may have added it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, int] | None = None
        self._counted = 0.0

    def keys(self) -> dict[str, int]:
        """The keys' ids, with numbers. Raises `django.db.Error`."""
        # Who comes while another counts takes what is known, if anything is.
        if self._lock.acquire(blocking=self._known is None):
            try:
                known, age = self._known, time.monotonic() - self._counted
                missing = any(key_id not in keyring() for key_id in known or ())
                if known is None or age >= (FRESH if missing else UNCHANGED):
                    self._known = wrapping.keys_needed()
                    self._counted = time.monotonic()
            finally:
                self._lock.release()
        return self._known or {}

    def forget(self) -> None:
        """Count anew at the next question."""
        with self._lock:
            self._known = None


NEEDED = KeysNeeded()


class Probe:
    """Asks something slow, one at a time, and remembers the answer a while.

    `on_thread` asks on a thread of its own, for what no time-out covers wholly: a host name that
    does not resolve, an answer that trickles. Such a thread cannot be stopped, so as long as one
    hangs no other is begun, and those who ask are told at once. What has time-outs of its own is
    asked by whoever comes first.
    """

    def __init__(self, ask: Callable[[], object], *, on_thread: bool = True) -> None:
        self._ask = ask
        self._on_thread = on_thread
        self._lock = threading.Lock()
        self._begun = 0.0
        self._done: threading.Event | None = None
        self._answered = -FRESH
        self._error: Exception | None = None

    def check(self) -> None:
        """Raises what the question raised, or TimeoutError."""
        mine = None
        with self._lock:
            now = time.monotonic()
            if self._done is None and now - self._answered >= FRESH:
                mine = self._done = threading.Event()
                self._begun = now
            done, left = self._done, self._begun + PATIENCE - now
        if mine is not None and self._on_thread:
            threading.Thread(target=self._run, args=[mine], daemon=True).start()
        elif mine is not None:
            self._run(mine)
        if done is not None and not done.wait(max(left, 0)):
            raise TimeoutError(f"no answer within {PATIENCE:.0f} seconds")
        if (error := self._error) is not None:
            raise error.with_traceback(None)

    def forget(self) -> None:
        """Ask anew at the next check, also which keys are needed."""
        NEEDED.forget()
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


STORE = Probe(stored_objects.check_store)
DATABASE = Probe(check_database, on_thread=False)
CACHE = Probe(check_cache, on_thread=False)
PROBES = (STORE, DATABASE, CACHE)
