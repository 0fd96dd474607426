"""A debug page shows where it failed, and no secret."""

from __future__ import annotations

import copy
import os
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, QueryDict
from django.test import RequestFactory
from django.utils.functional import lazy
from django.views.debug import technical_500_response
from pytest_django import Settings

from runtime.reporting import STARS

PASSWORD = "pA55-of-the-database"
CACHE_PASSWORD = "pA55-of-the-cache"
MAIL_PASSWORD = "pA55-of-the-mail"
STORE_SECRET = "s3cret/of+the'store<1>"
HELD_KEY = "dHlwZWQtYnktYS1wZXJzb24tMDAwMDAwMDAwMDAwMDA="


@pytest.fixture(autouse=True)
def debugging(settings: Settings) -> None:
    settings.DEBUG = True
    databases, storages = copy.deepcopy(settings.DATABASES), copy.deepcopy(settings.STORAGES)
    databases["default"]["PASSWORD"] = PASSWORD
    storages["default"]["OPTIONS"]["secret_key"] = STORE_SECRET
    settings.DATABASES, settings.STORAGES = databases, storages
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": [f"redis://user:{CACHE_PASSWORD}@cache.example.org:6379/1"],
        }
    }
    settings.EMAIL_HOST_PASSWORD = MAIL_PASSWORD


pytestmark = pytest.mark.filterwarnings("ignore:Overriding setting")


def request() -> HttpRequest:
    request = RequestFactory().post(
        "/files/1/unlock/",
        {"key": HELD_KEY, "password": "typed-passw0rd", "code": "314159", "reason": "to read it"},
        headers={"Cookie": "sessionid=the-session; securestore_unlock=the-unlock; theme=dark"},
    )
    request.META["CSRF_COOKIE"] = "the-csrf-cookie"
    # As a server would add them that hands its own environment on.
    request.META.update(
        MASTER_KEYS=os.environ["MASTER_KEYS"],
        DATABASE_URL=f"postgres://user:{PASSWORD}@db.example.org/name",
        CACHE_URL=f"redis://user:{CACHE_PASSWORD}@cache.example.org:6379/1",
    )
    return request


def deep(
    request: HttpRequest,
    dek: bytes,
    wrapped_key: bytes,
    innocent: str,
    url: str,
    nested: dict[str, dict[str, str]],
    posted: QueryDict,
    broken: object,
) -> None:
    """A frame that holds what it should not."""
    raise RuntimeError(f"failed with {innocent} and {STORE_SECRET}")


def variables(settings: Any, failing: HttpRequest) -> tuple[Any, ...]:
    # Made here: the page shows the lines around the call.
    return (
        failing,
        b"dek-of-a-file-in-bytes",
        b"wrapped-key-in-bytes",
        f"a text with {settings.AUDIT_KEY} and {settings.SECRET_KEY} in it",
        f"postgres://user:{PASSWORD}@db.example.org/name",
        {"form": {"password": "nested-passw0rd", "name": "shown-name"}},
        failing.POST,
        lazy(lambda: 1 // 0, int)(),
    )


def report(settings: Any, accept: str) -> str:
    failing = request()
    failing.META["HTTP_ACCEPT"] = accept
    try:
        deep(*variables(settings, failing))
    except RuntimeError:
        response = technical_500_response(failing, *sys.exc_info())
    return response.content.decode()


class Words(HTMLParser):
    """The text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)
        self.text = " ".join(self.found)

    def handle_data(self, data: str) -> None:
        self.found.append(data)


@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_a_debug_page_shows_no_secret(settings: Settings, accept: str) -> None:
    page = report(settings, accept)
    text = Words(page).text if accept == "text/html" else page
    hidden = {
        "SECRET_KEY": settings.SECRET_KEY,
        "AUDIT_KEY": settings.AUDIT_KEY,
        "MASTER_KEYS": os.environ["MASTER_KEYS"],
        "database": PASSWORD,
        "cache": CACHE_PASSWORD,
        "mail": MAIL_PASSWORD,
        "store": STORE_SECRET,
        "AWS_ACCESS_KEY_ID": f"'access_key': '{os.environ['AWS_ACCESS_KEY_ID']}'",
        "held key": HELD_KEY,
        "password": "typed-passw0rd",
        "code": "314159",
        "session": "the-session",
        "unlock": "the-unlock",
        "csrf": "the-csrf-cookie",
        "dek": "dek-of-a-file",
        "wrapped key": "wrapped-key-in-bytes",
        "nested": "nested-passw0rd",
    }
    shown = {name for name, secret in hidden.items() if secret in text or secret in page}
    assert shown == set()
    # It is still of use.
    assert "RuntimeError" in text
    assert "to read it" in text
    assert STARS in text
    if accept == "text/html":
        assert "shown-name" in text
        assert "cache.example.org" in text


def test_a_report_is_made_even_when_the_keys_cannot_be_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_arguments: object) -> None:
        raise ImproperlyConfigured("the file has gone")

    monkeypatch.setattr("runtime.configured_secrets.read_environment", unreadable)
    page = report(settings, "text/html")
    assert "RuntimeError" in page
    assert settings.SECRET_KEY not in page


def test_a_request_that_has_no_form_is_reported() -> None:
    failing = HttpRequest()
    failing.META["SERVER_NAME"], failing.META["SERVER_PORT"] = "testserver", "80"
    failing.GET = QueryDict("a=b")
    try:
        raise RuntimeError("failed")
    except RuntimeError:
        response = technical_500_response(failing, *sys.exc_info())
    assert b"failed" in response.content
