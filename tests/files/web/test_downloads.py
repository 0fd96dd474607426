"""Downloads over HTTP: exact, authenticated, conditional, and nothing else in their place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from files.crypto import lanes
from files.crypto.digests import Digests, digest_all, seal_digests
from files.crypto.fernetkey import generate_master_key
from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD
from files.models import FileRecord, Grant, StoredObject
from files.rotation import reencryption, rewrapping
from files.storage import StoreError
from files.vault import downloading, opening, stored_objects
from files.web.transfers import downloads
from files.web.transfers.structured import byte_sequence
from tests.files.conftest import CONTENT, KEY, Store, UseKeys, give
from tests.files.vault.faults import StoreTrouble, flip

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

Events = Callable[[str], list[dict[str, Any]]]
SIZE = len(CONTENT)


@pytest.fixture
def reader(client: Client, alice: User) -> Client:
    """Alice, signed in."""
    client.force_login(alice)
    return client


@pytest.fixture
def long(store: Store, alice: User) -> FileRecord:
    """A file of Alice's of six frames, no two bytes apart alike."""
    return store(alice, pattern(6 * FRAME_PAYLOAD), name="long.bin")


@cache
def pattern(size: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4))


def url(record: FileRecord) -> str:
    return f"/files/{record.id}/download/"


def etag(record: FileRecord) -> str:
    return f'"{record.version.hex}"'


def get(client: Client, record: FileRecord, **headers: str) -> Any:
    return client.get(url(record), headers={k.replace("_", "-"): v for k, v in headers.items()})


def content(response: Any) -> bytes:
    """The body of an answer, and its end."""
    data: bytes = response.getvalue()
    response.close()
    return data


# --- The whole file ---------------------------------------------------------------------------


def test_the_whole_file(reader: Client, record: FileRecord) -> None:
    response = get(reader, record)
    assert response.status_code == 200
    assert content(response) == CONTENT
    assert response["Content-Length"] == str(SIZE)
    assert response["Content-Type"] == "text/plain"
    assert response["Content-Disposition"] == 'attachment; filename="fox.txt"'
    assert response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == etag(record)
    assert "Content-Range" not in response


def test_an_empty_file(reader: Client, store: Store, alice: User) -> None:
    response = get(reader, store(alice, b""))
    assert (response.status_code, response["Content-Length"]) == (200, "0")
    assert content(response) == b""


def test_a_file_of_several_frames(reader: Client, long: FileRecord) -> None:
    response = get(reader, long)
    assert content(response) == pattern(6 * FRAME_PAYLOAD)
    assert response["Content-Length"] == str(6 * FRAME_PAYLOAD)


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=1-2"}, {"Range": "bytes=99999-"}])
def test_head_says_what_get_would_and_sends_nothing(
    reader: Client, record: FileRecord, headers: dict[str, str], events: Events
) -> None:
    response = reader.head(url(record), headers=headers)
    assert (response.status_code, response["Content-Length"]) == (200, str(SIZE))
    assert response["ETag"] == etag(record)
    assert response["Accept-Ranges"] == "bytes"
    assert response.content == b""
    assert events("file_downloaded") == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_refused(reader: Client, record: FileRecord, method: str) -> None:
    response = getattr(reader, method)(url(record))
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Range": "bytes=0-0"},
        {"Range": "bytes=99999-"},
        {"If_None_Match": "*"},
    ],
)
def test_every_answer_is_inert_and_never_cached(
    reader: Client, record: FileRecord, headers: dict[str, str]
) -> None:
    FileRecord.objects.update(content_type="text/html")
    response = get(reader, record, **headers)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == (
        "default-src 'none'; frame-ancestors 'none'; sandbox"
    )
    assert response["Cache-Control"] == "private, no-store"
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    response.close()


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("plain.txt", 'attachment; filename="plain.txt"'),
        (
            'a"b\\c.txt',
            "attachment; filename=\"a_b_c.txt\"; filename*=utf-8''a%22b%5Cc.txt",
        ),
        ("a;b=c, d.txt", 'attachment; filename="a;b=c, d.txt"'),
        (
            "100%41.txt",
            "attachment; filename=\"100_41.txt\"; filename*=utf-8''100%2541.txt",
        ),
        (
            "r\u00e9sum\u00e9\u00df.pdf",
            "attachment; filename=\"resumess.pdf\"; filename*=utf-8''r%C3%A9sum%C3%A9%C3%9F.pdf",
        ),
        (
            "\U0001f469\u200d\U0001f4bb",
            "attachment; filename=\"___\"; filename*=utf-8''%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB",
        ),
        (
            "\u6587'\"\u4ef6",
            "attachment; filename=\"_'__\"; filename*=utf-8''%E6%96%87%27%22%E4%BB%B6",
        ),
    ],
)
def test_names_are_told_safely(reader: Client, record: FileRecord, name: str, header: str) -> None:
    FileRecord.objects.update(name=name)
    response = reader.head(url(record))
    assert response["Content-Disposition"] == header
    assert response["Content-Disposition"].isascii()


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize(
    ("wanted", "status"),
    [('"another"', 412), ("W/{}", 412), ("{}", 200), ("*", 200), ('"another", {}', 200)],
)
def test_who_wants_the_very_same_content_gets_no_other(
    reader: Client, record: FileRecord, method: str, wanted: str, status: int
) -> None:
    etag = reader.head(url(record))["ETag"]
    headers = {"If-Match": wanted.format(etag)}
    response = getattr(reader, method)(url(record), headers=headers)
    assert response.status_code == status
    response.close()


def test_a_time_that_is_not_that_of_the_content_is_no_condition_met(
    reader: Client, record: FileRecord
) -> None:
    for since, status in (("Sat, 29 Oct 1994 19:43:31 GMT", 412), ("nonsense", 200)):
        response = reader.get(url(record), headers={"If-Unmodified-Since": since})
        assert response.status_code == status
        response.close()


# --- Ranges -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=800-", 800, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        (f"bytes=0-{SIZE * 2}", 0, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
    ],
)
def test_a_range(reader: Client, record: FileRecord, header: str, start: int, stop: int) -> None:
    response = get(reader, record, Range=header)
    assert response.status_code == 206
    assert content(response) == CONTENT[start:stop]
    assert response["Content-Length"] == str(stop - start)
    assert response["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert response["ETag"] == etag(record)


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_ranges_around_frame_boundaries(reader: Client, long: FileRecord, offset: int) -> None:
    whole, edge = pattern(6 * FRAME_PAYLOAD), FRAME_PAYLOAD + offset
    for start, stop in ((edge, edge + 1), (0, edge), (edge, 4 * FRAME_PAYLOAD + offset)):
        response = get(reader, long, Range=f"bytes={start}-{stop - 1}")
        assert content(response) == whole[start:stop]


@pytest.mark.parametrize("header", [f"bytes={SIZE}-", "bytes=-0", f"bytes={SIZE}-{SIZE + 9}"])
def test_an_unsatisfiable_range(reader: Client, record: FileRecord, header: str) -> None:
    response = get(reader, record, Range=header)
    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{SIZE}"
    assert response["Content-Length"] == "0"
    assert content(response) == b""


@pytest.mark.parametrize("header", ["bytes=5-3", "bytes=0-1,4-5", "bytes=x", "lines=1-2", ""])
def test_a_range_that_is_malformed_or_several_is_the_whole_file(
    reader: Client, record: FileRecord, header: str
) -> None:
    response = get(reader, record, Range=header)
    assert response.status_code == 200
    assert content(response) == CONTENT


@pytest.mark.parametrize(
    ("condition", "partial"),
    [
        ("{etag}", True),
        ('"another"', False),
        ("W/{etag}", False),
        ("Wed, 21 Oct 2095 07:28:00 GMT", False),
        ("Wed, 21 Oct 2015 07:28:00 GMT", False),
        ("", False),
    ],
)
def test_if_range(reader: Client, record: FileRecord, condition: str, partial: bool) -> None:
    response = get(reader, record, Range="bytes=1-3", If_Range=condition.format(etag=etag(record)))
    assert response.status_code == (206 if partial else 200)
    assert content(response) == (CONTENT[1:4] if partial else CONTENT)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("{etag}", 304),
        ("W/{etag}", 304),
        ('"a", {etag}', 304),
        ("*", 304),
        ('"another"', 200),
        ("nonsense", 200),
    ],
)
def test_if_none_match(
    reader: Client, record: FileRecord, condition: str, status: int, events: Events
) -> None:
    response = get(reader, record, If_None_Match=condition.format(etag=etag(record)))
    assert response.status_code == status
    assert response["ETag"] == etag(record)
    assert content(response) == (CONTENT if status == 200 else b"")
    if status == 304:
        # RFC 9110, 8.6: a length in a 304 is that of the 200 it stands for, or there is none.
        assert response.headers.get("Content-Length") in {None, str(SIZE)}
        assert events("file_downloaded") == []


def test_the_entity_tag_outlives_a_rewrap(
    reader: Client, use_keys: UseKeys, store: Store, alice: User
) -> None:
    old, new = generate_master_key(), generate_master_key()
    use_keys(old)
    record = store(alice)
    before = reader.head(url(record))["ETag"]
    use_keys(new, old)
    assert rewrapping.rewrap().rewrapped == 1
    use_keys(new)
    response = get(reader, record, Range="bytes=5-", If_Range=before)
    assert (response.status_code, response["ETag"]) == (206, before)
    assert content(response) == CONTENT[5:]


# --- Who may ----------------------------------------------------------------------------------


def test_a_superuser_gets_no_content_without_a_grant(
    client: Client, root: User, record: FileRecord, give: Callable[..., Grant]
) -> None:
    client.force_login(root)
    for address in (url(record), f"/files/{record.id}/", f"/files/{record.id}/delete/"):
        assert client.get(address).status_code == 404
    give(record, root)
    assert content(get(client, record)) == CONTENT


def test_a_grant_without_the_permission_to_download_is_403(
    client: Client, bob: User, record: FileRecord, give: Callable[..., Grant]
) -> None:
    give(record, bob)
    bob.groups.clear()
    client.force_login(bob)
    response = get(client, record)
    assert response.status_code == 403
    assert CONTENT not in response.content


def test_a_download_is_audited_when_it_ends(
    client: Client,
    bob: User,
    record: FileRecord,
    give: Callable[..., Grant],
    events: Events,
) -> None:
    grant = give(record, bob)
    client.force_login(bob)
    response = get(client, record)
    assert events("file_downloaded") == []
    content(response)
    [event] = events("file_downloaded")
    assert event.pop("ms") >= 0
    assert event == {
        "file_id": record.id,
        "actor": "bob",
        "outcome": "complete",
        "bytes": SIZE,
        "size": SIZE,
        "ranges": 1,
        "sent": None,
    }
    assert AuditEvent.objects.get(event="file_downloaded").grant_id == grant.pk


# --- What fails -------------------------------------------------------------------------------


def test_a_damaged_first_frame_is_a_page_and_no_byte_of_the_file(
    reader: Client, long: FileRecord, s3: S3Client, settings: Any, events: Events
) -> None:
    flip(s3, settings.S3_BUCKET, long.current.object_name, 100)
    response = get(reader, long)
    assert response.status_code == 502
    assert response["Content-Type"].startswith("text/html")
    assert "Content-Disposition" not in response
    assert pattern(64) not in response.content
    assert StoredObject.objects.get().state == StoredObject.State.DAMAGED
    assert len(events("damage_found")) == 1
    # It is known from now on, also where the damage itself would not be met.
    assert get(reader, long, Range=f"bytes={4 * FRAME_PAYLOAD}-").status_code == 502
    assert reader.head(url(long)).status_code == 502


def test_a_damaged_later_frame_ends_the_body_short_of_its_length(
    reader: Client, long: FileRecord, s3: S3Client, settings: Any, events: Events
) -> None:
    flip(s3, settings.S3_BUCKET, long.current.object_name, 3 * FRAME_LENGTH + 100)
    response = get(reader, long)
    assert (response.status_code, response["Content-Length"]) == (200, str(6 * FRAME_PAYLOAD))
    assert content(response) == pattern(3 * FRAME_PAYLOAD)
    [failure] = events("download_failed")
    assert (failure["outcome"], failure["bytes"]) == ("failed", 3 * FRAME_PAYLOAD)
    assert failure["actor"] == "alice"
    assert len(events("damage_found")) == 1
    assert events("file_downloaded") == []
    assert "damaged" in reader.get("/files/").text
    assert "This file is damaged in the store" in reader.get(f"/files/{long.id}/").text


def test_a_part_of_a_damaged_file_that_is_sound_is_sent(
    reader: Client, long: FileRecord, s3: S3Client, settings: Any
) -> None:
    flip(s3, settings.S3_BUCKET, long.current.object_name, 3 * FRAME_LENGTH + 100)
    response = get(reader, long, Range="bytes=0-99")
    assert content(response) == pattern(100)


def test_an_object_that_is_gone_is_damage(
    reader: Client, record: FileRecord, s3: S3Client, settings: Any
) -> None:
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=record.current.object_name)
    assert get(reader, record).status_code == 502
    assert StoredObject.objects.get().state == StoredObject.State.DAMAGED


def test_a_store_that_is_down_is_503_and_nothing_is_marked(
    reader: Client, record: FileRecord, monkeypatch: pytest.MonkeyPatch, s3: S3Client
) -> None:
    trouble = StoreTrouble(monkeypatch, s3).begin()
    response = get(reader, record)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "Content-Disposition" not in response
    trouble.end()
    assert StoredObject.objects.get().state == StoredObject.State.LIVE
    assert content(get(reader, record)) == CONTENT


def test_a_store_that_goes_down_in_the_middle_ends_the_body_short(
    reader: Client, long: FileRecord, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    real = opening.OpenFile.chunks

    def failing(
        self: opening.OpenFile, start: int = 0, stop: int | None = None, **_: object
    ) -> Any:
        yield from real(self, start, FRAME_PAYLOAD)
        raise StoreError("read an object: the body ended early")

    monkeypatch.setattr(opening.OpenFile, "chunks", failing)
    response = get(reader, long)
    assert response.status_code == 200
    assert content(response) == pattern(FRAME_PAYLOAD)
    assert [event["outcome"] for event in events("download_failed")] == ["failed"]
    assert StoredObject.objects.get().state == StoredObject.State.LIVE


def test_a_missing_master_key_is_503(reader: Client, record: FileRecord, use_keys: UseKeys) -> None:
    use_keys(generate_master_key())
    response = get(reader, record)
    assert response.status_code == 503
    assert record.current.master_key_id not in response.text


Change = Callable[[Grant, User], object]


def revoke(grant: Grant, bob: User) -> None:
    Grant.objects.filter(pk=grant.pk).update(revoked_at=timezone.now())


def expire(grant: Grant, bob: User) -> None:
    Grant.objects.filter(pk=grant.pk).update(expires_at=timezone.now())


def deactivate(grant: Grant, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)


def leave(grant: Grant, bob: User) -> None:
    bob.groups.clear()  # Of the group that may download at all.


def vanish(grant: Grant, bob: User) -> None:
    Grant.objects.all().delete()
    User.objects.filter(pk=bob.pk).delete()


@pytest.mark.parametrize("change", [revoke, expire, deactivate, leave, vanish])
def test_a_running_download_stops_when_access_ends(
    client: Client,
    bob: User,
    long: FileRecord,
    give: Callable[..., Grant],
    monkeypatch: pytest.MonkeyPatch,
    events: Events,
    change: Change,
) -> None:
    monkeypatch.setattr(downloads, "RECHECK_BYTES", 2 * FRAME_PAYLOAD)
    grant = give(long, bob)
    client.force_login(bob)
    response = get(client, long)
    body = iter(response.streaming_content)
    received = next(body)
    change(grant, bob)
    received += b"".join(body)
    response.close()
    assert received == pattern(2 * FRAME_PAYLOAD)
    [event] = events("file_downloaded")
    assert (event["outcome"], event["bytes"]) == ("revoked", 2 * FRAME_PAYLOAD)


def test_a_slow_download_ends_some_seconds_after_its_access(
    client: Client,
    bob: User,
    long: FileRecord,
    give: Callable[..., Grant],
    settings: LazySettings,
    events: Events,
) -> None:
    """However few bytes went out: a client that reads slowly would be done with them in hours."""
    grant = give(long, bob)
    client.force_login(bob)
    response = get(client, long)
    body = iter(response.streaming_content)
    received = next(body) + next(body)
    Grant.objects.filter(pk=grant.pk).update(expires_at=timezone.now())
    settings.DOWNLOAD_RECHECK = timedelta()
    received += b"".join(body)
    response.close()
    assert received == pattern(2 * FRAME_PAYLOAD)
    assert [event["outcome"] for event in events("file_downloaded")] == ["revoked"]


@pytest.mark.parametrize("every", [timedelta(), timedelta(days=1)])
def test_a_slow_download_goes_on_while_access_lasts(
    client: Client,
    bob: User,
    long: FileRecord,
    give: Callable[..., Grant],
    settings: LazySettings,
    every: timedelta,
) -> None:
    settings.DOWNLOAD_RECHECK = every
    give(long, bob)
    client.force_login(bob)
    assert content(get(client, long)) == pattern(6 * FRAME_PAYLOAD)


def test_a_running_download_goes_on_while_access_lasts(
    client: Client,
    bob: User,
    long: FileRecord,
    give: Callable[..., Grant],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(downloads, "RECHECK_BYTES", 1)
    give(long, bob)
    client.force_login(bob)
    assert content(get(client, long)) == pattern(6 * FRAME_PAYLOAD)


class Time:
    """Passes only as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(downloads, "monotonic", lambda: self.now)


def test_only_who_takes_much_in_little_time_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    time, pace = Time(monkeypatch), downloads.Pace()
    half = downloads.QUICK_BYTES // 2
    pace.taken(downloads.QUICK_BYTES - 1)
    assert not pace.is_quick()
    time.now += downloads.QUICK_WITHIN
    pace.taken(1)
    assert pace.is_quick()
    # It stands still.
    time.now += downloads.QUICK_WITHIN + 0.01
    assert not pace.is_quick()
    # And then is slow.
    pace.taken(half)
    assert not pace.is_quick()
    pace.taken(half)
    assert not pace.is_quick()
    # And quick again.
    time.now += downloads.QUICK_WITHIN / 2
    pace.taken(2 * half)
    assert pace.is_quick()


@pytest.mark.skipif(lanes.lanes() is None, reason="frames are opened one by one here")
def test_a_quick_client_gets_several_frames_at_once_and_a_slow_one_does_not(
    reader: Client, long: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "QUICK_BYTES", 2 * FRAME_PAYLOAD)
    time = Time(monkeypatch)
    got = {}
    for seconds in (0.0, 1.0):
        response, got[seconds] = get(reader, long), b""
        lengths = []
        for chunk in response.streaming_content:
            lengths.append(len(chunk) // FRAME_PAYLOAD)
            got[seconds] += chunk
            time.now += seconds
        response.close()
        assert lengths == ([1, 1, 1, 1, 2] if not seconds else [1] * 6)
    assert got[0.0] == got[1.0] == pattern(6 * FRAME_PAYLOAD)


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_client_that_goes_away_is_recorded_so(
    reader: Client, long: FileRecord, events: Events, taken: int
) -> None:
    response = get(reader, long)
    body = iter(response.streaming_content)
    for _ in range(taken):
        next(body)
    response.close()
    assert events("file_downloaded") == []  # It may yet be gone on with.
    downloading.settle_idle(now=timezone.now() + timedelta(hours=1))
    [event] = events("file_downloaded")
    assert (event["outcome"], event["bytes"]) == ("aborted", taken * FRAME_PAYLOAD)


# --- Digests and times ---------------------------------------------------------------------------

SHA256 = f"sha-256={byte_sequence(hashlib.sha256(CONTENT).digest())}"
CHAIN = byte_sequence(digest_all([CONTENT]).chain)


def digests_in(answer: Any) -> tuple[str | None, str | None]:
    return answer.headers.get("Repr-Digest"), answer.headers.get("Securestore-Content-Chain")


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=1-5"}, {"Range": "bytes=x"}])
def test_the_digests_of_the_whole_file_are_told_with_any_of_its_bytes(
    reader: Client, record: FileRecord, headers: dict[str, str]
) -> None:
    """A range is a part of the same representation (RFC 9530, 3)."""
    answer = get(reader, record, **headers)
    assert digests_in(answer) == (SHA256, CHAIN)
    answer.close()
    assert digests_in(reader.head(url(record), headers=headers)) == (SHA256, CHAIN)


def test_of_a_file_that_came_in_pieces_the_chain_is_told(
    reader: Client, record: FileRecord
) -> None:
    row = record.current
    dek = stored_objects.object_key(row).dek
    StoredObject.objects.update(digest=seal_digests(dek, row.context, Digests(b"c" * 32)))
    assert digests_in(reader.head(url(record))) == (None, byte_sequence(b"c" * 32))


def test_where_no_bytes_are_sent_no_digest_is(
    reader: Client, record: FileRecord, held_record: FileRecord, bob: User, client: Client
) -> None:
    assert digests_in(get(reader, record, Range="bytes=9999-")) == (None, None)
    assert digests_in(get(reader, record, If_None_Match=etag(record))) == (None, None)
    for method in ("get", "head"):
        answer = getattr(reader, method)(url(held_record))
        assert (answer.status_code, *digests_in(answer)) == (403, None, None)
    client.force_login(bob)
    for each in (record, held_record):
        answer = client.get(url(each))
        assert (answer.status_code, *digests_in(answer)) == (404, None, None)
    give(record, bob)
    Group.objects.get(name="Members").permissions.clear()
    answer = client.get(url(record))
    assert (answer.status_code, *digests_in(answer)) == (403, None, None)


def test_of_a_held_file_they_are_told_while_it_is_unlocked(
    reader: Client, held_record: FileRecord
) -> None:
    reader.post(f"/files/{held_record.pk}/unlock/", {"key": KEY})
    assert digests_in(reader.head(url(held_record))) == (SHA256, CHAIN)


MODIFIED = datetime(2019, 5, 1, 10, 30, 0, 123456, tzinfo=UTC)
AS_TOLD = "Wed, 01 May 2019 10:30:00 GMT"


@pytest.fixture
def dated(record: FileRecord) -> FileRecord:
    FileRecord.objects.update(modified_at=MODIFIED)
    record.refresh_from_db()
    return record


def test_the_time_of_modification_is_told_and_outlives_a_reencryption(
    reader: Client, dated: FileRecord, long: FileRecord
) -> None:
    assert reader.head(url(dated))["Last-Modified"] == AS_TOLD
    assert get(reader, dated, Range="bytes=1-5")["Last-Modified"] == AS_TOLD
    reencryption.reencrypt(dated)
    assert reader.head(url(dated))["Last-Modified"] == AS_TOLD
    assert "Last-Modified" not in reader.head(url(long))


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (AS_TOLD, 304),
        ("Wednesday, 01-May-19 10:30:00 GMT", 304),
        ("Wed, 01 May 2019 10:30:01 GMT", 200),
        ("Wed, 01 May 2019 10:29:59 GMT", 200),
        ("Fri, 01 May 2099 10:30:00 GMT", 200),
        ("nonsense", 200),
    ],
)
def test_only_the_very_same_time_is_unchanged(
    reader: Client, dated: FileRecord, condition: str, status: int
) -> None:
    """It is the uploader's word: a later one is no newer content (RFC 9110, 13.1.3 says MAY)."""
    answer = get(reader, dated, If_Modified_Since=condition)
    assert answer.status_code == status
    # An entity tag goes before (13.2.2), and is the only condition of a range that is believed.
    both = get(reader, dated, If_Modified_Since=condition, If_None_Match='"other"')
    assert both.status_code == 200
    part = get(reader, dated, Range="bytes=1-5", If_Range=condition)
    assert part.status_code == 200


def test_a_file_without_a_time_has_always_changed(reader: Client, record: FileRecord) -> None:
    assert get(reader, record, If_Modified_Since=AS_TOLD).status_code == 200


def test_a_locked_file_is_not_said_to_be_unchanged(reader: Client, held_record: FileRecord) -> None:
    FileRecord.objects.update(modified_at=MODIFIED)
    assert get(reader, held_record, If_Modified_Since=AS_TOLD).status_code == 403
