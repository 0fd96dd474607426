"""Requests for access by programs: the same use cases, and the same silence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.models import User
from files.models import AccessRequest, FileRecord, Grant
from files.tree import placing
from tests.files.test_models import filed
from tests.files.web.api.callers import Caller, problem


@pytest.fixture
def boss(alice: User) -> Caller:
    alice.user_permissions.add(Permission.objects.get(codename="share_filerecord"))
    return Caller(User.objects.get(pk=alice.pk))


def ask(caller: Caller, **wanted: Any) -> Any:
    return caller.ask("POST", "/access-requests", {**wanted, "reason": "for the audit"})


def test_what_does_not_exist_is_answered_alike(boss: Caller, bob: User, record: FileRecord) -> None:
    program = Caller(bob)
    moment = timezone.now()
    told = []
    for wanted in (record.pk, uuid4()):
        answer = ask(program, file=str(wanted))
        assert answer.status_code == 202
        AccessRequest.objects.update(asked_at=moment)
        again = ask(program, file=str(wanted))
        mine = program.get("/access-requests/mine")
        told.append([one.text.replace(str(wanted), "#") for one in (again, mine)])
        AccessRequest.objects.all().delete()
    assert told[0] == told[1]


def test_it_is_asked_and_answered(boss: Caller, alice: User, bob: User, record: FileRecord) -> None:
    program = Caller(bob)
    other = filed(alice)
    for one in (record, other):
        ask(program, file=str(one.pk))
    newest = boss.get("/access-requests?limit=1").json()
    assert [(one["asker"], one["id"]) for one in newest["requests"]] == [("bob", str(other.pk))]
    rest = boss.get(f"/access-requests?before={newest['next']}").json()
    assert [(one["name"], one["reason"]) for one in rest["requests"]] == [
        (record.name, "for the audit")
    ]
    number = rest["requests"][0]["number"]
    over = (timezone.now() - timedelta(days=1)).isoformat()
    for wrong in ({"expires_at": over}, {"expires_at": "2030-01-01T00:00:00"}, {"until": 1}):
        assert problem(boss.ask("POST", f"/access-requests/{number}/grant", wrong))[0] == 400
    end = timezone.now() + timedelta(days=3)
    done = boss.ask("POST", f"/access-requests/{number}/grant", {"expires_at": end.isoformat()})
    assert (done.status_code, done.json()["recipient"]["name"]) == (201, "bob")
    assert Grant.objects.get(user=bob).expires_at == end
    answered = boss.ask("POST", f"/access-requests/{number}/decline", {})
    assert problem(answered) == (409, "gone")
    second = newest["requests"][0]["number"]
    assert boss.ask("POST", f"/access-requests/{second}/decline", {"word": "no"}).status_code == 204
    mine = {
        one["id"]: one["visible"] for one in program.get("/access-requests/mine").json()["requests"]
    }
    assert mine == {str(record.pk): True, str(other.pk): False}
    assert problem(ask(program, file=str(record.pk))) == (400, "invalid")


def test_it_is_for_who_may_share(boss: Caller, alice: User, bob: User, record: FileRecord) -> None:
    program = Caller(bob)
    ask(program, file=str(record.pk))
    number = AccessRequest.objects.get().pk
    for path in (f"/access-requests/{number}/grant", f"/access-requests/{10**20}/decline"):
        assert problem(program.ask("POST", path, {})) == (404, "not_found")
    assert program.get("/access-requests").json() == {"requests": [], "next": None}
    for wrong in ({}, {"file": str(uuid4()), "folder": str(uuid4())}, {"file": "x"}):
        assert problem(ask(program, **wrong))[0] == 400
    bound = Caller(bob, folder_id=placing.root_of(bob).pk)
    assert problem(ask(bound, file=str(record.pk))) == (403, "may_not")


def test_granted_twice_with_a_key_it_is_answered_alike(
    boss: Caller, bob: User, record: FileRecord
) -> None:
    ask(Caller(bob), file=str(record.pk))
    path = f"/access-requests/{AccessRequest.objects.get().pk}/grant"
    first = boss.ask("POST", path, {}, Idempotency_Key="k")
    again = boss.ask("POST", path, {}, Idempotency_Key="k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert problem(boss.ask("POST", path, {})) == (409, "gone")
    other = boss.ask("POST", path, {"reason": "b"}, Idempotency_Key="k")
    assert problem(other) == (422, "idempotency_key_reused")
    assert Grant.objects.count() == 1
