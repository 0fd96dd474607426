"""Deleting: asked first, then gone everywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from files.models import FileRecord, Grant
from tests.files.test_models import filed


@pytest.fixture
def session(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_the_question_names_the_file_and_deletes_nothing(
    session: Client, record: FileRecord
) -> None:
    response = session.get(f"/files/{record.id}/delete/")
    assert response.status_code == 200
    assert "Delete this file?" in response.text
    assert record.name in response.text
    assert FileRecord.objects.exists()


def test_the_answer_deletes_it_everywhere(
    session: Client,
    record: FileRecord,
    nothing_left: Callable[[], bool],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = session.post(f"/files/{record.id}/delete/")
    assert (response.status_code, response["Location"]) == (302, "/files/")
    assert "was deleted." in session.get("/files/").text
    assert nothing_left()
    assert session.get(f"/files/{record.id}/").status_code == 404
    assert session.post(f"/files/{record.id}/delete/").status_code == 404


def test_a_manager_may_delete_a_file_of_anothers(
    client: Client, alice: User, bob: User, give: Callable[..., Grant]
) -> None:
    record = filed(alice)
    give(record, bob, level="manage")
    client.force_login(bob)
    client.post(f"/files/{record.id}/delete/")
    assert not FileRecord.objects.exists()


def test_without_the_token_nothing_is_deleted(alice: User) -> None:
    record = filed(alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(f"/files/{record.id}/delete/").status_code == 403
    assert FileRecord.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(session: Client, alice: User, method: str) -> None:
    record = filed(alice)
    assert getattr(session, method)(f"/files/{record.id}/delete/").status_code == 405
    assert FileRecord.objects.exists()
