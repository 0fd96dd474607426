"""Limits on guessing: what is counted, who waits for how long, and what a right answer forgives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest
from django.test import RequestFactory

from accounts.limits import KEY_ENTRY, Limit, LimitReached, in_words, wait_for

THREE = Limit("test", {"file+user": "3/5m", "user": "5/h", "address": "8/h"})


def asked(address: str = "192.0.2.1") -> HttpRequest:
    return RequestFactory().post("/", REMOTE_ADDR=address)


def exhaust(limit: Limit, request: HttpRequest, times: int, **subjects: object) -> None:
    for _ in range(times):
        limit.take(request, **subjects)


def test_the_attempts_are_counted_and_the_wait_is_told() -> None:
    exhaust(THREE, asked(), 3, file=1, user=1)
    with pytest.raises(LimitReached, match="Try again in 5 minutes") as reached:
        THREE.take(asked(), file=1, user=1)
    assert 295 < reached.value.wait <= 300


def test_a_lock_out_is_news_once() -> None:
    exhaust(THREE, asked(), 3, file=1, user=1)
    told = []
    for _ in range(3):
        with pytest.raises(LimitReached) as reached:
            THREE.take(asked(), file=1, user=1)
        told.append(reached.value.is_new)
    assert told == [True, False, False]


def test_other_files_users_and_addresses_count_apart() -> None:
    exhaust(THREE, asked(), 3, file=1, user=1)
    THREE.take(asked(), file=2, user=1)
    THREE.take(asked(), file=1, user=2)


def test_one_user_is_limited_over_all_files() -> None:
    for file in range(5):
        THREE.take(asked(), file=file, user=1)
    with pytest.raises(LimitReached, match="60 minutes"):
        THREE.take(asked("198.51.100.1"), file=9, user=1)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
    ],
)
def test_addresses_are_counted_and_ipv6_by_its_network(first: str, second: str, same: bool) -> None:
    limit = Limit("address", {"address": "2/m"})
    exhaust(limit, asked(first), 2)
    if same:
        with pytest.raises(LimitReached):
            limit.take(asked(second))
    else:
        limit.take(asked(second))


def test_a_right_answer_forgives_this_and_nothing_broader() -> None:
    exhaust(THREE, asked(), 3, file=1, user=1)
    THREE.clear(asked(), file=1, user=1)
    exhaust(THREE, asked(), 2, file=1, user=1)
    with pytest.raises(LimitReached, match="60 minutes"):
        THREE.take(asked(), file=1, user=1)


def test_the_wait_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    exhaust(THREE, asked(), 3, file=1, user=1)
    now = ratelimit.time.time()
    monkeypatch.setattr("accounts.limits.time.time", lambda: now + 301)
    THREE.take(asked(), file=1, user=1)


def test_the_cache_holds_no_names() -> None:
    KEY_ENTRY.take(asked(), file="secret-name", user="alice")
    assert "secret-name" not in str(cache._cache)  # type: ignore[attr-defined]
    assert "192.0.2.1" not in str(cache._cache)  # type: ignore[attr-defined]


def test_attempts_at_the_same_time_do_not_slip_through() -> None:
    def attempt(_number: int) -> bool:
        try:
            THREE.take(asked(), file=1, user=1)
        except LimitReached:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(24))) <= 3


def test_the_wait_of_a_limit_of_allauths() -> None:
    request = asked()
    assert wait_for(request, "login") == 0
    for _ in range(120):
        assert ratelimit.consume(request, app="allauth.account", action="login")
    assert 55 < wait_for(request, "login") <= 60


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes"), (300, "5 minutes")],
)
def test_waits_are_rounded_up(seconds: int, words: str) -> None:
    assert in_words(seconds) == words
