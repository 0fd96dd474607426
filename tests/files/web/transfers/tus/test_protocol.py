"""What every request and answer of tus has: the version, its headers, who may at all."""

from __future__ import annotations

import uuid

import pytest
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.models import User
from files.errors import NoSuchFolder, OtherContent, RequestOver
from files.models import UploadSession
from files.web.transfers.tus.protocol import Refusal, answering
from tests.files.web.transfers.tus.clients import BYTES, Tus


@pytest.mark.parametrize("path", ["/uploads/", f"/uploads/{uuid.UUID(int=1)}"])
def test_options_needs_no_sign_in_and_no_version(db: None, path: str, settings: Settings) -> None:
    settings.MAX_UPLOAD_SIZE = 12345
    answer = Client().options(path)
    assert answer.status_code == 204
    assert answer["Tus-Resumable"] == answer["Tus-Version"] == "1.0.0"
    assert answer["Tus-Max-Size"] == "12345"
    assert answer["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert set(answer["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "termination",
        "expiration",
        "checksum",
    }


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1"])
def test_another_version_is_412(client: Tus, version: str | None) -> None:
    url = client.begin()
    for method, path in [("POST", "/uploads/"), ("HEAD", url), ("PATCH", url), ("DELETE", url)]:
        answer = client.request(method, path, headers={"Tus-Resumable": version})
        assert answer.status_code == 412
        assert answer["Tus-Version"] == "1.0.0"
    assert client.head(url)["Upload-Offset"] == "0"


def test_other_methods_are_405(client: Tus) -> None:
    url = client.begin()
    assert client.request("GET", "/uploads/").status_code == 405
    assert client.request("PUT", url).status_code == 405


def test_strangers_are_turned_away(client: Tus, mallory: User) -> None:
    assert Tus(None).create(Upload_Length="1").status_code == 401
    mallory.groups.clear()
    assert Tus(mallory).create(Upload_Length="1").status_code == 403
    assert not UploadSession.objects.exists()


def test_csrf_is_enforced(alice: User) -> None:
    client = Tus(alice, enforce_csrf_checks=True)
    url = Tus(alice).begin()
    for method, path in [("POST", "/uploads/"), ("PATCH", url), ("DELETE", url)]:
        answer = client.request(
            method, path, b"x", headers={"Upload-Length": "1", "Upload-Offset": "0"}, **BYTES
        )
        assert answer.status_code == 403
    assert UploadSession.objects.get().offset == 0
    client.http.cookies["csrftoken"] = token = "t" * 32
    answer = client.request(
        "PATCH", url, b"x", headers={"Upload-Offset": "0", "X-CSRFToken": token}, **BYTES
    )
    assert (answer.status_code, answer["Upload-Offset"]) == (204, "1")


def test_the_method_may_come_in_a_header(client: Tus) -> None:
    url = client.begin()
    answer = client.request("POST", url, headers={"X-HTTP-Method-Override": "DELETE"})
    assert answer.status_code == 204
    assert client.head(url).status_code == 404


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Refusal(415, "Not so."), 415, "Not so."),
        (OtherContent(7, bytes(32), at_once=True), 409, ""),
        (OtherContent(7, bytes(32), at_once=False), 460, ""),
        (RequestOver(), 404, ""),
        (NoSuchFolder(), 404, ""),
        (Http404(), 404, "There is no such upload."),
    ],
)
def test_each_refusal_has_its_status_and_its_words(
    error: Exception, status: int, said: str
) -> None:
    def refuse(request: HttpRequest) -> HttpResponse:
        raise error

    asked = RequestFactory().post("/uploads/", headers={"Tus-Resumable": "1.0.0"})
    answer = answering(refuse)(asked)
    assert (answer.status_code, answer["Tus-Resumable"]) == (status, "1.0.0")
    assert answer.text.strip() == (said or str(error))


@pytest.mark.parametrize(("header", "status"), [("Upload-Odd", 501), ("Upload-Offset", 400)])
def test_a_header_that_means_nothing_here_stores_nothing(
    client: Tus, header: str, status: int
) -> None:
    answer = client.request("POST", "/uploads/", headers={"Upload-Length": "1", header: "0"})
    assert answer.status_code == status
    assert header in answer.text
    assert not UploadSession.objects.exists()
