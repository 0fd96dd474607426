"""Headers that change what a body means, at every door: done as they say, or refused."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import BadRequest
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.models import User
from files.models import FileRecord, StoredObject, UploadSession
from files.web.transfers import bodies
from tests.files.doors import BYTES, ROUTES, TUS, address
from tests.files.multipart import BOUNDARY, CONTENT_TYPE, body, field, file

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

REFUSED: dict[str, tuple[dict[str, str], set[int]]] = {
    # How the body is packed, cut or framed
    "gzip": ({"Content-Encoding": "gzip"}, {415}),
    "zstd": ({"Content-Encoding": "zstd"}, {415}),
    "packed twice": ({"Content-Encoding": "identity, br"}, {415}),
    "signed chunks": ({"Content-Encoding": "aws-chunked"}, {415}),
    "base64": ({"Content-Transfer-Encoding": "base64"}, {415}),
    "chunks": ({"Transfer-Encoding": "chunked"}, {411}),
    "packed chunks": ({"Transfer-Encoding": "gzip, chunked"}, {501}),
    "another transfer coding": ({"Transfer-Encoding": "deflate"}, {501}),
    "a part": ({"Content-Range": "bytes 0-9/100"}, {400}),
    "a part of a form": ({"Content-Range": "bytes 0-9/*"}, {400}),
    # What should be done with it, or not
    "an expectation": ({"Expect": "200-ok"}, {417}),
    "another method": ({"X-HTTP-Method": "PUT"}, {405}),
    "one more other method": ({"X-Method-Override": "DELETE"}, {405}),
    "only if it is that": ({"If-Match": '"a"'}, {501}),
    "only if there is none": ({"If-None-Match": "*"}, {501}),
    "only if it is old": ({"If-Unmodified-Since": "Sat, 29 Oct 1994 19:43:31 GMT"}, {501}),
    # Extensions of tus, and what came after it
    "one of several parts": ({"Upload-Concat": "partial"}, {501}),
    "all parts together": ({"Upload-Concat": "final;/uploads/a /uploads/b"}, {501}),
    "not all of it": ({"Upload-Complete": "?0"}, {501}),
    "all of it": ({"Upload-Complete": "?1"}, {501}),
    "not all of it, earlier": ({"Upload-Incomplete": "?1"}, {501}),
    "a draft": ({"Upload-Draft-Interop-Version": "6"}, {501}),
    "of the future": ({"Upload-Anything": "1"}, {501}),
}
each = pytest.mark.parametrize(("headers", "statuses"), list(REFUSED.values()), ids=list(REFUSED))


doors = pytest.mark.parametrize(
    "routes",
    [
        pytest.param(sorted(ROUTES)[::12], id="some doors"),
        pytest.param(sorted(ROUTES), id="every door", marks=pytest.mark.integration),
    ],
)


def nothing_stored() -> bool:
    tables: list[Any] = [FileRecord, StoredObject, UploadSession]
    return not any(table.objects.exists() for table in tables)


@pytest.mark.django_db
@each
@doors
def test_no_door_takes_what_this_site_does_not_do(
    root: User, headers: dict[str, str], statuses: set[int], routes: list[str]
) -> None:
    client = Client()
    client.force_login(root)
    for name in routes:
        path = address(name, uuid.uuid4())
        sent = {**headers, **(TUS if bodies.is_tus(path) else {})}
        answer = client.generic("POST", path, b"a=b", BYTES, headers=sent)
        # The API says first that it has no such address, or no POST there.
        absent = {404, 405} if path.startswith(bodies.API) else set()
        assert answer.status_code in statuses | absent, path
        assert "too long" not in answer.text
        assert "could not be understood" not in answer.text


@each
def test_a_form_with_files_in_it_is_refused_whole(
    client: Client, s3: S3Client, alice: User, headers: dict[str, str], statuses: set[int]
) -> None:
    client.force_login(alice)
    answer = client.generic(
        "POST", "/files/upload/", body(file("a", b"x")), CONTENT_TYPE, headers=headers
    )
    assert answer.status_code in statuses
    assert nothing_stored()


@each
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_upload_by_tus_keeps_no_byte_of_it(
    client: Client,
    s3: S3Client,
    alice: User,
    method: str,
    headers: dict[str, str],
    statuses: set[int],
) -> None:
    client.force_login(alice)
    path, sent = "/uploads/", {**TUS, "Upload-Length": "1", **headers}
    if method == "PATCH":
        begun = client.generic("POST", path, headers={**TUS, "Upload-Length": "1"})
        path, sent = begun["Location"], {**TUS, "Upload-Offset": "0", **headers}
    answer = client.generic(method, path, b"x", BYTES, headers=sent)
    assert answer.status_code in statuses
    assert not FileRecord.objects.exists()
    assert not StoredObject.objects.exclude(offset=0).exists()
    assert UploadSession.objects.count() == (method == "PATCH")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ({"Content-Encoding": "identity"}, "POST"),
        ({"Content-Encoding": ""}, "POST"),
        ({"Expect": "100-Continue"}, "POST"),
        ({"X-HTTP-Method-Override": "POST"}, "POST"),
        # A body has no meaning there, and conditions do.
        ({"Transfer-Encoding": "chunked"}, "GET"),
        ({"If-None-Match": '"a"', "Content-Encoding": "gzip"}, "GET"),
    ],
)
def test_what_changes_nothing_is_taken(
    client: Client, headers: dict[str, str], method: str
) -> None:
    answer = client.generic(
        method, "/accounts/login/", b"", "application/x-www-form-urlencoded", headers=headers
    )
    assert answer.status_code == 200


def test_a_form_of_a_client_that_says_which_tus_it_speaks_is_a_form(
    client: Client, s3: S3Client, alice: User
) -> None:
    client.force_login(alice)
    form = body(file("a", b"x"))
    answer = client.generic("POST", "/files/upload/", form, CONTENT_TYPE, headers=TUS)
    assert answer.status_code == 302
    assert FileRecord.objects.get().size == 1


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_link_can_ask_for_a_method_that_changes_something(client: Client, method: str) -> None:
    for path in ("/uploads/", f"/uploads/{uuid.uuid4()}"):
        headers = {**TUS, "X-HTTP-Method-Override": "DELETE"}
        assert client.generic(method, path, headers=headers).status_code == 405


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_the_method_that_a_header_asks_for_is_the_one_of_tus(
    client: Client, s3: S3Client, alice: User, method: str
) -> None:
    client.force_login(alice)
    url = client.generic("POST", "/uploads/", headers={**TUS, "Upload-Length": "1"})["Location"]
    asked = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert client.generic(method, url, headers=asked).status_code == 204
    assert client.generic("HEAD", url, headers=TUS).status_code == 404
    asked = {**TUS, "Upload-Length": "1", "X-HTTP-Method-Override": "PATCH"}
    assert client.generic("POST", "/uploads/", headers=asked).status_code == 405
    assert nothing_stored()


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        # A header of tus in the wrong request.
        ("POST", {"Upload-Length": "1", "Upload-Offset": "0"}, 400),
        ("PATCH", {"Upload-Offset": "0", "Upload-Metadata": "filename YQ=="}, 400),
        ("PATCH", {"Upload-Offset": "0", "Upload-Defer-Length": "1"}, 400),
        # Both, neither, or one that is no such value.
        ("POST", {"Upload-Length": "1", "Upload-Defer-Length": "1"}, 400),
        ("POST", {"Upload-Defer-Length": "0"}, 400),
        ("POST", {"Upload-Length": "1,1"}, 400),
        ("POST", {}, 400),
        # Metadata that are none.
        ("POST", {"Upload-Length": "1", "Upload-Metadata": "filename a b"}, 400),
        ("POST", {"Upload-Length": "1", "Upload-Metadata": "filename !"}, 400),
        ("POST", {"Upload-Length": "1", "Upload-Metadata": "filename YQ==,filename Yg=="}, 400),
        ("POST", {"Upload-Length": "1", "Upload-Metadata": "n\xe4me YQ=="}, 400),
        # Checksums that are none.
        ("POST", {"Upload-Length": "1", "Upload-Checksum": "md5 YQ=="}, 400),
        ("POST", {"Upload-Length": "1", "Upload-Checksum": "sha256 YQ=="}, 460),
        ("POST", {"Upload-Length": "1", "Tus-Resumable": "0.2.2"}, 412),
        ("POST", {"Upload-Length": "1", "Tus-Resumable": "1.0.0, 1.0.0"}, 412),
    ],
)
def test_headers_of_tus_that_contradict_keep_no_byte(
    client: Client, s3: S3Client, alice: User, method: str, headers: dict[str, str], status: int
) -> None:
    client.force_login(alice)
    path = "/uploads/"
    if method == "PATCH":
        path = client.generic("POST", path, headers={**TUS, "Upload-Length": "1"})["Location"]
    answer = client.generic(method, path, b"x", BYTES, headers={**TUS, **headers})
    assert answer.status_code == status
    assert not FileRecord.objects.exists()


@pytest.mark.parametrize("kind", ["", "application/octet-stream", "application/json"])
def test_bytes_of_another_type_are_not_left_out_of_a_new_upload(
    client: Client, s3: S3Client, alice: User, kind: str
) -> None:
    client.force_login(alice)
    for length in ("0", "1"):
        answer = client.generic(
            "POST", "/uploads/", b"x", kind, headers={**TUS, "Upload-Length": length}
        )
        assert answer.status_code == 415
    assert nothing_stored()


def test_an_empty_form_that_a_program_adds_is_no_byte_of_a_new_upload(
    client: Client, s3: S3Client, alice: User
) -> None:
    client.force_login(alice)
    answer = client.post("/uploads/", headers={**TUS, "Upload-Length": "9"})
    assert (answer.status_code, answer["Upload-Offset"]) == (201, "0")


# --- Lengths ----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("length", ["-1", "+1", "1, 1", "0x1", " ", "\u0661", "9" * 30])
@doors
def test_a_length_that_is_none_is_400_at_every_door(
    client: Client, length: str, routes: list[str]
) -> None:
    for name in routes:
        answer = client.generic("POST", address(name, uuid.uuid4()), CONTENT_LENGTH=length)
        assert answer.status_code == 400
        assert "Content-Length is not a number" in answer.text


@pytest.mark.django_db
@pytest.mark.parametrize("length", ["2000000", "9" * 19])
@doors
def test_a_length_over_the_limit_is_413_with_the_number(
    client: Client, length: str, routes: list[str]
) -> None:
    for name in routes:
        path = address(name, uuid.uuid4())
        if path.startswith((bodies.UPLOADS, bodies.FORM_WITH_FILES)) or bodies.is_of_sender(path):
            continue
        answer = client.generic("POST", path, CONTENT_LENGTH=length)
        assert answer.status_code == 413
        assert "It takes 1048576 bytes" in answer.text


def test_a_file_over_the_limit_is_413_before_it_is_read(
    client: Client, s3: S3Client, alice: User
) -> None:
    client.force_login(alice)
    form: dict[str, Any] = {"CONTENT_LENGTH": "9" * 19}
    answer = client.generic("POST", "/files/upload/", b"x", CONTENT_TYPE, **form)
    assert answer.status_code == 413
    headers = {**TUS, "Upload-Length": "1"}
    answer = client.generic("POST", "/uploads/", b"x", BYTES, headers=headers, **form)
    assert answer.status_code == 413
    assert f"would have {'9' * 19}" in answer.text
    assert nothing_stored()


@pytest.mark.django_db
def test_a_body_in_frames_without_a_length_is_411(client: Client) -> None:
    form: dict[str, Any] = {"SERVER_PROTOCOL": "HTTP/2", "CONTENT_LENGTH": ""}
    answer = client.generic("POST", "/accounts/login/", b"login=a", **form)
    assert answer.status_code == 411
    assert "Send it again with a Content-Length" in answer.text


def test_no_body_at_all_needs_no_length(client: Client, s3: S3Client, alice: User) -> None:
    client.force_login(alice)
    form: dict[str, Any] = {"CONTENT_LENGTH": ""}
    headers = {**TUS, "Upload-Length": "1"}
    assert client.generic("POST", "/uploads/", headers=headers, **form).status_code == 201


@pytest.mark.parametrize("text", ["1a", "-1", "1.0", "\u0661"])
def test_a_declared_length_is_digits(text: str) -> None:
    request = RequestFactory().post("/")
    request.META["CONTENT_LENGTH"] = text
    with pytest.raises(BadRequest, match="not a number"):
        bodies.declared_length(request)


@pytest.mark.parametrize("path", ["/accounts/login/", "/files/download/", "/admin/login/"])
def test_a_form_that_is_empty_is_told_so(alice: User, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    form: dict[str, Any] = {"CONTENT_LENGTH": ""}
    for answer in (client.generic("POST", path), client.generic("POST", path, **form)):
        assert answer.status_code == 403
        assert "The request was empty" in answer.text


def test_an_upload_without_a_token_is_told_which(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    answer = client.post("/uploads/", headers={**TUS, "Upload-Length": "1"})
    assert (answer.status_code, answer["Tus-Resumable"]) == (403, "1.0.0")
    assert "X-CSRFToken" in answer.text


# --- Parts of a form --------------------------------------------------------------------------


def part(headers: str, content: bytes = b"x") -> bytes:
    """A form with one part of these headers."""
    head = f"--{BOUNDARY}\r\n{headers}\r\n\r\n".encode("latin-1")
    return head + content + f"\r\n--{BOUNDARY}--\r\n".encode()


FILE = 'Content-Disposition: form-data; name="files"; filename="a"'
FIELD = 'Content-Disposition: form-data; name="passphrase"'


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (f"{FILE}\r\nContent-Transfer-Encoding: base64", 415),
        (f"{FILE}\r\nContent-Transfer-Encoding: BASE64", 415),
        (f"{FILE}\r\nContent-Transfer-Encoding: quoted-printable", 415),
        (f"{FILE}\r\ncontent-encoding: gzip", 415),
        (f"Content-Encoding: gzip\r\n{FILE}", 415),
        (f"{FIELD}\r\nContent-Transfer-Encoding: base64", 415),
        (f"{FIELD}\r\nContent-Type: text/plain; charset=utf-16", 415),
        ('Content-Disposition: form-data; name="_charset_"', 415),
        # Another file of the form would be stored, and this one not.
        ('Content-Disposition: form-data; name="files"; filename="Pr\xfcfung"', 400),
    ],
)
def test_a_part_that_is_not_what_its_bytes_are_is_refused_with_its_form(
    client: Client, s3: S3Client, alice: User, headers: str, status: int
) -> None:
    client.force_login(alice)
    first = body(file("first", b"x"))[: -len(f"--{BOUNDARY}--\r\n")]
    for sent in (part(headers), first + part(headers)):
        answer = client.generic("POST", "/files/upload/", sent, CONTENT_TYPE)
        assert answer.status_code == status
        assert "Nothing was stored" in answer.text
    assert not FileRecord.objects.exists()
    assert not StoredObject.objects.filter(state="writing").exists()


@pytest.mark.django_db
def test_parts_are_read_alike_by_every_page(client: Client) -> None:
    sent = part(f"{FIELD}\r\nContent-Transfer-Encoding: base64")
    assert client.generic("POST", "/accounts/login/", sent, CONTENT_TYPE).status_code == 415


@pytest.mark.parametrize("coding", ["binary", "8bit", "7bit"])
def test_a_part_that_is_as_it_is_is_stored(
    client: Client, s3: S3Client, alice: User, coding: str
) -> None:
    client.force_login(alice)
    sent = part(f"{FILE}\r\nContent-Transfer-Encoding: {coding}")
    assert client.generic("POST", "/files/upload/", sent, CONTENT_TYPE).status_code == 302
    assert FileRecord.objects.get().size == 1


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "utf-7"])
def test_a_form_in_another_character_set_is_refused(
    client: Client, s3: S3Client, alice: User, charset: str
) -> None:
    client.force_login(alice)
    for kind in (CONTENT_TYPE, "application/x-www-form-urlencoded"):
        answer = client.generic(
            "POST", "/files/upload/", body(file("a", b"x")), f"{kind}; charset={charset}"
        )
        assert answer.status_code == 415
    assert nothing_stored()


def test_a_passphrase_that_did_not_arrive_as_it_was_typed_locks_nothing(
    client: Client, s3: S3Client, alice: User
) -> None:
    client.force_login(alice)
    typed = "violet tr\xe4ctor mumbles sixteen".encode("latin-1")
    fields = [field("custody", "held"), file("a", b"x")]
    sent = body(*fields)[: -len(f"--{BOUNDARY}--\r\n")]
    for name in ("passphrase", "passphrase_again"):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        sent += head.encode() + typed + b"\r\n"
    sent += f"--{BOUNDARY}--\r\n".encode()
    answer = client.generic("POST", "/files/upload/", sent, CONTENT_TYPE)
    assert answer.status_code == 400
    assert "did not arrive" in answer.text
    assert not FileRecord.objects.exists()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a%22b.txt", 'a"b.txt'),
        # The end of a line, which no name keeps, is a space by every door.
        ("a%0Ab%0Dc%0D%0Ad.txt", "a b c d.txt"),
        ("%0a%0d.txt", "%0a%0d.txt"),
        ("50%20off.txt", "50%20off.txt"),
        ("100%.txt", "100%.txt"),
        ("%41", "%41"),
        ("%2522", "%2522"),
    ],
)
def test_a_name_in_a_form_is_the_one_that_the_browser_meant(
    client: Client, s3: S3Client, alice: User, sent: str, kept: str
) -> None:
    client.force_login(alice)
    form = body(file(sent, b"x"))
    assert client.generic("POST", "/files/upload/", form, CONTENT_TYPE).status_code == 302
    assert FileRecord.objects.get().name == kept


@pytest.mark.django_db
def test_fields_over_the_limit_are_refused_with_the_number_where_files_are_taken_too(
    client: Client, s3: S3Client, alice: User, settings: Settings
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    client.force_login(alice)
    form = body(field("custody", "x" * 200))
    answer = client.generic("POST", "/files/upload/", form, CONTENT_TYPE)
    assert answer.status_code == 400
    assert "may have 100 bytes" in answer.text


def test_what_senders_send_is_streamed_as_what_people_inside_do() -> None:
    """The clock over a slow body, and what a header may mean, go by these two questions."""
    told = {
        path: (bodies.is_streamed(RequestFactory().post(path)), bodies.is_tus(path))
        for path in (
            *("/uploads/", "/files/upload/", "/r/abc/uploads/", "/r/abc/uploads/1", "/r/abc/send/"),
            *("/r/abc/", "/r/abc/receipt/", "/l/abc/uploads/", "/files/r/abc/uploads/"),
        )
    }
    assert [path for path, (streamed, _tus) in told.items() if streamed] == list(told)[:5]
    tus = {"/uploads/", "/r/abc/uploads/", "/r/abc/uploads/1"}
    assert {path for path, (_streamed, by_tus) in told.items() if by_tus} == tus
