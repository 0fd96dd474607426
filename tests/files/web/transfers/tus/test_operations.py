"""POST, HEAD, PATCH and DELETE of tus, with every status code that the specification names."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from files.crypto.fernetkey import generate_master_key
from files.models import FileRecord, StoredObject, UploadSession
from files.rotation import rewrapping
from files.sharing import denials
from files.upkeep import sweeping
from files.vault import continuing, removing, stored_objects
from tests.files.conftest import UseKeys
from tests.files.web.transfers.tus.clients import (
    BYTES,
    CONTENT,
    PART,
    Tus,
    checksum,
    content_of,
    metadata,
    the_row,
)


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


def test_bytes_of_another_type_are_refused(client: Tus) -> None:
    answer = client.request(
        "POST", "/uploads/", b"x", headers={"Upload-Length": "1"}, content_type="text/plain"
    )
    assert (answer.status_code, UploadSession.objects.count()) == (415, 0)


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


def test_termination_leaves_nothing(client: Tus, nothing_left: Callable[[], bool]) -> None:
    content = CONTENT * (PART // len(CONTENT) + 500)
    url = client.begin(len(content) + 1)
    client.patch(url, content)
    assert client.request("DELETE", url).status_code == 204
    assert client.head(url).status_code == 404
    assert client.patch(url, b"x", len(content)).status_code == 404
    assert client.request("DELETE", url).status_code == 404
    assert nothing_left()


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
