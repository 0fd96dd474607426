"""files.web.transfers.archive: several files as one ZIP."""

import io
import struct
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from files.crypto.portable import told_apart
from files.models import FileRecord, Grant
from files.records.names import MAX_NAME_BYTES, portable_name, same_file
from files.vault import storing
from files.web.transfers import downloads
from tests.files.conftest import Store
from tests.hostile import NASTY, hostile

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from accounts.models import User

FRAME = 262_144
URL = "/files/download/"


@given(st.lists(st.sampled_from(["a.txt", "A.TXT", "a (2).txt", "b", "straße", "STRASSE"])))
def test_names_are_told_apart_whatever_their_case(names: list[str]) -> None:
    found = told_apart(names)
    assert len({name.casefold() for name in found}) == len(names)


@given(st.lists(hostile | st.sampled_from(["a" * 255, "A" * 255, "." * 255, "x." + "y" * 253])))
def test_hostile_names_are_told_apart_and_fit(names: list[str]) -> None:
    found = told_apart(names)
    assert len({same_file(name) for name in found}) == len(names)
    for name in found:
        assert len(name.encode()) <= MAX_NAME_BYTES
        assert portable_name(name) == name


@pytest.mark.usefixtures("s3")
def test_hostile_names_leave_no_folder_when_they_are_unpacked(
    client: Client, alice: "User", tmp_path: Path
) -> None:
    records = [storing.store(alice, [b"x"], name=f"kept {n}") for n in range(len(NASTY))]
    for record, name in zip(records, NASTY, strict=True):
        # Around the rule, as no upload could.
        stored = name.encode("utf-8", "replace").decode()[:255].replace("\0", "")
        FileRecord.objects.filter(pk=record.pk).update(name=stored)
    client.force_login(alice)
    body = b"".join(_stream(client.post(URL, _ids(records))))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        members = archive.namelist()
        archive.extractall(tmp_path)
    assert len(members) == len(NASTY)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(members)
    assert all(path.is_file() for path in tmp_path.iterdir())


@pytest.fixture
def files(s3: "S3Client", alice: "User") -> list[FileRecord]:
    contents = {"a.txt": b"first", "A.txt": b"second" * FRAME, "empty": b""}
    return [storing.store(alice, [data], name=name) for name, data in contents.items()]


def _stream(response: Any) -> Iterator[bytes]:
    return iter(response.streaming_content)


def _ids(files: list[FileRecord]) -> dict[str, list[str]]:
    return {"file": [str(record.pk) for record in files]}


def test_holds_every_file_and_says_its_length(
    client: Client, alice: "User", files: list[FileRecord]
) -> None:
    client.force_login(alice)
    response = client.post(URL, _ids(files))
    body = b"".join(_stream(response))
    assert response.status_code == 200
    assert response["Content-Length"] == str(len(body))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["A (2).txt", "a.txt", "empty"] or sorted(
            archive.namelist()
        ) == ["A.txt", "a (2).txt", "empty"]
        assert {archive.read(name) for name in archive.namelist()} == {
            b"first",
            b"second" * FRAME,
            b"",
        }


def test_is_never_run_nor_cached(client: Client, alice: "User", files: list[FileRecord]) -> None:
    client.force_login(alice)
    response = client.post(URL, _ids(files))
    assert response["Content-Disposition"].startswith("attachment")
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete"])
def test_refuses_other_methods(client: Client, alice: "User", method: str) -> None:
    client.force_login(alice)
    assert getattr(client, method)(URL).status_code == 405


def test_asks_the_anonymous_to_sign_in(client: Client, files: list[FileRecord]) -> None:
    assert client.post(URL, _ids(files))["Location"].startswith("/accounts/login/")


def test_one_file_that_is_not_visible_is_a_404(
    client: Client, mallory: "User", files: list[FileRecord]
) -> None:
    Grant.objects.create(file=files[0], user=mallory)
    client.force_login(mallory)
    assert client.post(URL, _ids(files[:1])).status_code == 200
    assert client.post(URL, _ids(files)).status_code == 404


@pytest.mark.parametrize("given", ["", "x", "../etc/passwd"])
def test_what_is_no_id_is_a_404(client: Client, alice: "User", given: str) -> None:
    client.force_login(alice)
    assert client.post(URL, {"file": [given]}).status_code == 404


def test_nothing_chosen_leads_back(client: Client, alice: "User") -> None:
    client.force_login(alice)
    assert client.post(URL, {})["Location"] == "/files/"


def test_a_damaged_member_stops_the_archive(
    client: Client,
    alice: "User",
    files: list[FileRecord],
    s3: "S3Client",
    settings: Settings,
) -> None:
    big = files[1].current
    stored = bytearray(s3.get_object(Bucket=settings.S3_BUCKET, Key=big.object_name)["Body"].read())
    stored[-2 * FRAME] ^= 1
    s3.put_object(Bucket=settings.S3_BUCKET, Key=big.object_name, Body=bytes(stored))
    client.force_login(alice)
    response = client.post(URL, _ids(files))
    body = b"".join(_stream(response))
    assert len(body) < int(response["Content-Length"])
    assert not zipfile.is_zipfile(io.BytesIO(body))
    files[1].refresh_from_db()
    assert files[1].is_damaged
    # Known to be damaged, it is refused before anything is sent.
    assert client.post(URL, _ids(files)).status_code == 502


def test_a_revoked_grant_stops_it(
    client: Client,
    mallory: "User",
    files: list[FileRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(downloads, "RECHECK_BYTES", 1)
    grant = Grant.objects.create(file=files[1], user=mallory)
    client.force_login(mallory)
    response = client.post(URL, _ids(files[1:2]))
    stream = _stream(response)
    received = len(next(stream)) + len(next(stream))
    Grant.objects.filter(pk=grant.pk).delete()
    received += sum(map(len, stream))
    assert received < files[1].size


@pytest.mark.parametrize(
    ("modified", "is_told"),
    [
        (datetime(2001, 2, 3, 4, 5, 7, tzinfo=UTC), True),
        (datetime(1965, 1, 1, 0, 0, 1, tzinfo=UTC), True),
        (datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC), True),
        (datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), False),
    ],
)
def test_members_tell_the_moment_wherever_they_are_unpacked(
    client: Client, store: Store, alice: "User", modified: datetime, *, is_told: bool
) -> None:
    """To the second, and not as a clock on some wall: at both places (Info-ZIP, 0x5455)."""
    records = [store(alice, b"x" * number, name=f"ü{number}") for number in range(3)]
    FileRecord.objects.update(modified_at=modified)
    client.force_login(alice)
    answer = client.post(URL, {"file": [record.pk for record in records]})
    data = b"".join(answer)
    assert len(data) == int(answer["Content-Length"])
    told = struct.pack("<HHBi", 0x5455, 5, 1, int(modified.timestamp())) if is_told else b""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        members = archive.infolist()
    assert [member.extra for member in members] == [told] * 3
    for member in members:
        name, extra = struct.unpack_from("<HH", data, member.header_offset + 26)
        begins = member.header_offset + 30 + name
        assert data[begins : begins + extra] == told


@pytest.mark.parametrize(
    ("modified", "told"),
    [
        (datetime(2019, 5, 1, 10, 30, 7, tzinfo=UTC), (2019, 5, 1, 10, 30, 6)),
        (datetime(1970, 1, 1, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(2200, 1, 1, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_members_have_the_dates_of_their_files(
    client: Client, store: Store, alice: "User", modified: datetime, told: tuple[int, ...]
) -> None:
    first, second = store(alice, b"one", name="one"), store(alice, b"two", name="two")
    FileRecord.objects.filter(pk=first.pk).update(modified_at=modified)
    client.force_login(alice)
    answer = client.post("/files/download/", {"file": [first.pk, second.pk]})
    data = b"".join(answer)
    assert len(data) == int(answer["Content-Length"])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        dates = {info.filename: info.date_time for info in archive.infolist()}
        offsets = {info.filename: info.header_offset for info in archive.infolist()}
    assert dates["one"] == told
    # Without a time of its own a file has that of its upload.
    stored = timezone.localtime(second.created_at)
    assert dates["two"][:5] == stored.timetuple()[:5]
    # At both places where a ZIP says it (APPNOTE, 4.3.7 and 4.3.12).
    for name, offset in offsets.items():
        clock, day = struct.unpack_from("<HH", data, offset + 10)
        year, month, date = (day >> 9) + 1980, day >> 5 & 15, day & 31
        assert (year, month, date) == dates[name][:3]
        assert (clock >> 11, clock >> 5 & 63, (clock & 31) * 2) == dates[name][3:]
