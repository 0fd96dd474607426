"""A file in one request, by its path: what is stored, what is refused, and that nothing is half."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from audit.models import AuditEvent
from client.securestore_client.api import key_header
from files.keys.custody import UserKey
from files.models import FileRecord, Folder, KeptAnswer, StoredObject
from files.tree import placing
from files.vault import storing
from files.vault.destinations import Destination
from tests.files.conftest import CONTENT, Store, give
from tests.files.web.api.callers import Caller, problem, whole

pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture
def caller(alice: User) -> Caller:
    return Caller(alice)


@pytest.fixture
def cases(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)


def digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


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


def test_a_condition_without_an_etag_is_refused(caller: Caller, cases: Folder) -> None:
    assert caller.put("/content/Cases/a", b"one").status_code == 201
    for wrong in ("a", "", "W/", '"'):
        refused = caller.put("/content/Cases/a", b"two", If_None_Match=wrong)
        assert refused.status_code in {400, 412}
    assert whole(caller.get("/content/Cases/a")) == b"one"


def test_a_digest_is_compared_however_its_kind_is_written(caller: Caller, cases: Folder) -> None:
    wrong = digest(b"two").replace("sha-256", "SHA-256")
    refused = caller.put("/content/Cases/a", b"one", Repr_Digest=wrong)
    assert problem(refused) == (400, "digest_mismatch")
    assert not FileRecord.objects.exists()


# --- In and out ---------------------------------------------------------------------------------


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


def test_a_held_file_shows_its_key_once_and_takes_it(caller: Caller) -> None:
    stored = caller.put("/content/secret.txt?custody=held", b"secret")
    key = stored.json()["key"]
    assert stored["Securestore-Key"] == key
    assert "Repr-Digest" not in stored
    assert problem(caller.get("/content/secret.txt")) == (403, "key_needed")
    wrong = caller.get("/content/secret.txt", Securestore_Key="A" * 43 + "=")
    assert problem(wrong) == (403, "wrong_key")
    assert problem(caller.get("/content/secret.txt", Securestore_Key="x")) == (400, "not_a_key")
    for _ in range(2):
        assert whole(caller.get("/content/secret.txt", Securestore_Key=key)) == b"secret"
    assert AuditEvent.objects.filter(event="file_unlocked").count() == 1
    file_id = stored.json()["file"]["id"]
    assert problem(caller.get(f"/files/{file_id}/digest")) == (403, "key_needed")
    told = caller.get(f"/files/{file_id}/digest", Securestore_Key=key).json()
    assert told["repr_digest"] == digest(b"secret")


@pytest.mark.parametrize(
    "passphrase",
    ["correct horse battery", "Grüße an \U0001fa77 łódź", " 50% blank at the ends ", "UTF-8''x"],
)
def test_a_passphrase_of_any_characters_opens_a_file(
    caller: Caller, alice: User, store: Store, passphrase: str
) -> None:
    """As the command writes it, too: a header is ASCII, and loses blanks at its ends."""
    record = store(alice, key=UserKey.from_passphrase(passphrase))
    sent = key_header(passphrase)["Securestore-Key"]
    assert sent.isascii()
    assert sent.strip() == sent
    path = f"/files/{record.pk}/content"
    assert whole(caller.get(path, Securestore_Key=sent)) == CONTENT
    assert problem(caller.get(path, Securestore_Key="UTF-8''%FF")) == (400, "not_a_key")


def test_wrong_keys_are_limited_as_on_pages(caller: Caller) -> None:
    caller.put("/content/secret.txt?custody=held", b"secret")
    codes = [
        problem(caller.get("/content/secret.txt", Securestore_Key="A" * 43 + "=")) for _ in range(6)
    ]
    assert codes[:5] == [(403, "wrong_key")] * 5
    assert codes[5] == (429, "too_many_attempts")


# --- Conditions ---------------------------------------------------------------------------------


def test_only_where_nothing_is_there(caller: Caller) -> None:
    assert caller.put("/content/a", b"1", If_None_Match="*").status_code == 201
    assert problem(caller.put("/content/A", b"2", If_None_Match="*")) == (
        412,
        "precondition_failed",
    )
    assert whole(caller.get("/content/a")) == b"1"


def test_not_in_the_place_of_what_one_names(caller: Caller) -> None:
    """RFC 9110, 13.1.2, with tags: only where what is there is another one, or nothing."""
    etag = caller.put("/content/a", b"1", If_None_Match='"x"')["ETag"]
    for condition in (etag, f'"x", {etag}'):
        refused = caller.put("/content/a", b"2", If_None_Match=condition)
        assert problem(refused) == (412, "precondition_failed")
    assert caller.put("/content/a", b"2", If_None_Match='"x"').status_code == 200
    assert whole(caller.get("/content/a")) == b"2"


def test_only_in_the_place_of_what_one_knows(caller: Caller) -> None:
    etag = caller.put("/content/a", b"1")["ETag"]
    assert problem(caller.put("/content/b", b"2", If_Match=etag)) == (412, "precondition_failed")
    assert caller.put("/content/a", b"2", If_Match=etag).status_code == 200
    assert problem(caller.put("/content/a", b"3", If_Match=etag)) == (412, "precondition_failed")
    assert caller.put("/content/a", b"3", If_Match="*").status_code == 200
    assert whole(caller.get("/content/a")) == b"3"


def while_it_comes(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do that when all bytes have come, and before the file is one."""
    finish = storing.Upload.finish

    def finished(upload: storing.Upload) -> None:
        finish(upload)
        monkeypatch.setattr(storing.Upload, "finish", finish)
        act()

    monkeypatch.setattr(storing.Upload, "finish", finished)


def test_a_condition_holds_to_the_end(
    caller: Caller, alice: User, monkeypatch: pytest.MonkeyPatch, store_is_empty: Callable[[], bool]
) -> None:
    etag = caller.put("/content/a", b"1")["ETag"]
    while_it_comes(monkeypatch, lambda: caller.put("/content/a", b"between"))
    assert problem(caller.put("/content/a", b"2", If_Match=etag))[0] == 412
    assert whole(caller.get("/content/a")) == b"between"
    while_it_comes(monkeypatch, lambda: caller.put("/content/new", b"between"))
    assert problem(caller.put("/content/new", b"mine", If_None_Match="*"))[0] == 412
    assert whole(caller.get("/content/new")) == b"between"
    assert FileRecord.objects.count() == 2
    assert not StoredObject.objects.filter(state=StoredObject.State.WRITING).exists()


def test_a_name_that_is_taken_meanwhile_costs_no_bytes(
    alice: User, bob: User, cases: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(cases, bob, level="add")
    his, hers = Caller(bob, "add"), Caller(alice)
    path = f"/folders/{cases.pk}/content/a.txt"
    while_it_comes(monkeypatch, lambda: hers.put(path, b"hers"))
    stored = his.put(path, b"his")
    assert stored.status_code == 201
    assert stored.json()["file"]["name"] == "a (2).txt"


@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
def test_what_is_not_what_its_digest_says_is_no_file(
    caller: Caller, nothing_left: Callable[[], bool], name: str
) -> None:
    header = name.replace("-", "_")
    refused = caller.put("/content/a", b"altered", **{header: digest(b"original")})
    assert problem(refused) == (400, "digest_mismatch")
    for none in (
        "",
        "sha-256=:eA==:",
        "sha-256=:!:",
        "sha-256=AAAA",
        "sha-256",
        "md5=:eA==:, sha-256=",
    ):
        refused = caller.put("/content/a", b"x", **{header: none})
        assert problem(refused) == (400, "invalid"), none
    both = {"Repr_Digest": digest(b"x"), "Content_Digest": digest(b"x")}
    refused = caller.put("/content/a", b"x", **{**both, header: digest(b"another")})
    assert problem(refused) == (400, "invalid")
    assert nothing_left()
    assert caller.put("/content/a", b"x", **both).status_code == 201
    assert caller.put("/content/b", b"x", **{header: digest(b"x")}).status_code == 201


# --- What is refused ----------------------------------------------------------------------------


def send(caller: Caller, path: str, body: bytes, length: int) -> Any:
    """A body that ends before its declared length."""
    told: dict[str, Any] = {"CONTENT_LENGTH": str(length), "wsgi.input": io.BytesIO(body)}
    return caller.client.generic("PUT", f"/api/v1{path}", headers=caller.headers, **told)


def test_half_a_body_stores_nothing_and_makes_no_folder(
    caller: Caller, nothing_left: Callable[[], bool]
) -> None:
    for path in ("/content/a.txt", "/content/x/y/a.txt?parents=1"):
        assert problem(send(caller, path, b"half", 8)) == (400, "body_incomplete")
    assert nothing_left()
    assert not Folder.objects.filter(parent__isnull=False).exists()


def test_half_a_body_leaves_what_was_there(caller: Caller) -> None:
    caller.put("/content/a.txt", b"whole")
    assert problem(send(caller, "/content/a.txt", b"half", 8)) == (400, "body_incomplete")
    assert whole(caller.get("/content/a.txt")) == b"whole"


def test_a_path_that_is_a_folder(caller: Caller, cases: Folder) -> None:
    assert problem(caller.get("/content/cases")) == (409, "is_a_folder")
    assert problem(caller.put("/content/cases", b"x")) == (409, "is_a_folder")
    caller.put("/content/file", b"x")
    assert problem(caller.put("/content/file/a", b"x")) == (409, "not_a_folder")
    assert problem(caller.put("/content/file/a?parents=1", b"x")) == (409, "not_a_folder")
    assert problem(caller.get("/content/file/a")) == (404, "not_found")
    assert problem(caller.get("/content/nothing/a")) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("a//b", "path_not_usable"),
        ("/a", "path_not_usable"),
        ("a/", "path_not_usable"),
        ("", "path_not_usable"),
        ("a%0A", "name_not_usable"),
        ("a/../b", "name_not_usable"),
        ("./b", "name_not_usable"),
        ("a%00b", "name_not_usable"),
        ("a%5Cb", "name_not_usable"),
        ("%20a", "name_not_usable"),
        ("e%CC%81", "name_not_usable"),
        ("a%FF", "path_not_usable"),
        ("x" * 300, "name_not_usable"),
        ("/".join("a" * 40), "too_deep"),
    ],
)
def test_paths_that_mean_no_one_thing(caller: Caller, path: str, code: str) -> None:
    for method in ("PUT", "GET"):
        answer = caller.ask(method, f"/content/{path}", b"x" if method == "PUT" else None)
        assert problem(answer) == (400, code)
    assert not FileRecord.objects.exists()


def test_the_right_name_is_told(caller: Caller) -> None:
    assert caller.put("/content/e%CC%81t%C3%A9", b"x").json()["name"] == "été"


def test_a_slash_that_was_written_as_none_is_refused(caller: Caller) -> None:
    """Where the server, or the proxy before it, tells what was asked for."""
    refused = caller.put("/content/a/b?parents=1", b"x", X_Original_URI="/api/v1/content/a%2fb")
    assert problem(refused) == (400, "path_not_usable")
    told = {"X_Original_URI": "/api/v1/content/a/b?parents=1&x=%2F"}
    assert caller.put("/content/a/b?parents=1", b"x", **told).status_code == 201


def test_a_body_without_a_length_that_makes_sense(caller: Caller) -> None:
    for told, status in (
        ({"CONTENT_LENGTH": "x"}, 400),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, 411),
        ({"HTTP_CONTENT_ENCODING": "gzip", "CONTENT_LENGTH": "1"}, 415),
        ({"HTTP_CONTENT_RANGE": "bytes 0-0/9", "CONTENT_LENGTH": "1"}, 400),
    ):
        environ: dict[str, Any] = {"wsgi.input": io.BytesIO(b"x"), **told}
        answer = caller.client.generic(
            "PUT", "/api/v1/content/a", headers=caller.headers, **environ
        )
        assert problem(answer)[0] == status
    assert not FileRecord.objects.exists()


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


def test_who_sees_a_folder_and_may_not_add(bob: User, cases: Folder) -> None:
    give(cases, bob)
    his = Caller(bob)
    assert problem(his.put(f"/folders/{cases.pk}/content/a", b"x")) == (403, "may_not_add")
    [event] = AuditEvent.objects.filter(event__contains="denied")
    assert event.data["by_token"] == "nightly"


def test_other_methods_are_not_offered(caller: Caller, cases: Folder) -> None:
    for method in ("POST", "PATCH", "DELETE"):
        answer = caller.ask(method, "/content/a", b"")
        assert problem(answer) == (405, "method_not_allowed")
        assert answer["Allow"] == "GET, HEAD, PUT"


# --- Once ---------------------------------------------------------------------------------------


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


# --- Limits and ends ----------------------------------------------------------------------------


def test_transfers_of_a_person_are_limited_as_on_pages(
    caller: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("securestore.transfer_limits.PATIENCE", 0.01)
    caller.put("/content/a", b"1")
    settings.TRANSFERS_PER_PERSON = 1
    first = caller.get("/content/a")
    refused = caller.get("/content/a")
    assert problem(refused) == (429, "too_many_transfers")
    assert refused["Retry-After"]
    first.close()


def test_a_download_names_the_token_and_its_requests_are_one(caller: Caller) -> None:
    caller.put("/content/a", CONTENT)
    for part in ("bytes=0-3", "bytes=4-"):
        whole(caller.get("/content/a", Range=part))
    [event] = AuditEvent.objects.filter(event="file_downloaded")
    assert (event.data["outcome"], event.data["ranges"]) == ("complete", 2)
    assert event.data["by_token_id"] == caller.made.token.pk


def test_no_cookie_opens_it(client: Client, alice: User) -> None:
    client.force_login(alice)
    for method in ("GET", "PUT"):
        answer = client.generic(method, "/api/v1/content/a", b"")
        assert problem(answer) == (401, "token_missing")
    assert answer["WWW-Authenticate"] == "Bearer"
