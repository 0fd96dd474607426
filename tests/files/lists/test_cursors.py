"""Cursors: what goes in comes out, and what anybody makes up is read or ignored."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from files.lists import cursors
from files.lists.cursors import decode, encode, moment, number, one_of, text, uuid
from files.records.ordering import FIRST, LAST


def _raw(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(TEXTS, st.integers(FIRST, LAST), MOMENTS, st.uuids())
def test_a_cursor_says_what_it_was_made_of(a: str, b: int, c: datetime, d: UUID) -> None:
    made = encode(a, b, c, d)
    assert decode(made, text, number, moment, uuid) == (a, b, c, d)
    assert decode(made, text) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.text() | ANYTHING.map(_raw))
def test_what_anybody_makes_up_is_read_or_ignored(made: str) -> None:
    for kinds in ((text,), (number,), (moment,), (uuid,), (one_of("a"), number)):
        found = decode(made, *kinds)
        assert found is None or len(found) == len(kinds)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a\0b", text),
        ("\ud800", text),
        (1, text),
        (True, number),
        (1.0, number),
        (LAST + 1, number),
        (-1, moment),
        (10**18, moment),
        ("x", uuid),
        ("b", one_of("a")),
    ],
)
def test_a_value_that_no_database_takes_is_no_cursor(value: object, kind: object) -> None:
    assert decode(_raw([value]), kind) is None  # type: ignore[arg-type]


def test_a_deep_list_is_no_cursor() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    assert cursors.decode(deep, text) is None


@pytest.mark.parametrize("down", [True, False])
def test_a_position_in_time_is_of_its_order_alone(down: bool) -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    cursor = cursors.encode("-" if down else "+", at, 7)
    assert cursors.position_in_time(cursor, cursors.number, down=down) == (at, 7)
    assert cursors.position_in_time(cursor, cursors.number, down=not down) is None
    assert cursors.position_in_time(cursor, cursors.uuid, down=down) is None
    assert cursors.position_in_time("", cursors.number, down=down) is None
