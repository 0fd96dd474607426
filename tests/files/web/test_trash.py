"""Deleting: asked first, into the trash, back out of it, and from there for good."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from files.models import FileRecord, Folder, Grant
from files.tree import placing
from tests.files.test_models import filed, placed


@pytest.fixture
def session(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def folder(alice: User) -> Folder:
    """Alice's folder Case."""
    return placing.add_folder(placing.root_of(alice), "Case", added_by=alice)


def page(item: FileRecord | Folder, name: str) -> str:
    kind = "folders" if isinstance(item, Folder) else "files"
    return f"/{kind}/{item.pk}/{name}/"


def test_the_question_names_the_file_and_deletes_nothing(
    session: Client, record: FileRecord
) -> None:
    response = session.get(page(record, "delete"))
    assert response.status_code == 200
    assert "Delete this file?" in response.text
    assert record.name in response.text
    record.refresh_from_db()
    assert record.trashed_at is None


def test_the_answer_puts_it_into_the_trash_and_leads_there(
    session: Client, alice: User, folder: Folder
) -> None:
    record = placed(alice, folder, name="a & b.txt")
    response = session.post(page(record, "delete"))
    assert (response.status_code, response["Location"]) == (302, folder.get_absolute_url())
    assert 'in the <a href="/trash/">trash</a>' in session.get(
        folder.get_absolute_url()
    ).text.replace("'", '"')
    record.refresh_from_db()
    assert record.trashed_at is not None
    assert session.get(f"/files/{record.pk}/").status_code == 404
    listed = session.get("/trash/")
    assert [row.item for row in listed.context["rows"]] == [record]
    assert "from “<bdi>Case</bdi>”" in listed.text
    assert "a &amp; b.txt" in listed.text


def test_a_folder_goes_with_all_that_is_in_it_and_comes_back_so(
    session: Client, alice: User, bob: User, folder: Folder, give: Callable[..., Grant]
) -> None:
    inside = placing.add_folder(folder, "Inside", added_by=alice)
    record = placed(alice, inside, name="deep.txt")
    give(folder, bob)
    assert session.post(page(folder, "delete"))["Location"] == "/files/"
    reader = Client()
    reader.force_login(bob)
    for one in (folder, inside):
        assert session.get(one.get_absolute_url()).status_code == 404
        assert reader.get(one.get_absolute_url()).status_code == 404
    assert session.get(record.get_absolute_url()).status_code == 404
    [row] = session.get("/trash/").context["rows"]
    assert row.item == folder
    assert session.get(page(folder, "restore")).status_code == 200
    response = session.post(page(folder, "restore"), follow=True)
    assert "“Case” is back in the files of its owner." in response.text
    assert reader.get(record.get_absolute_url()).status_code == 200


def test_what_comes_back_says_where_it_is_and_under_which_name(
    session: Client, alice: User, folder: Folder
) -> None:
    record = placed(alice, folder, name="a.txt")
    session.post(page(record, "delete"))
    placed(alice, folder, name="A.TXT")
    text = session.post(page(record, "restore"), follow=True).text
    assert "“a.txt” is back in “Case”. It is called “a (2).txt” now" in text
    session.post(page(record, "delete"))
    session.post(page(folder, "delete"))
    text = session.post(page(record, "restore"), follow=True).text
    assert "is now in the files of its owner: the folder that it was in is not there any" in text


def test_a_manager_may_put_away_and_bring_back_what_is_anothers(
    client: Client, alice: User, bob: User, folder: Folder, give: Callable[..., Grant]
) -> None:
    record = placed(alice, folder)
    give(folder, bob, level="manage")
    client.force_login(bob)
    client.post(page(record, "delete"))
    listed = client.get("/trash/")
    assert [row.item for row in listed.context["rows"]] == [record]
    assert "Delete<span" not in listed.text
    # For good is the owner's.
    assert client.post(page(record, "delete"), {"sure": "on"}).status_code == 404
    client.post(page(record, "restore"))
    record.refresh_from_db()
    assert record.trashed_at is None


def test_who_may_add_puts_away_their_own_additions_alone(
    client: Client, alice: User, bob: User, folder: Folder, give: Callable[..., Grant]
) -> None:
    give(folder, bob, level="add")
    own, others = placed(bob, folder, name="own"), placed(alice, folder, name="others")
    assert own.owner == alice
    client.force_login(bob)
    assert f"/files/{own.pk}/delete/" in client.get(own.get_absolute_url()).text
    assert "/delete/" not in client.get(others.get_absolute_url()).text
    assert client.post(page(own, "delete")).status_code == 302
    assert client.post(page(others, "delete")).status_code == 404
    assert [row.item for row in client.get("/trash/").context["rows"]] == [own]


def test_for_good_takes_a_tick_and_then_nothing_is_left(
    session: Client,
    record: FileRecord,
    nothing_left: Callable[[], bool],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    session.post(page(record, "delete"))
    assert "Delete this file for good?" in session.get(page(record, "delete")).text
    assert session.post(page(record, "delete")).status_code == 400
    assert FileRecord.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        response = session.post(page(record, "delete"), {"sure": "on"})
    assert (response.status_code, response["Location"]) == (302, "/trash/")
    assert nothing_left()
    assert session.post(page(record, "delete"), {"sure": "on"}).status_code == 404


def test_a_folder_goes_for_good_with_all_that_is_in_it(
    session: Client, alice: User, folder: Folder
) -> None:
    placed(alice, placing.add_folder(folder, "Inside", added_by=alice))
    session.post(page(folder, "delete"))
    assert "Everything that is in it" in session.get(page(folder, "delete")).text
    session.post(page(folder, "delete"), {"sure": "on"})
    assert not FileRecord.objects.exists()
    assert not Folder.objects.filter(parent__isnull=False).exists()


def test_what_was_brought_back_meanwhile_is_not_deleted_for_good(
    session: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from files.folders import purging

    record = placed(alice)
    session.post(page(record, "delete"))

    def gone(*_: object, **__: object) -> None:
        raise purging.NotInTheTrash

    monkeypatch.setattr(purging, "delete_for_good", gone)
    response = session.post(page(record, "delete"), {"sure": "on"})
    assert (response.status_code, "not in your trash" in response.text) == (409, True)


def test_for_good_asks_who_it_is_again(session: Client, record: FileRecord, settings: Any) -> None:
    session.post(page(record, "delete"))
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    response = session.post(page(record, "delete"), {"sure": "on"})
    assert response["Location"].startswith("/accounts/reauthenticate/")
    assert FileRecord.objects.exists()


def test_without_the_token_nothing_happens(alice: User) -> None:
    record = filed(alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(page(record, "delete")).status_code == 403
    record.refresh_from_db()
    assert record.trashed_at is None


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("name", ["delete", "restore"])
def test_other_methods_are_refused(
    session: Client, alice: User, folder: Folder, method: str, name: str
) -> None:
    for item in (filed(alice), folder):
        assert getattr(session, method)(page(item, name)).status_code == 405


def test_what_somebody_else_brought_back_meanwhile_is_said(
    session: Client, record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    from files.errors import NoSuchFolder
    from files.folders import trash

    session.post(page(record, "delete"))

    def gone(*_: object, **__: object) -> None:
        raise NoSuchFolder

    monkeypatch.setattr(trash, "restore", gone)
    response = session.post(page(record, "restore"))
    assert response.status_code == 404
    assert "does not exist any more" in response.text


def test_the_trash_is_listed_newest_first_page_by_page_with_its_end(
    session: Client, alice: User, settings: Any
) -> None:
    settings.FILES_PER_PAGE = 2
    settings.TRASH_TIME = timedelta(days=3)
    now = timezone.now()
    root = placing.root_of(alice)
    for number in range(5):
        if number % 2:
            item: Any = placing.add_folder(root, str(number), added_by=alice)
        else:
            item = placed(alice, name=str(number))
        placing.leave(item)
        type(item).objects.filter(pk=item.pk).update(
            trashed_at=now - timedelta(hours=number), trashed_by=alice
        )
    for sort, expected in (("", "01234"), ("-time", "01234"), ("time", "43210")):
        seen, address = "", f"/trash/?sort={sort}"
        while address:
            response = session.get(address)
            seen += "".join(row.item.name for row in response.context["rows"])
            following = response.context["next_url"]
            address = f"/trash/{following}" if following else ""
        assert seen == expected
    [first, *_] = session.get("/trash/").context["rows"]
    assert first.goes_at == now + timedelta(days=3)


def test_an_empty_trash_says_so(session: Client) -> None:
    assert "The trash is empty" in session.get("/trash/").text
    assert session.get("/trash/", {"after": uuid.uuid4().hex}).status_code == 200
