"""Times of modification: RFC 3339 in, HTTP's dates out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.web.transfers.moments import FIRST, LAST, as_last_modified, is_exactly, parse_moment

NOON = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-29T12:00:00Z", NOON),
        ("2026-11-29 12:00:00z", NOON),
        (" 2026-11-29t13:30:00.0+01:30", NOON),
        ("2026-11-29T12:00:00.123456789-00:00", NOON + timedelta(microseconds=123456)),
        ("2026-11-29T11:59:60Z", NOON),
        ("1969-12-31T23:59:59.5Z", datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)),
    ],
)
def test_moments_of_rfc_3339(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@given(st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None)))
def test_what_is_told_reads_back(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    assert parse_moment(moment.isoformat()) == moment
    told = as_last_modified(moment, LAST)
    assert is_exactly(told, moment)
    assert not is_exactly(told, moment + timedelta(seconds=1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-29",
        "2026-11-29T12:00:00",
        "2026-11-29T12:00Z",
        "20261129T120000Z",
        "2026-W48-7T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-29T24:00:00Z",
        "2026-11-29T12:00:61Z",
        "2026-11-29T12:00:00+25:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:60Z",
        "+030828-01-01T00:00:00Z",
        "٢٠٢٦-11-29T12:00:00Z",
        "2026-11-29T12:00:00Z" * 10_000,
    ],
)
def test_what_is_no_moment_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"“.*” is n"):
        parse_moment(text)


def test_a_moment_to_come_is_told_as_now() -> None:
    """RFC 9110, 8.8.2.1."""
    assert as_last_modified(NOON + timedelta(days=1), NOON) == as_last_modified(NOON, NOON)


@pytest.mark.parametrize("header", ["", "x", "Sun, 99 Nov 2026 12:00:00 GMT"])
def test_a_header_that_is_no_date_names_no_moment(header: str) -> None:
    assert not is_exactly(header, NOON)
