"""Beside the doors of test_urls: what else could tell "not yours" from "does not exist".

Conditions, ranges, methods and headers that an answer depends on are tried on somebody else's file
and on one that nobody has: status, headers, body and the number of queries must be the same.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from files.lists import paging
from files.models import FileRecord, UploadSession
from files.vault import resumable

NOWHERE = uuid.UUID("00000000-0000-4000-8000-000000000000")
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def stranger(client: Client, mallory: User) -> Client:
    client.force_login(mallory)
    return client


@pytest.fixture
def upload(record: FileRecord, alice: User) -> UploadSession:
    """An upload of Alice's that has begun."""
    return resumable.create(alice, name="a.txt", content_type="text/plain", length=100, metadata="")


def answer(client: Client, method: str, url: str, headers: dict[str, str], body: bytes) -> Any:
    """All of an answer that a client can tell apart, its ids and tokens aside."""
    given = dict(headers)
    kind = given.pop("Content-Type", "application/x-www-form-urlencoded")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response: Any = client.generic(method, url, body, content_type=kind, headers=given)
        content = b"".join(response.streaming_content) if response.streaming else response.content
    text = re.sub(rb'(csrfmiddlewaretoken" value=)"\w+"', rb"\1", content)
    names = {n: v for n, v in response.headers.items() if n not in {"X-Request-ID", "Set-Cookie"}}
    return response.status_code, names, text, len(queries)


def same(
    client: Client, method: str, url: str, real: Any, headers: dict[str, str], body: bytes = b""
) -> int:
    """Ask for both; the status that they share."""
    answer(client, method, url.format(NOWHERE), headers, body)  # What is only once, as a session.
    found = []
    for which in (real, NOWHERE):
        status, names, text, queries = answer(client, method, url.format(which), headers, body)
        names = {name: value.replace(str(which), "ID") for name, value in names.items()}
        found.append((status, names, text.replace(str(which).encode(), b"ID"), queries))
    assert found[0] == found[1]
    assert isinstance(found[0][0], int)
    return found[0][0]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"If-None-Match": "*"},
        {"If-None-Match": "{etag}"},
        {"Range": "bytes=999999-"},
        {"Range": "bytes=0-0", "If-Range": "{etag}"},
        {"Sec-Fetch-Dest": "script"},
        {"Accept": "application/json"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"If-Modified-Since": "Wed, 21 Oct 2095 07:28:00 GMT"},
    ],
)
def test_a_download(
    stranger: Client, record: FileRecord, method: str, headers: dict[str, str]
) -> None:
    etag = f'"{record.version.hex}"'
    headers = {name: value.replace("{etag}", etag) for name, value in headers.items()}
    assert same(stranger, method, "/files/{}/download/", record.pk, headers) == 404


@pytest.mark.parametrize("page", ["", "download/", "delete/", "grants/", "download", "nothing/"])
def test_every_method_of_every_page(stranger: Client, record: FileRecord, page: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        status = same(stranger, method, f"/files/{{}}/{page}", record.pk, {}, b"revoke=1&confirm=1")
        assert status in {404, 405, 301}, method


def test_a_member_who_may_do_nothing(client: Client, record: FileRecord, mallory: User) -> None:
    mallory.groups.clear()
    client.force_login(mallory)
    for page in ("", "download/", "delete/", "grants/"):
        assert same(client, "GET", f"/files/{{}}/{page}", record.pk, {}) == 404


@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("HEAD", TUS, b"", 404),
        ("HEAD", {}, b"", 412),
        ("DELETE", TUS, b"", 404),
        ("PATCH", {**BYTES, "Upload-Offset": "0"}, b"bytes", 404),
        ("PATCH", {**BYTES, "Upload-Offset": "99"}, b"bytes", 404),
        ("PATCH", {**BYTES, "Upload-Offset": "x"}, b"bytes", 404),
        ("PATCH", {**BYTES, "Upload-Offset": "0", "Upload-Checksum": "x"}, b"bytes", 404),
        ("PATCH", {**TUS, "Upload-Offset": "0"}, b"bytes", 415),
        ("POST", {**BYTES, "X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}, b"x", 404),
        ("POST", {**TUS, "X-HTTP-Method-Override": "DELETE"}, b"", 404),
        ("GET", TUS, b"", 405),
        ("OPTIONS", TUS, b"", 204),
    ],
)
def test_an_upload(
    stranger: Client,
    upload: UploadSession,
    method: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
) -> None:
    assert same(stranger, method, "/uploads/{}", upload.pk, headers, body) == status
    upload.refresh_from_db()
    assert upload.offset == 0


def test_several_files_in_one_request(stranger: Client, record: FileRecord) -> None:
    real, none = (
        stranger.post("/files/download/", {"file": str(which)}) for which in (record.pk, NOWHERE)
    )
    assert (real.status_code, none.status_code) == (404, 404)
    assert len(real.content) == len(none.content)


def test_searching_and_paging_know_only_what_one_may_see(
    stranger: Client, record: FileRecord
) -> None:
    after, shifted = paging._encode(record.place), paging._encode(record.place + 1)
    for name, real, other in (("q", record.name, "fax.txt"), ("after", after, shifted)):
        found = []
        for value in (real, other):
            url = f"/files/?{name}={value}"
            status, headers, text, queries = answer(stranger, "GET", url, {}, b"")
            found.append((status, headers, text.replace(value.encode(), b""), queries))
        assert found[0] == found[1]


PAGES = ("", "change/", "delete/", "history/", "password/")


@pytest.mark.parametrize("is_staff", [False, True])
def test_the_administration_tells_nothing_without_its_permissions(
    client: Client, record: FileRecord, mallory: User, is_staff: bool
) -> None:
    User.objects.filter(pk=mallory.pk).update(is_staff=is_staff)
    client.force_login(User.objects.get(pk=mallory.pk))
    there = {
        "files/filerecord": record.pk,
        "files/grant": record.grants.create(user=mallory, revoked_at=record.created_at).pk,
        "accounts/user": record.owner_id,
        "audit/auditevent": 1,
    }
    for model, real in there.items():
        for page in PAGES:
            found = []
            for which in (real, 987_654):
                response = client.get(f"/admin/{model}/{which}/{page}")
                location = response.headers.get("Location", "").replace(str(which), "")
                found.append((response.status_code, location))
            assert found[0] == found[1], (model, page)
            assert found[0][0] in {302, 403, 404}
