"""A folder as ZIP: with its structure, streamed, and the rule asked before each file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from files.keys.custody import UserKey
from files.models import FileRecord, Folder, Grant
from files.tree import placing
from tests.files import trees
from tests.files.conftest import CONTENT, KEY, Store


@pytest.fixture
def case(alice: User, store: Store) -> Folder:
    """Alice's folder Case, with a file in a folder in it, an empty folder and a held file."""
    case = placing.add_folder(placing.root_of(alice), "Case: 12", added_by=alice)
    deep = placing.add_folder(case, "Deep", added_by=alice)
    placing.add_folder(case, "Empty", added_by=alice)
    trees.put(store(alice, name="a.txt"), deep)
    trees.put(store(alice, b"", name="none"), case)
    trees.put(store(alice, name="held.txt", key=UserKey(KEY)), case)
    return case


def zip_of(response: Any) -> zipfile.ZipFile:
    body = b"".join(response.streaming_content)
    assert len(body) == int(response["Content-Length"])
    return zipfile.ZipFile(io.BytesIO(body))


def test_it_has_the_whole_tree_and_says_what_it_has_not(
    client: Client, alice: User, case: Folder
) -> None:
    client.force_login(alice)
    page = client.get(f"/folders/{case.pk}/zip/").text
    assert "2 files, 2 folders below it" in page
    assert "held.txt" in page
    response = client.post(f"/folders/{case.pk}/zip/")
    assert 'filename="Case: 12.zip"' in response["Content-Disposition"]
    with zip_of(response) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            *("Deep/", "Deep/a.txt", "Empty/", "NOT INCLUDED.txt", "none")
        ]
        assert archive.read("Deep/a.txt") == CONTENT
        assert "held.txt: it needs its own key" in archive.read("NOT INCLUDED.txt").decode()


def test_who_was_granted_it_has_it_and_each_file_is_a_download(
    client: Client,
    bob: User,
    case: Folder,
    give: Callable[..., Grant],
    events: Callable[..., list[dict[str, Any]]],
) -> None:
    give(case, bob)
    client.force_login(bob)
    with zip_of(client.post(f"/folders/{case.pk}/zip/")) as archive:
        assert archive.read("Deep/a.txt") == CONTENT
    told = events("file_downloaded")
    assert {one["actor"] for one in told} == {"bob"}
    assert {one["file_id"] for one in told} == {
        *FileRecord.objects.filter(name__in=["a.txt", "none"]).values_list("pk", flat=True)
    }


def test_a_grant_that_ends_on_the_way_ends_it_short(
    client: Client, bob: User, case: Folder, give: Callable[..., Grant]
) -> None:
    give(case, bob)
    client.force_login(bob)
    response: Any = client.post(f"/folders/{case.pk}/zip/")
    chunks = iter(response.streaming_content)
    first = next(chunks)
    Grant.objects.update(revoked_at=case.created_at)
    body = first + b"".join(chunks)
    assert len(body) < int(response["Content-Length"])


def test_without_the_permission_to_download_nothing_is_sent(
    client: Client, alice: User, case: Folder
) -> None:
    alice.groups.clear()
    client.force_login(alice)
    for method in (client.get, client.post):
        response = method(f"/folders/{case.pk}/zip/")
        assert response.status_code == 403
        assert "You may not download files" in response.text


def test_too_much_is_said_with_the_number(
    client: Client, alice: User, case: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from files.lists import trees as listed
    from files.web import downloads

    for module in (listed, downloads):
        monkeypatch.setattr(module, "AT_MOST", 3)
    client.force_login(alice)
    response = client.post(f"/folders/{case.pk}/zip/")
    assert response.status_code == 400
    assert "more than 3 files and folders" in response.text


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(client: Client, alice: User, case: Folder, method: str) -> None:
    client.force_login(alice)
    assert getattr(client, method)(f"/folders/{case.pk}/zip/").status_code == 405


def test_what_was_chosen_comes_with_its_folders_and_without_what_is_locked(
    client: Client, alice: User, case: Folder, store: Store
) -> None:
    client.force_login(alice)
    record = trees.put(store(alice, name="beside.txt"), placing.root_of(alice))
    chosen = {"file": record.pk, "folder": case.pk, "back": "/files/?sort=-size"}
    page = client.post("/files/download/", chosen)
    assert page.status_code == 403
    assert "held.txt" in page.text
    assert 'href="/files/?sort=-size"' in page.text
    assert "Download the other 3 files" in page.text
    with zip_of(client.post("/files/download/", {**chosen, "anyway": "yes"})) as archive:
        assert sorted(archive.namelist()) == [
            *("Case_ 12/", "Case_ 12/Deep/", "Case_ 12/Deep/a.txt", "Case_ 12/Empty/"),
            *("Case_ 12/none", "NOT INCLUDED.txt", "beside.txt"),
        ]
        assert archive.read("Case_ 12/Deep/a.txt") == CONTENT
