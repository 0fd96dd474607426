"""A line of the log is one record, whatever a stranger put into it."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from django.conf import settings
from hypothesis import given

from securestore.logs import LineFormatter, visible
from tests.hostile import NASTY, hostile

LOGGING: dict[str, Any] = settings.LOGGING
formatter = LineFormatter(LOGGING["formatters"]["plain"]["format"])


def record(message: str, *args: Any, **rest: Any) -> logging.LogRecord:
    return logging.LogRecord("files", logging.ERROR, __file__, 1, message, args, None, **rest)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, Ünïcödé", "plain text, Ünïcödé"),
        ("a\nb\r", "a\\nb\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("a\u2028b\x85c", "a\\u2028b\\x85c"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(hostile)
def test_a_message_is_one_line_that_prints(text: str) -> None:
    line = formatter.format(record("name %s", text))
    assert line.isprintable()
    assert line.encode()
    assert " ERROR files name " in line


def test_the_logger_name_and_every_other_field_too() -> None:
    odd = record("message")
    odd.name = "a\nb"
    assert formatter.format(odd).isprintable()


@pytest.mark.parametrize("text", NASTY)
def test_a_traceback_cannot_forge_a_record(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        failed = record("failed")
        failed.exc_info = sys.exc_info()
    # As another handler may have left it.
    failed.exc_text = "Traceback\n2026-01-01 00:00:00 ERROR forged"
    failed.stack_info = f"Stack:\n{text}"
    first, *rest = formatter.format(failed).split("\n")
    assert first.endswith("ERROR files failed")
    assert len(rest) > 3
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert "ValueError" in "".join(rest)


def test_the_site_logs_so() -> None:
    assert LOGGING["formatters"]["plain"]["()"] == "securestore.logs.LineFormatter"
    handlers = LOGGING["handlers"].values()
    assert {handler["formatter"] for handler in handlers} == {"plain"}
