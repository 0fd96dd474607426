"""The cache in the database: what it keeps, and that every failure of it has one name."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection
from django.test import Client
from pytest_django import Settings

from accounts import limits, token_text
from accounts.models import User
from files.sharing.links import making
from runtime.caches import METHODS, CacheUnavailable, DatabaseCache
from tests.accounts.test_tokens import made
from tests.conftest import PASSWORD
from tests.files.asked import ask
from tests.files.sharing.links.makers import may_link
from tests.files.test_models import placed

RIGHT = "open sesame"

ASK: dict[str, Callable[[BaseCache], Any]] = {
    "add": lambda cache: cache.add("a", 1),
    "get": lambda cache: cache.get("a"),
    "set": lambda cache: cache.set("a", 1),
    "touch": lambda cache: cache.touch("a"),
    "delete": lambda cache: cache.delete("a"),
    "has_key": lambda cache: cache.has_key("a"),
    "incr": lambda cache: cache.incr("a"),
    "get_many": lambda cache: cache.get_many(["a"]),
    "set_many": lambda cache: cache.set_many({"a": 1}),
    "delete_many": lambda cache: cache.delete_many(["a"]),
    "clear": lambda cache: cache.clear(),
}


@pytest.fixture
def cache(db: None, settings: Settings) -> BaseCache:
    """The site's own, in place of the tests'."""
    settings.CACHES = {
        "default": {"BACKEND": "runtime.caches.DatabaseCache", "LOCATION": "django_cache"}
    }
    call_command("createcachetable")
    return DatabaseCache("django_cache", {})


def refuse(error: Exception) -> Callable[..., object]:
    def execute(run: Callable[..., object], sql: str, *arguments: object) -> object:
        if "django_cache" in sql:
            raise error
        return run(sql, *arguments)

    return execute


def test_it_keeps_what_it_is_told(cache: BaseCache) -> None:
    cache.set("a", [1, 2])
    assert cache.get("a") == [1, 2]
    cache.set("a", {"b": None})
    assert cache.get("a") == {"b": None}
    cache.set("never", 5, timeout=None)
    assert cache.incr("never") == 6
    assert cache.touch("never", 100)
    assert not cache.touch("nothing")
    assert cache.delete("a")
    assert cache.get("a") is None


def test_only_one_adds_until_it_is_over(cache: BaseCache) -> None:
    assert cache.add("a", "first")
    assert not cache.add("a", "second")
    assert cache.get("a") == "first"
    cache.set("a", "old", timeout=-1)
    assert cache.add("a", "third")
    assert cache.get("a") == "third"


def test_it_forgets_the_oldest_when_it_is_full(db: None, cache: BaseCache) -> None:
    small = DatabaseCache("django_cache", {"OPTIONS": {"MAX_ENTRIES": 20}})
    for number in range(60):
        small.set(f"entry-{number}", number)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_cache")
        assert cursor.fetchone()[0] <= 21


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "error",
    [OperationalError("database is locked"), IntegrityError("x"), OperationalError("disk full")],
    ids=str,
)
def test_every_failure_of_every_method_has_one_name(
    cache: BaseCache, method: str, error: Exception
) -> None:
    with connection.execute_wrapper(refuse(error)), pytest.raises(CacheUnavailable) as told:
        ASK[method](cache)
    assert told.value.__cause__ is error


def test_a_limit_that_cannot_count_is_not_one_that_is_reached(
    cache: BaseCache, alice: User, client: Client
) -> None:
    """The database takes no writes: right passwords are not "too many attempts"."""

    def no_writes(run: Callable[..., object], sql: str, *arguments: object) -> object:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")) and "django_cache" in sql:
            raise OperationalError("attempt to write a readonly database")
        return run(sql, *arguments)

    with connection.execute_wrapper(no_writes):
        answer = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
        assert answer.status_code == 503
        assert "Not available at the moment" in answer.content.decode()
        reset = client.post("/accounts/password/reset/", {"email": "alice@example.org"})
        assert reset.status_code == 503
    answer = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert answer.status_code == 302


def test_a_turn_that_does_not_come_says_nothing_of_attempts(
    cache: BaseCache, alice: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process was killed at a counter, or the cache did late what it was told."""
    monkeypatch.setattr(limits, "TURN", 0.05)
    monkeypatch.setattr(limits, "TURN_ENDS", 3600)
    with monkeypatch.context() as patch:
        patch.setattr(DatabaseCache, "add", lambda *arguments, **options: False)
        answer = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
        assert answer.status_code == 503
    answer = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert answer.status_code == 302


def test_no_door_takes_a_count_that_failed_for_the_count(cache: BaseCache, alice: User) -> None:
    """Whoever comes there, with a right word or a wrong one, is asked to come again."""
    token = made(alice, scopes=["read"]).text
    link = making.make(placed(alice), making.Terms(password="open sesame"), actor=may_link(alice))
    _asked, named = ask(alice)
    _asked, coded = ask(alice, _asked.folder, identify="code", addresses=["ann@example.org"])
    wanted = {"file": str(uuid.UUID(int=7)), "reason": "b"}
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}
    outsider = Client(raise_request_exception=False)
    person, program = Client(), Client(headers={"Authorization": f"Bearer {token}"})
    person.force_login(alice)
    doors: dict[str, Callable[[], Any]] = {
        "right password": lambda: outsider.post(making.path_of(link.text), {"password": RIGHT}),
        "password of nothing": lambda: outsider.post("/l/nothing/", {"password": RIGHT}),
        "no link": lambda: outsider.get("/l/nothing/"),
        "no request": lambda: outsider.get("/r/nothing/"),
        "no upload": lambda: outsider.post("/r/nothing/uploads/", headers=tus),
        "a name": lambda: outsider.post(f"/r/{named}/", {"name": "Ann"}),
        "an address": lambda: outsider.post(f"/r/{coded}/", {"email": "ann@example.org"}),
        "no token": lambda: outsider.get(
            "/api/v1/me", headers={"Authorization": f"Bearer {token_text.generate()}"}
        ),
        "program": lambda: outsider.post(
            "/accounts/programs/begin/", {"name": "a", "scope": "read"}
        ),
        "code of a program": lambda: outsider.post(
            "/accounts/programs/token/", {"grant_type": "authorization_code", "code": "a"}
        ),
        "asking": lambda: person.post("/asked/new/", wanted),
        "asking by program": lambda: program.post(
            "/api/v1/access-requests", wanted, "application/json"
        ),
    }
    with connection.execute_wrapper(refuse(OperationalError("disk full"))):
        found = {name: door() for name, door in doors.items()}
    assert {name: answer.status_code for name, answer in found.items()} == dict.fromkeys(doors, 503)
    assert all(answer["Retry-After"] for answer in found.values())
    assert doors["right password"]().status_code == 302
