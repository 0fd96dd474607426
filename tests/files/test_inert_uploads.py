"""An upload never runs in the site's origin, whatever its type and however it is asked for.

That a browser agrees is shown in tests/browser/test_hostile.py.
"""

from __future__ import annotations

import re
import uuid

import pytest
from django.http import HttpResponse
from django.test import Client
from hypothesis import given

from accounts.models import User
from files.models import FileRecord
from files.web.transfers.downloads import as_attachment, served_type
from tests.files.conftest import CONTENT
from tests.hostile import hostile

POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


@pytest.fixture
def reader(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "image/svg+xml",
        "application/pdf",
        "text/xml",
        "application/xml",
        "application/xhtml+xml",
        "text/javascript",
        "text/css",
        "application/x-shockwave-flash",
    ],
)
def test_an_upload_of_any_type_is_inert(reader: Client, record: FileRecord, kind: str) -> None:
    FileRecord.objects.update(content_type=kind, name="page.html")
    for headers in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=9999-"}, {"If-None-Match": "*"}):
        response = reader.get(f"/files/{record.id}/download/", headers=headers)
        assert response["Content-Disposition"] == 'attachment; filename="page.html"'
        assert response["Content-Security-Policy"] == POLICY
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["X-Frame-Options"] == "DENY"
        assert response["Cross-Origin-Resource-Policy"] == "same-origin"
        response.close()


@pytest.mark.parametrize(
    ("kind", "served"),
    [
        ("text/javascript", "application/octet-stream"),
        ("application/javascript", "application/octet-stream"),
        ("application/x-javascript", "application/octet-stream"),
        ("text/javascript1.5", "application/octet-stream"),
        ("text/jscript", "application/octet-stream"),
        ("text/livescript", "application/octet-stream"),
        ("application/x-ecmascript", "application/octet-stream"),
        ("text/css", "application/octet-stream"),
        ("application/json", "application/json"),
        ("text/html", "text/html"),
        ("text/csv", "text/csv"),
    ],
)
def test_what_a_page_could_load_as_its_own_is_sent_without_its_type(kind: str, served: str) -> None:
    assert served_type(kind) == served


@given(hostile)
def test_no_name_leaves_its_header(name: str) -> None:
    response = HttpResponse()
    as_attachment(response, name)
    header = response["Content-Disposition"]
    assert header.isascii()
    assert header.isprintable()
    # As a client reads it: one kind, one name, and no other parameter (RFC 6266).
    kind, _, rest = header.partition("; ")
    assert kind == "attachment"
    if rest:
        encoded = r"(?:; filename\*=utf-8''[A-Za-z0-9%._~!&+^`|$-]+)?"
        assert re.fullmatch(r'filename="[^"\\%]+"' + encoded, rest)


PARTS = [
    "script",
    "style",
    "image",
    "iframe",
    "frame",
    "object",
    "embed",
    "worker",
    "serviceworker",
    "manifest",
    "xslt",
]


def test_a_download_is_no_part_of_a_page(reader: Client, record: FileRecord) -> None:
    for destination in PARTS:
        headers = {"Sec-Fetch-Dest": destination}
        response = reader.get(f"/files/{record.id}/download/", headers=headers)
        assert response.status_code == 403, destination
        assert CONTENT not in response.content
        # Nor does it tell more of what is not there.
        nothing = reader.get(f"/files/{uuid.uuid4()}/download/", headers=headers)
        assert nothing.status_code == 404


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Dest": "document"}, {"Sec-Fetch-Dest": "empty"}]
)
def test_a_link_and_a_fetch_are_answered(
    reader: Client, record: FileRecord, headers: dict[str, str]
) -> None:
    response = reader.get(f"/files/{record.id}/download/", headers=headers)
    assert response.getvalue() == CONTENT
    response.close()
