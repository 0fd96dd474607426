"""Every operation of the API, and who gets through: people, and what their tokens take away.

The table is in `tests/files/doors.py`. An operation without an entry fails.
Who knocks one by one, and more rarely, does so among the tests of `make integration`.
"""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Token, User
from files.models import FileRecord, Folder
from files.tree import placing
from files.web.api import schema
from tests.files.conftest import give
from tests.files.doors import (
    FILE,
    FOLDER,
    GUESTS,
    OPERATIONS,
    POWERFUL,
    ROUTES,
    Operation,
    unknown,
)
from tests.files.test_urls import (
    Thing,
    a_member,
    by_thing,
    estrange,
    noting,
    one_by_one,
    strangers,
    thing,
    undone,
    what_is_noted_stays_the_same,
)
from tests.files.web.api.callers import ALL, Caller, problem

OF_THINGS = [one for one in OPERATIONS if one.takes in {FILE, FOLDER}]
OURS = [one for one in OF_THINGS if not one.oversight]


def knock(caller: Caller, door: Operation, wanted: object) -> Any:
    """The answer to one request for the thing with that id."""
    path = door.address(wanted)
    if door.json is not None:
        return caller.client.generic(
            door.method, path, json.dumps(door.json), "application/json", headers=caller.headers
        )
    kind = "text/plain" if door.body else ""
    return caller.client.generic(door.method, path, door.body, kind, headers=caller.headers)


def told(response: Any, wanted: object) -> tuple[Any, ...]:
    """An answer without what differs between any two: the request's id, and the one asked for."""
    headers = sorted((k, v) for k, v in response.items() if k != "X-Request-ID")
    text = response.content.decode().replace(str(wanted), "#")
    return response.status_code, text, headers


def asked_for(caller: Caller, door: Operation, known: object) -> tuple[Any, list[str]]:
    """What is told of that id, and what the database was asked for it."""
    asked: list[str] = []
    with connection.execute_wrapper(noting(asked)):
        response = knock(caller, door, known)
    return told(response, known), asked


def indistinguishable(
    caller: Caller, door: Operation, wanted: object, *, came_before: bool = False
) -> int:
    """The status, which is that of an id that nothing has, as is all else of the answer."""
    if not came_before:
        knock(caller, door, unknown(door)).close()  # What is done once is done.
    answer, queries = asked_for(caller, door, wanted)
    nothing, as_many = asked_for(caller, door, unknown(door))
    assert answer == nothing, door
    assert queries == as_many, door
    status: int = answer[0]
    return status


# --- The table is complete ----------------------------------------------------------------------


def test_every_operation_has_exactly_one_entry() -> None:
    known = [
        (method.upper(), path)
        for path, methods in schema.document()["paths"].items()
        for method in methods
    ]
    table = [(one.method, one.path) for one in OPERATIONS]
    assert sorted(known) == sorted(table), "say in tests/files/doors.py who may knock there"
    assert all(one.scope in {"", *Token.Scope.values} for one in OPERATIONS)


def test_every_path_is_in_the_schema() -> None:
    routes = {route for name, route in ROUTES.items() if name.startswith("api:")}
    paths = {one.path.lstrip("/") for one in OPERATIONS}
    for route in routes - {"api/v1/openapi.json"}:
        plain = route
        for kind in ("uuidstr:", "uuid:", "int:", "names:"):
            plain = plain.replace(f"<{kind}", "<")
        assert plain.replace("<", "{").replace(">", "}") in paths, route


# --- Whose token it is --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "a cookie", "unknown", "revoked", "expired", "inactive"])
def test_without_a_token_that_is_taken_there_is_one_answer(
    alice: User, record: FileRecord, kind: str
) -> None:
    caller = Caller(alice)
    token = Token.objects.filter(pk=caller.made.token.pk)
    if kind == "unknown":
        token.update(digest="0" * 64)
    elif kind == "revoked":
        token.update(revoked_at=timezone.now())
    elif kind == "expired":
        token.update(expires_at=timezone.now())
    elif kind == "inactive":
        User.objects.filter(pk=alice.pk).update(is_active=False)
    elif kind == "a cookie":
        caller.headers = {}
        caller.client.force_login(alice)
    else:
        caller.headers = {}
    for doors in by_thing(OPERATIONS, lambda door: door):
        with transaction.atomic():
            behind = Thing(doors[0], alice, record) if doors[0].takes else None
            for door in doors:
                cache.clear()  # There are more doors than guesses.
                answer = knock(caller, door, behind.id if behind else "")
                code = "token_missing" if kind in {"none", "a cookie"} else "token_invalid"
                if door.method == "HEAD":
                    assert answer.status_code == 401
                else:
                    assert problem(answer) == (401, code), door
                assert answer["WWW-Authenticate"].startswith("Bearer")
                assert behind is None or behind.is_there, door
            transaction.set_rollback(True)


# --- What a token takes away --------------------------------------------------------------------


def test_every_other_scope_does_not_help(alice: User, record: FileRecord) -> None:
    """The scope is named before anything else is looked at, and nothing has changed."""
    callers = {
        scope: Caller(alice, *(one for one in ALL if one != scope))
        for scope in {door.scope for door in OPERATIONS if door.scope}
    }
    for doors in by_thing([door for door in OPERATIONS if door.scope], lambda door: door):
        with undone():
            behind = Thing(doors[0], alice, record) if doors[0].takes else None
            for door in doors:
                with undone():
                    answer = knock(callers[door.scope], door, behind.id if behind else "")
                    assert answer.status_code == 403, door
                    assert f'scope="{door.scope}"' in answer["WWW-Authenticate"]
                    if door.method != "HEAD":
                        assert problem(answer) == (403, "scope_missing"), door
                        assert answer.json()["scope"] == door.scope
                    assert behind is None or behind.is_there, door


def test_its_own_scope_is_enough(alice: User, record: FileRecord) -> None:
    scopes = {door.scope or "audit" for door in OPERATIONS}
    callers = {scope: Caller(alice, scope) for scope in scopes}
    for doors in by_thing(OPERATIONS, lambda door: door):
        with undone():
            behind = Thing(doors[0], alice, record) if doors[0].takes else None
            for door in doors:
                with undone():
                    caller = callers[door.scope or "audit"]
                    answer = knock(caller, door, behind.id if behind else "")
                    answer.close()
                    assert answer.status_code == door.ok, (door, answer.content)


def test_a_token_of_another_folder_reaches_none_of_it(
    alice: User, record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    what_is_noted_stays_the_same(monkeypatch)
    other = placing.add_folder(placing.root_of(alice), "other", added_by=None)
    caller = Caller(alice, folder_id=other.pk)
    knock(caller, OURS[0], unknown(OURS[0])).close()  # What is done once is done.
    for doors in by_thing(OURS, lambda door: door):
        with undone():
            behind = Thing(doors[0], alice, record)
            for door in doors:
                with undone():
                    status = indistinguishable(caller, door, behind.id, came_before=True)
                    assert status == 404, door
                    assert behind.is_there, door


def moved_to(case: Folder, item: FileRecord | Folder) -> None:
    """It goes into that folder, of the same owner's."""
    placing.leave(item)
    if isinstance(item, Folder):
        placing.graft(item, case)
    else:
        FileRecord.objects.filter(pk=item.pk).update(folder=case)
    placing.enter(item, case)


def test_a_token_of_its_folder_reaches_it(alice: User, record: FileRecord) -> None:
    for doors in by_thing(OURS, lambda door: door):
        with undone():
            behind = Thing(doors[0], alice, record)
            where = behind.granted
            if not doors[0].trashed:
                where = placing.add_folder(placing.root_of(alice), "case", added_by=None)
                behind.granted.refresh_from_db()
                moved_to(where, behind.granted)
            caller = Caller(alice, folder_id=where.pk)
            for door in doors:
                with undone():
                    answer = knock(caller, door, behind.id)
                    answer.close()
                    assert answer.status_code == door.ok, (door, answer.content)


# --- Whom the person is -------------------------------------------------------------------------


@pytest.mark.parametrize("people", strangers())
def test_to_strangers_it_does_not_exist(
    alice: User, s3: object, monkeypatch: pytest.MonkeyPatch, people: list[tuple[str, ...]]
) -> None:
    """As at the doors of pages: see tests/files/test_urls.py."""
    what_is_noted_stays_the_same(monkeypatch)
    stranger = a_member("a stranger")
    caller = Caller(stranger)
    knock(caller, OURS[0], unknown(OURS[0])).close()  # What is done once is done.
    of_none = {}
    for door in OURS:
        of_none[id(door)] = asked_for(caller, door, unknown(door))
        assert of_none[id(door)][0][0] == 404, door
    for who, doors in product(people, by_thing(OURS, lambda door: door)):
        with transaction.atomic():
            behind = thing(doors[0], alice)
            estrange(behind, stranger, who)
            for door in doors:
                with transaction.atomic():
                    assert asked_for(caller, door, behind.id) == of_none[id(door)], (who, door)
                    assert behind.is_there, (who, door)
                    transaction.set_rollback(True)
            transaction.set_rollback(True)


@pytest.mark.parametrize("who", one_by_one(POWERFUL))
def test_to_the_powerful_it_does_not_exist(
    alice: User, s3: object, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    what_is_noted_stays_the_same(monkeypatch)
    powerful = a_member(who)
    caller = Caller(powerful)
    for door in OURS:
        with transaction.atomic():
            behind = thing(door, alice)
            POWERFUL[who](behind.granted, powerful, "manage")
            behind.remember()
            assert indistinguishable(caller, door, behind.id) == 404, door
            assert behind.is_there, door
            transaction.set_rollback(True)


@pytest.mark.parametrize("who", one_by_one(GUESTS))
def test_guests_are_let_in(record: FileRecord, bob: User, who: str) -> None:
    caller = Caller(bob)
    for doors in by_thing(OURS, lambda door: door):
        with undone():
            behind = Thing(doors[0], record.owner, record)
            GUESTS[who](behind.granted, bob, "manage")
            for door in doors:
                with undone():
                    answer = knock(caller, door, behind.id)
                    answer.close()
                    assert answer.status_code == door.ok, (door, answer.content)


@pytest.mark.parametrize("level", ["download", "add"])
def test_a_narrower_grant_does_not_manage(
    record: FileRecord, bob: User, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    what_is_noted_stays_the_same(monkeypatch)
    caller = Caller(bob)
    knock(caller, OURS[0], unknown(OURS[0])).close()  # What is done once is done.
    for doors in by_thing(OURS, lambda door: door):
        with undone():
            behind = Thing(doors[0], record.owner, record)
            narrow = level if isinstance(behind.granted, Folder) else "download"
            give(behind.granted, bob, level=narrow)
            behind.remember()
            for door in doors:
                with undone():
                    answered_as_narrow(caller, door, behind, narrow)


def answered_as_narrow(caller: Caller, door: Operation, behind: Thing, level: str) -> None:
    """As somebody is who may read it, or add to it, and no more."""
    if door.manage or (door.add and level == "download"):
        if door.takes == FOLDER and not door.trashed:
            assert knock(caller, door, behind.id).status_code == 403, door
        else:
            status = indistinguishable(caller, door, behind.id, came_before=True)
            assert status == 404, door
        assert behind.is_there, door
        return
    answer = knock(caller, door, behind.id)
    answer.close()
    assert answer.status_code == door.ok, (door, answer.content)


def test_oversight_is_for_staff_whatever_is_there(alice: User, record: FileRecord) -> None:
    caller = Caller(alice)
    for door in OF_THINGS:
        if door.oversight:
            assert indistinguishable(caller, door, Thing(door, alice, record).id) == 403, door


def test_no_session_and_no_page_of_elsewhere(client: Client, alice: User) -> None:
    """A cookie with a token: the token's person asks, and no other."""
    mallory = a_member("mallory's")
    client.force_login(mallory)
    answer = client.get("/api/v1/me", headers=Caller(alice).headers)
    assert answer.json()["username"] == "alice"
