"""The pages, the operations and the words of who has read something, and who has not."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from django.test import Client

import audit
from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from files.models import FileRecord, Folder, Grant
from files.tree import placing
from tests.files.test_models import filed

Give = Callable[..., Grant]


@pytest.fixture
def case(alice: User, record: FileRecord) -> Folder:
    """Of Alice's, with one file in it."""
    case = placing.add_folder(placing.root_of(alice), "Case", added_by=alice)
    FileRecord.objects.filter(pk=filed(alice).pk).update(folder=case)
    return case


def test_the_page_of_a_file(
    client: Client, alice: User, bob: User, mallory: User, record: FileRecord, give: Give
) -> None:
    give(record, bob)
    give(record, mallory, level="manage")
    audit.record(
        Event.FILE_DOWNLOADED, actor=bob, file_id=record.pk, outcome="complete", bytes=1, size=1
    )
    url = f"/files/{record.pk}/read-by/"
    for user, status in ((alice, 200), (mallory, 200), (bob, 404)):
        client.force_login(user)
        assert client.get(url).status_code == status
        assert client.post(url).status_code == status
        assert (url in client.get(f"/files/{record.pk}/").text) == (status == 200)
    client.force_login(alice)
    page = client.get(url)
    assert "1 of the 3 people who can read it now have read it." in page.text
    assert page.text.index("mallory") < page.text.index("<bdi>bob</bdi>")
    events = AuditEvent.objects.filter(event=Event.AUDIT_EXPORTED)
    before = events.count()
    answer = client.post(url)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="read-by-')
    table = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["username"] for row in table] == ["alice", "mallory", "bob"]
    assert events.count() == before + 1
    assert client.get(f"{url}?after=0.bob").context["readers"].lines[0].user == mallory


def test_the_page_of_a_folder(
    client: Client, alice: User, bob: User, mallory: User, case: Folder, give: Give
) -> None:
    give(case, bob)
    url = f"/folders/{case.pk}/read-by/"
    for user, status in ((alice, 200), (bob, 403), (mallory, 404)):
        client.force_login(user)
        assert client.get(url).status_code == status
        assert client.post(url).status_code == status
    client.force_login(alice)
    assert url in client.get(f"/folders/{case.pk}/").text
    assert f'href="?person={bob.pk}"' in client.get(url).text
    theirs = client.get(f"{url}?person={bob.pk}")
    assert "fox" in theirs.text or "a.txt" in theirs.text or theirs.context["shown"].lines
    for number in (mallory.pk, "x", "9" * 18, "9" * 40):
        assert client.get(f"{url}?person={number}").status_code == 404
    root = placing.root_of(alice)
    assert client.get(f"/folders/{root.pk}/read-by/").status_code == 403
