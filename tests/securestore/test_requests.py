"""Requests made to mislead the site: about its name, where to go next, the method, the length."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from files.models import FileRecord
from files.vault import storing
from tests.mails import delivered

pytestmark = pytest.mark.django_db
ELSEWHERE = (
    "//evil.example/",
    "///evil.example",
    "https://evil.example",
    "https:evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\thttps://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "http://testserver@evil.example/",
    "http://evil.example\\@testserver/",
)


# --- Our name ---------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "testserver@evil.example", "testserver:x", "a/b"])
def test_a_host_that_is_not_ours_is_refused(client: Client, host: str) -> None:
    response = client.get("/accounts/login/", headers={"Host": host})
    assert response.status_code == 400
    assert "evil" not in response.text


def test_a_link_in_a_mail_leads_here(client: Client, alice: User) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    response = client.post("/accounts/password/reset/", {"email": alice.email}, headers=forged)
    assert response.status_code == 302
    [message] = delivered()
    assert "evil" not in f"{message.subject}{message.body}"
    assert re.search(r"http://testserver/accounts/password/reset/key/", str(message.body))
    assert "\n" not in message.subject


# --- Where to go next -------------------------------------------------------------------------


def test_signing_in_leads_nowhere_else(alice: User, password: str) -> None:
    for url in ELSEWHERE:
        form = {"login": "alice", "password": password, "next": url}
        response = Client().post("/accounts/login/", form, query_params={"next": url})
        assert (response.status_code, response["Location"]) == (302, "/files/"), url
    form = {"login": "alice", "password": password, "next": "/files/upload/"}
    assert Client().post("/accounts/login/", form)["Location"] == "/files/upload/"


@pytest.mark.parametrize("page", ["/accounts/login/", "/accounts/logout/", "/admin/login/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_no_page_of_a_signed_in_person_leads_elsewhere(root: User, page: str, method: str) -> None:
    for url in ELSEWHERE:
        client = Client()
        client.force_login(root)
        ask: Any = getattr(client, method)
        response = ask(page, {"next": url})
        location = response.headers.get("Location", "/")
        assert location.startswith("/"), url
        assert not location.startswith(("//", "/\\")), url


@pytest.mark.parametrize("path", ["//evil.example/%2e%2e/files", "//evil.example", "/\\evil"])
def test_a_slash_that_is_added_leads_nowhere_else(client: Client, path: str) -> None:
    response = client.get(path)
    assert not response.headers.get("Location", "").startswith("//")


# --- The method -------------------------------------------------------------------------------


@pytest.fixture
def record(s3: object, alice: User) -> FileRecord:
    return storing.store(alice, [b"content"], name="fox.txt")


def test_a_method_cannot_be_smuggled(client: Client, alice: User, record: FileRecord) -> None:
    client.force_login(alice)
    for name in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
        response = client.get(
            f"/files/{record.pk}/delete/", {"_method": "POST"}, headers={name: "POST"}
        )
        assert response.status_code == 200
        response = client.post(f"/files/{record.pk}/", {"_method": "GET"}, headers={name: "GET"})
        assert response.status_code == 405
    assert FileRecord.objects.filter(pk=record.pk).exists()


def test_an_override_needs_the_token_all_the_same(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    headers = {"Tus-Resumable": "1.0.0", "X-HTTP-Method-Override": "DELETE"}
    path = "/uploads/00000000-0000-4000-8000-000000000000"
    assert client.post(path, headers=headers).status_code == 403


# --- The length -------------------------------------------------------------------------------


@pytest.mark.parametrize("length", ["abc", "-5", "+5", "5, 5", "0x5", "\u0663", "9" * 30])
@pytest.mark.parametrize("path", ["/files/upload/", "/uploads/"])
def test_a_length_that_is_none_is_a_bad_request(alice: User, path: str, length: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    response = client.generic(
        "POST",
        path,
        b"bytes",
        content_type="application/offset+octet-stream",
        headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"},
        CONTENT_LENGTH=length,
    )
    assert response.status_code == 400
