"""Pages by keyset: cursors that round-trip to the microsecond, and search without surprises."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from files.listing import _decode, _encode, page_after, search
from files.models import FileRecord
from tests.files.test_models import filed


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_names_its_row_exactly(created_at: datetime, record_id: uuid.UUID) -> None:
    record = FileRecord(id=record_id, created_at=created_at)
    assert _decode(_encode(record)) == (created_at, record_id)


@given(st.text() | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_a_cursor_of_anybodys_making_is_read_or_ignored(cursor: str) -> None:
    found = _decode(cursor)
    assert found is None or len(found) == 2


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_pages_cover_everything_once(alice: User, length: int) -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    for number in range(5):
        filed(alice, created_at=at + timedelta(microseconds=number // 2))
    seen: list[FileRecord] = []
    cursor, pages = "", 0
    while (cursor or not pages) and pages <= 5:
        page = page_after(FileRecord.objects.visible_to(alice), cursor, length=length)
        seen += page.records
        cursor, pages = page.next_cursor, pages + 1
    assert seen == list(FileRecord.objects.order_by("-created_at", "-id"))
    assert pages == -(-5 // length)


@pytest.mark.parametrize("query", ["%", "_", "\\", "'", '"', "a\x00b", "\ufdfa" * 200])
def test_a_search_takes_any_text_as_it_is(alice: User, query: str) -> None:
    filed(alice, name="plain.txt")
    assert not search(FileRecord.objects.visible_to(alice), query).exists()


def test_a_search_for_nothing_finds_everything(alice: User) -> None:
    record = filed(alice)
    for query in ("", "  ", "\x00", "\u3000"):
        assert list(search(FileRecord.objects.visible_to(alice), query)) == [record]
