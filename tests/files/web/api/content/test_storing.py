"""A file is stored in one request: what comes of it, and that it is done once."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from accounts.models import User
from files.models import FileRecord, Folder, KeptAnswer
from files.tree import placing
from files.vault import storing
from files.vault.destinations import Destination
from tests.files.conftest import give
from tests.files.web.api.callers import Caller, digest, problem, whole

pytestmark = pytest.mark.usefixtures("s3")


def test_what_is_not_taken_in_an_address_is_never_left_out(caller: Caller, cases: Folder) -> None:
    assert caller.put("/content/Cases/a", b"one").status_code == 201
    for query in (
        "conflict=refuse",
        "conflict=rename",
        "Parents=1",
        "custody=held&custody=managed",
    ):
        refused = caller.put(f"/content/Cases/a?{query}", b"two")
        assert problem(refused) == (400, "invalid")
    assert "If-None-Match" in caller.put("/content/Cases/a?conflict=refuse", b"2").json()["detail"]
    assert whole(caller.get("/content/Cases/a")) == b"one"


def test_there_and_back(caller: Caller, cases: Folder, alice: User) -> None:
    stored = caller.put(
        "/content/Cases/Prüfung 1.txt", b"one", Securestore_Modified="2020-01-02T03:04:05Z"
    )
    assert stored.status_code == 201, stored.content
    told = stored.json()
    assert (told["outcome"], told["key"]) == ("created", None)
    assert told["file"]["name"] == "Prüfung 1.txt"
    assert told["file"]["folder_id"] == str(cases.pk)
    assert told["file"]["modified_at"] == "2020-01-02T03:04:05Z"
    assert stored["Repr-Digest"] == digest(b"one")
    record = FileRecord.objects.get()
    assert (record.folder, record.uploaded_by, record.content_type) == (cases, alice, "text/plain")
    answer = caller.get("/content/cases/PRÜFUNG 1.TXT")
    assert (answer.status_code, whole(answer)) == (200, b"one")
    assert answer["ETag"] == stored["ETag"] == told["file"]["etag"]
    assert answer["Repr-Digest"] == digest(b"one")
    assert "Pr%C3%BCfung%201.txt" in answer["Content-Disposition"]
    head = caller.ask("HEAD", "/content/Cases/Prüfung 1.txt")
    assert (head.status_code, head["Content-Length"], head.content) == (200, "3", b"")
    again = caller.get(f"/folders/{cases.pk}/content/Prüfung 1.txt", Range="bytes=1-")
    assert (again.status_code, whole(again)) == (206, b"ne")
    by_id = caller.get(f"/files/{record.pk}/content", If_None_Match=stored["ETag"])
    assert by_id.status_code == 304


def test_the_same_name_is_a_version_for_who_may_make_one(caller: Caller) -> None:
    first = caller.put("/content/a.txt", b"one")
    second = caller.put("/content/A.TXT", b"two!")
    assert second.status_code == 200, second.content
    assert second.json()["outcome"] == "version"
    assert second.json()["file"]["name"] == "a.txt"
    assert second.json()["file"]["id"] == first.json()["file"]["id"]
    [record] = FileRecord.objects.all()
    [former] = caller.get(f"/files/{record.pk}/versions").json()["versions"]
    answer = caller.get(f"/files/{record.pk}/versions/{former['version']}/content")
    assert whole(answer) == b"one"
    back = caller.ask("POST", f"/files/{record.pk}/versions/{former['version']}/restore")
    assert back.json()["version"] == former["version"]
    assert whole(caller.get("/content/a.txt")) == b"one"


def test_to_add_alone_makes_a_version_of_ones_own_uploads(
    alice: User, bob: User, cases: Folder
) -> None:
    give(cases, bob, level="add")
    his = Caller(bob, "add")
    assert his.put(f"/folders/{cases.pk}/content/his.txt", b"1").status_code == 201
    assert his.put(f"/folders/{cases.pk}/content/his.txt", b"2").status_code == 200
    storing.store(alice, [b"x"], name="hers.txt", destination=Destination(cases))
    refused = his.put(f"/folders/{cases.pk}/content/HERS.txt", b"3")
    assert problem(refused) == (409, "name_taken")
    assert refused.json()["name"] == "hers.txt"
    assert FileRecord.objects.count() == 2


def test_folders_are_made_where_that_was_said(caller: Caller, alice: User) -> None:
    refused = caller.put("/content/a/b/c.txt", b"x")
    assert problem(refused) == (409, "folder_missing")
    assert refused.json()["name"] == "a"
    stored = caller.put("/content/a/b/c.txt?parents=1", b"x")
    assert stored.status_code == 201, stored.content
    record = FileRecord.objects.get()
    assert record.folder is not None
    assert [one.name for one in placing.path_of(record.folder)] == ["", "a", "b"]
    assert whole(caller.get("/content/a/b/c.txt")) == b"x"
    assert caller.put("/content/a/b/d.txt", b"").status_code == 201


def test_more_than_a_file_may_have(caller: Caller, settings: Any, alice: User) -> None:
    settings.MAX_UPLOAD_SIZE = 3
    refused = caller.put("/content/a", b"four")
    assert problem(refused) == (413, "too_large")
    assert refused.json()["limit"] == 3
    settings.MAX_UPLOAD_SIZE = 100
    User.objects.filter(pk=alice.pk).update(quota=3)
    refused = caller.put("/content/a", b"four")
    assert problem(refused) == (413, "quota_exceeded")
    assert refused.json()["left"] == 3


def test_a_put_that_is_sent_twice_is_done_once(caller: Caller) -> None:
    first = caller.put("/content/a", b"1", Idempotency_Key="k-1")
    again = caller.put("/content/a", b"1", Idempotency_Key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again["Idempotent-Replay"] == "true"
    assert again.json() == first.json()
    for name in ("ETag", "Securestore-File", "Location", "Repr-Digest"):
        assert first[name] == again[name], name
    assert not FileRecord.objects.get().versions.exists()
    refused = caller.put("/content/b", b"1", Idempotency_Key="k-1")
    assert problem(refused) == (422, "idempotency_key_reused")


def test_a_replay_tells_the_digest_of_what_it_stored_and_not_of_what_came_after(
    caller: Caller,
) -> None:
    first = caller.put("/content/a", b"1", Idempotency_Key="k-1")
    caller.put("/content/a", b"2")
    again = caller.put("/content/a", b"1", Idempotency_Key="k-1")
    assert again["Repr-Digest"] == first["Repr-Digest"]
    assert whole(caller.get("/content/a")) == b"2"
    FileRecord.objects.get().versions.get().delete()
    gone = caller.put("/content/a", b"1", Idempotency_Key="k-1")
    assert "Repr-Digest" not in gone
    assert gone.json() == first.json()


def test_another_body_with_the_same_key_is_refused_and_stores_nothing(caller: Caller) -> None:
    """However alike they are: of one length, to one address, and without a digest."""
    caller.put("/content/a", b"first", Idempotency_Key="k-1")
    for other in (b"other", b"firs", b"", b"first and more"):
        refused = caller.put("/content/a", other, Idempotency_Key="k-1")
        assert problem(refused) == (422, "idempotency_key_reused"), other
    assert whole(caller.get("/content/a")) == b"first"
    # What is kept tells nobody what was in the file: not even who guesses it.
    [kept] = KeptAnswer.objects.all()
    path = "/api/v1/content/a"
    guesses = (b"first", b"\0".join([b"PUT", path.encode(), b"first"]))
    assert kept.request not in {hashlib.sha256(guess).hexdigest() for guess in guesses}


@pytest.mark.parametrize("condition", [{"If_None_Match": "*"}, {"If_Match": "*"}])
def test_a_request_again_is_answered_before_its_conditions(
    caller: Caller, condition: dict[str, str]
) -> None:
    """The answer was lost, and what it made stands: the condition would not hold any more."""
    if "If_Match" in condition:
        made = caller.put("/content/a", b"0")
        condition = {"If_Match": made["ETag"]}
    first = caller.put("/content/a", b"1", Idempotency_Key="k-1", **condition)
    again = caller.put("/content/a", b"1", Idempotency_Key="k-1", **condition)
    assert again["Idempotent-Replay"] == "true"
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert (again["ETag"], again.get("Location")) == (first["ETag"], first.get("Location"))


def test_a_replay_never_has_a_secret(caller: Caller) -> None:
    first = caller.put("/content/a?custody=held", b"1", Idempotency_Key="k-1")
    again = caller.put("/content/a?custody=held", b"1", Idempotency_Key="k-1")
    assert again.json() == {"id": first.json()["file"]["id"]}
    assert "Securestore-Key" not in again
    assert again["Securestore-File"] == first["Securestore-File"]


def test_what_was_refused_is_not_kept(caller: Caller) -> None:
    assert problem(caller.put("/content/x/a", b"1", Idempotency_Key="k"))[0] == 409
    caller.ask(
        "POST", "/folders/{}/folders".format(caller.get("/me").json()["root_id"]), {"name": "x"}
    )
    assert caller.put("/content/x/a", b"1", Idempotency_Key="k").status_code == 201
