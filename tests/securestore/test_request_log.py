"""Each request is one line of the log, which says what became of it and gives nothing away."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.models import FileRecord
from files.vault import removing, storing
from securestore.logs import JsonFormatter

NAME = "very-private-name.txt"
CONTENT = b"fox" * 1000


@pytest.fixture
def record(s3: object, alice: User) -> FileRecord:
    return storing.store(alice, [CONTENT], name=NAME)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """The lines of requests since, as a collector reads them."""
    caplog.set_level(logging.INFO)

    def read() -> list[dict[str, Any]]:
        found = [one for one in caplog.records if one.name == "securestore.requests"]
        entries = [json.loads(JsonFormatter().format(one)) for one in found]
        caplog.clear()
        return entries

    return read


Lines = Callable[[], list[dict[str, Any]]]


def test_a_page(client: Client, alice: User, record: FileRecord, lines: Lines) -> None:
    client.force_login(alice)
    lines()
    response = client.get(f"/files/{record.id}/?x=secret")
    response.close()
    [line] = lines()
    assert line.pop("duration_ms") >= 0
    assert line.pop("message").startswith("GET files:detail 200, ")
    assert line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "securestore.requests",
        "request_id": response["X-Request-ID"],
        "user_id": alice.pk,
        "method": "GET",
        "route": "files:detail",
        "status": 200,
        "bytes": len(response.content),
        "received": 0,
        "file_id": str(record.id),
    }


def test_a_download_is_logged_when_it_has_gone_out(
    client: Client, alice: User, record: FileRecord, lines: Lines
) -> None:
    client.force_login(alice)
    lines()
    response = client.get(f"/files/{record.id}/download/")
    assert lines() == []
    assert response.getvalue() == CONTENT
    response.close()
    [line] = lines()
    assert (line["route"], line["status"], line["bytes"]) == ("files:download", 200, len(CONTENT))


def test_a_client_that_goes_away_shows_in_the_bytes(
    client: Client, alice: User, record: FileRecord, lines: Lines
) -> None:
    client.force_login(alice)
    lines()
    client.get(f"/files/{record.id}/download/").close()
    [line] = lines()
    assert (line["status"], line["bytes"]) == (200, 0)


def test_head_sends_nothing(client: Client, alice: User, record: FileRecord, lines: Lines) -> None:
    client.force_login(alice)
    lines()
    client.head(f"/files/{record.id}/").close()
    assert [(line["method"], line["bytes"]) for line in lines()] == [("HEAD", 0)]


def test_nothing_is_asked_of_the_database(
    client: Client, db: None, lines: Lines, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        client.get("/healthz").close()
    [line] = lines()
    assert (line["route"], line["user_id"]) == ("healthz", None)


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/nothing/here?q=secret", "none", 404),
        ("/accounts/password/reset/key/1-secret/", "account_reset_password_from_key", 200),
        ("/files/?q=secret", "files:list", 302),
    ],
)
def test_no_path_and_no_query_is_logged(
    client: Client, db: None, lines: Lines, path: str, route: str, status: int
) -> None:
    client.get(path).close()
    [line] = lines()
    assert (line["route"], line["status"]) == (route, status)
    assert "secret" not in json.dumps(line)


def test_no_name_of_a_file_is_logged_at_info(
    client: Client,
    alice: User,
    s3: object,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Any,
) -> None:
    caplog.set_level(logging.INFO)
    client.force_login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/files/upload/", {"files": SimpleUploadedFile(NAME, CONTENT)})
        record = FileRecord.objects.get()
        for path in ("", "download/", "grants/", "delete/"):
            client.get(f"/files/{record.id}/{path}").close()
        client.get("/files/", {"q": NAME})
        removing.remove(record, actor=alice)
    assert any(one.name == "audit" for one in caplog.records)
    for one in caplog.records:
        assert "very-private" not in JsonFormatter().format(one)


def test_a_length_that_is_none_is_no_trouble(client: Client, db: None, lines: Lines) -> None:
    client.get("/healthz", CONTENT_LENGTH="many").close()
    assert lines()[0]["received"] == 0
