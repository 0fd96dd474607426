"""CSV (RFC 4180) that people open in a spreadsheet, with cells that strangers wrote.

A cell that begins with one of `=+-@` is a formula there, and runs. Every text passes through `cell`
before it gets into such a file: none may be written around it.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from files.crypto import portable

_FORMULA = frozenset("=+-@|%")


def cell(value: Any) -> str:
    """The value as text that no spreadsheet takes for a formula, in one line.

    A text that would be one gets an apostrophe before it, which spreadsheets do not show. What does
    not print becomes U+FFFD. Numbers stay numbers, moments are ISO 8601 in UTC, details are JSON.
    """
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = portable.marked(str(value), "\N{REPLACEMENT CHARACTER}")
    # Full-width signs, and what spreadsheets drop from the beginning, count as well.
    shown = portable.seen(unicodedata.normalize("NFKC", text))
    begins = shown.lstrip(" \N{REPLACEMENT CHARACTER}")
    return f"'{text}" if begins[:1] in _FORMULA else text


def line(values: Iterable[Any]) -> str:
    """One record, its line end (CR LF) included.

    Every field is quoted: a spreadsheet that splits at semicolons still finds no cell within one.
    """
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(map(cell, values))
    return out.getvalue()
