"""What every kind of answer says to a browser, whoever made it: page, error, file, redirect."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from accounts.models import User
from files.models import FileRecord, StoredObject
from files.vault import storing
from securestore.middleware import PERMISSIONS_POLICY
from securestore.urls import handler400, handler403, handler404, handler500
from securestore.urls import urlpatterns as site

__all__ = ["handler400", "handler403", "handler404", "handler500"]

CONTENT = b"<script>document.title = 'it ran'</script>" * 20
TUS = {"Tus-Resumable": "1.0.0"}


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a bug")


urlpatterns = [path("fail", fail), *site]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def https(settings: Settings) -> None:
    """As a deployment has it; the tests' own settings are those of plain HTTP."""
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    settings.SECURE_SSL_REDIRECT = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.WHITENOISE_USE_FINDERS = True


@pytest.fixture
def record(s3: object, alice: User) -> FileRecord:
    """A file of Alice's."""
    return storing.store(alice, [CONTENT], name="fox.txt", content_type="text/plain")


class Visitor:
    """Somebody who asks over HTTPS, or not."""

    def __init__(self, user: User | None) -> None:
        self.client = Client(raise_request_exception=False)
        if user:
            self.client.force_login(user)

    def __call__(self, method: str, url: str, secure: bool = True, **rest: Any) -> Any:
        return self.client.generic(method, url, secure=secure, **rest)


@pytest.fixture
def stranger() -> Visitor:
    return Visitor(None)


@pytest.fixture
def owner(alice: User) -> Visitor:
    return Visitor(alice)


@pytest.fixture
def staff(root: User) -> Visitor:
    return Visitor(root)


def require(response: Any, *, secure: bool = True) -> None:
    """The headers of every answer."""
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Permissions-Policy"] == PERMISSIONS_POLICY
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "Access-Control-Allow-Origin" not in response
    assert len(response["X-Request-ID"]) == 32
    if secure:  # Over plain HTTP it would mean nothing (RFC 6797, 7.2).
        assert response["Strict-Transport-Security"] == (
            "max-age=31536000; includeSubDomains; preload"
        )
    else:
        assert "Strict-Transport-Security" not in response


def require_private(response: Any) -> None:
    assert "no-store" in response["Cache-Control"]
    assert "public" not in response["Cache-Control"]
    response.close()


@pytest.mark.parametrize(
    ("status", "method", "url", "options"),
    [
        (302, "GET", "/", {}),
        (302, "GET", "/files/", {}),
        (200, "GET", "/accounts/login/", {}),
        (200, "GET", "/accounts/password/reset/", {}),
        (405, "DELETE", "/files/", {}),
        (404, "GET", "/nothing-here", {}),
        (400, "GET", "/files/", {"headers": {"Host": "evil.example"}}),
        (301, "GET", "/accounts/login", {}),
        (302, "GET", "/admin/", {}),
        (302, "GET", f"/admin/files/filerecord/{uuid.UUID(int=1)}/change/", {}),
        (500, "GET", "/fail", {}),
        (503, "GET", "/readyz", {}),
        (200, "GET", "/healthz", {}),
        (405, "POST", "/healthz", {}),
        (412, "POST", "/uploads/", {}),
        (401, "POST", "/uploads/", {"headers": TUS}),
        (204, "OPTIONS", "/uploads/", {"headers": TUS}),
        (404, "GET", "/static/nothing.css", {}),
    ],
)
def test_answers_to_a_stranger(
    stranger: Visitor, status: int, method: str, url: str, options: dict[str, Any]
) -> None:
    response = stranger(method, url, **options)
    assert response.status_code == status
    require(response)
    require_private(response)


@pytest.mark.parametrize(
    ("status", "method", "url", "headers"),
    [
        (200, "GET", "/files/", {}),
        (200, "GET", "/files/upload/", {}),
        (200, "GET", "/files/{id}/", {}),
        (200, "GET", "/files/{id}/delete/", {}),
        (403, "GET", "/files/{id}/grants/", {}),
        (200, "GET", "/files/{id}/download/", {}),
        (200, "HEAD", "/files/{id}/download/", {}),
        (206, "GET", "/files/{id}/download/", {"Range": "bytes=1-2"}),
        (416, "GET", "/files/{id}/download/", {"Range": "bytes=99999-"}),
        (304, "GET", "/files/{id}/download/", {"If-None-Match": "*"}),
        (404, "GET", f"/files/{uuid.UUID(int=1)}/download/", {"Range": "bytes=99999-"}),
        (404, "HEAD", f"/uploads/{uuid.UUID(int=1)}", TUS),
        (400, "POST", "/uploads/", TUS),
        (201, "POST", "/uploads/", {**TUS, "Upload-Length": "10"}),
        (302, "GET", "/admin/", {}),
    ],
)
def test_answers_to_a_member(
    owner: Visitor,
    record: FileRecord,
    status: int,
    method: str,
    url: str,
    headers: dict[str, str],
) -> None:
    response = owner(method, url.format(id=record.id), headers=headers)
    assert response.status_code == status
    require(response)
    require_private(response)


def test_a_zip_and_a_damaged_file(owner: Visitor, record: FileRecord) -> None:
    response = owner.client.post("/files/download/", {"file": str(record.id)}, secure=True)
    assert response.status_code == 200
    require(response)
    require_private(response)
    StoredObject.objects.update(state=StoredObject.State.DAMAGED)
    response = owner("GET", f"/files/{record.id}/download/")
    assert response.status_code == 502
    require(response)
    require_private(response)


@pytest.mark.parametrize(
    "url",
    [
        "/admin/",
        "/admin/files/filerecord/",
        "/admin/jsi18n/",
        "/admin/autocomplete/?app_label=files&model_name=grant&field_name=user&term=a",
        "/admin/accounts/user/add/",
    ],
)
def test_the_administration(staff: Visitor, url: str) -> None:
    response = staff("GET", url)
    assert response.status_code == 200
    require(response)
    require_private(response)


@pytest.mark.parametrize("url", ["/files/", "/static/css/site.css", "/admin/"])
def test_a_redirect_to_https(stranger: Visitor, url: str) -> None:
    response = stranger("GET", url, secure=False)
    assert response.status_code == 301
    assert response["Location"] == f"https://testserver{url}"
    require(response, secure=False)
    require_private(response)


def test_a_host_that_is_not_ours_over_plain_http(stranger: Visitor) -> None:
    response = stranger("GET", "/files/", secure=False, headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert "evil" not in response.text
    require(response, secure=False)
    require_private(response)


def test_a_form_without_its_token() -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {}, secure=True)
    assert response.status_code == 403
    require(response)
    require_private(response)


def test_static_files_and_nothing_else_may_be_kept(stranger: Visitor) -> None:
    response = stranger("GET", "/static/img/seal.svg")
    assert response.status_code == 200
    assert response["Content-Type"] == "image/svg+xml"
    assert "public" in response["Cache-Control"]
    require(response)
    modified = response["Last-Modified"]
    response.close()
    again = stranger("GET", "/static/img/seal.svg", headers={"If-Modified-Since": modified})
    assert again.status_code == 304
    require(again)
    part = stranger("GET", "/static/img/seal.svg", headers={"Range": "bytes=0-3"})
    assert part.status_code == 206
    require(part)
    part.close()


@pytest.mark.parametrize(
    ("url", "open_to_all"),
    [
        ("/static/viewer/frame.js", True),
        ("/static/viewer/frame.css", True),
        ("/static/js/viewer/page.js", False),
        ("/static/css/viewer.css", False),
        ("/static/css/site.css", False),
    ],
)
def test_the_viewers_own_files_are_for_a_frame_of_no_origin(
    stranger: Visitor, url: str, open_to_all: bool
) -> None:
    response = stranger("GET", url)
    assert response.status_code == 200
    response.close()
    assert response.get("Access-Control-Allow-Origin") == ("*" if open_to_all else None)
    expected = "cross-origin" if open_to_all else "same-origin"
    assert response["Cross-Origin-Resource-Policy"] == expected
    assert "Access-Control-Allow-Credentials" not in response


def test_the_viewer_may_fill_the_screen_and_no_more(owner: Visitor, record: FileRecord) -> None:
    response = owner("GET", f"/files/{record.id}/view/")
    assert response.status_code == 200
    allowed = response["Permissions-Policy"].split(", ")
    assert set(allowed) ^ set(PERMISSIONS_POLICY.split(", ")) == {
        "fullscreen=(self)",
        "fullscreen=()",
    }


# --- Cookies ----------------------------------------------------------------------------------


def test_cookies_are_for_this_site_alone(stranger: Visitor, alice: User, password: str) -> None:
    stranger("GET", "/accounts/login/")
    response = stranger.client.post(
        "/accounts/login/", {"login": "alice", "password": password}, secure=True
    )
    assert response.status_code == 302
    cookies = stranger.client.cookies
    assert {"sessionid", "csrftoken"} <= set(cookies)
    for cookie in cookies.values():
        assert cookie["secure"], cookie.key
        assert cookie["httponly"], cookie.key
        assert cookie["samesite"] in {"Lax", "Strict"}, cookie.key
        assert cookie["domain"] == "", cookie.key
        assert cookie["path"] == "/", cookie.key


def test_a_message_is_kept_as_the_session_is(owner: Visitor, record: FileRecord) -> None:
    """It is in a cookie: in the session, to show it would write to a database that may be busy."""
    response = owner("POST", f"/files/{record.id}/delete/")
    assert response.status_code == 302
    cookie = response.cookies["messages"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
