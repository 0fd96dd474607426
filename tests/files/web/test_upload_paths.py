"""`path` of an upload, and the doors that make the folders of one: all comes along, or words."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from files.models import FileRecord, Folder, StoredObject
from files.tree import placing
from tests.files.conftest import give

BYTES = "application/offset+octet-stream"
UNUSABLE = [
    ("/etc", "is no path to a folder"),
    ("a/", "is no path to a folder"),
    ("a//b", "is no path to a folder"),
    ("../a", "goes down only"),
    ("a/./b", "goes down only"),
    ("a\\b", "cannot contain"),
    ("a/\N{RIGHT-TO-LEFT OVERRIDE}/b", "needs a name"),
    ("a/" * 32 + "a", "32 deep"),
    ("a/" + "x" * 256, "longer than 255 bytes"),
]


@pytest.fixture
def case(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "case", added_by=alice)


def as_member(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def begin(client: Client, data: bytes = b"", **said: str) -> Any:
    values = (f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in said.items())
    told = {"Upload-Length": "1", "Upload-Metadata": ",".join(values)}
    headers = {"Tus-Resumable": "1.0.0", **told}
    return client.generic("POST", "/uploads/", data, BYTES if data else "", headers=headers)


def go_on(client: Client, url: str) -> Any:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    return client.generic("PATCH", url, b"x", BYTES, headers=headers)


def path_of(file: FileRecord) -> str:
    assert file.folder is not None
    return "/".join([*(one.name for one in placing.path_of(file.folder)[1:]), file.name])


def test_a_file_comes_with_the_folders_it_stood_in(s3: object, alice: User, case: Folder) -> None:
    client = as_member(alice)
    for name in ("one.txt", "two.txt"):
        answer = begin(client, b"x", filename=name, folder=str(case.pk), path="Scans/May")
        assert answer.status_code == 201
        assert "Securestore-Folder" not in answer
    assert begin(client, b"x", filename="three.txt", path="scans").status_code == 201
    assert sorted(path_of(file) for file in FileRecord.objects.all()) == [
        *("case/Scans/May/one.txt", "case/Scans/May/two.txt", "scans/three.txt")
    ]


def test_the_folders_are_there_when_the_upload_begins(s3: object, alice: User) -> None:
    client = as_member(alice)
    url = begin(client, filename="a.txt", path="a/b")["Location"]
    assert Folder.objects.filter(name="b").exists()
    answer = go_on(client, url)
    assert path_of(FileRecord.objects.get(pk=answer["Securestore-File"])) == "a/b/a.txt"


def test_what_is_added_to_anothers_folder_is_theirs(
    s3: object, alice: User, bob: User, case: Folder
) -> None:
    give(case, bob, level="add")
    begin(as_member(bob), b"x", filename="a.txt", folder=str(case.pk), path="new")
    file = FileRecord.objects.get()
    assert (file.owner, file.folder and file.folder.owner) == (alice, alice)
    give(case, bob, level="add")


def test_a_folder_that_is_lost_on_the_way_is_told_of(
    s3: object, alice: User, bob: User, case: Folder
) -> None:
    grant = give(case, bob, level="add")
    client = as_member(bob)
    url = begin(client, filename="a.txt", folder=str(case.pk), path="new")["Location"]
    grant.delete()
    answer = go_on(client, url)
    root = placing.root_of(bob)
    assert answer["Securestore-Folder"] == str(root.pk)
    assert FileRecord.objects.get().folder == root


@pytest.mark.parametrize(("path", "words"), UNUSABLE)
def test_an_unusable_path_is_refused_in_words_and_nothing_is_made(
    s3: object, alice: User, path: str, words: str
) -> None:
    client = as_member(alice)
    for answer in (
        begin(client, b"x", filename="a.txt", path=path),
        client.post("/folders/path/", {"path": path}),
    ):
        assert answer.status_code == 400
        assert words in answer.content.decode()
    assert not Folder.objects.filter(parent__isnull=False).exists()
    assert not StoredObject.objects.exists()


def test_an_upload_that_is_refused_makes_no_folders(s3: object, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(quota=0)
    assert begin(as_member(alice), b"x", filename="a", path="new").status_code == 413
    assert begin(as_member(alice), b"x", filename="..", path="new").status_code == 400
    assert not Folder.objects.filter(parent__isnull=False).exists()


def test_a_file_on_the_way_is_told_of(s3: object, alice: User, record: FileRecord) -> None:
    client = as_member(alice)
    for answer in (
        begin(client, b"x", filename="a", path="fox.TXT/b"),
        client.post("/folders/path/", {"path": "fox.TXT/b"}),
    ):
        assert answer.status_code == 409
        assert "“fox.TXT” is a file there" in answer.content.decode()
    assert FileRecord.objects.count() == 1


def test_who_may_not_add_is_told_so(s3: object, bob: User, case: Folder, events: Any) -> None:
    give(case, bob, level="download")
    client = as_member(bob)
    for answer in (
        begin(client, b"x", filename="a", folder=str(case.pk), path="new"),
        client.post(f"/folders/{case.pk}/path/", {"path": "new"}),
    ):
        assert answer.status_code == 403
        assert "You may not add anything to that folder" in answer.content.decode()
    assert events("access_denied")[-1]["folder_id"] == str(case.pk)
    assert Folder.objects.filter(parent=case).count() == 0


def test_a_folder_that_one_does_not_see_does_not_exist(
    s3: object, mallory: User, case: Folder
) -> None:
    client = as_member(mallory)
    for folder in (case.pk, uuid.uuid4()):
        answer = client.post(f"/folders/{folder}/path/", {"path": "new"})
        assert answer.status_code == 404
        assert begin(client, filename="a", folder=str(folder), path="b").status_code == 404


def test_empty_folders_are_made_by_a_door_of_their_own(alice: User, case: Folder) -> None:
    client = as_member(alice)
    for _ in range(2):
        answer = client.post(f"/folders/{case.pk}/path/", {"path": "a/b"})
        assert answer.status_code == 204
        made = Folder.objects.get(name="b")
        assert answer["Location"] == made.get_absolute_url()
    assert client.post("/folders/path/", {"path": "case/a/b"})["Location"] == answer["Location"]
    assert client.get("/folders/path/").status_code == 405
    assert client.get(f"/folders/{case.pk}/path/").status_code == 405
    assert client.post("/folders/path/", {}).status_code == 400
