"""Error pages say what to do and nothing about the failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, InterfaceError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.errors import TooBusy
from files.storage import StoreUnavailable
from runtime.slots import TooBusy as NoSlot
from securestore import errors
from securestore.urls import handler400, handler403, handler404, handler500
from securestore.urls import urlpatterns as site

__all__ = ["handler400", "handler403", "handler404", "handler500"]

DETAIL = "detail-that-nobody-may-see"
FAILURES: dict[str, BaseException] = {
    "bad-request": BadRequest(DETAIL),
    "suspicious": SuspiciousOperation(DETAIL),
    "denied": PermissionDenied(DETAIL),
    "missing": Http404(DETAIL),
    "bug": RuntimeError(DETAIL),
    "integrity": IntegrityError(DETAIL),
    "locked": OperationalError("database is locked"),
    "lost": InterfaceError("connection already closed"),
    "store": StoreUnavailable("get an object: 503"),
    "busy": TooBusy(),
    "no-memory": NoSlot(DETAIL),
}


def fail(request: HttpRequest, name: str) -> HttpResponse:
    raise FAILURES[name]


def fail_in_turn(request: HttpRequest) -> HttpResponse:
    """An outage inside of what somebody else made of it."""
    try:
        raise OperationalError("database is locked")
    except OperationalError as error:
        raise RuntimeError(DETAIL) from error


def touch_the_session(request: HttpRequest) -> HttpResponse:
    request.session["note"] = "changed"
    return HttpResponse()


def refuse_writes(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
    """What a database locked by somebody else does."""
    if not sql.startswith("SELECT"):
        raise OperationalError("database is locked")
    return execute(sql, *rest)


urlpatterns = [
    path("fail/<name>", fail),
    path("fail-in-turn", fail_in_turn),
    path("touch-the-session", touch_the_session),
    *site,
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("bad-request", 400),
        ("suspicious", 400),
        ("denied", 403),
        ("missing", 404),
        ("bug", 500),
        ("integrity", 500),
        ("locked", 503),
        ("lost", 503),
        ("store", 503),
    ],
)
@pytest.mark.parametrize("accept", ["text/html,*/*;q=0.8", "application/json"])
def test_every_failure_has_its_page(client: Client, name: str, status: int, accept: str) -> None:
    response = client.get(f"/fail/{name}", headers={"Accept": accept})
    assert response.status_code == status
    assert DETAIL not in response.content.decode()
    html = "text/html" in accept
    assert response["Content-Type"] == f"text/{'html' if html else 'plain'}; charset=utf-8"
    assert (b"<html" in response.content) == html
    assert "Accept" in response["Vary"]
    assert response["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("url", ["/fail/locked", "/fail/lost", "/fail/store", "/fail-in-turn"])
def test_an_outage_says_when_to_try_again(
    client: Client, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.get(url)
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert "Nothing was stored" in response.content.decode()
    assert "unavailable: " in caplog.text


@pytest.mark.parametrize("url", ["/fail/busy", "/fail/no-memory"])
def test_who_came_while_too_many_passwords_were_checked_may_try_again(
    client: Client, url: str
) -> None:
    response = client.get(url)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "Too busy" in response.content.decode()
    assert "try again" in response.content.decode()
    assert DETAIL not in response.content.decode()


def test_a_failure_can_be_found_in_the_log(client: Client) -> None:
    response = client.get("/fail/bug")
    assert response["X-Request-ID"] in response.content.decode()


@pytest.mark.parametrize("url", ["/fail/bug", "/fail/locked"])
def test_failures_ask_the_database_nothing(
    client: Client, alice: User, url: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(alice)
    with django_assert_num_queries(0):
        client.get(url)


def test_a_failure_is_told_even_when_its_page_fails(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_template(*_arguments: object) -> str:
        raise RuntimeError(DETAIL)

    monkeypatch.setattr(errors, "render_to_string", no_template)
    response = client.get("/fail/bug")
    assert response.status_code == 500
    assert response.content.decode().startswith("Something went wrong.")


def test_not_yours_and_not_there_look_the_same(client: Client, alice: User) -> None:
    client.force_login(alice)
    answers = [client.get(url) for url in ("/fail/missing", "/nothing-here")]
    # The sign-out form's token is masked anew for each page.
    bodies = {re.sub(rb'(csrfmiddlewaretoken" value=)"\w+"', rb"\1", a.content) for a in answers}
    headers = [
        {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
        for answer in answers
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert len(bodies) == 1
    assert headers[0] == headers[1]


def test_a_form_that_is_too_old_says_what_to_do(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "alice"})
    assert response.status_code == 403
    assert "reload the page and try again" in response.content.decode()


def test_another_name_of_the_host_is_called_that(client: Client, db: None) -> None:
    answer = client.get("/accounts/login/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize("method", ["get", "post"])
def test_too_many_fields_are_refused_with_the_number(
    client: Client, alice: User, method: str
) -> None:
    client.force_login(alice)
    fields = {"file": [str(number) for number in range(1001)]}
    path = "/files/download/" if method == "post" else "/files/"
    answer = getattr(client, method)(path, fields)
    assert answer.status_code == 400
    assert "1000 fields" in answer.text


def test_a_page_that_takes_no_files_says_where_they_go(client: Client, db: None) -> None:
    sent = {"login": "alice", "file": SimpleUploadedFile("a.txt", b"x")}
    answer = client.post("/accounts/login/", sent)
    assert answer.status_code == 400
    assert "This page takes no files" in answer.text


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_without_its_boundary_is_called_that(client: Client, db: None, kind: str) -> None:
    answer = client.generic("POST", "/accounts/login/", b"x", content_type=kind)
    assert answer.status_code == 400
    assert "boundary is missing" in answer.text


@pytest.mark.parametrize(
    ("cookie", "origin", "token", "words"),
    [
        (False, None, None, "Allow this site to set cookies"),
        (True, None, None, "The form came without its token"),
        (True, "http://evil.example", "right", "not of this site"),
        (True, None, "a" * 64, "open for too long"),
    ],
)
def test_a_form_that_is_refused_for_its_token_says_why(
    db: None, cookie: bool, origin: str | None, token: str | None, words: str
) -> None:
    browser = Client(enforce_csrf_checks=True)
    if cookie:
        browser.get("/accounts/login/")
    right = browser.cookies["csrftoken"].value if cookie else ""
    sent = {"login": "x"} | ({"csrfmiddlewaretoken": token or right} if token else {})
    sent = {name: right if value == "right" else value for name, value in sent.items()}
    answer = browser.post("/accounts/login/", sent, headers={"Origin": origin} if origin else {})
    assert answer.status_code == 403
    assert words in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/files/"),
        ("DELETE", "/files/upload/"),
        ("POST", "/healthz"),
        ("PUT", "/uploads/"),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_a_method_that_is_not_taken_is_told_which_are(
    client: Client, alice: User, method: str, path: str, accept: str
) -> None:
    client.force_login(alice)
    headers = {"Accept": accept, "Tus-Resumable": "1.0.0"}
    answer = client.generic(method, path, headers=headers)
    assert answer.status_code == 405
    assert f"{method} is not taken here, but {answer['Allow']}" in answer.text
    length = str(len(answer.content))
    assert answer.headers.get("Content-Length", length) == length
    html = accept == "text/html" and path != "/uploads/"
    assert answer["Content-Type"] == f"text/{'html' if html else 'plain'}; charset=utf-8"


def test_it_is_told_of_the_method_that_was_meant(client: Client, alice: User) -> None:
    client.force_login(alice)
    headers = {"Tus-Resumable": "1.0.0", "X-HTTP-Method-Override": "PUT"}
    answer = client.post("/uploads/", headers=headers)
    assert "PUT is not taken here, but OPTIONS, POST." in answer.text


def test_a_session_that_cannot_be_saved_is_an_outage(client: Client, alice: User) -> None:
    """Django itself takes it for a session that was deleted, and answers 400."""
    client.force_login(alice)
    with connection.execute_wrapper(refuse_writes):
        response = client.get("/touch-the-session")
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
