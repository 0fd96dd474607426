"""Limits on guessing: how often one action may be tried, and how long to wait after that.

Attempts are counted in the cache that all processes share, with the pieces of allauth's own limits:
a sliding window for each thing that is counted, and IPv6 addresses by their /64. What is counted
stands there as an HMAC, so the cache holds neither names nor addresses, nor what they can be
guessed from.

    with limits.KEY_ENTRY.counting(request, WrongFileKey, file=record.pk, user=user.pk):
        ...   # raises WrongFileKey: counted; anything else, and nothing: not

Never tells more than the wait: what was tried, and whether it was right, is no business of a limit.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext, ngettext

from runtime.connections import release

ADDRESS = "address"
CONTENDED = 1  # Seconds to wait where nobody knows how long.
TURN = 10.0
"""Seconds to wait for one's turn at a counter: longer than one that is left behind lasts."""

TURN_ENDS = 3
"""Seconds after which a turn is over whose process was killed, or whose end got lost."""


class CounterUnavailable(Exception):
    """The turn at a counter did not come. That says nothing about how often anything was tried."""


@contextmanager
def turn(counter: str) -> Iterator[bool]:
    """Let one request at a time read and write a counter. Raises CounterUnavailable.

    In the place of allauth's own, which takes a counter that it cannot have for one that is used
    up: a cache that has just come back would refuse right passwords. Always True.
    """
    name, mine = f"{counter}:lock", secrets.token_hex(8)
    deadline, pause = time.monotonic() + TURN, 0.01
    while not cache.add(name, mine, timeout=TURN_ENDS):
        if time.monotonic() >= deadline:
            raise CounterUnavailable(f"no turn at a counter within {TURN:g} seconds")
        release()  # Who waits needs no connection; who counts may.
        time.sleep(pause)
        pause = min(2 * pause, 0.1)
    try:
        yield True
    finally:
        # Not another's, where this one was over before.
        if cache.get(name) == mine:
            cache.delete(name)


ratelimit.cache_lock = turn


class LimitReached(Exception):
    """No attempt is left: `wait` is the number of whole seconds until there is one again.

    `is_new` is true once for each lock-out, so that the log has one event of it and not thousands.
    """

    def __init__(self, wait: int, *, is_new: bool = True) -> None:
        text = gettext("Too many attempts. Try again in %(wait)s.") % {"wait": in_words(wait)}
        super().__init__(text)
        self.wait = wait
        self.is_new = is_new


def in_words(seconds: int) -> str:
    """A wait as people read it: rounded up, `40 seconds` or `5 minutes`."""
    if seconds < 60:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    minutes = math.ceil(seconds / 60)
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


@dataclass(frozen=True)
class Limit:
    """At most so many attempts of one action.

    `rates` names what is counted, joined by `+`, and how often: `{"file+user": "5/5m"}` allows
    five in five minutes for one file and one user. `address` is the client's and need not be given.
    """

    action: str
    rates: Mapping[str, str]

    @contextmanager
    def counting(
        self, request: HttpRequest, wrong: type[Exception], **subjects: object
    ) -> Iterator[None]:
        """Count what ends in `wrong`. Raises LimitReached instead of running the block.

        Counted before it is known, so that many attempts at once gain nothing, and taken back if
        it was not wrong: only failures use a limit up, and no success forgives another's.
        """
        moment = time.time()
        self.take(request, **subjects)
        try:
            yield
        except wrong:
            raise
        except BaseException:
            self._give_back(request, moment, subjects)
            raise
        else:
            self._give_back(request, moment, subjects)

    def _give_back(
        self, request: HttpRequest, since: float, subjects: Mapping[str, object]
    ) -> None:
        """Take the first attempt since then out of each counter."""
        for rate, key in self._counters(request, subjects):
            # Where the turn does not come, one too many is counted for a while: it harms nobody.
            with suppress(CounterUnavailable), turn(key):
                history: list[float] = cache.get(key, [])
                mine = next((at for at in reversed(history) if at >= since), None)
                kept = [at for at in history if at != mine]
                cache.set(key, kept, rate.duration)

    def take(self, request: HttpRequest, **subjects: object) -> None:
        """Count one attempt before it is made. Raises LimitReached, and then it must not be.

        Raises CounterUnavailable, or as the cache does, where it cannot be counted.
        """
        for rate, key in self._counters(request, subjects):
            with turn(key):
                now = time.time()
                allowed, history = ratelimit.apply_rate(cache.get(key, []), now, rate)
                if not allowed:
                    wait = _until_free(history, rate, now)
                    raise LimitReached(wait, is_new=is_news(key, wait))
                cache.set(key, history, rate.duration)

    def clear(self, request: HttpRequest, **subjects: object) -> None:
        """Forget the attempts on exactly this: it was right. Broader counts stand.

        Otherwise guesses at one file could be bought with right keys of another.
        """
        (_rate, key), *_broader = self._counters(request, subjects)
        with turn(key):
            cache.delete(key)

    def _counters(
        self, request: HttpRequest, subjects: Mapping[str, object]
    ) -> Iterator[tuple[ratelimit.Rate, str]]:
        known = {ADDRESS: ratelimit.get_ip(request), **subjects}
        for names, text in self.rates.items():
            counted = "\0".join(f"{name}={known[name]}" for name in names.split("+"))
            yield ratelimit.parse_rate(text), _key(f"{self.action}\0{counted}")


# The narrowest first: that is what a right answer clears.
KEY_ENTRY = Limit(
    "key_entry", {"file+user": "5/5m", "file": "30/h", "user": "30/h", ADDRESS: "60/h"}
)

NAMES_OF_PEOPLE = Limit("names_of_people", {"user": "300/h", ADDRESS: "1500/h"})
"""Looking for people by what one types: a suggestion, or a form that names somebody who is not
there. Enough for who types names all day, and too few to copy the list of everybody."""


ACCESS_REQUESTS = Limit("access_requests", {"user": "30/h", ADDRESS: "300/h"})
"""Asking for access to what one may not see: as many as somebody may mean, each an event."""


def is_news(subject: str, wait: int) -> bool:
    """Whether nobody was told yet that attempts for `subject` are refused."""
    return bool(cache.add(_key(f"told\0{subject}"), 1, timeout=max(wait, 1)))


def digest(text: str) -> str:
    """What stands for a text in the cache: nobody without `SECRET_KEY` can try what it may be.

    What is typed for a name may be somebody's password.
    """
    return salted_hmac("securestore.limits", text, algorithm="sha256").hexdigest()


def _key(subject: str) -> str:
    return f"securestore:limit:{digest(subject)}"


def wait_for(
    request: HttpRequest,
    action: str,
    *,
    app: str = "allauth.account",
    key: str | None = None,
    user: object = None,
) -> int:
    """Seconds until one of allauth's own limits allows `action` again; 0 when it does now."""
    waits = [0]
    for rate in ratelimit.get_rates(app=app, action=action):
        if (rate.per == "key" and key is None) or (rate.per == "user" and user is None):
            continue
        counter = ratelimit.get_cache_key(
            request, app=app, action=action, rate=rate, key=key, user=user
        )
        now = time.time()
        allowed, history = ratelimit.apply_rate(cache.get(counter, []), now, rate, dry_run=True)
        if not allowed:
            waits.append(_until_free(history, rate, now))
    return max(waits)


def _until_free(history: list[float], rate: ratelimit.Rate, now: float) -> int:
    # Newest first: there is room again when the oldest of the last `amount` leaves the window.
    return max(1, math.ceil(history[int(rate.amount) - 1] + float(rate.duration) - now))
