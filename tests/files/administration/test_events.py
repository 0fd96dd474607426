"""Events are shown with the names of what they are about, to who may see these."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

import audit
from accounts.models import User
from files.administration.events import names_for
from files.models import FileRecord, Folder
from tests.files import trees
from tests.files.test_models import filed

pytestmark = pytest.mark.django_db
LIST = "admin:audit_auditevent_changelist"


@pytest.fixture
def record(alice: User) -> FileRecord:
    return filed(alice, name="Ledger <1>.txt")


@pytest.fixture
def case(alice: User) -> Folder:
    return trees.folder(alice, "Case 7")


@pytest.fixture
def events(record: FileRecord, case: Folder, alice: User, bob: User) -> None:
    audit.record(audit.Event.FILE_DOWNLOADED, actor=alice, file_id=record.pk, bytes=2048)
    team = Group.objects.create(name="Team")
    audit.record(audit.Event.GRANT_CREATED, folder_id=str(case.pk), user_id=bob.pk, level="add")
    audit.record(audit.Event.GRANT_CREATED, file_id=record.pk, group_id=team.pk)


@pytest.mark.usefixtures("events")
def test_the_list_has_names_and_sizes(client: Client, root: User, record: FileRecord) -> None:
    client.force_login(root)
    shown = client.get(reverse(LIST)).text.replace("\xa0", " ")
    assert "Ledger &lt;1&gt;.txt" in shown
    assert reverse("admin:files_filerecord_change", args=[record.pk]) in shown
    for value in ("Case 7", "bob", "Team", "2.0 KB"):
        assert f"{value}</bdi>" in shown


@pytest.mark.usefixtures("events")
def test_the_page_of_an_event_has_them_too(client: Client, root: User) -> None:
    client.force_login(root)
    event = audit.record(audit.Event.GRANT_REVOKED, user_id=root.pk)
    assert (
        ">root</bdi>" in client.get(reverse("admin:audit_auditevent_change", args=[event.pk])).text
    )


@pytest.mark.usefixtures("events")
def test_who_may_not_see_files_gets_no_name_of_one(
    client: Client, mallory: User, record: FileRecord
) -> None:
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.set(Permission.objects.filter(codename="view_auditevent"))
    client.force_login(mallory)
    shown = client.get(reverse(LIST)).text
    assert str(record.pk) in shown
    for name in ("Ledger", "Case 7", "bob", "Team"):
        assert name not in shown


def test_what_is_gone_stays_an_id(root: User) -> None:
    event = audit.record(audit.Event.GRANT_CREATED, user_id=99, folder_id="junk")
    assert names_for(root, [event]) == {}


@pytest.mark.usefixtures("events")
def test_the_number_of_queries_is_fixed(client: Client, root: User, alice: User) -> None:
    client.force_login(root)
    client.get(reverse(LIST))
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse(LIST))
        counts.append(len(captured))
        for number in range(10):
            where = trees.folder(alice, f"more {number}")
            audit.record(
                audit.Event.GRANT_CREATED,
                file_id=filed(alice).pk,
                user_id=alice.pk,
                folder_id=str(where.pk),
            )
    assert counts[0] == counts[1]
