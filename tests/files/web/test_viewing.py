"""The page of the viewer and its frame: who gets them, and what keeps the frame to itself."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from audit.models import AuditEvent
from files.keys.custody import UserKey
from files.models import FileRecord, Grant, StoredObject
from tests.files.conftest import CONTENT, KEY, Store
from tests.files.test_models import filed, stored

Give = Callable[..., Grant]


@pytest.fixture
def reader(client: Client, alice: User) -> Client:
    """Alice, signed in."""
    client.force_login(alice)
    return client


def url(record: FileRecord) -> str:
    return f"/files/{record.pk}/view/"


def report(alice: User, **fields: Any) -> FileRecord:
    return filed(alice, **{"name": "report.pdf", "content_type": "application/pdf", **fields})


def test_the_page_has_what_its_script_needs(reader: Client, alice: User) -> None:
    record = report(alice, size=1234)
    response = reader.get(url(record))
    assert response.status_code == 200
    for text in (
        'data-kind="pdf"',
        'data-size="1234"',
        f'data-etag="&quot;{record.version.hex}&quot;"',
        f'data-address="/files/{record.pk}/download/"',
        'data-frame="/files/viewer/"',
        f'href="/files/{record.pk}/download/"',
    ):
        assert text in response.text
    assert "no-store" in response["Cache-Control"]
    # What styles go by is no word for people.
    german = reader.get(url(record), headers={"Accept-Language": "de"})
    assert 'lang="de"' in german.text
    assert '<main id="main" class="page viewer"' in german.text


@pytest.mark.parametrize(
    ("content_type", "directive", "others"),
    [
        ("application/pdf", "frame-src http://testserver/files/viewer/", "media-src"),
        ("image/png", "frame-src http://testserver/files/viewer/", "media-src"),
        ("text/plain", "frame-src http://testserver/files/viewer/", "media-src"),
        ("audio/mpeg", "media-src 'self'", "frame-src"),
        ("video/mp4", "media-src 'self'", "frame-src"),
    ],
)
def test_the_policy_of_the_page_names_the_viewer_alone(
    reader: Client, alice: User, content_type: str, directive: str, others: str
) -> None:
    response = reader.get(url(report(alice, name="a", content_type=content_type)))
    policy = response["Content-Security-Policy"].split("; ")
    assert directive in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert others not in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.svg", "image/svg+xml"), ("a.html", "text/html"), ("a.zip", "application/zip")],
)
def test_what_is_not_shown_is_offered_for_download(
    reader: Client, alice: User, name: str, content_type: str
) -> None:
    record = report(alice, name=name, content_type=content_type)
    response = reader.get(url(record))
    assert response.status_code == 200
    assert "are not shown here" in response.text
    assert f'href="/files/{record.pk}/download/"' in response.text
    assert "data-viewer" not in response.text
    assert "frame-src" not in response["Content-Security-Policy"]
    assert url(record) not in reader.get(f"/files/{record.pk}/").text


def test_the_files_page_leads_to_it(reader: Client, alice: User) -> None:
    record = report(alice)
    assert url(record) in reader.get(f"/files/{record.pk}/").text
    alice.groups.clear()
    assert url(record) not in reader.get(f"/files/{record.pk}/").text


def test_who_may_not_download_may_not_view(reader: Client, alice: User) -> None:
    record = report(alice)
    alice.groups.clear()
    response = reader.get(url(record))
    assert response.status_code == 403
    assert record.version.hex not in response.text
    denied = AuditEvent.objects.get(event="access_denied")
    assert denied.file_id == record.pk


def test_a_stranger_learns_nothing(client: Client, alice: User, mallory: User) -> None:
    client.force_login(mallory)
    assert client.get(url(report(alice))).status_code == 404


def test_a_damaged_file_is_said_to_be(reader: Client, alice: User) -> None:
    record = report(alice, current=stored(state=StoredObject.State.DAMAGED))
    assert reader.get(url(record)).status_code == 502


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_refused(reader: Client, alice: User, method: str) -> None:
    assert getattr(reader, method)(url(report(alice))).status_code == 405
    assert getattr(reader, method)("/files/viewer/").status_code == 405


def test_the_number_of_queries_is_constant(
    reader: Client,
    alice: User,
    bob: User,
    give: Give,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    record = report(alice)
    reader.get(url(record))
    with django_assert_num_queries(7):
        reader.get(url(record))
    for _ in range(3):
        give(record, bob)
    with django_assert_num_queries(7):
        reader.get(url(record))


# --- Locked files -----------------------------------------------------------------------------


@pytest.fixture
def held(store: Store, alice: User) -> FileRecord:
    return store(alice, name="held.txt", key=UserKey(KEY))


def test_a_locked_file_asks_for_its_key_and_then_is_shown(reader: Client, held: FileRecord) -> None:
    asked = reader.get(url(held))
    assert asked.status_code == 403
    assert 'name="then" value="view"' in asked.text
    assert held.version.hex not in asked.text
    wrong = reader.post(
        f"/files/{held.pk}/unlock/",
        {"key": base64.urlsafe_b64encode(bytes(32)).decode(), "then": "view"},
    )
    assert 'name="then" value="view"' in wrong.text
    unlocked = reader.post(f"/files/{held.pk}/unlock/", {"key": KEY, "then": "view"})
    assert unlocked.status_code == 302
    assert unlocked["Location"] == url(held)
    assert held.version.hex in reader.get(url(held)).text


@pytest.mark.parametrize("then", ["", "delete", "//evil.example", "view "])
def test_a_key_leads_nowhere_else(reader: Client, held: FileRecord, then: str) -> None:
    response = reader.post(f"/files/{held.pk}/unlock/", {"key": KEY, "then": then})
    assert response["Location"] == f"/files/{held.pk}/"


# --- The frame --------------------------------------------------------------------------------


def test_the_frame_is_the_same_for_everybody(client: Client, reader: Client) -> None:
    anybody = Client().get("/files/viewer/")
    assert anybody.status_code == 200
    assert anybody.content == reader.get("/files/viewer/").content
    assert not anybody.cookies


@pytest.mark.parametrize("secure", [False, True])
def test_the_frame_has_nothing_but_its_scripts(client: Client, secure: bool) -> None:
    site = "https://testserver" if secure else "http://testserver"
    response = client.get("/files/viewer/", secure=secure)
    assert response["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        f"script-src {site}/static/viewer/ {site}/static/vendor/pdfjs/",
        f"style-src {site}/static/viewer/",
        "worker-src blob:",
        "connect-src 'none'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
        "sandbox allow-scripts",
    ]
    assert response["Connection-Allowlist"] == "(response-origin)"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert "no-store" in response["Cache-Control"]


# --- What the browser plays itself ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content_type", "use", "site", "status"),
    [
        ("a.mp3", "audio/mpeg", "audio", "same-origin", 206),
        ("a.mp4", "video/mp4", "video", "same-origin", 206),
        ("a.mp3", "application/octet-stream", "audio", "same-origin", 206),
        # Other sites, other types, other uses.
        ("a.mp3", "audio/mpeg", "audio", "same-site", 403),
        ("a.mp3", "audio/mpeg", "audio", "cross-site", 403),
        ("a.mp3", "audio/mpeg", "audio", "", 403),
        ("a.html", "text/html", "video", "same-origin", 403),
        ("a.pdf", "application/pdf", "video", "same-origin", 403),
        ("a.svg", "audio/mpeg", "audio", "same-origin", 403),
        ("a.mp3", "audio/mpeg", "iframe", "same-origin", 403),
        ("a.mp3", "audio/mpeg", "script", "same-origin", 403),
        ("a.mp3", "audio/mpeg", "track", "same-origin", 403),
        ("a.png", "image/png", "image", "same-origin", 403),
    ],
)
def test_a_player_gets_what_is_listed_and_nothing_else_does(
    reader: Client,
    alice: User,
    store: Store,
    name: str,
    content_type: str,
    use: str,
    site: str,
    status: int,
) -> None:
    record = store(alice, CONTENT, name=name, kind=content_type)
    headers = {"Sec-Fetch-Dest": use, "Sec-Fetch-Site": site, "Range": "bytes=0-9"}
    response = reader.get(f"/files/{record.pk}/download/", headers=headers)
    assert response.status_code == status
    if status == 206:
        assert response["Content-Disposition"].startswith("attachment")
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response["Content-Security-Policy"]
        assert response["Cache-Control"] == "private, no-store"
        assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    response.close()


def test_many_ranges_of_one_view_are_one_download(
    reader: Client, alice: User, store: Store
) -> None:
    record = store(alice, CONTENT, name="a.txt", kind="text/plain")
    half = len(CONTENT) // 2
    for start, stop in ((0, half), (half, len(CONTENT))):
        response = reader.get(
            f"/files/{record.pk}/download/",
            headers={
                "Range": f"bytes={start}-{stop - 1}",
                "If-Match": f'"{record.version.hex}"',
                "Sec-Fetch-Dest": "empty",
            },
        )
        assert response.status_code == 206
        assert response.getvalue() == CONTENT[start:stop]
        response.close()
    [event] = AuditEvent.objects.filter(event="file_downloaded")
    assert event.data["ranges"] == 2
    assert event.data["outcome"] == "complete"
