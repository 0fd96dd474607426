"""The upload page of a folder: where it says that files go, and whither it leads afterwards."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from files.models import FileRecord, Folder
from tests.files import trees
from tests.files.conftest import give
from tests.files.multipart import CONTENT_TYPE, body, field, file

UPLOAD = "/files/upload/"


@pytest.fixture
def session(client: Client, alice: User, s3: object) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def case(alice: User) -> Folder:
    """Alice's folder Case."""
    return trees.folder(alice, "Case")


def sent(client: Client, folder: Folder, *fields: Any) -> Any:
    data = body(field("folder", str(folder.pk)), *fields, file("a.txt", b"1"))
    return client.generic("POST", f"{UPLOAD}?folder={folder.pk}", data, CONTENT_TYPE)


def test_the_page_names_the_folder_and_sends_it_before_the_files(
    session: Client, case: Folder
) -> None:
    page = session.get(UPLOAD, {"folder": str(case.pk)}).text
    assert "Upload files into" in page
    assert f'name="folder" value="{case.pk}"' in page
    for name in ('name="folder"', 'name="conflict"'):
        assert page.index(name) < page.index('type="file"')
    assert 'name="folder"' not in session.get(UPLOAD).text


def test_what_is_stored_is_in_the_folder_and_so_is_who_sent_it(
    session: Client, case: Folder
) -> None:
    response = sent(session, case)
    assert (response.status_code, response["Location"]) == (302, case.get_absolute_url())
    record = FileRecord.objects.get()
    assert (record.folder, record.name) == (case, "a.txt")
    sent(session, case, field("conflict", "version"))
    record.refresh_from_db()
    assert (FileRecord.objects.count(), record.versions.count()) == (1, 1)


def test_the_way_leads_into_the_folder_that_the_form_alone_names(
    session: Client, case: Folder
) -> None:
    data = body(field("folder", str(case.pk)), file("a.txt", b"1"))
    response = session.generic("POST", UPLOAD, data, CONTENT_TYPE)
    assert (response.status_code, response["Location"]) == (302, case.get_absolute_url())


def test_a_refusal_keeps_the_folder_on_the_page(session: Client, case: Folder) -> None:
    sent(session, case)
    response = sent(session, case, field("conflict", "refuse"))
    assert response.status_code == 409
    assert f'name="folder" value="{case.pk}"' in response.text


@pytest.mark.parametrize("folder", ["unknown", "hidden", "no id"])
def test_a_folder_that_one_cannot_see_is_not_there(session: Client, bob: User, folder: str) -> None:
    hidden = trees.folder(bob, "Hidden")
    wanted = {"unknown": str(uuid.uuid4()), "hidden": str(hidden.pk), "no id": "x"}[folder]
    assert session.get(UPLOAD, {"folder": wanted}).status_code == 404


def test_a_folder_that_one_may_only_read_is_refused_in_words(
    client: Client, bob: User, case: Folder
) -> None:
    give(case, bob)
    client.force_login(bob)
    response = client.get(UPLOAD, {"folder": str(case.pk)})
    assert response.status_code == 403
    assert "You may not put anything into it" in response.text


def test_who_gives_is_told_so(client: Client, bob: User, case: Folder, s3: object) -> None:
    give(case, bob, level="add")
    client.force_login(bob)
    assert "is given to them" in client.get(UPLOAD, {"folder": str(case.pk)}).text
    assert sent(client, case)["Location"] == case.get_absolute_url()
    record = FileRecord.objects.get()
    assert (record.owner, record.uploaded_by) == (case.owner, bob)
