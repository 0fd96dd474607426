"""`folder` and `conflict`, as tus and forms say them: where files go, or why not, in words."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from files.models import FileRecord, Folder, Grant, StoredObject
from files.tree import placing
from files.vault import opening
from tests.files.conftest import Store, give
from tests.files.multipart import CONTENT_TYPE, Part, body, field, file

Events = Callable[[str], list[dict[str, Any]]]
Send = Callable[..., Any]
TEXT = b"Another text. " * 30


@pytest.fixture
def case(alice: User) -> Folder:
    """A folder of Alice's."""
    return placing.add_folder(placing.root_of(alice), "case", added_by=alice)


@pytest.fixture(params=["tus", "form", "form, said last"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def send(way: str, s3: object) -> Send:
    """Sends a file to where `said` says, and returns the answer."""

    def by_tus(client: Client, name: str, **said: str) -> Any:
        pairs = {"filename": name, **said}
        values = (f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in pairs.items())
        return client.post(
            "/uploads/",
            TEXT,
            content_type="application/offset+octet-stream",
            headers={
                "Tus-Resumable": "1.0.0",
                "Upload-Length": str(len(TEXT)),
                "Upload-Metadata": ",".join(values),
            },
        )

    def by_form(client: Client, name: str, **said: str) -> Any:
        fields: list[Part] = [field(key, value) for key, value in said.items()]
        sent = file(name, TEXT)
        parts = [*fields, sent] if way == "form" else [sent, *fields]
        return client.generic("POST", "/files/upload/", body(*parts), CONTENT_TYPE)

    return by_tus if way == "tus" else by_form


def as_member(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(answer: Any) -> str:
    return re.sub(r'value="\w{64}"', "", answer.content.decode())


def nothing_written() -> bool:
    return not StoredObject.objects.filter(state="writing").exists()


def test_a_file_goes_into_a_folder(
    send: Send, way: str, alice: User, bob: User, case: Folder
) -> None:
    give(case, bob, level="add")
    answer = send(as_member(bob), "a.txt", folder=str(case.pk))
    assert answer.status_code == (201 if way == "tus" else 302)
    record = FileRecord.objects.get()
    assert (record.folder, record.owner, record.uploaded_by) == (case, alice, bob)
    assert b"".join(opening.open_file(record).chunks()) == TEXT


def test_a_taken_name_is_numbered_and_the_answer_says_so(
    send: Send, way: str, record: FileRecord, alice: User
) -> None:
    client = as_member(alice)
    answer = send(client, "fox.txt")
    assert FileRecord.objects.filter(name="fox (2).txt").exists()
    if way == "tus":
        assert unquote(answer["Securestore-Name"]) == "fox (2).txt"
    else:
        assert "“fox (2).txt”" in text_of(client.get("/files/"))


def test_a_taken_name_is_a_version_where_that_is_said(
    send: Send, way: str, record: FileRecord, alice: User
) -> None:
    answer = send(as_member(alice), "FOX.txt", conflict="version")
    stored = FileRecord.objects.get()
    assert (stored.name, stored.size, stored.versions.count()) == ("fox.txt", len(TEXT), 1)
    if way == "tus":
        assert answer["Securestore-File"] == str(record.pk)
        assert "Securestore-Name" in answer
    assert nothing_written() or way == "form, said last"


def test_a_taken_name_is_refused_where_that_is_said(
    send: Send, record: FileRecord, alice: User
) -> None:
    answer = send(as_member(alice), "fox.txt", conflict="refuse")
    assert answer.status_code == 409
    assert "exists in that folder already" in text_of(answer)
    assert "new version" in text_of(answer)
    assert FileRecord.objects.count() == 1
    assert nothing_written()


def test_a_folder_that_is_not_seen_is_one_that_does_not_exist(
    send: Send, mallory: User, case: Folder, events: Events
) -> None:
    client = as_member(mallory)
    answers = [send(client, "a.txt", folder=str(one)) for one in (case.pk, uuid.uuid4())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert text_of(answers[0]) == text_of(answers[1])
    assert [event["exists"] for event in events("access_denied")] == [True, False]
    assert not StoredObject.objects.exists()


def test_a_folder_that_is_seen_and_may_not_be_added_to(send: Send, bob: User, case: Folder) -> None:
    give(case, bob, level="download")
    answer = send(as_member(bob), "a.txt", folder=str(case.pk))
    assert answer.status_code == 403
    assert "You may not add anything to that folder" in text_of(answer)
    assert not StoredObject.objects.exists()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"folder": "case"}, "“case” is no id of a folder"),
        ({"folder": "../../etc"}, "is no id of a folder"),
        ({"conflict": "overwrite"}, "send version, rename or refuse"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    send: Send, alice: User, said: dict[str, str], words: str
) -> None:
    answer = send(as_member(alice), "a.txt", **said)
    assert answer.status_code == 400
    assert words in text_of(answer)
    assert not FileRecord.objects.exists()
    assert not StoredObject.objects.exists()


def test_an_empty_field_says_nothing(send: Send, alice: User) -> None:
    send(as_member(alice), "a.txt", folder="", conflict="")
    assert FileRecord.objects.get().folder == placing.root_of(alice)


def test_a_full_quota_of_the_folders_owner_is_told_in_words(
    send: Send, alice: User, bob: User, case: Folder
) -> None:
    give(case, bob, level="add")
    User.objects.filter(pk=alice.pk).update(quota=5)
    answer = send(as_member(bob), "a.txt", folder=str(case.pk))
    assert answer.status_code == 413
    assert "storage of that folder" in text_of(answer)
    assert not FileRecord.objects.exists()
    assert not StoredObject.objects.filter(state="live").exists()


# --- Resumed --------------------------------------------------------------------------------------


def resumed(client: Client, url: str, method: str, data: bytes = b"", /, **headers: str) -> Any:
    kind = "application/offset+octet-stream"
    return client.generic(method, url, data, kind, headers={"Tus-Resumable": "1.0.0", **headers})


def test_who_left_the_group_in_mid_upload_finds_it_among_their_own(
    s3: object, alice: User, bob: User, case: Folder
) -> None:
    group = Group.objects.create(name="team")
    bob.groups.add(group)
    give(case, group, level="add")
    client = as_member(bob)
    told = ",".join(
        f"{k} {base64.b64encode(v.encode()).decode()}"
        for k, v in {"filename": "a.txt", "folder": str(case.pk)}.items()
    )
    length = {"Upload-Length": str(len(TEXT)), "Upload-Metadata": told}
    url = resumed(client, "/uploads/", "POST", b"", **length)["Location"]
    assert resumed(client, url, "PATCH", TEXT[:50], **{"Upload-Offset": "0"}).status_code == 204
    bob.groups.remove(group)
    answer = resumed(client, url, "PATCH", TEXT[50:], **{"Upload-Offset": "50"})
    record = FileRecord.objects.get(pk=answer["Securestore-File"])
    assert (record.owner, record.folder) == (bob, placing.root_of(bob))
    assert answer["Securestore-Folder"] == str(record.folder_id)
    again = resumed(client, url, "HEAD")
    assert again["Securestore-Folder"] == str(record.folder_id)


def test_head_of_a_version_that_is_a_former_one_by_now_tells_its_file(
    store: Store, alice: User
) -> None:
    first = store(alice, name="a.txt")
    client = as_member(alice)
    for _ in range(2):
        said = {"filename": "a.txt", "conflict": "version"}
        told = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in said.items())
        headers = {"Upload-Length": str(len(TEXT)), "Upload-Metadata": told}
        answer = resumed(client, "/uploads/", "POST", TEXT, **headers)
        assert answer.status_code == 201
    former = FileRecord.objects.get().versions.order_by("-pk")[0]
    url = f"/uploads/{former.object.session.pk}"
    assert resumed(client, url, "HEAD")["Securestore-File"] == str(first.pk)


def test_an_upload_outlives_its_folder(s3: object, alice: User, case: Folder) -> None:
    Grant.objects.filter(folder=case).delete()
    client = as_member(alice)
    told = f"folder {base64.b64encode(str(case.pk).encode()).decode()}"
    headers = {"Upload-Length": "1", "Upload-Metadata": told}
    url = resumed(client, "/uploads/", "POST", b"", **headers)["Location"]
    case.delete()
    answer = resumed(client, url, "PATCH", b"x", **{"Upload-Offset": "0"})
    assert answer["Securestore-Folder"] == str(placing.root_of(alice).pk)
