"""Anchors are read from where they were kept, and from nothing that only looks like one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import anchors
from audit.chain import Anchor

MAC = "ab" * 32
LINE = json.dumps({"logger": "audit", "number": 5, "mac": MAC, "event": "swept"})


@pytest.mark.parametrize(
    "line", [f"5:{MAC}", f"  5:{MAC}\n", LINE, f"Nov 24 20:00:01 host granian[7]: {LINE}\n"]
)
def test_an_anchor_is_read(line: str) -> None:
    assert list(anchors.read(["", line, "another line"])) == [Anchor(5, MAC)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "{}",
        f"GET /?5:{MAC}",
        f"see 5:{MAC}",
        # Of another logger, quoted in another field, or not whole.
        json.dumps({"logger": "securestore.requests", "number": 5, "mac": MAC}),
        json.dumps({"logger": "django", "message": LINE}),
        json.dumps({"logger": "audit", "message": f"5:{MAC}"}),
        json.dumps({"logger": "audit", "number": "5", "mac": "ab"}),
        json.dumps({"logger": "audit", "number": [5], "mac": MAC}),
        LINE[:-3],
        "{" * 100_000,
    ],
)
def test_what_is_none_is_passed_over(line: str) -> None:
    assert list(anchors.read([line])) == []


@given(st.lists(st.text()))
def test_no_text_stops_the_reading(lines: list[str]) -> None:
    assert list(anchors.read([*lines, f"5:{MAC}"]))[-1] == Anchor(5, MAC)
