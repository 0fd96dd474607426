"""Those who watch over the site ask by its address; nobody else gets past the check of the host."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-twenty-characters"
ADDRESSES = ["127.0.0.1:8000", "10.0.0.7", "[::1]:8000", "[2001:db8::1]"]
NAMES = [
    "evil.example",
    "vault-1.internal:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
]
WRONG = ["", "a b", "127.0.0.1:x", "[::1", "127.0.0.1@evil.example", "0x7f000001"]


@pytest.fixture(autouse=True)
def deployed(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["files.example.org"]
    settings.METRICS_TOKEN = TOKEN
    settings.SECURE_SSL_REDIRECT = True


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("host", ADDRESSES)
def test_a_supervisor_asks_by_address(client: Client, path: str, host: str) -> None:
    assert client.get(path, headers={"Host": host}).status_code in {200, 503}
    assert client.head(path, headers={"Host": host}).status_code in {200, 503}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("host", NAMES + WRONG)
def test_a_name_that_is_not_ours_is_refused(client: Client, path: str, host: str) -> None:
    assert client.get(path, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ADDRESSES + NAMES + ["files.example.org"])
def test_who_has_the_token_asks_as_they_please(client: Client, host: str) -> None:
    headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200
    assert b"securestore_files" in response.content


@pytest.mark.parametrize("host", ADDRESSES + NAMES)
@pytest.mark.parametrize("given", ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}"])
def test_who_has_not_is_told_nothing(client: Client, host: str, given: str) -> None:
    response = client.get("/metrics", headers={"Host": host, "Authorization": given})
    assert response.status_code == 400
    assert b"securestore_" not in response.content


def test_without_a_token_configured_no_token_is_right(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = None
    for given in ("Bearer ", "Bearer None", ""):
        headers = {"Host": "127.0.0.1", "Authorization": given}
        assert client.get("/metrics", headers=headers).status_code == 400
        headers["Host"] = "files.example.org"
        assert client.get("/metrics", headers=headers).status_code == 404


@pytest.mark.parametrize("path", ["/", "/files/", "/accounts/login/", "/admin/", "/healthz/", "/x"])
def test_every_other_page_keeps_to_its_name(client: Client, root: User, path: str) -> None:
    client.force_login(root)
    headers = {"Host": "127.0.0.1:8000", "Authorization": f"Bearer {TOKEN}"}
    assert client.get(path, headers=headers, secure=True).status_code == 400
