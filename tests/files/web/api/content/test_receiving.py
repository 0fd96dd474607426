"""A body is whole, of its length and of its digest, or nothing of it is kept."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from files.models import FileRecord, Folder
from tests.files.web.api.callers import Caller, digest, problem, whole

pytestmark = pytest.mark.usefixtures("s3")


def test_a_digest_is_compared_however_its_kind_is_written(caller: Caller, cases: Folder) -> None:
    wrong = digest(b"two").replace("sha-256", "SHA-256")
    refused = caller.put("/content/Cases/a", b"one", Repr_Digest=wrong)
    assert problem(refused) == (400, "digest_mismatch")
    assert not FileRecord.objects.exists()


@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
def test_what_is_not_what_its_digest_says_is_no_file(
    caller: Caller, nothing_left: Callable[[], bool], name: str
) -> None:
    header = name.replace("-", "_")
    refused = caller.put("/content/a", b"altered", **{header: digest(b"original")})
    assert problem(refused) == (400, "digest_mismatch")
    for none in (
        "",
        "sha-256=:eA==:",
        "sha-256=:!:",
        "sha-256=AAAA",
        "sha-256",
        "md5=:eA==:, sha-256=",
    ):
        refused = caller.put("/content/a", b"x", **{header: none})
        assert problem(refused) == (400, "invalid"), none
    both = {"Repr_Digest": digest(b"x"), "Content_Digest": digest(b"x")}
    refused = caller.put("/content/a", b"x", **{**both, header: digest(b"another")})
    assert problem(refused) == (400, "invalid")
    assert nothing_left()
    assert caller.put("/content/a", b"x", **both).status_code == 201
    assert caller.put("/content/b", b"x", **{header: digest(b"x")}).status_code == 201


def send(caller: Caller, path: str, body: bytes, length: int) -> Any:
    """A body that ends before its declared length."""
    told: dict[str, Any] = {"CONTENT_LENGTH": str(length), "wsgi.input": io.BytesIO(body)}
    return caller.client.generic("PUT", f"/api/v1{path}", headers=caller.headers, **told)


def test_half_a_body_stores_nothing_and_makes_no_folder(
    caller: Caller, nothing_left: Callable[[], bool]
) -> None:
    for path in ("/content/a.txt", "/content/x/y/a.txt?parents=1"):
        assert problem(send(caller, path, b"half", 8)) == (400, "body_incomplete")
    assert nothing_left()
    assert not Folder.objects.filter(parent__isnull=False).exists()


def test_half_a_body_leaves_what_was_there(caller: Caller) -> None:
    caller.put("/content/a.txt", b"whole")
    assert problem(send(caller, "/content/a.txt", b"half", 8)) == (400, "body_incomplete")
    assert whole(caller.get("/content/a.txt")) == b"whole"


def test_a_body_without_a_length_that_makes_sense(caller: Caller) -> None:
    for told, status in (
        ({"CONTENT_LENGTH": "x"}, 400),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, 411),
        ({"HTTP_CONTENT_ENCODING": "gzip", "CONTENT_LENGTH": "1"}, 415),
        ({"HTTP_CONTENT_RANGE": "bytes 0-0/9", "CONTENT_LENGTH": "1"}, 400),
    ):
        environ: dict[str, Any] = {"wsgi.input": io.BytesIO(b"x"), **told}
        answer = caller.client.generic(
            "PUT", "/api/v1/content/a", headers=caller.headers, **environ
        )
        assert problem(answer)[0] == status
    assert not FileRecord.objects.exists()
