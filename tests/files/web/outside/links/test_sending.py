"""The bytes behind a link: whole, in ranges, and as often as they may go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from audit.models import AuditEvent
from files.models import FileRecord, LinkDownload
from tests.files.web.outside.links.following import CONTENT, body, linked


def test_a_file_comes_whole_in_ranges_and_again(record: FileRecord, client: Client) -> None:
    path, link = linked(record)
    page = client.get(path, headers={"Accept-Language": "de"})
    assert b'<html lang="de">' in page.content
    assert b"a.bin" in page.content
    assert b"alice" in page.content
    assert not page.cookies
    whole = client.get(f"{path}download/")
    assert body(whole) == CONTENT
    assert whole["Content-Disposition"].startswith("attachment")
    assert "no-store" in whole["Cache-Control"]
    etag = whole["ETag"]
    part = client.get(f"{path}download/", headers={"Range": "bytes=100-199", "If-Range": etag})
    assert (part.status_code, body(part)) == (206, CONTENT[100:200])
    changed = client.get(f"{path}download/", headers={"Range": "bytes=1-2", "If-Range": '"x"'})
    assert (changed.status_code, body(changed)) == (200, CONTENT)
    same = client.get(f"{path}download/", headers={"If-None-Match": etag})
    assert same.status_code == 304
    head = client.head(f"{path}download/")
    assert head["Content-Length"] == str(len(CONTENT))
    part_of_page = client.get(f"{path}download/", headers={"Sec-Fetch-Dest": "image"})
    assert part_of_page.status_code == 403
    event = AuditEvent.objects.filter(event="file_downloaded").order_by("id")[0]
    assert (event.actor_id, event.actor_name) == (None, "")
    assert event.file_id == record.pk
    assert event.data["link_id"] == link.pk
    link.refresh_from_db()
    assert (link.opened, link.used) == (1, 2)


def start(path: str, **headers: str) -> Any:
    """A download that has begun, of a client of its own."""
    answer: Any = Client().get(f"{path}download/", headers=headers)
    if answer.streaming:
        next(iter(answer.streaming_content))
    return answer


def test_as_many_as_there_are_and_no_more(
    record: FileRecord, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = linked(record, most=3)
    begun = [start(path) for _ in range(20)]
    assert sorted(one.status_code for one in begun) == [200] * 3 + [429] * 17
    for one in begun[3:]:
        assert 0 < int(one["Retry-After"]) <= site.DOWNLOAD_IDLE.total_seconds() + 1
    # HEAD and pages go on, and use none up.
    assert Client().head(f"{path}download/").status_code == 200
    assert Client().get(path).status_code == 200
    # One that ends without its last byte gives its download back.
    begun[0].close()
    again = start(path)
    assert again.status_code == 200
    for one in (begun[1], begun[2], again):
        body(one)
    link.refresh_from_db()
    assert (link.used, link.state) == (3, "exhausted")
    assert [Client().get(path + below).status_code for below in ("", "download/")] == [404, 404]
    assert AuditEvent.objects.filter(event="link_exhausted").count() == 1


def test_a_range_is_none_and_all_of_them_are_one(record: FileRecord) -> None:
    path, link = linked(record, most=1)
    half = len(CONTENT) // 2

    def part(which: str) -> int:
        answer = Client().get(f"{path}download/", headers={"Range": f"bytes={which}"})
        body(answer)
        return int(answer.status_code)

    assert part("0-0") == 206
    assert part(f"0-{half}") == 206
    link.refresh_from_db()
    assert link.used == 0
    assert part(f"{half + 1}-") == 206
    link.refresh_from_db()
    assert link.used == 1
    assert part("0-0") == 404


def test_who_never_takes_the_last_byte_gains_nothing(record: FileRecord) -> None:
    """However it is cut: (count + 1) times the file, and no byte more."""
    path, link = linked(record, most=1)
    size, sent = len(CONTENT), 0
    for number in range(50):
        cut = {"Range": f"bytes=0-{size - 2 - number}", "User-Agent": f"client {number}"}
        sent += len(body(Client().get(f"{path}download/", headers=cut)) if number < 3 else b"")
        tail = {"Range": "bytes=1-700", "User-Agent": f"other {number}"}
        answer = Client().get(f"{path}download/", headers=tail)
        got = body(answer)
        sent += len(got) if answer.status_code == 206 else 0
    link.refresh_from_db()
    assert size < sent <= 2 * size + 4000  # Of which refusals' pages are some.
    assert link.charged <= 2 * size


def test_what_was_killed_is_free_after_the_idle_time(
    record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = linked(record, most=1)
    begun = start(path)
    assert start(path).status_code == 429
    # Of a killed process nothing more is heard.
    long_ago = timezone.now() - site.DOWNLOAD_IDLE - timedelta(seconds=1)
    LinkDownload.objects.update(seen_at=long_ago)
    again = start(path)
    assert again.status_code == 200
    body(again)
    link.refresh_from_db()
    assert link.used == 1
    begun.close()
    link.refresh_from_db()
    assert link.used == 1
