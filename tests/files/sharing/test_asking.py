"""Requests for access: who asks learns nothing; who may share answers, as far as they reach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from files.access.principals import Person, Program
from files.access.rule import visible_to
from files.models import AccessRequest, FileRecord, Folder, Grant
from files.models.asked import LASTS
from files.sharing import asking
from files.sharing.granting import Terms
from files.tree import placing
from files.upkeep import sweeping
from notices import finders
from notices.models import Notice
from tests.files.test_models import filed
from tests.files.test_urls import noting

Give = Callable[..., Grant]
DOWNLOAD = Terms("download")


def may_share(user: User) -> User:
    user.user_permissions.add(Permission.objects.get(codename="share_filerecord"))
    return User.objects.get(pk=user.pk)


def waiting(user: User) -> list[AccessRequest]:
    return list(asking.waiting_for(Person(user)))


@pytest.fixture
def case(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "Case", added_by=alice)


@pytest.fixture
def asked(bob: User, record: FileRecord) -> AccessRequest:
    return asking.ask(bob, "file", record.pk, "for  the\naudit")


# --- Asking ---------------------------------------------------------------------------------------


def test_what_exists_and_what_does_not_take_the_same_queries(
    alice: User, bob: User, mallory: User, record: FileRecord, case: Folder, give: Give
) -> None:
    may_share(alice)
    give(record, mallory, level="manage")
    gone = filed(alice)
    FileRecord.objects.filter(pk=gone.pk).update(trashed_at=timezone.now())
    for kind, some in (("file", [record.pk, gone.pk]), ("folder", [case.pk])):
        found = []
        for wanted in (uuid4(), *some, uuid4()):
            for _twice in range(2):
                queries: list[str] = []
                with connection.execute_wrapper(noting(queries)):
                    asking.ask(bob, kind, wanted, "why")
                found.append(queries)
            AccessRequest.objects.all().delete()
        assert found[0::2] == [found[0]] * (len(some) + 2)
        assert found[1::2] == [found[1]] * (len(some) + 2)
    # Nobody is told while the answer is waited for, and of nothing nobody ever is.
    assert not Notice.objects.exists()


def test_one_request_for_each_person_and_thing(
    bob: User, mallory: User, asked: AccessRequest, record: FileRecord
) -> None:
    assert asked.reason == "for the audit"
    again = asking.ask(bob, "file", record.pk, "please")
    assert (again.pk, again.reason) == (asked.pk, "for the audit")
    assert asking.ask(mallory, "file", record.pk, "me too").pk != asked.pk
    assert asking.ask(bob, "folder", record.pk, "").pk != asked.pk
    events = AuditEvent.objects.filter(event="access_asked").order_by("id")
    assert [one.data["exists"] for one in events] == [True, True, False]
    assert events[0].file_id == record.pk
    assert events[0].data["access_request"] == asked.pk
    # What is over is forgotten, and can be asked for again.
    AccessRequest.objects.filter(pk=asked.pk).update(asked_at=timezone.now() - LASTS)
    assert asking.ask(bob, "file", record.pk, "once more").pk != asked.pk


def test_there_are_only_so_many(bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "AT_MOST", 2)
    wanted = [uuid4() for _ in range(3)]
    for one in wanted[:2]:
        asking.ask(bob, "file", one, "why")
    with pytest.raises(asking.TooManyRequests, match="2 things within 30 days"):
        asking.ask(bob, "file", wanted[2], "why")
    asking.ask(bob, "file", wanted[0], "why")  # That was asked before.
    monkeypatch.setattr(asking, "AT_MOST", 1)  # More than fit are there from before.
    with pytest.raises(asking.TooManyRequests):
        asking.ask(bob, "file", wanted[2], "why")


def test_own_requests_tell_nothing_but_what_can_be_seen(
    alice: User, bob: User, record: FileRecord
) -> None:
    alice = may_share(alice)
    other = filed(alice)
    for wanted in (record.pk, other.pk, uuid4()):
        asking.ask(bob, "file", wanted, "why")
    rows = {one.asked.wanted: one for one in asking.own(bob)}
    asking.decline(rows[other.pk].asked, "no", by=Person(alice), actor=alice)
    assert [one.item for one in asking.own(bob)] == [None] * 3
    asking.grant(rows[record.pk].asked, DOWNLOAD, by=Person(alice), actor=alice)
    assert [one.item for one in asking.own(bob)] == [None, None, record]
    AccessRequest.objects.update(asked_at=timezone.now() - LASTS)
    assert asking.own(bob) == []


# --- Answering ------------------------------------------------------------------------------------


def test_it_is_for_who_may_share(
    alice: User, bob: User, mallory: User, root: User, asked: AccessRequest, give: Give
) -> None:
    record = FileRecord.objects.get(pk=asked.wanted)
    give(record, mallory, level="manage")
    assert waiting(alice) == []
    alice, mallory = may_share(alice), may_share(mallory)
    assert waiting(alice) == waiting(mallory) == [asked]
    assert set(asking.deciders(record)) == {alice, mallory}
    assert waiting(root) == waiting(bob) == waiting(may_share(bob)) == []
    assert list(asking.answerable_by(Program(alice, frozenset({"share"})))) == [asked]
    assert not asking.answerable_by(Program(alice, frozenset({"read"}))).exists()


def test_it_is_granted_as_far_as_ones_own_access_reaches(
    mallory: User, bob: User, asked: AccessRequest, record: FileRecord, give: Give
) -> None:
    end = timezone.now() + timedelta(days=3)
    give(record, mallory, level="manage", expires_at=end)
    mallory = may_share(mallory)
    with pytest.raises(ValidationError, match="Your own access ends"):
        asking.grant(asked, DOWNLOAD, by=Person(mallory), actor=mallory)
    asked.refresh_from_db()
    assert (asked.answer, asked.grant) == ("", None)
    terms = Terms("download", expires_at=end, reason="as asked")
    given = asking.grant(asked, terms, by=Person(mallory), actor=mallory)
    asked.refresh_from_db()
    assert (asked.answer, asked.grant, asked.answered_by) == ("granted", given, mallory)
    assert (given.user, given.expires_at, given.granted_by) == (bob, end, mallory)
    assert visible_to(Person(bob)).filter(pk=record.pk).exists()
    event = AuditEvent.objects.get(event="access_request_granted")
    assert (event.file_id, event.grant_id) == (record.pk, given.pk)
    assert (event.data["access_request"], event.data["user_id"]) == (asked.pk, bob.pk)
    assert AuditEvent.objects.filter(event="grant_created", grant_id=given.pk).exists()
    told = Notice.objects.get(user_id=bob.pk)  # One, though it was shared with them as well.
    assert told.kind == "access_granted"
    assert told.file_id == record.pk
    # It has been answered; and once it ended, one may ask again.
    for again in (
        lambda: asking.grant(asked, DOWNLOAD, by=Person(mallory), actor=mallory),
        lambda: asking.decline(asked, "", by=Person(mallory), actor=mallory),
    ):
        with pytest.raises(asking.Answered, match="answered meanwhile"):
            again()
    assert asking.ask(bob, "file", record.pk, "longer").pk != asked.pk


def test_to_decline_is_silent(
    alice: User, bob: User, asked: AccessRequest, record: FileRecord
) -> None:
    alice = may_share(alice)
    asking.decline(asked, "not this one", by=Person(alice), actor=alice)
    assert waiting(alice) == []
    asked.refresh_from_db()
    assert (asked.answer, asked.word) == ("declined", "not this one")
    assert not Notice.objects.filter(user_id=bob.pk).exists()
    # As if nobody had answered: the same request still stands.
    assert asking.ask(bob, "file", record.pk, "please").pk == asked.pk
    assert waiting(alice) == []
    assert AuditEvent.objects.filter(event="access_request_declined").count() == 1


def test_it_sleeps_and_ends(
    alice: User, bob: User, asked: AccessRequest, record: FileRecord
) -> None:
    alice = may_share(alice)
    now = timezone.now()
    sleeping: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
        (FileRecord.objects.filter(pk=record.pk), {"trashed_at": now}, {"trashed_at": None}),
        (User.objects.filter(pk=bob.pk), {"is_active": False}, {"is_active": True}),
        (AccessRequest.objects.filter(pk=asked.pk), {"asked_at": now - LASTS}, {"asked_at": now}),
    ]
    for rows, asleep, awake in sleeping:
        rows.update(**asleep)
        assert waiting(alice) == []
        with pytest.raises(asking.Answered):
            asking.grant(asked, DOWNLOAD, by=Person(alice), actor=alice)
        with pytest.raises(asking.Answered):
            asking.decline(asked, "", by=Person(alice), actor=alice)
        rows.update(**awake)
        assert waiting(alice) == [asked]
    AccessRequest.objects.update(asked_at=timezone.now() - LASTS)
    sweeping.sweep()
    assert not AccessRequest.objects.exists()


def test_a_folder_is_asked_for_alike(alice: User, bob: User, case: Folder) -> None:
    alice = may_share(alice)
    asked = asking.ask(bob, "folder", case.pk, "why")
    root = asking.ask(bob, "folder", placing.root_of(alice).pk, "why")
    assert waiting(alice) == [asked], "a root is never shared"
    with pytest.raises(asking.Answered):
        asking.grant(root, DOWNLOAD, by=Person(alice), actor=alice)
    given = asking.grant(asked, Terms("add"), by=Person(alice), actor=alice)
    assert (given.folder, given.level) == (case, "add")
    event = AuditEvent.objects.get(event="access_request_granted")
    assert event.data["folder_id"] == str(case.pk)


# --- Telling --------------------------------------------------------------------------------------


def test_those_who_may_decide_are_told_once(
    alice: User, bob: User, mallory: User, asked: AccessRequest, record: FileRecord, give: Give
) -> None:
    alice = may_share(alice)
    team = Group.objects.create(name="Team")
    mallory.groups.add(team)
    may_share(mallory)
    give(record, team, level="manage")
    give(record, bob, level="manage")  # Meanwhile: nobody is told of their own.
    may_share(bob)
    asking.ask(bob, "file", uuid4(), "why")
    finders.tell()
    told = Notice.objects.order_by("user_id")
    assert [one.user_id for one in told] == sorted([alice.pk, mallory.pk])
    assert {(one.kind, one.file_id, one.path, one.actor_id) for one in told} == {
        ("access_requested", record.pk, f"/asked/{asked.pk}/", bob.pk)
    }
    assert asking.tell() == 0
    assert Notice.objects.count() == 2


def test_how_many_were_told_of_is_counted_once_each(bob: User, record: FileRecord) -> None:
    for wanted in (record.pk, uuid4(), uuid4()):
        asking.ask(bob, "file", wanted, "why")
    assert (asking.tell(), asking.tell()) == (3, 0)


@pytest.mark.parametrize("permission", ["add_grant", "share_filerecord"])
def test_who_manages_decides_by_either_permission_to_share(
    alice: User, mallory: User, record: FileRecord, give: Give, permission: str
) -> None:
    give(record, mallory, level="manage")
    assert not asking.deciders(record).exists()
    mallory.user_permissions.add(Permission.objects.get(codename=permission))
    assert list(asking.deciders(record)) == [mallory]


def test_the_number_of_queries_is_fixed(alice: User, bob: User, record: FileRecord) -> None:
    alice = may_share(alice)

    def cost() -> list[int]:
        counts = []
        for call in (lambda: waiting(alice), lambda: asking.own(bob)):
            with CaptureQueriesContext(connection) as captured:
                call()
            counts.append(len(captured))
        return counts

    asking.ask(bob, "file", record.pk, "why")
    cost()
    few = cost()
    for _ in range(5):
        asking.ask(bob, "file", filed(alice).pk, "why")
    assert cost() == few
    assert len(waiting(alice)) == 6
    assert few == [1, 3]
