"""Forms are whole and in time before anything is done for them; uploads are left to their views."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from runtime import slowness
from runtime.slowness import Body, Handled, TooSlow
from securestore import form_bodies

FORM = "application/x-www-form-urlencoded"
DOORS = ["/accounts/login/", "/admin/login/", "/files/download/", "/files/keys/saved/", "/nowhere"]
TEXT = {"Accept": "text/plain"}


def send(client: Client, path: str, *, given: Any, length: int, kind: str = FORM) -> Any:
    """POST a body that the web server hands over as `given`."""
    told = {"CONTENT_LENGTH": str(length), "wsgi.input": given, "CONTENT_TYPE": kind}
    return client.generic("POST", path, headers=TEXT, **told)


def slow(came: bytes) -> Body:
    """A body of which so much came, until nobody waited any longer."""
    body = Body(io.BytesIO(came), Handled("127.0.0.1", 0.0))
    body.slow = TooSlow(20, 4096)
    return body


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("came", [b"", b"login=alice"])
def test_a_form_that_is_cut_off_is_no_form(
    client: Client,
    db: None,
    django_assert_num_queries: DjangoAssertNumQueries,
    door: str,
    came: bytes,
) -> None:
    with django_assert_num_queries(0):
        response = send(client, door, given=io.BytesIO(came), length=len(came) + 1)
    assert response.status_code == 400
    assert "Nothing was changed" in response.text


@pytest.mark.parametrize("door", DOORS)
def test_one_that_is_too_slow_is_told_so(
    client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries, door: str
) -> None:
    with django_assert_num_queries(0):
        response = send(client, door, given=slow(b"login"), length=1000)
    assert response.status_code == 408
    assert "4.0\xa0KB a second came for 20 seconds" in response.text
    assert "Nothing was changed" in response.text


def test_a_whole_form_is_what_it_was(client: Client, alice: User, password: str) -> None:
    form = f"login=alice&password={password.replace(' ', '+')}".encode()
    body = Body(io.BytesIO(form), Handled("127.0.0.1", 0.0))
    response = send(client, "/accounts/login/", given=body, length=len(form))
    assert (response.status_code, response["Location"]) == (302, "/files/")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_body_that_means_nothing_is_not_waited_for(client: Client, db: None, method: str) -> None:
    told: dict[str, Any] = {"CONTENT_LENGTH": "1000", "wsgi.input": Unread()}
    assert client.generic(method, "/healthz", **told).status_code in {200, 405}


class Unread:
    """A body that nobody may read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("it was read")

    readline = read


@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x", "text/plain"])
@pytest.mark.parametrize("path", ["/uploads/", "/uploads/0c3e6a1e-0000-4000-8000-000000000000"])
def test_of_strangers_no_upload_is_read(db: None, kind: str, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32
    for method in ("POST", "PATCH"):
        told: dict[str, Any] = {"CONTENT_LENGTH": "1000", "wsgi.input": Unread()}
        told["CONTENT_TYPE"] = kind
        response = client.generic(method, path, headers={"Tus-Resumable": "1.0.0"}, **told)
        assert response.status_code in {401, 403}


def test_an_upload_has_more_time(client: Client, alice: User, settings: Settings) -> None:
    client.force_login(alice)
    for path in ("/uploads/", "/files/upload/"):
        body = Body(io.BytesIO(b"x"), Handled("127.0.0.1", 0.0))
        send(client, path, given=body, length=1)
        assert body.patience == settings.UPLOAD_PATIENCE


@pytest.mark.parametrize(
    ("crowd", "seconds"), [(0, 20), (form_bodies.CROWD, form_bodies.IN_A_CROWD)]
)
def test_in_a_crowd_there_is_less_time(
    client: Client,
    db: None,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    crowd: int,
    seconds: float,
) -> None:
    settings.FORM_PATIENCE = 20
    monkeypatch.setattr(slowness.WATCH, "waiting", lambda: crowd)
    body = Body(io.BytesIO(b"x"), Handled("127.0.0.1", 0.0))
    send(client, "/accounts/login/", given=body, length=1)
    assert body.patience == seconds


def test_in_a_larger_one_pages_go_on(
    client: Client, db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.THREADS = 256
    monkeypatch.setattr(slowness.WATCH, "waiting", lambda: 128)
    response = send(client, "/accounts/login/", given=Unread(), length=1)
    assert (response.status_code, response["Retry-After"]) == (503, str(form_bodies.WAIT))
    assert "try again" in response.text
    assert client.get("/accounts/login/").status_code == 200
