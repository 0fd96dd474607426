"""tus requests of any shape: a documented answer, and no file that its client was not told of."""

from __future__ import annotations

import base64
import io
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.models import User
from files.models import FileRecord, StoredObject, UploadSession
from files.vault import upload_leases
from tests.files.fuzz.amount import examples
from tests.hostile import hostile

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

DOCUMENTED = {200, 201, 204, 400, 404, 405, 409, 410, 411, 412, 413, 415, 423, 460}
"""What docs/architecture.md says of resumable uploads, for somebody who may upload."""

BYTES = "application/offset+octet-stream"
NONE = "-"
"""The header is not sent."""

# What a header can hold by the time a WSGI application sees it: latin-1, and no line break.
printable = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40
)
numbers = st.one_of(
    st.integers(0, 40).map(str),
    st.sampled_from(["-1", "+1", "0x10", "1e3", " 1", "1 ", "1_0", "", "\xb2", "9" * 19, "9" * 20]),
    st.just(str(2**63)),
    printable,
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


pairs = st.one_of(
    st.builds(
        lambda name, value: f"{name} {value}",
        st.sampled_from(["filename", "filetype", "custody", "key", "Passphrase", "x", "", "a b"]),
        st.one_of(
            hostile.map(encoded),
            st.sampled_from(["managed", "held", "other"]).map(encoded),
            st.binary(max_size=20).map(lambda data: base64.b64encode(data).decode()),
            printable,
        ),
    ),
    printable,
)
metadata = st.one_of(
    st.just(NONE),
    st.lists(pairs, max_size=4).map(",".join),
    st.sampled_from([",", " , ,", "filename", "a" * 9000, "filename =", "filename\tYQ=="]),
)
checksums = st.one_of(
    st.just(NONE),
    st.builds(
        lambda algorithm, value: f"{algorithm} {value}",
        st.sampled_from(["sha1", "sha256", "md5", "SHA1", "", "sha1 "]),
        st.one_of(st.binary(max_size=33).map(lambda d: base64.b64encode(d).decode()), printable),
    ),
)
kinds = st.sampled_from(
    [BYTES, BYTES, BYTES, "", "text/plain", f"{BYTES}; x=y", "application/\xff"]
)
bodies = st.one_of(st.just(b""), st.binary(max_size=60))
versions = st.sampled_from(["1.0.0"] * 20 + ["1.0.1", "", NONE])


@pytest.fixture
def uploader(alice: User, s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(upload_leases, "PATIENCE", 0.0)
    client = Client()
    client.force_login(alice)
    return client


def _ask(client: Client, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items() if value != NONE}
    declared = sent.pop("Content-Length", None)
    # The test client's own body fails a test that reads beyond it; a connection is just at its end.
    extra: dict[str, Any] = {"wsgi.input": io.BytesIO(body)}
    if declared is not None:
        extra["CONTENT_LENGTH"] = declared
    answer = client.generic(method, path, body, headers=sent, **extra)
    assert answer.status_code in DOCUMENTED, (answer.status_code, answer.content)
    assert answer["Tus-Resumable"] == "1.0.0"
    assert answer["Cache-Control"] == "no-store"
    _nothing_contradicts(answer)
    return answer


def _nothing_contradicts(answer: Any) -> None:
    """Every file is whole, and was told by its answer; every upload has its row."""
    if stored := answer.headers.get("Securestore-File"):
        record = FileRecord.objects.get(pk=stored)
        assert answer["Upload-Offset"] == str(record.size)
    assert not FileRecord.objects.exclude(current__state="live").exists()
    unfinished = UploadSession.objects.filter(completed_at=None)
    assert not unfinished.exclude(object__state="writing").exists()
    assert unfinished.count() == StoredObject.objects.filter(state="writing").count()


@given(
    version=versions,
    length=st.one_of(st.just(NONE), numbers),
    deferred=st.one_of(st.just(NONE), st.sampled_from(["1", "0", "", "1 "]), printable),
    told=metadata,
    kind=kinds,
    body=bodies,
    checksum=checksums,
)
@example("1.0.0", "\xb2", NONE, NONE, "", b"", NONE)
@example("1.0.0", str(2**63), NONE, NONE, "", b"", NONE)
@example("1.0.0", "1", NONE, f"filename {encoded(chr(0))}", BYTES, b"a", NONE)
@example("1.0.0", "1", NONE, "filename YQ==,filename YQ==", BYTES, b"a", NONE)
@example("1.0.0", "1", NONE, "filename 7aCA", BYTES, b"a", NONE)  # A surrogate, as UTF-8.
@example("1.0.0", "0", NONE, f"custody {encoded('held')}", "", b"", NONE)
@example("1.0.0", "3", NONE, NONE, BYTES, b"abc", "sha1 \xe9")
@example("1.0.0", NONE, "1", NONE, BYTES, b"abc", "sha256 ")
@example("1.0.0", "3", NONE, "filename \xff", "", b"", NONE)
@examples(25)
def test_creation(
    uploader: Client,
    version: str,
    length: str,
    deferred: str,
    told: str,
    kind: str,
    body: bytes,
    checksum: str,
) -> None:
    answer = _ask(
        uploader,
        "POST",
        "/uploads/",
        body,
        Tus_Resumable=version,
        Upload_Length=length,
        Upload_Defer_Length=deferred,
        Upload_Metadata=told,
        Content_Type=kind,
        Upload_Checksum=checksum,
    )
    if answer.status_code == 201:
        path = answer["Location"].partition("testserver")[2]
        head = _ask(uploader, "HEAD", path, Tus_Resumable="1.0.0")
        assert head["Upload-Offset"] == answer["Upload-Offset"]
        _ask(uploader, "DELETE", path, Tus_Resumable="1.0.0")


@given(
    method=st.sampled_from(["PATCH", "PATCH", "PATCH", "HEAD", "DELETE", "POST", "PUT", "GET"]),
    override=st.sampled_from([NONE, NONE, "PATCH", "DELETE", "HEAD", "FOO", ""]),
    version=versions,
    offset=st.one_of(st.sampled_from(["0", "5"]), numbers, st.just(NONE)),
    length=st.one_of(st.just(NONE), st.just("20"), numbers),
    kind=kinds,
    body=bodies,
    checksum=checksums,
    declared=st.one_of(st.just(NONE), st.integers(0, 60).map(str)),
    known=st.sampled_from([True] * 9 + [False]),
)
@example("PATCH", NONE, "1.0.0", "5", "20", BYTES, b"a" * 15, NONE, NONE, True)
@example("PATCH", NONE, "1.0.0", "5", "4", BYTES, b"", NONE, NONE, True)
@example("PATCH", NONE, "1.0.0", "5", str(2**63), BYTES, b"a", NONE, NONE, True)
@example("PATCH", NONE, "1.0.0", "5", "20", BYTES, b"a" * 15, "sha1 AAAA", NONE, True)
@example("PATCH", NONE, "1.0.0", "5", "20", BYTES, b"a" * 15, NONE, "60", True)
@example("POST", "PATCH", "1.0.0", "5", "5", BYTES, b"", NONE, NONE, True)
@example("PATCH", NONE, "1.0.0", "\xb2", NONE, BYTES, b"a", NONE, NONE, True)
@examples(25)
def test_continuation(
    uploader: Client,
    method: str,
    override: str,
    version: str,
    offset: str,
    length: str,
    kind: str,
    body: bytes,
    checksum: str,
    declared: str,
    known: bool,
) -> None:
    plain: dict[str, Any] = {"Tus_Resumable": "1.0.0"}
    begun = _ask(
        uploader, "POST", "/uploads/", b"12345", **plain,
        Upload_Defer_Length="1", Content_Type=BYTES,
    )  # fmt: skip
    path = begun["Location"].partition("testserver")[2]
    _ask(
        uploader,
        method,
        path if known else f"/uploads/{uuid.uuid4()}",
        body,
        Tus_Resumable=version,
        X_HTTP_Method_Override=override,
        Upload_Offset=offset,
        Upload_Length=length,
        Content_Type=kind,
        Upload_Checksum=checksum,
        Content_Length=declared,
    )
    now = _ask(uploader, "HEAD", path, **plain)
    # What was safe stays safe, whatever came after it.
    assert now.status_code == 404 or int(now["Upload-Offset"]) >= 5
    _ask(uploader, "DELETE", path, **plain)


@given(size=st.one_of(numbers, printable))
@example("\xb2")
@example("1_0")
@examples(25)
def test_a_content_length_is_digits(uploader: Client, settings: Settings, size: str) -> None:
    """A server may let through what is no number: it is refused, not guessed at."""
    _ask(
        uploader, "POST", "/uploads/", b"", Tus_Resumable="1.0.0", Upload_Length="3",
        Content_Type=BYTES, Content_Length=size,
    )  # fmt: skip
