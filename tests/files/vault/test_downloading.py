"""A download is one event, however many requests it took and however they ended."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from files.access.principals import Link
from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD
from files.models import DownloadSession, FileRecord, Grant, RecentFile
from files.vault import downloading, opening
from notices import Kind
from notices.models import Choice, Notice
from tests.files.conftest import Store
from tests.files.vault.faults import flip
from tests.files.web.test_downloads import pattern

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

SIZE = 6 * FRAME_PAYLOAD
WHOLE = pattern(SIZE)
LATER = timedelta(hours=1)


@pytest.fixture(autouse=True)
def looked_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request settles what is idle, however soon it comes after another."""
    monkeypatch.setattr(downloading, "LOOKED_EVERY", 0.0)


@pytest.fixture
def long(store: Store, alice: User) -> FileRecord:
    """A file of Alice's of six frames."""
    return store(alice, WHOLE, name="long.bin")


@pytest.fixture
def reader(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def request(client: Client, record: FileRecord, part: str = "", **headers: str) -> Any:
    if part:
        headers["Range"] = f"bytes={part}"
    return client.get(f"/files/{record.id}/download/", headers=headers)


def fetch(client: Client, record: FileRecord, part: str = "", **headers: str) -> bytes:
    with closing(request(client, record, part, **headers)) as response:
        data: bytes = response.getvalue()
    return data


def take(response: Any, chunks: int) -> None:
    """Receive so many chunks and hang up."""
    body = iter(response.streaming_content)
    for _ in range(chunks):
        next(body)
    response.close()


def told() -> list[dict[str, Any]]:
    """What the log says of downloads, without how long they took."""
    events = AuditEvent.objects.filter(event__in=["file_downloaded", "download_failed"])
    return [
        {
            "grant": event.grant_id,
            **{k: v for k, v in event.data.items() if k not in {"ms", "size"}},
        }
        for event in events.order_by("id")
    ]


def whole(ranges: int, size: int = SIZE, **more: Any) -> dict[str, Any]:
    return {
        "grant": None,
        "outcome": "complete",
        "bytes": size,
        "ranges": ranges,
        "sent": None,
        **more,
    }


# --- One download ---------------------------------------------------------------------------------


def test_pieces_in_any_order_are_one_event(reader: Client, long: FileRecord) -> None:
    edges = [0, 1, 5000, FRAME_PAYLOAD, FRAME_PAYLOAD + 1, 4 * FRAME_PAYLOAD + 7, SIZE]
    pieces = list(pairwise(edges))
    random.Random(7).shuffle(pieces)  # noqa: S311
    for start, stop in pieces:
        assert told() == []
        assert fetch(reader, long, f"{start}-{stop - 1}") == WHOLE[start:stop]
    assert told() == [whole(6)]
    assert not DownloadSession.objects.filter(settled=False).exists()


def test_four_connections_at_once_are_one_event(reader: Client, long: FileRecord) -> None:
    """As aria2 does: the first one asks for all of it, and is cut short by the client."""
    first = request(reader, long)
    others = [request(reader, long, f"{n * FRAME_PAYLOAD}-{SIZE - 1}") for n in (2, 3, 4)]
    bodies = [iter(one.streaming_content) for one in (first, *others)]
    for _ in range(2):
        for body in bodies:
            next(body)
    next(bodies[0])
    assert told() == []
    first.close()
    for response, body in zip(others, bodies[1:], strict=True):
        assert told() == []
        list(body)
        response.close()
    [event] = told()
    assert (event["outcome"], event["ranges"], event["sent"]) == ("complete", 4, None)
    assert event["bytes"] > SIZE


def test_a_download_that_is_gone_on_with_is_one_event(reader: Client, long: FileRecord) -> None:
    take(request(reader, long), 3)
    assert told() == []
    fetch(reader, long, f"{2 * FRAME_PAYLOAD}-")
    assert told() == [whole(2, SIZE + FRAME_PAYLOAD)]


def test_a_probe_before_it_belongs_to_it(reader: Client, long: FileRecord) -> None:
    assert fetch(reader, long, "0-0") == WHOLE[:1]
    assert fetch(reader, long) == WHOLE
    assert told() == [whole(2, SIZE + 1)]


def test_an_empty_file_is_complete(reader: Client, store: Store, alice: User) -> None:
    record = store(alice, b"")
    assert fetch(reader, record) == b""
    assert told() == [whole(1, 0)]


def test_what_sends_no_byte_is_no_download(reader: Client, long: FileRecord) -> None:
    path = f"/files/{long.id}/download/"
    reader.head(path)
    reader.head(path, headers={"Range": "bytes=0-9"})
    for headers in ({"If-None-Match": "*"}, {"Range": f"bytes={SIZE}-"}):
        reader.get(path, headers=headers).close()
    assert not DownloadSession.objects.filter(settled=False).exists()
    assert told() == []


def test_a_client_that_was_cut_off_near_the_end_goes_on_with_it(
    reader: Client, long: FileRecord
) -> None:
    """All of it was handed over, and some of it was lost on its way: it is still one download."""
    fetch(reader, long)
    assert told() == [whole(1)]
    for lost in (100, FRAME_PAYLOAD):
        assert fetch(reader, long, f"{SIZE - lost}-") == WHOLE[-lost:]
    take(request(reader, long, f"{SIZE - FRAME_PAYLOAD}-"), 1)
    downloading.settle_idle(now=timezone.now() + LATER)
    assert told() == [whole(1)]
    assert not DownloadSession.objects.exists()


def test_pieces_of_what_was_handed_over_already_are_one_download_still(
    reader: Client, long: FileRecord
) -> None:
    """As aria2 does on a fast line: its first request ends early, when it was handed all of it."""
    fetch(reader, long)
    for start in (3, 2, 4):
        fetch(reader, long, f"{start * FRAME_PAYLOAD}-{(start + 1) * FRAME_PAYLOAD - 1}")
    downloading.settle_idle(now=timezone.now() + LATER)
    assert told() == [whole(1)]


@pytest.mark.parametrize("part", ["", "0-", "0-99", f"{FRAME_PAYLOAD}-"])
def test_what_is_no_such_part_is_another_download(
    reader: Client, long: FileRecord, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(downloading, "LATE", 4 * FRAME_PAYLOAD)
    fetch(reader, long)
    fetch(reader, long, part)
    downloading.settle_idle(now=timezone.now() + LATER)
    assert len(told()) == 2


def test_no_file_is_had_twice_by_its_ends(
    reader: Client, long: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "LATE", 4 * FRAME_PAYLOAD)
    fetch(reader, long)
    for _ in range(4):
        fetch(reader, long, f"{4 * FRAME_PAYLOAD}-")
    downloading.settle_idle(now=timezone.now() + LATER)
    assert len(told()) == 2
    assert told()[1]["bytes"] == 4 * FRAME_PAYLOAD


# --- Several --------------------------------------------------------------------------------------


def test_a_download_after_a_complete_one_is_another(reader: Client, long: FileRecord) -> None:
    for _ in range(2):
        fetch(reader, long)
    assert told() == [whole(1), whole(1)]


def test_two_at_once_of_the_whole_file_are_two(reader: Client, long: FileRecord) -> None:
    responses = [request(reader, long) for _ in range(2)]
    for response in responses:
        assert response.getvalue() == WHOLE
        response.close()
    assert told() == [whole(1), whole(1)]


def test_one_that_has_taken_the_whole_file_takes_no_second_whole(
    long: FileRecord, alice: User
) -> None:
    """Also where the request for all of it came after one for a part, and before another."""
    for start, stop in ((0, 10), (0, SIZE), (10, 20), (0, SIZE)):
        downloading.begin(long, downloading.Part(start, stop), user=alice, session="s")
    assert list(DownloadSession.objects.order_by("pk").values_list("requests", flat=True)) == [3, 1]


def test_one_by_a_link_names_the_link_and_nobody(long: FileRecord, alice: User) -> None:
    """Its maker has not read it, and does not find it among what they have opened."""
    alice.user_permissions.add(Permission.objects.get(codename="add_link"))
    link = Link(alice, 7, timezone.now() + LATER, file=long.pk)
    part = downloading.Part(0, SIZE)
    sending = downloading.begin(long, part, user=alice, session="s", link=link)
    [row] = DownloadSession.objects.values("actor_id", "actor_name", "link_id")
    assert row == {"actor_id": 0, "actor_name": "", "link_id": 7}
    opened = RecentFile.objects.filter(way=RecentFile.Way.OPENED)
    assert not opened.exists()
    sending.end("complete", SIZE, SIZE)
    event = AuditEvent.objects.get(event="file_downloaded")
    assert (event.actor_id, event.actor_name, event.data["link_id"]) == (None, "", 7)
    downloading.begin(long, part, user=alice, session="s")
    assert opened.get().file_id == long.pk


def test_beginning_anew_ends_the_one_before(reader: Client, long: FileRecord) -> None:
    take(request(reader, long), 3)
    fetch(reader, long)
    assert [(event["outcome"], event["ranges"]) for event in told()] == [
        ("aborted", 1),
        ("complete", 1),
    ]
    assert told()[0]["sent"] == f"0-{2 * FRAME_PAYLOAD - 1}"


def test_what_an_event_says_is_true_for_all_of_its_bytes(
    client: Client, alice: User, bob: User, long: FileRecord, give: Callable[..., Grant]
) -> None:
    """Halves by different people, sessions, addresses, programs, grants and contents."""
    first_half, rest = f"0-{SIZE // 2 - 1}", f"{SIZE // 2}-"
    first, second = give(long, bob), give(long, bob, level="manage")
    Grant.objects.filter(pk=second.pk).update(revoked_at=timezone.now())
    client.force_login(bob)
    fetch(client, long, first_half)
    client.get(
        f"/files/{long.id}/download/", headers={"Range": f"bytes={rest}"}, REMOTE_ADDR="192.0.2.9"
    ).close()
    fetch(client, long, rest, User_Agent="other")
    other = Client()
    other.force_login(bob)
    fetch(other, long, rest)
    owner = Client()
    owner.force_login(alice)
    fetch(owner, long, rest)
    Grant.objects.filter(pk=second.pk).update(revoked_at=None)
    fetch(client, long, rest)
    Grant.objects.filter(pk=second.pk).update(revoked_at=timezone.now())
    assert told() == []
    assert DownloadSession.objects.count() == 6
    fetch(client, long, rest)
    assert told() == [whole(2, grant=first.pk)]


def test_each_member_of_a_zip_is_a_download(
    client: Client, bob: User, store: Store, alice: User, give: Callable[..., Grant]
) -> None:
    records = [store(alice, name=f"{n}.txt") for n in range(3)]
    grants = [give(record, bob).pk for record in records]
    client.force_login(bob)
    for _ in range(2):
        response = client.post(
            "/files/download/",
            {"file": [str(record.id) for record in records]},
            headers={"User-Agent": "zipper"},
        )
        response.getvalue()
        response.close()
    assert [event["grant"] for event in told()] == grants * 2
    assert {event["outcome"] for event in told()} == {"complete"}
    downloaded = AuditEvent.objects.filter(event="file_downloaded")
    assert set(downloaded.values_list("actor_name", "address", "user_agent")) == {
        ("bob", "127.0.0.1", "zipper")
    }
    assert all(downloaded.values_list("request_id", flat=True))
    assert not DownloadSession.objects.filter(settled=False).exists()


# --- Ends -----------------------------------------------------------------------------------------


def test_an_idle_one_is_told_at_the_next_request_of_anybody(
    client: Client, alice: User, bob: User, long: FileRecord, store: Store
) -> None:
    client.force_login(alice)
    take(request(client, long), 2)
    DownloadSession.objects.update(seen_at=timezone.now() - LATER)
    record = store(bob, b"x")
    client.force_login(bob)
    fetch(client, record)
    assert [(event["outcome"], event["bytes"]) for event in told()] == [
        ("aborted", 2 * FRAME_PAYLOAD),
        ("complete", 1),
    ]
    assert AuditEvent.objects.filter(event="file_downloaded").first().actor_name == "bob"  # type: ignore[union-attr]


def test_an_idle_one_is_told_by_the_sweep(reader: Client, long: FileRecord) -> None:
    take(request(reader, long), 2)
    call_command("sweep")
    assert told() == []
    DownloadSession.objects.update(seen_at=timezone.now() - LATER)
    call_command("sweep", "--dry-run")
    assert told() == []
    call_command("sweep")
    [event] = told()
    assert (event["outcome"], event["sent"]) == ("aborted", f"0-{FRAME_PAYLOAD - 1}")
    told_by = AuditEvent.objects.get(event="file_downloaded")
    assert (told_by.actor_name, told_by.address) == ("alice", "127.0.0.1")


def test_an_idle_one_is_not_gone_on_with(reader: Client, long: FileRecord) -> None:
    fetch(reader, long, "0-99")
    DownloadSession.objects.update(seen_at=timezone.now() - LATER)
    fetch(reader, long, "100-")
    assert [event["sent"] for event in told()] == ["0-99"]
    assert DownloadSession.objects.get().covered == [[100, SIZE]]


def test_a_killed_process_leaves_what_is_known(long: FileRecord, alice: User) -> None:
    downloading.begin(long, downloading.Part(0, SIZE), user=alice, session="s")
    assert downloading.settle_idle() == 0
    assert downloading.settle_idle(now=timezone.now() + LATER) == 1
    assert told() == [whole(1, 0, outcome="aborted", sent="")]


@pytest.mark.parametrize("how", ["failed", "revoked"])
def test_a_failure_is_told_at_once_and_for_all_connections(
    long: FileRecord, alice: User, how: str
) -> None:
    half = SIZE // 2
    first, second, third = (
        downloading.begin(long, downloading.Part(*part), user=alice, session="s")
        for part in ((0, half), (half, SIZE), (half, SIZE))
    )
    second.end(how, 10, 10)
    assert [(event["outcome"], event["bytes"], event["ranges"]) for event in told()] == [
        (how, 10, 3)
    ]
    # Who was refused what they had no right to any more has downloaded what they got until then.
    named = {"failed": "download_failed", "revoked": "file_downloaded"}
    assert AuditEvent.objects.get(data__outcome=how).event == named[how]
    first.end(how, 100, 100)
    again = downloading.begin(long, downloading.Part(0, SIZE), user=alice, session="s")
    third.end("complete", half, half)
    assert len(told()) == 1
    again.end("complete", SIZE, SIZE)
    assert told()[1:] == [whole(1)]
    assert not DownloadSession.objects.filter(settled=False).exists()


def test_of_a_failure_nothing_stays_once_nobody_sends(long: FileRecord, alice: User) -> None:
    half = SIZE // 2
    first, second = (
        downloading.begin(long, downloading.Part(*part), user=alice, session="s")
        for part in ((0, half), (half, SIZE))
    )
    first.end("failed", 10, 10)
    assert DownloadSession.objects.count() == 1
    second.end("complete", half, half)
    assert not DownloadSession.objects.exists()
    downloading.begin(long, downloading.Part(0, SIZE), user=alice, session="s").end("failed", 0, 0)
    assert not DownloadSession.objects.exists()


@pytest.mark.parametrize(("outcome", "told"), [("complete", 1), ("failed", 0), ("revoked", 0)])
def test_an_owner_who_wishes_hears_of_what_others_have_read_to_its_end(
    long: FileRecord, alice: User, bob: User, give: Callable[..., Grant], outcome: str, told: int
) -> None:
    def heard() -> list[int]:
        notices = Notice.objects.filter(kind=Kind.FILE_DOWNLOADED, file_id=long.pk)
        return list(notices.values_list("user", flat=True))

    def read(who: User) -> None:
        sending = downloading.begin(long, downloading.Part(0, SIZE), user=who, session="s")
        sending.end(outcome, SIZE, SIZE)

    give(long, bob)
    read(bob)
    assert heard() == []
    Choice.objects.create(user=alice, kind=Kind.FILE_DOWNLOADED, in_app=True)
    read(bob)
    read(alice)
    assert heard() == [alice.pk] * told


def test_what_begins_after_a_failure_is_another_download(long: FileRecord, alice: User) -> None:
    """Also where a connection of the one that failed is still open."""
    half = SIZE // 2
    first, second = (
        downloading.begin(long, downloading.Part(*part), user=alice, session="s")
        for part in ((0, half), (half, SIZE))
    )
    second.end("failed", 10, 10)
    third = downloading.begin(long, downloading.Part(half, SIZE), user=alice, session="s")
    third.end("complete", half, half)
    first.end("complete", half, half)
    downloading.settle_idle(now=timezone.now() + LATER)
    assert [(event["outcome"], event["bytes"], event["ranges"]) for event in told()] == [
        ("failed", 10, 2),
        ("aborted", half, 1),
    ]


def test_an_event_tells_how_long_it_took(long: FileRecord, alice: User) -> None:
    downloading.begin(long, downloading.Part(0, SIZE), user=alice, session="s")
    DownloadSession.objects.update(begun_at=F("seen_at") - timedelta(seconds=5))
    downloading.settle_idle(now=timezone.now() + LATER)
    assert AuditEvent.objects.get(event="file_downloaded").data["ms"] == 5000


def test_damage_before_the_first_byte_is_a_failure(
    reader: Client, long: FileRecord, s3: S3Client, settings: Any
) -> None:
    flip(s3, settings.S3_BUCKET, long.current.object_name, FRAME_LENGTH + 100)
    response = request(reader, long, f"{FRAME_PAYLOAD}-")
    assert response.status_code == 502
    assert told() == [whole(1, 0, outcome="failed", sent="")]


def test_a_last_chunk_that_nobody_took_completes_nothing(
    reader: Client, record: FileRecord
) -> None:
    take(request(reader, record), 1)
    assert told() == []
    downloading.settle_idle(now=timezone.now() + LATER)
    [event] = told()
    assert (event["outcome"], event["bytes"], event["sent"]) == ("aborted", record.size, "")


def test_a_long_one_does_not_look_idle(
    reader: Client, long: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "BEAT", -1.0)
    response = request(reader, long)
    body = iter(response.streaming_content)
    for _ in range(3):
        next(body)
    DownloadSession.objects.update(seen_at=timezone.now() - LATER)
    next(body)
    assert downloading.settle_idle() == 0
    assert DownloadSession.objects.get().bytes == 3 * FRAME_PAYLOAD
    assert len(b"".join(body)) == 2 * FRAME_PAYLOAD
    response.close()
    assert told() == [whole(1)]


def test_a_client_that_stood_still_is_told_in_two_parts(reader: Client, long: FileRecord) -> None:
    response = request(reader, long)
    body = iter(response.streaming_content)
    next(body)
    downloading.settle_idle(now=timezone.now() + LATER)
    assert [(event["outcome"], event["bytes"]) for event in told()] == [("aborted", 0)]
    assert len(b"".join(body)) == SIZE - FRAME_PAYLOAD
    response.close()
    assert told()[1:] == [whole(1)]
    assert not DownloadSession.objects.filter(settled=False).exists()


def test_a_client_that_stood_still_and_took_no_more_is_told_once(
    long: FileRecord, alice: User
) -> None:
    sending = downloading.begin(long, downloading.Part(0, SIZE), user=alice, session="s")
    downloading.settle_idle(now=timezone.now() + LATER)
    sending.end("aborted", 0, 0)
    assert [(event["outcome"], event["bytes"]) for event in told()] == [("aborted", 0)]
    assert not DownloadSession.objects.exists()


def test_who_goes_on_with_a_complete_one_and_stands_still_is_told_of_by_what_comes_then(
    long: FileRecord, alice: User
) -> None:
    """The event of the complete one is written, and what belonged to it has gone with the row."""
    downloading.begin(long, downloading.Part(0, SIZE), user=alice, session="s").end(
        "complete", SIZE, SIZE
    )
    more = downloading.begin(long, downloading.Part(SIZE - 10, SIZE), user=alice, session="s")
    downloading.settle_idle(now=timezone.now() + LATER)
    assert told() == [whole(1)]
    more.end("complete", 10, 10)
    assert told()[1:] == [
        whole(1, 10, outcome="aborted", sent=f"{SIZE - 10}-{SIZE - 1}"),
    ]
    assert not DownloadSession.objects.exists()


@pytest.mark.parametrize("how", ["failed", "revoked"])
def test_a_client_that_stood_still_and_then_failed_is_told_in_two_parts(
    long: FileRecord, alice: User, how: str
) -> None:
    sending = downloading.begin(long, downloading.Part(0, SIZE), user=alice, session="s")
    downloading.settle_idle(now=timezone.now() + LATER)
    sending.end(how, 10, 5)
    assert [(event["outcome"], event["bytes"], event["sent"]) for event in told()] == [
        ("aborted", 0, ""),
        (how, 10, "0-4"),
    ]
    assert not DownloadSession.objects.exists()


def test_idle_ones_are_counted(long: FileRecord, alice: User) -> None:
    downloading.begin(long, downloading.Part(0, SIZE), user=alice, session="s")
    assert downloading.idle() == 0
    DownloadSession.objects.update(seen_at=timezone.now() - LATER)
    assert downloading.idle() == 1


def test_whose_place_is_always_taken_first_by_another_has_a_download_of_its_own(
    long: FileRecord, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start, stop in ((0, 10), (10, SIZE)):
        downloading.begin(long, downloading.Part(start, stop), user=alice, session="s")
        nobody = SimpleNamespace(first=lambda **which: None)
        monkeypatch.setattr(downloading, "_locked_of", nobody)
    assert DownloadSession.objects.count() == 2
    assert DownloadSession.objects.filter(slot=None).count() == 1


# --- What it costs --------------------------------------------------------------------------------


def test_a_long_one_is_noted_once_in_a_while(
    long: FileRecord, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    sending = downloading.begin(long, downloading.Part(0, SIZE), user=alice, session="s")
    noted = []
    for now in (1000.0, 1060.0, 1060.1, 1061.0, 1120.1, 1120.2):
        sending.sent(int(now))
        noted.append(DownloadSession.objects.get().bytes)
    assert noted == [0, 0, 1060, 1060, 1060, 1120]


def test_idle_ones_are_looked_for_now_and_then(
    long: FileRecord, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "LOOKED_EVERY", 1.0)
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr(downloading._Looked, "at", now - 1)
    asked: list[int | None] = []
    monkeypatch.setattr(downloading, "settle_idle", lambda *, at_most: asked.append(at_most))
    looks = []
    for seconds in (0.0, 0.5, 0.4, 0.1, 0.9, 0.1):
        now += seconds
        downloading.begin(long, downloading.Part(0, 1), user=alice, session="s")
        looks.append(len(asked))
    assert looks == [1, 1, 1, 2, 2, 3]
    assert asked == [downloading.AT_ONCE] * 3


def test_a_request_writes_twice(reader: Client, long: FileRecord) -> None:
    fetch(reader, long, "0-9")
    with CaptureQueriesContext(connection) as captured:
        fetch(reader, long, "20-29")
    writes = [q["sql"] for q in captured if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(writes) == 2
    assert all("downloadsession" in sql for sql in writes)


def test_the_number_of_queries_does_not_grow(reader: Client, long: FileRecord) -> None:
    counts = []
    for number in range(5):
        with CaptureQueriesContext(connection) as captured:
            fetch(reader, long, f"{10 * number}-{10 * number + 4}")
        counts.append(len(captured))
    assert len(set(counts[1:])) == 1


def test_no_session_of_the_browser_is_kept(reader: Client, long: FileRecord) -> None:
    fetch(reader, long, "0-9")
    key = reader.session.session_key
    assert key
    assert key not in str(DownloadSession.objects.values().get())


def test_a_database_that_fails_at_the_end_fails_no_download(
    reader: Client, long: FileRecord, caplog: pytest.LogCaptureFixture
) -> None:
    response = request(reader, long)

    def refuse(*arguments: object) -> None:
        raise OperationalError("database is locked")

    with connection.execute_wrapper(refuse):
        assert response.getvalue() == WHOLE
        response.close()
    assert "could not be noted: database is locked" in caplog.text
    downloading.settle_idle(now=timezone.now() + LATER)
    assert [event["outcome"] for event in told()] == ["aborted"]


def test_access_that_ended_between_two_questions_is_404(
    client: Client,
    bob: User,
    long: FileRecord,
    give: Callable[..., Grant],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grant = give(long, bob)
    client.force_login(bob)
    original = opening.open_file

    def revoke_meanwhile(*arguments: Any) -> Any:
        Grant.objects.filter(pk=grant.pk).update(revoked_at=timezone.now())
        return original(*arguments)

    monkeypatch.setattr(opening, "open_file", revoke_meanwhile)
    assert request(client, long).status_code == 404
    assert told() == []
