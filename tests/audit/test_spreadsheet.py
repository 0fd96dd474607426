"""A spreadsheet opens the file and runs nothing in it."""

from __future__ import annotations

import csv
import io
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.spreadsheet import cell, line
from files.crypto import portable
from tests.hostile import NASTY, hostile


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "True"),
        (-5, "-5"),
        ("-5", "'-5"),
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("  +1", "'  +1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\t=1", "'\N{REPLACEMENT CHARACTER}=1"),
        ("a\r\nb", "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"),
        ("photo\u202egpj.exe", "photo\N{REPLACEMENT CHARACTER}gpj.exe"),
        ("\U0001fa77\u06dd.txt", "\U0001fa77\u06dd.txt"),
        ("Minutes of the board.docx", "Minutes of the board.docx"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        (datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC), "2026-02-03T04:05:06+00:00"),
        ({"name": "=1", "bytes": 3}, '{"bytes": 3, "name": "=1"}'),
    ],
)
def test_a_cell(value: Any, text: str) -> None:
    assert cell(value) == text


@given(st.lists(hostile, min_size=1, max_size=4))
def test_no_text_is_a_formula_or_leaves_its_cell(texts: list[str]) -> None:
    written = line(texts)
    assert written.endswith("\r\n")
    assert portable.marked(written[:-2], "") == written[:-2]
    [row] = csv.reader(io.StringIO(written, newline=""))
    assert len(row) == len(texts)
    for field in row:
        begins = portable.seen(unicodedata.normalize("NFKC", field)).strip()
        assert begins[:1] not in set("=+-@|%") | {"\t", "\r", "\n"}


def test_another_separator_finds_no_cell_within_one() -> None:
    for text in NASTY:
        [row] = csv.reader(io.StringIO(line([text, "b"]), newline=""), delimiter=";")
        assert not row[0].startswith(("=", "+", "-", "@"))


@given(st.integers() | st.booleans() | st.none())
def test_numbers_stay_numbers(value: int | None) -> None:
    [row] = csv.reader(io.StringIO(line([value]), newline=""))
    assert row == ["" if value is None else str(value)]
