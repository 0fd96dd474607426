"""What goes compressed, and what never does: bytes of files, answers with a secret."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from files.keys.custody import UserKey
from files.vault import storing
from securestore.compression import SHOW_SECRETS, CompressionMiddleware, takes_gzip
from tests.files.conftest import CONTENT, KEY
from tests.files.test_models import placed

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

GZIP = {"Accept-Encoding": "gzip, deflate, br"}
LONG = "words " * 500


def answered(response: Any, **headers: str) -> Any:
    request = RequestFactory().get("/", headers={**GZIP, **headers})
    request.resolver_match = None
    return CompressionMiddleware(lambda _: response)(request)


def is_compressed(response: Any) -> bool:
    return bool(response.get("Content-Encoding") == "gzip")


@pytest.mark.parametrize(
    "kind",
    [
        *("text/html; charset=utf-8", "text/css", "text/javascript", "application/javascript"),
        *("application/json", "Text/HTML"),
    ],
)
def test_text_is_compressed_and_says_so(kind: str) -> None:
    response = answered(HttpResponse(LONG, content_type=kind))
    assert is_compressed(response)
    assert gzip.decompress(response.content).decode() == LONG
    assert int(response["Content-Length"]) == len(response.content) < len(LONG)
    assert "Accept-Encoding" in response["Vary"]


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(LONG, content_type="application/octet-stream"),
        HttpResponse(LONG, content_type="text/plain"),
        HttpResponse(LONG, content_type="image/svg+xml"),
        HttpResponse("short"),
        HttpResponse(LONG, headers={"ETag": '"x"'}),
        HttpResponse(LONG, headers={"Content-Range": "bytes 0-1/2"}, status=206),
        HttpResponse(LONG, headers={"Content-Disposition": "attachment"}),
        HttpResponse(LONG, headers={"Content-Encoding": "br"}),
        HttpResponse(LONG, headers={"Cache-Control": "private, no-transform"}),
        StreamingHttpResponse([LONG.encode()]),
        FileResponse(io.BytesIO(LONG.encode()), content_type="text/html"),
    ],
    ids=lambda one: f"{type(one).__name__}-{sorted(one.headers.items())[-1]}",
)
def test_all_else_is_left_as_it_is(response: Any) -> None:
    before = dict(response.headers)
    assert dict(answered(response).headers) == before


def test_what_programs_get_for_what_they_sent_is_left_as_it_is() -> None:
    """A token, say."""
    request = RequestFactory().post("/", headers=GZIP)
    request.resolver_match = None
    response = HttpResponse(LONG, content_type="application/json")
    assert not is_compressed(CompressionMiddleware(lambda _: response)(request))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        *(("gzip", True), ("GZIP", True), ("br, gzip;q=0.5", True), ("*", True)),
        *(("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.0, *", False)),
        *(("xgzip", False), ("gzip;q=x", False), ("*;q=0", False), ("gzip;level=9", True)),
    ],
)
def test_who_does_not_take_it_does_not_get_it(header: str, expected: bool) -> None:
    request = RequestFactory().get("/", headers={"Accept-Encoding": header})
    assert takes_gzip(request) is expected
    response = answered(HttpResponse(LONG), **{"Accept-Encoding": header})
    assert is_compressed(response) is expected
    # A cache that serves others tells them apart all the same.
    assert "Accept-Encoding" in response["Vary"]


@pytest.mark.parametrize(
    ("site", "expected"), [("same-origin", True), ("none", True), ("cross-site", False)]
)
def test_what_another_site_asks_for_is_not_compressed(site: str, expected: bool) -> None:
    response = answered(HttpResponse(LONG), **{"Sec-Fetch-Site": site})
    assert is_compressed(response) is expected


def test_the_length_of_the_same_answer_differs() -> None:
    lengths = {len(answered(HttpResponse(LONG)).content) for _ in range(40)}
    assert len(lengths) > 5


@pytest.mark.parametrize("name", sorted(SHOW_SECRETS))
def test_the_pages_that_are_named_are_there(name: str) -> None:
    assert reverse(name).startswith("/accounts/2fa/")


# --- The site -------------------------------------------------------------------------------------


@pytest.fixture
def session(client: Client, alice: User, password: str) -> Client:
    """Alice, who has just signed in, with a client that takes gzip."""
    client.post("/accounts/login/", {"login": "alice", "password": password})
    client.defaults["HTTP_ACCEPT_ENCODING"] = GZIP["Accept-Encoding"]
    return client


def text_of(response: Any) -> str:
    raw = response.content
    return gzip.decompress(raw).decode() if is_compressed(response) else raw.decode()


def test_a_list_of_fifty_is_small(session: Client, alice: User) -> None:
    for number in range(50):
        placed(alice, name=f"{number:02} a name as long as names of reports often are.pdf")
    plain = session.get("/files/", headers={"Accept-Encoding": "identity"})
    response = session.get("/files/")
    assert is_compressed(response)
    assert text_of(response).count("<tr>") == text_of(plain).count("<tr>") > 50
    assert len(response.content) < 80_000
    assert len(response.content) < len(plain.content) / 4


def test_the_token_of_forms_is_another_in_each_answer(session: Client, alice: User) -> None:
    """What an answer repeats may be chosen by others; a search repeats what was searched for."""
    placed(alice)
    found = []
    for _ in range(2):
        response = session.get("/files/?q=a")
        assert is_compressed(response)
        found.append(set(re.findall(r'csrfmiddlewaretoken" value="(\w+)"', text_of(response))))
    assert all(found)
    assert not found[0] & found[1]
    assert session.cookies["csrftoken"].value not in found[0] | found[1]


def test_pages_words_and_refusals_are_compressed(session: Client) -> None:
    for address in ("/files/", "/accounts/", "/jsi18n/en/", "/files/none/", "/accounts/login/"):
        assert is_compressed(session.get(address, follow=True)), address
    head = session.head("/files/")
    assert is_compressed(head)


def test_bytes_of_files_are_never_compressed(session: Client, s3: S3Client, alice: User) -> None:
    record = storing.store(alice, [b"text " * 10_000], name="page.html", content_type="text/html")
    address = f"/files/{record.pk}/download/"
    whole = session.get(address)
    assert not is_compressed(whole)
    assert b"".join(whole.streaming_content) == b"text " * 10_000  # type: ignore[attr-defined]
    assert whole["Content-Length"] == "50000"
    assert whole["ETag"].startswith('"')
    part = session.get(address, headers={"Range": "bytes=10-2009"})
    assert part.status_code == 206
    assert not is_compressed(part)
    assert len(b"".join(part.streaming_content)) == 2000  # type: ignore[attr-defined]
    same = session.get(address, headers={"If-None-Match": whole["ETag"]})
    assert same.status_code == 304
    archive = session.post("/files/download/", {"file": record.pk})
    assert not is_compressed(archive)
    members = zipfile.ZipFile(
        io.BytesIO(b"".join(archive.streaming_content))  # type: ignore[attr-defined]
    )
    assert members.read("page.html") == b"text " * 10_000


def test_a_key_that_is_shown_is_not_compressed(session: Client, s3: S3Client, alice: User) -> None:
    held_record = storing.store(alice, [CONTENT], name="secret.txt", key=UserKey(KEY))
    page = session.get(f"/files/{held_record.pk}/key/")
    assert KEY in page.text
    assert not is_compressed(page)
    assert {"no-store", "no-transform", "private"} <= set(page["Cache-Control"].split(", "))
    file = session.post(f"/files/{held_record.pk}/key/file/")
    assert not is_compressed(file)


def test_the_keys_of_an_upload_are_not_compressed(session: Client, s3: S3Client) -> None:
    file = SimpleUploadedFile("a.txt", CONTENT)
    page = session.post("/files/upload/", {"files": [file], "custody": "held"})
    assert not is_compressed(page)
    assert re.search(r"[\w-]{43}=", page.text)


def test_a_token_that_is_shown_is_not_compressed(session: Client, alice: User) -> None:
    alice.user_permissions.add(*Permission.objects.filter(codename__contains="token"))
    form = session.get("/accounts/tokens/new/")
    assert is_compressed(form)
    until = (timezone.localdate() + timedelta(days=30)).isoformat()
    wanted = {"name": "a", "scopes": ["read"], "until": until}
    answer = session.post("/accounts/tokens/new/", wanted)
    assert not is_compressed(answer)
    assert "ssv_" in answer.text


def test_second_factors_are_not_compressed_where_they_are_shown(
    session: Client, alice: User
) -> None:
    page = session.get(reverse("mfa_activate_totp"))
    assert page.status_code == 200
    assert not is_compressed(page)
    TOTP.activate(alice, generate_totp_secret())
    codes = RecoveryCodes.activate(alice).get_unused_codes()
    page = session.get(reverse("mfa_view_recovery_codes"))
    assert codes[0] in page.text
    assert not is_compressed(page)


def test_it_asks_nothing_of_a_request_without_a_match() -> None:
    request = HttpRequest()
    request.META["HTTP_ACCEPT_ENCODING"] = "gzip"
    assert is_compressed(CompressionMiddleware(lambda _: HttpResponse(LONG))(request))
