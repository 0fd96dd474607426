"""The tus protocol over HTTP: every status code and header that the specification names."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from files.crypto.digests import digest_all
from files.crypto.keyring import generate_master_key
from files.crypto.stream import FRAME_PAYLOAD, frames_per_part
from files.models import FileRecord, HeldKey, StoredObject, UploadSession
from files.rotation import rewrapping
from files.sharing import denials
from files.upkeep import sweeping
from files.vault import (
    continuing,
    held,
    opening,
    removing,
    stored_objects,
    upload_leases,
)
from files.web.transfers import structured, tus
from tests.files.conftest import UseKeys
from tests.files.vault.faults import store_fails

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

CONTENT = b"The quick brown fox. " * 40
PART = frames_per_part(None) * FRAME_PAYLOAD
BYTES = {"content_type": tus.CONTENT_TYPE}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> None:
    """Nobody else ends a turn within these tests: do not wait for it."""
    monkeypatch.setattr(upload_leases, "PATIENCE", 0.0)


class Tus:
    """A client of one person's, which says by itself what every request must say."""

    def __init__(self, user: User | None, **options: Any) -> None:
        self.http = Client(**options)
        if user is not None:
            self.http.force_login(user)

    def request(self, method: str, path: str, body: bytes = b"", **options: Any) -> HttpResponse:
        headers = {"Tus-Resumable": "1.0.0", **options.pop("headers", {})}
        kept = {name: value for name, value in headers.items() if value is not None}
        # Not an argument: the test client forgets the type of an empty body.
        kept["Content-Type"] = options.pop("content_type", "")
        answer = self.http.generic(method, path, body, headers=kept, **options)
        return cast("HttpResponse", answer)

    def create(self, body: bytes = b"", /, **headers: str | None) -> HttpResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        options = BYTES if body else {}
        return self.request("POST", "/uploads/", body, headers=named, **options)

    def begin(self, length: int = len(CONTENT), **headers: str | None) -> str:
        answer = self.create(Upload_Length=str(length), **headers)
        assert answer.status_code == 201
        return answer["Location"]

    def patch(self, url: str, body: bytes, offset: int = 0, **headers: str) -> HttpResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"Upload-Offset": str(offset), **named}
        return self.request("PATCH", url, body, headers=headers, **BYTES)

    def head(self, url: str) -> HttpResponse:
        return self.request("HEAD", url)


@pytest.fixture
def client(alice: User) -> Tus:
    return Tus(alice)


def content_of(answer: HttpResponse) -> bytes:
    record = FileRecord.objects.select_related("current").get(pk=answer["Securestore-File"])
    return b"".join(opening.open_file(record).chunks())


def the_row() -> StoredObject:
    return StoredObject.objects.get()


def metadata(**values: str) -> str:
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in values.items())


def checksum(data: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


# --- What the server says of itself -------------------------------------------------------------


@pytest.mark.parametrize("path", ["/uploads/", f"/uploads/{uuid.UUID(int=1)}"])
def test_options_needs_no_sign_in_and_no_version(db: None, path: str, settings: Settings) -> None:
    settings.MAX_UPLOAD_SIZE = 12345
    answer = Client().options(path)
    assert answer.status_code == 204
    assert answer["Tus-Resumable"] == answer["Tus-Version"] == "1.0.0"
    assert answer["Tus-Max-Size"] == "12345"
    assert answer["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert set(answer["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "termination",
        "expiration",
        "checksum",
    }


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1"])
def test_another_version_is_412(client: Tus, version: str | None) -> None:
    url = client.begin()
    for method, path in [("POST", "/uploads/"), ("HEAD", url), ("PATCH", url), ("DELETE", url)]:
        answer = client.request(method, path, headers={"Tus-Resumable": version})
        assert answer.status_code == 412
        assert answer["Tus-Version"] == "1.0.0"
    assert client.head(url)["Upload-Offset"] == "0"


def test_other_methods_are_405(client: Tus) -> None:
    url = client.begin()
    assert client.request("GET", "/uploads/").status_code == 405
    assert client.request("PUT", url).status_code == 405


def test_strangers_are_turned_away(client: Tus, mallory: User) -> None:
    assert Tus(None).create(Upload_Length="1").status_code == 401
    mallory.groups.clear()
    assert Tus(mallory).create(Upload_Length="1").status_code == 403
    assert not UploadSession.objects.exists()


def test_csrf_is_enforced(alice: User) -> None:
    client = Tus(alice, enforce_csrf_checks=True)
    url = Tus(alice).begin()
    for method, path in [("POST", "/uploads/"), ("PATCH", url), ("DELETE", url)]:
        answer = client.request(
            method, path, b"x", headers={"Upload-Length": "1", "Upload-Offset": "0"}, **BYTES
        )
        assert answer.status_code == 403
    assert UploadSession.objects.get().offset == 0
    client.http.cookies["csrftoken"] = token = "t" * 32
    answer = client.request(
        "PATCH", url, b"x", headers={"Upload-Offset": "0", "X-CSRFToken": token}, **BYTES
    )
    assert (answer.status_code, answer["Upload-Offset"]) == (204, "1")


# --- Create --------------------------------------------------------------------------------------


def test_an_upload_from_beginning_to_end(client: Tus, alice: User) -> None:
    told = metadata(filename="füchse.txt", filetype="text/plain")
    url = client.begin(Upload_Metadata=told)
    head = client.head(url)
    assert head.status_code == 200
    assert head["Upload-Offset"] == "0"
    assert head["Upload-Length"] == str(len(CONTENT))
    assert head["Upload-Metadata"] == told
    assert head["Cache-Control"] == "no-store"
    first = client.patch(url, CONTENT[:100])
    assert (first.status_code, first["Upload-Offset"]) == (204, "100")
    assert first["Upload-Expires"].endswith("GMT")
    assert "Securestore-File" not in first
    last = client.patch(url, CONTENT[100:], 100)
    assert last.status_code == 204
    assert last["Upload-Offset"] == str(len(CONTENT))
    assert content_of(last) == CONTENT
    record = FileRecord.objects.get()
    assert (record.name, record.content_type, record.owner) == ("füchse.txt", "text/plain", alice)
    # Also when that answer was lost.
    assert client.head(url)["Securestore-File"] == str(record.pk)
    again = client.patch(url, b"", len(CONTENT))
    assert (again.status_code, again["Securestore-File"]) == (204, str(record.pk))
    assert client.patch(url, b"x", len(CONTENT)).status_code == 413
    assert client.patch(url, CONTENT[100:], 100).status_code == 409


def test_creation_with_upload(client: Tus) -> None:
    answer = client.create(CONTENT, Upload_Length=str(len(CONTENT)))
    assert answer.status_code == 201
    assert answer["Upload-Offset"] == str(len(CONTENT))
    assert content_of(answer) == CONTENT
    partly = client.create(CONTENT[:7], Upload_Length=str(len(CONTENT)))
    assert (partly.status_code, partly["Upload-Offset"]) == (201, "7")
    assert content_of(client.patch(partly["Location"], CONTENT[7:], 7)) == CONTENT


def test_a_small_file_is_one_request_and_two_calls_of_the_store(client: Tus) -> None:
    """Put, and read back: nothing else could be there to be looked for."""
    events, calls = stored_objects.storage().client.meta.events, []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    events.register("before-call.s3", note)
    try:
        client.create(CONTENT, Upload_Length=str(len(CONTENT)))
    finally:
        events.unregister("before-call.s3", note)
    assert calls == ["PutObject", "GetObject"]


def test_a_creation_that_fails_leaves_nothing(
    client: Tus, nothing_left: Callable[[], bool]
) -> None:
    wrong = checksum(b"other")
    refused = client.create(CONTENT, Upload_Length="9999", Upload_Checksum=wrong)
    assert refused.status_code == 460
    assert "Location" not in refused
    assert client.create(CONTENT, Upload_Length="3").status_code == 413
    assert not UploadSession.objects.exists()
    assert nothing_left()


def test_an_empty_file_is_complete_at_once(client: Tus) -> None:
    answer = client.create(Upload_Length="0")
    assert answer.status_code == 201
    assert content_of(answer) == b""


def test_the_length_may_come_later(client: Tus) -> None:
    url = client.create(Upload_Defer_Length="1")["Location"]
    head = client.head(url)
    assert head["Upload-Defer-Length"] == "1"
    assert "Upload-Length" not in head
    client.patch(url, CONTENT[:100])
    assert client.patch(url, b"", 100, Upload_Length="99").status_code == 413
    answer = client.patch(url, CONTENT[100:200], 100, Upload_Length=str(len(CONTENT)))
    assert answer["Upload-Offset"] == "200"
    assert client.head(url)["Upload-Length"] == str(len(CONTENT))
    assert client.patch(url, b"", 200, Upload_Length="9999").status_code == 400
    assert content_of(client.patch(url, CONTENT[200:], 200)) == CONTENT


def test_a_refused_patch_declares_no_length(client: Tus) -> None:
    url = client.create(Upload_Defer_Length="1")["Location"]
    assert client.patch(url, b"x", 7, Upload_Length="8").status_code == 409
    assert "Upload-Length" not in client.head(url)


def test_the_last_word_may_be_the_length_alone(client: Tus) -> None:
    url = client.create(Upload_Defer_Length="1")["Location"]
    client.patch(url, CONTENT)
    size = len(CONTENT)
    assert content_of(client.patch(url, b"", size, Upload_Length=str(size))) == CONTENT


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload_Length": "-1"},
        {"Upload_Length": "1.5"},
        {"Upload_Length": "٣".encode().decode("latin-1")},
        {"Upload_Length": "5", "Upload_Defer_Length": "1"},
        {"Upload_Defer_Length": "2"},
        {"Upload_Length": "5", "Upload_Metadata": "filename !!!"},
        {"Upload_Length": "5", "Upload_Metadata": "filename caf\xe9"},
        {"Upload_Length": "5", "Upload_Metadata": metadata(filename="")},
        {"Upload_Length": "5", "Upload_Metadata": "a eA==,a eA=="},
        {"Upload_Length": "5", "Upload_Metadata": "x" * 9000},
        {"Upload_Length": "5", "Upload_Metadata": metadata(custody="other")},
        {"Upload_Length": "5", "Upload_Metadata": metadata(custody="held", passphrase="p" * 20)},
        {"Upload_Length": "5", "Upload_Metadata": metadata(custody="held", KEY="k" * 44)},
    ],
)
def test_senseless_headers_create_nothing(client: Tus, headers: dict[str, str]) -> None:
    assert client.create(**headers).status_code == 400
    assert not StoredObject.objects.exists()


# --- Limits --------------------------------------------------------------------------------------


def test_over_the_limit_is_413(client: Tus, settings: Settings) -> None:
    settings.MAX_UPLOAD_SIZE = 100
    assert client.create(Upload_Length="101").status_code == 413
    assert not StoredObject.objects.exists()
    assert client.create(Upload_Length="100").status_code == 201


@pytest.mark.parametrize("digits", [19, 20, 400, 5000])
def test_a_number_of_any_length_is_read_as_one(
    client: Tus, settings: Settings, digits: int
) -> None:
    settings.MAX_UPLOAD_SIZE = 100
    answer = client.create(Upload_Length="9" * digits)
    assert answer.status_code == 413
    assert "100 bytes" in answer.text
    assert client.create(Upload_Length="100".rjust(digits, "0")).status_code == 201
    offset = {"Upload-Offset": "9" * digits}
    answer = client.request("PATCH", client.begin(9), b"x", headers=offset, **BYTES)
    assert answer.status_code == 413
    assert "may have 9 bytes" in answer.text


def test_what_is_missing_or_too_long_is_said_with_its_number(client: Tus) -> None:
    assert "Upload-Length is missing" in client.create().text
    long = client.create(Upload_Length="5", Upload_Metadata="x" * 9000).text
    assert "has 9000 characters, and may have 8192" in long


def test_a_deferred_length_does_not_evade_the_limit(client: Tus, settings: Settings) -> None:
    settings.MAX_UPLOAD_SIZE = 100
    url = client.create(Upload_Defer_Length="1")["Location"]
    assert client.patch(url, b"x" * 101).status_code == 413
    assert client.patch(url, b"x" * 60)["Upload-Offset"] == "60"
    assert client.patch(url, b"x" * 41, 60).status_code == 413
    assert client.patch(url, b"", 60, Upload_Length="101").status_code == 413
    answer = client.patch(url, b"x" * 40, 60, Upload_Length="100")
    assert content_of(answer) == b"x" * 100


def test_more_than_was_declared_is_413(client: Tus) -> None:
    url = client.begin(10)
    assert client.patch(url, b"x" * 11).status_code == 413
    assert client.head(url)["Upload-Offset"] == "0"


# --- Refusals ------------------------------------------------------------------------------------


def test_a_wrong_offset_is_409_and_says_the_right_one(client: Tus) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:50])
    for offset in (0, 49, 51):
        answer = client.patch(url, CONTENT[offset : offset + 10], offset)
        assert (answer.status_code, answer["Upload-Offset"]) == (409, "50")
    assert content_of(client.patch(url, CONTENT[50:], 50)) == CONTENT


def test_another_content_type_is_415(client: Tus) -> None:
    url = client.begin()
    answer = client.request(
        "PATCH", url, b"x", headers={"Upload-Offset": "0"}, content_type="application/octet-stream"
    )
    assert answer.status_code == 415
    assert client.head(url)["Upload-Offset"] == "0"


def test_a_patch_without_offset_is_400(client: Tus) -> None:
    assert client.request("PATCH", client.begin(), b"x", **BYTES).status_code == 400


def test_a_chunked_body_is_411(client: Tus) -> None:
    headers = {"Upload-Offset": "0", "Transfer-Encoding": "chunked"}
    answer = client.request("PATCH", client.begin(), b"x", headers=headers, **BYTES)
    assert answer.status_code == 411


def test_a_second_patch_at_once_is_423(client: Tus) -> None:
    url = client.begin()
    with continuing.Continuation(UploadSession.objects.get(), 0) as first:
        first.write(CONTENT[:10])
        answer = client.patch(url, CONTENT)
        assert answer.status_code == 423
        assert answer["Retry-After"] == "1"
        first.settle()
    assert content_of(client.patch(url, CONTENT[10:], 10)) == CONTENT


def test_anothers_upload_is_as_one_that_never_was(client: Tus, mallory: User, root: User) -> None:
    url = client.begin()
    nowhere = url.rpartition("/")[0] + f"/{uuid.uuid4()}"

    def answers(user: User) -> list[tuple[Any, ...]]:
        seen = []
        for method in ("HEAD", "PATCH", "DELETE"):
            pair = [
                Tus(user).request(method, path, b"x", headers={"Upload-Offset": "0"}, **BYTES)
                for path in (url, nowhere)
            ]
            for answer in pair:
                del answer["X-Request-ID"]
            seen.append(tuple((a.status_code, a.content, sorted(a.items())) for a in pair))
        return seen

    for user in (mallory, root):
        for his, none in answers(user):
            assert his == none
            assert his[0] == 404
    assert client.head(url)["Upload-Offset"] == "0"


def test_who_asks_for_anothers_upload_is_on_record(client: Tus, mallory: User) -> None:
    url = client.begin()
    session = UploadSession.objects.get()
    nothing = uuid.uuid4()
    for method in ("HEAD", "PATCH", "DELETE"):
        Tus(mallory).request(method, url, b"x", headers={"Upload-Offset": "0"}, **BYTES)
    Tus(mallory).head(url.rpartition("/")[0] + f"/{nothing}")
    denied = AuditEvent.objects.filter(event=Event.ACCESS_DENIED).order_by("id")
    assert {event.actor_name for event in denied} == {"mallory"}
    assert [(event.data["upload"], event.data["exists"]) for event in denied] == [
        *[(str(session.pk), True)] * 3,
        (str(nothing), False),
    ]
    assert {(event.data["door"], event.data["reason"]) for event in denied} == {
        ("upload", denials.NOT_VISIBLE)
    }


def test_no_script_that_asks_for_uploads_fills_the_log(
    client: Tus, mallory: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denials, "PER_HOUR", 3)
    url = client.begin()
    nowhere = url.rpartition("/")[0] + f"/{uuid.uuid4()}"
    counts, script = [], Tus(mallory)
    for path in (url, nowhere, url, nowhere, url):
        with CaptureQueriesContext(connection) as captured:
            assert script.head(path).status_code == 404
        counts.append(len(captured))
    assert AuditEvent.objects.filter(event=Event.ACCESS_DENIED).count() == 3
    # Nothing tells the one from the other, before the limit and after it.
    assert counts[0] == counts[1]
    assert counts[3] == counts[4]


# --- Checksums -----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_right_checksum_is_taken(client: Tus, algorithm: str) -> None:
    told = checksum(CONTENT, algorithm)
    assert content_of(client.patch(client.begin(), CONTENT, Upload_Checksum=told)) == CONTENT


def test_a_wrong_checksum_is_460_and_nothing_is_kept(client: Tus) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:5])
    answer = client.patch(url, CONTENT[5:], 5, Upload_Checksum=checksum(CONTENT))
    assert answer.status_code == 460
    assert client.head(url)["Upload-Offset"] == "5"
    assert content_of(client.patch(url, CONTENT[5:], 5)) == CONTENT


def test_a_wrong_checksum_after_several_parts_keeps_none_of_them(client: Tus) -> None:
    content = CONTENT * (2 * PART // len(CONTENT) + 2)
    url = client.begin(len(content))
    client.patch(url, content[:1000])
    other = b"?" * (len(content) - 1000)
    answer = client.patch(url, other, 1000, Upload_Checksum=checksum(content))
    assert answer.status_code == 460
    assert client.head(url)["Upload-Offset"] == "1000"
    rest = content[1000:]
    assert content_of(client.patch(url, rest, 1000, Upload_Checksum=checksum(rest))) == content


@pytest.mark.parametrize("header", ["md5 eA==", "sha1 !", "sha1 \xe9", "sha1", ""])
def test_a_senseless_checksum_is_400_or_460(client: Tus, header: str) -> None:
    url = client.begin()
    status = client.patch(url, CONTENT, Upload_Checksum=header).status_code
    assert status == (460 if header == "sha1" else 400)
    assert client.head(url)["Upload-Offset"] == "0"


# --- The end of an upload ------------------------------------------------------------------------


def test_termination_leaves_nothing(client: Tus, nothing_left: Callable[[], bool]) -> None:
    content = CONTENT * (PART // len(CONTENT) + 500)
    url = client.begin(len(content) + 1)
    client.patch(url, content)
    assert client.request("DELETE", url).status_code == 204
    assert client.head(url).status_code == 404
    assert client.patch(url, b"x", len(content)).status_code == 404
    assert client.request("DELETE", url).status_code == 404
    assert nothing_left()


def test_the_method_may_come_in_a_header(client: Tus) -> None:
    url = client.begin()
    answer = client.request("POST", url, headers={"X-HTTP-Method-Override": "DELETE"})
    assert answer.status_code == 204
    assert client.head(url).status_code == 404


def test_termination_of_a_complete_upload_leaves_its_file(client: Tus) -> None:
    url = client.begin()
    answer = client.patch(url, CONTENT)
    assert client.request("DELETE", url).status_code == 204
    assert content_of(answer) == CONTENT
    assert client.head(url).status_code == 404


def test_an_upload_whose_file_was_deleted_is_404(client: Tus, alice: User) -> None:
    url = client.begin()
    client.patch(url, CONTENT)
    removing.remove(FileRecord.objects.get(), actor=alice)
    assert client.head(url).status_code == 404


def test_an_expired_upload_is_410_and_the_sweep_takes_all_of_it(
    client: Tus, settings: Settings, nothing_left: Callable[[], bool]
) -> None:
    content = CONTENT * (PART // len(CONTENT) + 500)
    url = client.begin(len(content) + 1)
    client.patch(url, content)
    assert the_row().multipart_id
    assert the_row().tails
    long_ago = timezone.now() - settings.UPLOAD_EXPIRY - timedelta(seconds=1)
    StoredObject.objects.update(state_changed_at=long_ago)
    assert client.head(url).status_code == 410
    assert client.patch(url, b"x", len(content)).status_code == 410
    assert sweeping.sweep().abandoned == 1
    assert nothing_left()
    assert client.head(url).status_code == 404


def test_an_upload_that_was_given_up_is_410(client: Tus) -> None:
    url = client.begin()
    removing.doom(StoredObject.objects.all())
    assert client.head(url).status_code == 410
    assert client.patch(url, CONTENT).status_code == 410


# --- Small pieces, other keys --------------------------------------------------------------------


def test_bytes_one_at_a_time_do_not_reach_the_store_one_at_a_time(
    client: Tus, s3: S3Client
) -> None:
    calls: list[str] = []
    stored_objects.storage().client.meta.events.register(
        "before-call.s3", lambda model, **_: calls.append(model.name)
    )
    content = CONTENT[:40]
    url = client.begin(len(content))
    for offset in range(len(content) - 1):
        answer = client.patch(url, content[offset : offset + 1], offset)
        assert answer["Upload-Offset"] == str(offset + 1)
    assert calls == []
    answer = client.patch(url, content[-1:], len(content) - 1)
    assert content_of(answer) == content
    assert calls.count("PutObject") == 1
    assert "UploadPart" not in calls


def test_an_upload_survives_a_new_master_key(client: Tus, use_keys: UseKeys) -> None:
    old, new = generate_master_key(), generate_master_key()
    use_keys(old)
    url = client.begin()
    client.patch(url, CONTENT[:100])
    use_keys(new, old)
    client.patch(url, CONTENT[100:200], 100)
    assert rewrapping.rewrap().rewrapped == 1
    use_keys(new)
    answer = client.patch(url, CONTENT[200:], 200)
    assert content_of(answer) == CONTENT
    assert rewrapping.pending() == 0


# --- Held files ----------------------------------------------------------------------------------

HELD = metadata(filename="secret", custody="held")


def opens_with(answer: HttpResponse) -> bytes:
    record = FileRecord.objects.select_related("current").get(pk=answer["Securestore-File"])
    assert (record.custody, record.current.custody) == ("held", "held")
    return b"".join(opening.open_file(record, answer["Securestore-Key"]).chunks())


def test_the_answer_that_completes_a_held_upload_has_its_key(client: Tus) -> None:
    url = client.begin(Upload_Metadata=HELD)
    assert "Securestore-Key" not in client.patch(url, CONTENT[:100])
    answer = client.patch(url, CONTENT[100:], offset=100)
    assert answer.status_code == 204
    assert opens_with(answer) == CONTENT
    assert answer["Cache-Control"] == "no-store"


def test_a_held_upload_in_one_request_has_its_key(client: Tus) -> None:
    answer = client.create(CONTENT, Upload_Length=str(len(CONTENT)), Upload_Metadata=HELD)
    assert answer.status_code == 201
    assert opens_with(answer) == CONTENT


def test_an_empty_held_upload_has_its_key(client: Tus) -> None:
    assert opens_with(client.create(Upload_Length="0", Upload_Metadata=HELD)) == b""


def test_a_client_that_missed_the_answer_gets_the_same_key(client: Tus) -> None:
    url = client.begin(Upload_Metadata=HELD)
    key = client.patch(url, CONTENT)["Securestore-Key"]
    assert client.head(url)["Securestore-Key"] == key
    assert client.patch(url, b"", offset=len(CONTENT))["Securestore-Key"] == key


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("secret.txt", "secret.txt.key"),
        ('a"b%.txt', 'a"b%.txt.key'),
        ("\u202eliame.txt", "liame.txt.key"),
        ("é" * 127, "é" * 125 + ".key"),
    ],
)
def test_the_file_that_a_key_is_saved_in_is_named_by_the_rule_of_names(
    client: Tus, name: str, file: str
) -> None:
    named = metadata(filename=name, custody="held")
    answer = client.create(b"x", Upload_Length="1", Upload_Metadata=named)
    assert unquote(answer["Securestore-Key-File"]) == file
    assert client.head(answer["Location"])["Securestore-Key-File"] == answer["Securestore-Key-File"]


def test_a_client_that_says_it_has_the_key_is_not_told_again(client: Tus) -> None:
    url = client.begin(Upload_Metadata=HELD)
    record = FileRecord.objects.get(pk=client.patch(url, CONTENT)["Securestore-File"])
    assert client.request("DELETE", url).status_code == 204
    assert HeldKey.objects.get(object=record.current).offered is None
    assert HeldKey.objects.get(object=record.current).saved_at is not None


def test_the_key_is_not_told_for_long(client: Tus) -> None:
    url = client.begin(Upload_Metadata=HELD)
    client.patch(url, CONTENT)
    HeldKey.objects.update(made_at=timezone.now() - held.MOMENT)
    answer = client.head(url)
    assert answer["Securestore-File"]
    assert "Securestore-Key" not in answer


def test_nobody_else_is_told_the_key(client: Tus, mallory: User) -> None:
    url = client.begin(Upload_Metadata=HELD)
    client.patch(url, CONTENT)
    assert Tus(mallory).head(url).status_code == 404


def test_a_managed_upload_has_no_key(client: Tus) -> None:
    url = client.begin()
    assert "Securestore-Key" not in client.patch(url, CONTENT)
    assert not HeldKey.objects.exists()


def test_a_held_upload_is_rewrapped_while_it_is_going_on(client: Tus, use_keys: UseKeys) -> None:
    first, second = generate_master_key(), generate_master_key()
    use_keys(first)
    url = client.begin(Upload_Metadata=HELD)
    client.patch(url, CONTENT[:100])
    use_keys(second, first)
    assert rewrapping.rewrap().rewrapped == 1
    use_keys(second)
    assert opens_with(client.patch(url, CONTENT[100:], offset=100)) == CONTENT


# --- The content chain: which bytes are safe -----------------------------------------------------

CHAIN, EXPECTED = tus.CHAIN, tus.EXPECTED
BIG = hashlib.shake_128(b"big").digest(PART + 2 * FRAME_PAYLOAD + 700)


def chain(content: bytes) -> str:
    return structured.byte_sequence(digest_all([content]).chain)


@pytest.mark.parametrize(
    "cuts",
    [
        (1, 100, FRAME_PAYLOAD - 1, FRAME_PAYLOAD, FRAME_PAYLOAD + 1, 2 * FRAME_PAYLOAD + 5),
        (PART - 1, PART, PART + 1, len(BIG) - 1),
        (PART - FRAME_PAYLOAD, PART, PART + FRAME_PAYLOAD),
        (5 * FRAME_PAYLOAD, PART + 7),
    ],
)
@pytest.mark.parametrize("deferred", [False, True])
def test_every_answer_tells_the_chain_of_exactly_what_is_safe(
    client: Tus, cuts: tuple[int, ...], deferred: bool
) -> None:
    size = {"Upload_Defer_Length": "1"} if deferred else {"Upload_Length": str(len(BIG))}
    url = client.create(**size)["Location"]
    assert client.head(url)[CHAIN] == chain(b"")
    start = 0
    for cut in cuts:
        answer = client.patch(url, BIG[start:cut], start, **{CHAIN: chain(BIG[:start])})
        assert (answer.status_code, answer[CHAIN]) == (204, chain(BIG[:cut]))
        assert client.head(url)[CHAIN] == chain(BIG[:cut])
        start = cut
    length = {"Upload-Length": str(len(BIG))} if deferred else {}
    last = client.patch(url, BIG[start:], start, **{EXPECTED: chain(BIG)}, **length)
    assert last[CHAIN] == client.head(url)[CHAIN] == chain(BIG)
    assert content_of(last) == BIG


def test_the_head_of_one_file_never_gets_the_tail_of_another(client: Tus) -> None:
    url = client.begin(len(BIG))
    other = bytes(reversed(BIG))
    for cut in (10, FRAME_PAYLOAD + 10, PART + 10):
        start = int(client.head(url)["Upload-Offset"])
        client.patch(url, BIG[start:cut], start)
        answer = client.patch(url, other[cut:], cut, **{CHAIN: chain(other[:cut])})
        assert answer.status_code == 409
        assert (answer[CHAIN], answer["Upload-Offset"]) == (chain(BIG[:cut]), str(cut))
        assert b"another content" in answer.content
        assert client.head(url)["Upload-Offset"] == str(cut)
    assert not FileRecord.objects.exists()
    answer = client.patch(url, BIG[PART + 10 :], PART + 10, **{CHAIN: chain(BIG[: PART + 10])})
    assert content_of(answer) == BIG


@pytest.mark.parametrize("safe", [0, 10, FRAME_PAYLOAD + 10, PART + 10])
def test_what_is_not_what_was_announced_is_never_a_file(client: Tus, safe: int) -> None:
    """The file changed under its client, in what is sent now or in what is safe already."""
    url = client.begin(len(BIG))
    client.patch(url, BIG[:safe])
    changed = BIG[:-1] + b"!"
    answer = client.patch(url, changed[safe:], safe, **{EXPECTED: chain(BIG)})
    assert answer.status_code == 460
    assert b"No file was made" in answer.content
    assert "Securestore-File" not in answer
    assert not FileRecord.objects.exists()
    # What the answer says of what is safe is true, and good to go on with.
    offset = int(answer["Upload-Offset"])
    assert offset >= safe
    assert answer[CHAIN] == client.head(url)[CHAIN] == chain(BIG[:offset])
    assert content_of(client.patch(url, BIG[offset:], offset, **{EXPECTED: chain(BIG)})) == BIG


def test_a_request_in_the_middle_may_say_what_it_comes_to(client: Tus) -> None:
    url = client.begin()
    wrong = client.patch(url, CONTENT[:100], 0, **{EXPECTED: chain(CONTENT)})
    assert (wrong.status_code, wrong["Upload-Offset"]) == (460, "0")
    assert (
        client.patch(url, CONTENT[:100], 0, **{EXPECTED: chain(CONTENT[:100])}).status_code == 204
    )
    assert client.head(url)[CHAIN] == chain(CONTENT[:100])


def test_creation_with_upload_compares_too(client: Tus, nothing_left: Callable[[], bool]) -> None:
    wrong = client.create(CONTENT, Upload_Length=str(len(CONTENT)), **{EXPECTED: chain(b"other")})
    assert wrong.status_code == 460
    assert client.create(Upload_Length="0", **{EXPECTED: chain(b"x")}).status_code == 460
    assert nothing_left()
    right = client.create(CONTENT, Upload_Length=str(len(CONTENT)), **{EXPECTED: chain(CONTENT)})
    assert content_of(right) == CONTENT


def test_a_lost_answer_is_asked_for_with_the_chain(client: Tus) -> None:
    url = client.begin()
    client.patch(url, CONTENT)
    size = len(CONTENT)
    assert client.patch(url, b"", size, **{CHAIN: chain(CONTENT)}).status_code == 204
    for header in (CHAIN, EXPECTED):
        assert client.patch(url, b"", size, **{header: chain(b"other")}).status_code == 409


@pytest.mark.parametrize("value", ["", "x", ":", "::", ":YQ==:", "a" * 44, ":" + "é" * 44 + ":"])
@pytest.mark.parametrize("header", [CHAIN, EXPECTED])
def test_a_chain_that_is_none_is_400(client: Tus, header: str, value: str) -> None:
    url = client.begin()
    answer = client.patch(url, CONTENT, 0, **{header: value})
    assert answer.status_code == 400
    assert header.encode() in answer.content
    assert client.head(url)["Upload-Offset"] == "0"


def test_an_upload_from_before_chains_were_kept_says_none_and_is_not_compared(client: Tus) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:100])
    StoredObject.objects.update(chain=None)
    assert CHAIN not in client.head(url)
    answer = client.patch(url, CONTENT[100:], 100, **{CHAIN: chain(CONTENT[:100])})
    assert answer.status_code == 409
    assert b"Begin a new upload" in answer.content
    done = client.patch(url, CONTENT[100:], 100)
    assert CHAIN not in done
    assert content_of(done) == CONTENT


def test_a_state_that_was_altered_ends_the_upload(client: Tus) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:100])
    StoredObject.objects.update(chain=b"x" * 137)
    assert client.head(url).status_code == 410
    assert client.patch(url, CONTENT[100:], 100).status_code == 410


def test_the_chain_is_told_while_the_master_keys_rotate(client: Tus, use_keys: UseKeys) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:100])
    use_keys(generate_master_key(), os.environ["MASTER_KEYS"])
    rewrapping.rewrap()
    assert client.head(url)[CHAIN] == chain(CONTENT[:100])
    use_keys(generate_master_key())
    assert client.head(url).status_code == 503


def test_of_a_complete_held_upload_the_chain_is_told_once(client: Tus) -> None:
    """Its digests open with its owner's key alone, and that is told to who asks at once."""
    url = client.begin(Upload_Metadata=metadata(custody="held"))
    assert client.patch(url, CONTENT)[CHAIN] == chain(CONTENT)
    assert CHAIN not in client.head(url)


def test_who_may_not_download_is_told_no_chain_of_a_file(client: Tus, alice: User) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:10])
    for group in alice.groups.all():
        group.permissions.remove(Permission.objects.get(codename="download_filerecord"))
    assert client.head(url)[CHAIN] == chain(CONTENT[:10])
    client.patch(url, CONTENT[10:], 10)
    assert CHAIN not in client.head(url)


# --- When the original was changed ---------------------------------------------------------------


def test_the_time_of_modification_is_kept(client: Tus) -> None:
    told = metadata(filename="a", modified="2019-05-01T12:30:00.123456+02:00")
    content_of(client.create(CONTENT, Upload_Length=str(len(CONTENT)), Upload_Metadata=told))
    expected = datetime(2019, 5, 1, 10, 30, 0, 123456, tzinfo=UTC)
    assert FileRecord.objects.get().modified_at == expected


@pytest.mark.parametrize("text", ["yesterday", "2019-05-01", "2019-02-30T00:00:00Z", "1556713800"])
def test_a_time_that_is_none_is_refused_in_words(client: Tus, text: str) -> None:
    answer = client.create(Upload_Length="1", Upload_Metadata=metadata(modified=text))
    assert answer.status_code == 400
    assert text in answer.content.decode()
    assert not StoredObject.objects.exists()


# --- Outages -------------------------------------------------------------------------------------


def test_a_store_that_goes_away_in_a_patch_is_503_and_the_upload_goes_on(client: Tus) -> None:
    url = client.begin(len(BIG))
    client.patch(url, BIG[:1000])
    with store_fails(2):
        answer = client.patch(url, BIG[1000:], 1000)
    assert answer.status_code == 503
    assert answer["Content-Type"].startswith("text/plain")
    assert answer["Tus-Resumable"] == "1.0.0"
    assert answer["Retry-After"] == "5"
    assert b"stays safe" in answer.content
    offset = int(client.head(url)["Upload-Offset"])
    assert offset >= 1000
    assert content_of(client.patch(url, BIG[offset:], offset, **{EXPECTED: chain(BIG)})) == BIG


def test_a_store_that_is_away_at_a_creation_keeps_nothing(
    client: Tus, nothing_left: Callable[[], bool]
) -> None:
    with store_fails(1):
        answer = client.create(CONTENT, Upload_Length=str(len(CONTENT)))
    assert answer.status_code == 503
    assert b"Nothing was stored" in answer.content
    assert not UploadSession.objects.exists()
