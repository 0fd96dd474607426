"""Headers that say something, and headers that say nothing that is meant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from files.models import FileRecord, StoredObject
from files.web.transfers.tus.protocol import CHAIN, EXPECTED
from tests.files.web.transfers.tus.clients import BYTES, CONTENT, Tus, content_of, metadata


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload_Length": "-1"},
        {"Upload_Length": "1.5"},
        {"Upload_Length": "٣".encode().decode("latin-1")},
        {"Upload_Length": "5", "Upload_Defer_Length": "1"},
        {"Upload_Defer_Length": "2"},
        {"Upload_Length": "5", "Upload_Metadata": "filename !!!"},
        {"Upload_Length": "5", "Upload_Metadata": "filename caf\xe9"},
        {"Upload_Length": "5", "Upload_Metadata": metadata(filename="")},
        {"Upload_Length": "5", "Upload_Metadata": "a eA==,a eA=="},
        {"Upload_Length": "5", "Upload_Metadata": "x" * 9000},
        {"Upload_Length": "5", "Upload_Metadata": metadata(custody="other")},
        {"Upload_Length": "5", "Upload_Metadata": metadata(custody="held", passphrase="p" * 20)},
        {"Upload_Length": "5", "Upload_Metadata": metadata(custody="held", KEY="k" * 44)},
    ],
)
def test_senseless_headers_create_nothing(client: Tus, headers: dict[str, str]) -> None:
    assert client.create(**headers).status_code == 400
    assert not StoredObject.objects.exists()


@pytest.mark.parametrize("digits", [19, 20, 400, 5000])
def test_a_number_of_any_length_is_read_as_one(
    client: Tus, settings: Settings, digits: int
) -> None:
    settings.MAX_UPLOAD_SIZE = 100
    answer = client.create(Upload_Length="9" * digits)
    assert answer.status_code == 413
    assert "100 bytes" in answer.text
    assert client.create(Upload_Length="100".rjust(digits, "0")).status_code == 201
    offset = {"Upload-Offset": "9" * digits}
    answer = client.request("PATCH", client.begin(9), b"x", headers=offset, **BYTES)
    assert answer.status_code == 413
    assert "may have 9 bytes" in answer.text


def test_what_is_missing_or_too_long_is_said_with_its_number(client: Tus) -> None:
    assert "Upload-Length is missing" in client.create().text
    long = client.create(Upload_Length="5", Upload_Metadata="x" * 9000).text
    assert "has 9000 characters, and may have 8192" in long


@pytest.mark.parametrize("header", ["md5 eA==", "sha1 !", "sha1 \xe9", "sha1", ""])
def test_a_senseless_checksum_is_400_or_460(client: Tus, header: str) -> None:
    url = client.begin()
    status = client.patch(url, CONTENT, Upload_Checksum=header).status_code
    assert status == (460 if header == "sha1" else 400)
    assert client.head(url)["Upload-Offset"] == "0"


@pytest.mark.parametrize("value", ["", "x", ":", "::", ":YQ==:", "a" * 44, ":" + "é" * 44 + ":"])
@pytest.mark.parametrize("header", [CHAIN, EXPECTED])
def test_a_chain_that_is_none_is_400(client: Tus, header: str, value: str) -> None:
    url = client.begin()
    answer = client.patch(url, CONTENT, 0, **{header: value})
    assert answer.status_code == 400
    assert header.encode() in answer.content
    assert client.head(url)["Upload-Offset"] == "0"


def test_the_time_of_modification_is_kept(client: Tus) -> None:
    told = metadata(filename="a", modified="2019-05-01T12:30:00.123456+02:00")
    content_of(client.create(CONTENT, Upload_Length=str(len(CONTENT)), Upload_Metadata=told))
    expected = datetime(2019, 5, 1, 10, 30, 0, 123456, tzinfo=UTC)
    assert FileRecord.objects.get().modified_at == expected


@pytest.mark.parametrize("text", ["yesterday", "2019-05-01", "2019-02-30T00:00:00Z", "1556713800"])
def test_a_time_that_is_none_is_refused_in_words(client: Tus, text: str) -> None:
    answer = client.create(Upload_Length="1", Upload_Metadata=metadata(modified=text))
    assert answer.status_code == 400
    assert text in answer.content.decode()
    assert not StoredObject.objects.exists()
