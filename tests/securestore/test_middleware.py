"""The headers that every answer carries, and outages met in a view."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from securestore.middleware import (
    PERMISSIONS_POLICY,
    SecurityHeadersMiddleware,
    UnavailableMiddleware,
)


@pytest.mark.parametrize("path", ["/healthz", "/accounts/login/", "/admin/", "/nothing"])
def test_every_answer_has_the_headers(client: Client, db: None, path: str) -> None:
    response = client.get(path)
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Permissions-Policy"] == PERMISSIONS_POLICY
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


def test_the_policy_refuses_what_no_page_needs() -> None:
    features = dict(item.split("=") for item in PERMISSIONS_POLICY.split(", "))
    assert features["camera"] == features["geolocation"] == "()"
    assert features["publickey-credentials-get"] == "(self)"


def test_a_view_decides_on_its_own_caching() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Cache-Control": "public, max-age=60"})

    response = SecurityHeadersMiddleware(view)(RequestFactory().get("/"))
    assert response["Cache-Control"] == "public, max-age=60"


def test_other_exceptions_are_left_to_django() -> None:
    middleware = UnavailableMiddleware(lambda request: HttpResponse())
    request = RequestFactory().get("/")
    assert middleware.process_exception(request, RuntimeError()) is None
    answer = middleware.process_exception(request, OperationalError("database is locked"))
    assert answer is not None
    assert answer.status_code == 503
