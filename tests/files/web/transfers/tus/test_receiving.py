"""Bytes that arrive: limits, checksums, the chain of exactly what is safe, and outages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings

from files.crypto.stream.layout import FRAME_PAYLOAD
from files.models import FileRecord, StoredObject, UploadSession
from files.vault import stored_objects
from files.web.transfers.tus import receiving
from files.web.transfers.tus.protocol import CHAIN, EXPECTED
from runtime import slowness
from runtime.slowness import TooSlow
from tests.files.vault.faults import store_fails
from tests.files.web.transfers.tus.clients import (
    BIG,
    CONTENT,
    PART,
    Tus,
    chain,
    checksum,
    content_of,
)

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


def test_over_the_limit_is_413(client: Tus, settings: Settings) -> None:
    settings.MAX_UPLOAD_SIZE = 100
    assert client.create(Upload_Length="101").status_code == 413
    assert not StoredObject.objects.exists()
    assert client.create(Upload_Length="100").status_code == 201


def test_a_deferred_length_does_not_evade_the_limit(client: Tus, settings: Settings) -> None:
    settings.MAX_UPLOAD_SIZE = 100
    url = client.create(Upload_Defer_Length="1")["Location"]
    assert client.patch(url, b"x" * 101).status_code == 413
    assert client.patch(url, b"x" * 60)["Upload-Offset"] == "60"
    assert client.patch(url, b"x" * 41, 60).status_code == 413
    assert client.patch(url, b"", 60, Upload_Length="101").status_code == 413
    answer = client.patch(url, b"x" * 40, 60, Upload_Length="100")
    assert content_of(answer) == b"x" * 100


def test_more_than_was_declared_is_413(client: Tus) -> None:
    url = client.begin(10)
    assert client.patch(url, b"x" * 11).status_code == 413
    assert client.head(url)["Upload-Offset"] == "0"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_right_checksum_is_taken(client: Tus, algorithm: str) -> None:
    told = checksum(CONTENT, algorithm)
    assert content_of(client.patch(client.begin(), CONTENT, Upload_Checksum=told)) == CONTENT


def test_a_wrong_checksum_is_460_and_nothing_is_kept(client: Tus) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:5])
    answer = client.patch(url, CONTENT[5:], 5, Upload_Checksum=checksum(CONTENT))
    assert answer.status_code == 460
    assert client.head(url)["Upload-Offset"] == "5"
    assert content_of(client.patch(url, CONTENT[5:], 5)) == CONTENT


def test_a_wrong_checksum_after_several_parts_keeps_none_of_them(client: Tus) -> None:
    content = CONTENT * (2 * PART // len(CONTENT) + 2)
    url = client.begin(len(content))
    client.patch(url, content[:1000])
    other = b"?" * (len(content) - 1000)
    answer = client.patch(url, other, 1000, Upload_Checksum=checksum(content))
    assert answer.status_code == 460
    assert client.head(url)["Upload-Offset"] == "1000"
    rest = content[1000:]
    assert content_of(client.patch(url, rest, 1000, Upload_Checksum=checksum(rest))) == content


def test_bytes_one_at_a_time_do_not_reach_the_store_one_at_a_time(
    client: Tus, s3: S3Client
) -> None:
    calls: list[str] = []
    stored_objects.storage().client.meta.events.register(
        "before-call.s3", lambda model, **_: calls.append(model.name)
    )
    content = CONTENT[:40]
    url = client.begin(len(content))
    for offset in range(len(content) - 1):
        answer = client.patch(url, content[offset : offset + 1], offset)
        assert answer["Upload-Offset"] == str(offset + 1)
    assert calls == []
    answer = client.patch(url, content[-1:], len(content) - 1)
    assert content_of(answer) == content
    assert calls.count("PutObject") == 1
    assert "UploadPart" not in calls


def test_the_head_of_one_file_never_gets_the_tail_of_another(client: Tus) -> None:
    url = client.begin(len(BIG))
    other = bytes(reversed(BIG))
    for cut in (10, FRAME_PAYLOAD + 10, PART + 10):
        start = int(client.head(url)["Upload-Offset"])
        client.patch(url, BIG[start:cut], start)
        answer = client.patch(url, other[cut:], cut, **{CHAIN: chain(other[:cut])})
        assert answer.status_code == 409
        assert (answer[CHAIN], answer["Upload-Offset"]) == (chain(BIG[:cut]), str(cut))
        assert b"another content" in answer.content
        assert client.head(url)["Upload-Offset"] == str(cut)
    assert not FileRecord.objects.exists()
    answer = client.patch(url, BIG[PART + 10 :], PART + 10, **{CHAIN: chain(BIG[: PART + 10])})
    assert content_of(answer) == BIG


@pytest.mark.parametrize("safe", [0, 10, FRAME_PAYLOAD + 10, PART + 10])
def test_what_is_not_what_was_announced_is_never_a_file(client: Tus, safe: int) -> None:
    """The file changed under its client, in what is sent now or in what is safe already."""
    url = client.begin(len(BIG))
    client.patch(url, BIG[:safe])
    changed = BIG[:-1] + b"!"
    answer = client.patch(url, changed[safe:], safe, **{EXPECTED: chain(BIG)})
    assert answer.status_code == 460
    assert b"No file was made" in answer.content
    assert "Securestore-File" not in answer
    assert not FileRecord.objects.exists()
    # What the answer says of what is safe is true, and good to go on with.
    offset = int(answer["Upload-Offset"])
    assert offset >= safe
    assert answer[CHAIN] == client.head(url)[CHAIN] == chain(BIG[:offset])
    assert content_of(client.patch(url, BIG[offset:], offset, **{EXPECTED: chain(BIG)})) == BIG


def test_a_request_in_the_middle_may_say_what_it_comes_to(client: Tus) -> None:
    url = client.begin()
    wrong = client.patch(url, CONTENT[:100], 0, **{EXPECTED: chain(CONTENT)})
    assert (wrong.status_code, wrong["Upload-Offset"]) == (460, "0")
    assert (
        client.patch(url, CONTENT[:100], 0, **{EXPECTED: chain(CONTENT[:100])}).status_code == 204
    )
    assert client.head(url)[CHAIN] == chain(CONTENT[:100])


def test_creation_with_upload_compares_too(client: Tus, nothing_left: Callable[[], bool]) -> None:
    wrong = client.create(CONTENT, Upload_Length=str(len(CONTENT)), **{EXPECTED: chain(b"other")})
    assert wrong.status_code == 460
    assert client.create(Upload_Length="0", **{EXPECTED: chain(b"x")}).status_code == 460
    assert nothing_left()
    right = client.create(CONTENT, Upload_Length=str(len(CONTENT)), **{EXPECTED: chain(CONTENT)})
    assert content_of(right) == CONTENT


def test_a_store_that_goes_away_in_a_patch_is_503_and_the_upload_goes_on(client: Tus) -> None:
    url = client.begin(len(BIG))
    client.patch(url, BIG[:1000])
    with store_fails(2):
        answer = client.patch(url, BIG[1000:], 1000)
    assert answer.status_code == 503
    assert answer["Content-Type"].startswith("text/plain")
    assert answer["Tus-Resumable"] == "1.0.0"
    assert answer["Retry-After"] == "5"
    assert b"stays safe" in answer.content
    offset = int(client.head(url)["Upload-Offset"])
    assert offset >= 1000
    assert content_of(client.patch(url, BIG[offset:], offset, **{EXPECTED: chain(BIG)})) == BIG


def test_a_store_that_is_away_at_a_creation_keeps_nothing(
    client: Tus, nothing_left: Callable[[], bool]
) -> None:
    with store_fails(1):
        answer = client.create(CONTENT, Upload_Length=str(len(CONTENT)))
    assert answer.status_code == 503
    assert b"Nothing was stored" in answer.content
    assert not UploadSession.objects.exists()


@pytest.mark.parametrize(("came", "status"), [(b"", 408), (CONTENT[:3], 204)])
def test_of_whom_nothing_came_because_they_are_slow_is_told_so(
    client: Tus, monkeypatch: pytest.MonkeyPatch, came: bytes, status: int
) -> None:
    """What came is safe, and they go on from there. Real slow clients are in `integration`."""
    url, pieces = client.begin(), iter([came, b""])
    monkeypatch.setattr(receiving, "_read", lambda request, size: next(pieces))
    monkeypatch.setattr(slowness, "slowness_of", lambda request: TooSlow(60, 1000))
    answer = client.patch(url, CONTENT)
    assert (answer.status_code, answer["Upload-Offset"]) == (status, str(len(came)))
