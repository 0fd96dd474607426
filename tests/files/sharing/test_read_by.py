"""Who has read what, and who has not: counted from the log, and named to whom names may be told."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import audit
from accounts.models import User
from audit import Event, context
from audit.models import AuditEvent
from files.access.principals import Person, Program
from files.access.rule import covered_by, folders_accounted_to
from files.models import DownloadSession, FileRecord, Folder, Grant
from files.sharing import effective_access, granting
from files.sharing.read_by import table
from files.sharing.read_by.answers import Readers, State
from files.sharing.read_by.of_file import of_file as readers_of_file
from files.sharing.read_by.of_folder import files_of, of_folder, person_in
from files.tree import placing
from tests.files.test_models import filed
from tests.files.test_plans import plan_of

Give = Callable[..., Grant]


def reads(who: User, record: FileRecord, outcome: str = "complete", sent: int = 9) -> None:
    audit.record(
        Event.FILE_DOWNLOADED, actor=who, file_id=record.pk, outcome=outcome, bytes=sent, size=9
    )


def begins(who: User, record: FileRecord) -> None:
    """Four bytes of it have been sent, and more are to come."""
    now = timezone.now()
    row = DownloadSession(
        file_id=record.pk, size=9, actor_id=who.pk, actor_name="", begun_at=now, seen_at=now
    )
    row.whole, row.requests, row.running, row.bytes = False, 1, 1, 4
    row.save()


def told(readers: Readers) -> list[tuple[str, str, int]]:
    return [
        (line.user.username, line.state.value, line.read.times if line.read else 0)
        for line in readers.lines
    ]


def of_file(record: FileRecord, asker: User, after: str = "", length: int = 10) -> Any:
    return readers_of_file(record, asker=asker, after=after, length=length)


def may_share(user: User) -> User:
    user.user_permissions.add(Permission.objects.get(codename="share_filerecord"))
    return User.objects.get(pk=user.pk)


@pytest.fixture
def team(db: None) -> Group:
    team = Group.objects.create(name="Team")
    for name in ("tim", "tina"):
        User.objects.create_user(name, f"{name}@example.org").groups.add(team)
    return team


def test_those_who_have_not_come_first(
    alice: User, bob: User, mallory: User, team: Group, record: FileRecord, give: Give
) -> None:
    give(record, bob)
    give(record, team)
    tina = User.objects.get(username="tina")
    reads(bob, record)
    reads(bob, record, "aborted", 3)
    reads(tina, record, "aborted", 3)
    reads(alice, record, "aborted", 0)  # Nothing of it.
    page = of_file(record, may_share(alice))
    assert told(page) == [
        ("alice", "no", 0),
        ("tim", "no", 0),
        ("bob", "whole", 2),
        ("tina", "part", 1),
    ]
    assert (page.people, page.have_read, page.have_not, page.unnamed) == (4, 2, 2, 0)
    assert [line.is_owner for line in page.lines] == [True, False, False, False]
    assert page.lines[0].has_uploaded
    first, last = page.lines[2].read.first, page.lines[2].read.last
    assert first < last


def test_what_is_under_way_counts(alice: User, bob: User, record: FileRecord, give: Give) -> None:
    give(record, bob)
    begins(bob, record)
    assert told(of_file(record, alice)) == [("alice", "no", 0), ("bob", "part", 1)]
    reads(bob, record)
    assert told(of_file(record, alice))[1] == ("bob", "whole", 2)
    folder = FileRecord.objects.get(pk=record.pk).folder
    assert folder is not None
    give(folder, bob)  # A root is nobody's to be given; the count goes by rows alone.
    page = of_folder(folder, asker=alice, length=10)
    assert [line.read.files if line.read else 0 for line in page.lines] == [0, 1]
    DownloadSession.objects.update(settled=True)
    assert told(of_file(record, alice))[1] == ("bob", "whole", 1)


@pytest.mark.parametrize(("sent", "state"), [(0, "no"), (1, "part")])
def test_what_is_under_way_counts_from_its_first_byte(
    alice: User, bob: User, record: FileRecord, give: Give, sent: int, state: str
) -> None:
    give(record, bob)
    begins(bob, record)
    DownloadSession.objects.update(bytes=sent)
    assert told(of_file(record, alice))[1][1] == state


def test_a_download_by_the_door_is_what_is_counted(
    client: Client, alice: User, bob: User, record: FileRecord, give: Give
) -> None:
    give(record, bob)
    client.force_login(bob)
    for headers in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=4-"}):
        answer = client.get(f"/files/{record.pk}/download/", headers=headers)
        answer.getvalue()
        answer.close()
    # In ranges it was one download, however many requests.
    assert told(of_file(record, alice))[1] == ("bob", "whole", 2)


def test_a_new_version_is_to_be_read_anew(
    alice: User, bob: User, record: FileRecord, give: Give
) -> None:
    give(record, bob)
    reads(bob, record)
    FileRecord.objects.filter(pk=record.pk).update(uploaded_at=timezone.now())
    record.refresh_from_db()
    assert told(of_file(record, alice))[1] == ("bob", "earlier", 1)
    audit.record(
        Event.FILE_DOWNLOADED,
        actor=bob,
        file_id=record.pk,
        outcome="complete",
        bytes=9,
        version=record.version,
    )
    assert told(of_file(record, alice))[1] == ("bob", "earlier", 2)
    page = of_file(record, alice)
    assert page.have_read == 0
    reads(bob, record)
    assert told(of_file(record, alice))[1] == ("bob", "whole", 3)


def test_who_can_no_longer_read_it_is_told_apart(
    alice: User, bob: User, mallory: User, record: FileRecord, give: Give
) -> None:
    ends = [give(record, one) for one in (bob, mallory)]
    for one in (bob, mallory, mallory):
        reads(one, record)
    granting.revoke(ends[0], actor=alice)
    User.objects.filter(pk=mallory.pk).update(is_active=False)
    page = of_file(record, alice)
    assert [line.user.username for line in page.lines] == ["alice"]
    assert [(one.name, one.read.times) for one in page.former] == [("mallory", 2), ("bob", 1)]


def test_people_outside_are_told_by_their_links(alice: User, bob: User, record: FileRecord) -> None:
    for number in (7, 7, 8):
        with context.active(context.Context(link_id=number)):
            audit.record(Event.FILE_DOWNLOADED, file_id=record.pk, outcome="complete", bytes=9)
    page = of_file(record, alice)
    assert [(one.link_id, one.read.times) for one in page.outside] == [(8, 1), (7, 2)]
    assert page.former == []
    assert [row[:4] for row in rows(table.export(record, asker=alice))][2:] == [
        ["link 8", "", "outside", "whole"],
        ["link 7", "", "outside", "whole"],
    ]


def test_members_of_a_group_are_named_to_who_may_share(
    alice: User, bob: User, team: Group, record: FileRecord, give: Give
) -> None:
    give(record, team)
    give(record, bob)
    page = of_file(record, alice)
    assert told(page) == [("alice", "no", 0), ("bob", "no", 0)]
    assert (page.people, page.unnamed) == (4, 2)
    # Who has read it stands in its history as well.
    reads(User.objects.get(username="tim"), record)
    page = of_file(record, alice)
    assert [line.user.username for line in page.lines] == ["alice", "bob", "tim"]
    assert (page.unnamed, page.next) == (1, "")
    assert of_file(record, alice, length=3).next == ""
    # And of an earlier version as well.
    FileRecord.objects.filter(pk=record.pk).update(uploaded_at=timezone.now())
    record.refresh_from_db()
    page = of_file(record, alice)
    assert told(page)[-1] == ("tim", "earlier", 1)
    assert page.unnamed == 1
    assert "tina" not in "".join(table.export(record, asker=alice))
    assert "tina" in "".join(table.export(record, asker=may_share(alice)))


def test_who_can_no_longer_read_it_and_who_is_outside_are_on_the_first_page_alone(
    alice: User, bob: User, mallory: User, record: FileRecord, give: Give
) -> None:
    give(record, mallory)
    reads(bob, record)
    with context.active(context.Context(link_id=7)):
        audit.record(Event.FILE_DOWNLOADED, file_id=record.pk, outcome="complete", bytes=9)
    first = of_file(record, alice, length=1)
    assert (len(first.former), len(first.outside)) == (1, 1)
    second = of_file(record, alice, first.next, 1)
    assert [line.user for line in second.lines] == [mallory]
    assert (second.former, second.outside) == ([], [])


def test_pages_follow_one_another(alice: User, record: FileRecord, give: Give) -> None:
    people = [User.objects.create_user(f"p.{n}", f"p{n}@example.org") for n in range(5)]
    for one in people:
        give(record, one)
    reads(people[0], record)
    seen, after = [], ""
    while True:
        page = of_file(record, alice, after, 2)
        seen += [line.user.username for line in page.lines]
        if not (after := page.next):
            break
    assert seen == ["alice", "p.1", "p.2", "p.3", "p.4", "p.0"]
    for nonsense in ("x", "9.p", "0", "\0", "2.\0", "0.p.3\0x"):
        assert of_file(record, alice, nonsense).people == 6


# --- Folders --------------------------------------------------------------------------------------


@pytest.fixture
def case(alice: User, bob: User, give: Give) -> Folder:
    """Of Alice's, shared with Bob: two files, one below, and one in the trash."""
    case = placing.add_folder(placing.root_of(alice), "Case", added_by=alice)
    below = placing.add_folder(case, "Below", added_by=alice)
    gone = placing.add_folder(case, "Gone", added_by=alice)
    for folder in (case, case, below, gone):
        record = filed(alice)
        FileRecord.objects.filter(pk=record.pk).update(folder=folder)
    Folder.objects.filter(pk=gone.pk).update(trashed_at=timezone.now())
    give(case, bob)
    return case


def test_of_a_folder_files_are_counted(alice: User, bob: User, case: Folder) -> None:
    files = list(covered_by(case).order_by("place"))
    assert len(files) == 3
    page = of_folder(case, asker=alice, length=10)
    assert [(line.user.username, line.read) for line in page.lines] == [
        ("alice", None),
        ("bob", None),
    ]
    reads(bob, files[0])
    reads(bob, files[0])
    reads(bob, files[2], "aborted", 2)
    reads(bob, filed(alice))  # Elsewhere.
    page = of_folder(case, asker=alice, length=10)
    read = page.lines[1].read
    assert read is not None
    assert (page.files, read.files, read.times, page.have_read) == (3, 2, 3, 1)
    person = person_in(case, bob.pk, asker=alice)
    assert person == bob
    for length in (1, 2):
        seen, after = [], ""
        while True:
            shown = files_of(case, bob, after=after, length=length)
            seen += [(line.record, line.read.times if line.read else 0) for line in shown.lines]
            if not (after := shown.next):
                break
        assert seen == [(files[1], 0), (files[2], 1), (files[0], 2)]
    for nonsense in ("x", "0.x", "1.9999999999999999999", "\0"):
        assert files_of(case, bob, after=nonsense, length=1).person == bob


def test_of_a_folder_files_count_of_whom_no_event_tells_yet(
    alice: User, bob: User, case: Folder
) -> None:
    for record in covered_by(case).order_by("place")[:2]:
        begins(bob, record)
    read = of_folder(case, asker=alice, length=10).lines[1].read
    assert read is not None
    assert (read.files, read.times) == (2, 2)


def test_who_has_read_something_is_named_to_who_may_name_nobody_else(
    alice: User, team: Group, case: Folder, give: Give
) -> None:
    """Whoever is in a group is named to its owner once they have read something of it."""
    give(case, team)
    tim, tina = (User.objects.get(username=name) for name in ("tim", "tina"))
    reads(tim, covered_by(case)[0])
    assert person_in(case, tim.pk, asker=alice) == tim
    assert person_in(case, tina.pk, asker=alice) is None


def test_of_a_folder_what_is_under_way_counts(alice: User, bob: User, case: Folder) -> None:
    first, second, _third = covered_by(case).order_by("place")
    reads(bob, first)
    for record in (first, second):
        begins(bob, record)
    read = of_folder(case, asker=alice, length=10).lines[1].read
    assert read is not None
    assert (read.files, read.times, read.state) == (2, 3, State.PART)
    shown = files_of(case, bob, length=10)
    told = {line.record: line.read and (line.read.times, line.read.state) for line in shown.lines}
    assert told[second] == (1, State.PART)
    assert told[first] == (2, State.PART)
    assert (len(told), shown.next) == (3, "")


def test_of_a_file_there_is_one_and_a_folder_is_nobodys_upload(
    alice: User, bob: User, case: Folder
) -> None:
    record = covered_by(case).order_by("place")[0]
    FileRecord.objects.filter(pk=record.pk).update(uploaded_by=alice)
    record.refresh_from_db()
    reads(bob, record)
    of_one, of_all = of_file(record, alice), of_folder(case, asker=alice, length=10)
    read = of_one.lines[1].read
    assert (of_one.files, read.files, of_all.files) == (0, 1, 3)
    assert {line.user: line.has_uploaded for line in of_one.lines} == {alice: True, bob: False}
    assert {line.user: line.has_uploaded for line in of_all.lines} == {alice: False, bob: False}


def test_who_uploaded_it_is_one_person_whoever_was_there_first(
    alice: User, bob: User, record: FileRecord, give: Give
) -> None:
    give(record, bob)
    FileRecord.objects.filter(pk=record.pk).update(uploaded_by=bob)
    found = of_file(FileRecord.objects.get(pk=record.pk), may_share(alice))
    assert {line.user: line.has_uploaded for line in found.lines} == {alice: False, bob: True}


def test_of_a_folder_people_outside_are_told_by_their_links(alice: User, case: Folder) -> None:
    files = list(covered_by(case).order_by("place"))
    for number, record in ((7, files[0]), (7, files[0]), (7, files[1]), (8, files[0])):
        with context.active(context.Context(link_id=number)):
            audit.record(Event.FILE_DOWNLOADED, file_id=record.pk, outcome="complete", bytes=9)
    page = of_folder(case, asker=alice, length=10)
    told = [(one.link_id, one.read.files, one.read.times) for one in page.outside]
    assert told == [(8, 1, 1), (7, 2, 3)]
    assert page.have_read == 0
    assert of_folder(case, asker=alice, after="1.bob", length=10).outside == []
    assert [row[:5] for row in rows(table.export(case, asker=alice))][-2:] == [
        ["link 8", "", "outside", "1", "3"],
        ["link 7", "", "outside", "2", "3"],
    ]


def test_only_who_can_read_the_folder_and_may_be_named_has_a_list(
    alice: User, mallory: User, team: Group, case: Folder, give: Give
) -> None:
    give(case, team)
    tim = User.objects.get(username="tim")
    assert person_in(case, mallory.pk, asker=alice) is None
    assert person_in(case, 2**60, asker=alice) is None
    assert person_in(case, tim.pk, asker=alice) is None
    assert person_in(case, tim.pk, asker=may_share(alice)) == tim


def test_the_rule_of_folders(alice: User, bob: User, case: Folder, give: Give) -> None:
    assert list(folders_accounted_to(Person(alice)).filter(name="Case")) == [case]
    assert not folders_accounted_to(Person(alice)).filter(parent=None).exists()
    assert not folders_accounted_to(Person(bob)).exists()
    assert folders_accounted_to(Program(alice, frozenset({"read"}))).filter(pk=case.pk).exists()
    for scope in ("add", "share", "audit"):
        assert not folders_accounted_to(Program(alice, frozenset({scope}))).exists()
    give(case, bob, level="manage")
    assert folders_accounted_to(Person(bob)).filter(pk=case.pk).exists()
    assert set(effective_access.in_person(case)) == {alice, bob}


# --- Cost -----------------------------------------------------------------------------------------


def test_the_number_of_queries_is_fixed(
    alice: User, bob: User, mallory: User, case: Folder, record: FileRecord, give: Give
) -> None:
    def cost() -> tuple[int, ...]:
        found = []
        for call in (
            lambda: of_file(record, alice),
            lambda: of_folder(case, asker=alice, length=10),
            lambda: files_of(case, bob, length=10),
        ):
            with CaptureQueriesContext(connection) as captured:
                call()
            found.append(len(captured))
        return tuple(found)

    give(record, bob)
    reads(bob, record)
    reads(mallory, record)
    reads(bob, covered_by(case)[0])
    cost()  # What alice may do at all is asked once.
    few = cost()
    for number in range(6):
        person = User.objects.create_user(f"p{number}", f"p{number}@example.org")
        give(record, person)
        give(case, person)
        for file in covered_by(case):
            reads(person, file)
            reads(person, record)
    assert cost() == few
    assert few[0] <= 14
    assert few[1] <= 10
    assert few[2] <= 3


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by the number of rows")
def test_reads_are_found_by_their_index(alice: User, case: Folder, record: FileRecord) -> None:
    with CaptureQueriesContext(connection) as captured:
        of_file(record, alice)
        of_folder(case, asker=alice, length=10)
        files_of(case, alice, length=10)
    steps = [step for step in plan_of(captured, "audit_auditevent") if "auditevent" in step.lower()]
    steps += [step for step in plan_of(captured, "audit_auditevent") if "audit_read_by" in step]
    assert any("audit_read_by" in step for step in steps)
    assert not any(step.startswith("SCAN audit") for step in steps), steps


# --- The table ------------------------------------------------------------------------------------


def rows(lines: Iterator[str]) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(lines))))


def test_the_table_runs_no_formula(
    alice: User, bob: User, case: Folder, record: FileRecord, give: Give
) -> None:
    give(record, bob)
    User.objects.filter(pk=bob.pk).update(first_name="=1+1", last_name="x")
    reads(bob, record)
    header, first, second = rows(table.export(record, asker=alice))
    assert header == ["username", "name", "can_read", "read", "first", "last", "times"]
    assert first == ["alice", "", "yes", "no", "", "", "0"]
    assert second[:4] == ["bob", "'=1+1 x", "yes", "whole"]
    assert second[6] == "1"
    header, _alice, of_bob = rows(table.export(case, asker=alice))
    assert header[3:5] == ["files_read", "files"]
    assert of_bob[3:5] == ["0", "3"]
    last, before = AuditEvent.objects.filter(event=Event.AUDIT_EXPORTED).order_by("-id")[:2]
    assert before.file_id == record.pk
    assert UUID(last.data["folder_id"]) == case.pk


def test_who_was_sent_it_once_is_in_the_table(
    alice: User, bob: User, record: FileRecord, give: Give
) -> None:
    reads(bob, record)
    found = rows(table.export(record, asker=alice))
    assert found[2][:4] == ["bob", "", "no", "whole"]
