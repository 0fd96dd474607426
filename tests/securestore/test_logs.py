"""A line of the log is one record, whatever a stranger put into it."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django.urls import resolve
from hypothesis import given

from audit import context
from runtime.configuration import log_format, read_environment
from securestore.logs import Console, JsonFormatter, LineFormatter, WithoutPath, visible
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


@pytest.mark.parametrize(("status", "shown"), [(403, False), (500, True)])
def test_a_refusal_has_no_traceback(status: int, shown: bool) -> None:
    try:
        raise ValueError
    except ValueError:
        refused = record("Forbidden")
        refused.exc_info = sys.exc_info()
    refused.status_code = status
    assert ("Traceback" in formatter.format(refused)) is shown


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
    assert LOGGING["formatters"]["json"]["()"] == "securestore.logs.JsonFormatter"
    handlers = LOGGING["handlers"].values()
    assert {handler["formatter"] for handler in handlers} <= {"plain", "json"}


# --- JSON -----------------------------------------------------------------------------------------


def as_json(one: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(one)
    assert line.isascii()
    assert line.isprintable()
    entry: dict[str, Any] = json.loads(line)
    return entry


@given(hostile)
def test_a_json_record_is_one_line_of_ascii(text: str) -> None:
    entry = as_json(record("name %s", text))
    assert entry["message"] == f"name {text}"
    assert (entry["logger"], entry["level"]) == ("files", "ERROR")
    assert entry["time"].endswith("+00:00")


def test_fields_are_keys_and_cannot_pass_for_others() -> None:
    one = record("message")
    one.fields = {"number": 5, "logger": "audit", "level": "DEBUG", "when": timedelta(1)}
    entry = as_json(one)
    assert (entry["number"], entry["logger"], entry["level"]) == (5, "files", "ERROR")
    assert entry["when"] == "1 day, 0:00:00"


def test_a_record_made_for_a_request_has_its_id() -> None:
    with context.active(context.Context(request_id="ab" * 16)):
        assert as_json(record("message"))["request_id"] == "ab" * 16
    assert "request_id" not in as_json(record("message"))


@pytest.mark.parametrize("text", NASTY)
def test_a_traceback_stays_in_its_record(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        failed = record("failed")
        failed.exc_info = sys.exc_info()
    failed.stack_info = f"Stack:\n{text}"
    entry = as_json(failed)
    assert "ValueError" in entry["exception"]
    assert entry["stack"].startswith("Stack:")


# --- Where it goes --------------------------------------------------------------------------------


@pytest.mark.parametrize("serving", [True, False])
def test_a_server_logs_to_standard_output_and_a_command_does_not(
    serving: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Console, "serving", serving)
    Console().handle(record("message"))
    captured = capsys.readouterr()
    assert [captured.out, captured.err] == (["message\n", ""] if serving else ["", "message\n"])


@pytest.mark.parametrize(("given_as", "used"), [("json", "json"), (" Plain", "plain")])
def test_the_format_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, given_as: str, used: str
) -> None:
    monkeypatch.setenv("LOG_FORMAT", given_as)
    assert log_format(read_environment()) == used


def test_no_other_format_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(ImproperlyConfigured, match="none of json, plain and auto"):
        log_format(read_environment())


@pytest.mark.parametrize(("terminal", "used"), [(True, "plain"), (False, "json")])
def test_what_counts_is_where_the_log_goes(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, used: str
) -> None:
    monkeypatch.delenv("LOG_FORMAT", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: not terminal)
    assert log_format(read_environment(), sys.stdout) == used


@pytest.mark.parametrize(
    ("level", "message", "line"),
    [
        (logging.INFO, "GET home 302, 0 bytes in 1 ms", "GET home 302, 0 bytes in 1 ms"),
        (logging.WARNING, "slow\n", "WARNING slow\\n"),
        (logging.INFO, f"7:{'0f' * 32} signed_in", "audit 7 signed_in"),
    ],
)
def test_at_a_terminal_lines_are_short(level: int, message: str, line: str) -> None:
    made = record("%s", message)
    made.levelno, made.levelname = level, logging.getLevelName(level)
    time_of_day, rest = LineFormatter(short=True).format(made).split(" ", 1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d", time_of_day)
    assert rest == line


@pytest.mark.parametrize(("terminal", "used"), [(True, "plain"), (False, "json")])
def test_people_at_a_terminal_get_plain_lines(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, used: str
) -> None:
    monkeypatch.delenv("LOG_FORMAT", raising=False)
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
    assert log_format(read_environment()) == used


@pytest.mark.integration
@pytest.mark.parametrize(("level", "said"), [("info", True), ("warning", False)])
def test_a_command_of_cron_can_be_kept_from_saying_what_is_well(level: str, said: bool) -> None:
    code = "import logging, django; django.setup(); logging.getLogger('audit').info('all is well')"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "LOG_LEVEL": level},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ("all is well" in result.stderr) == said


# --- No secret path -------------------------------------------------------------------------------


@pytest.mark.parametrize("logger", ["django.request", "django.security.csrf"])
def test_what_django_says_has_the_route_and_not_the_path(logger: str) -> None:
    assert LOGGING["loggers"][logger]["filters"] == ["without_path"]
    made = RequestFactory().get("/accounts/password/reset/key/1-secret/")
    one = record("%s: %s", "Internal Server Error", made.path)
    one.request = made
    assert WithoutPath().filter(one)
    assert one.getMessage() == "Internal Server Error: an unknown path"
    made.resolver_match = resolve(made.path)
    one.args = ("Internal Server Error", made.path)
    assert WithoutPath().filter(one)
    assert "secret" not in one.getMessage()
    assert one.getMessage().startswith("Internal Server Error: /accounts/password/reset/key/")


def test_a_door_for_people_outside_is_not_told() -> None:
    """Its path is its secret; a folder that is called so is none."""
    record = logging.makeLogRecord(
        {"msg": "GET /l/%s/download/ /r/%s /a/l/b/", "args": ("a" * 30,) * 2}
    )
    for formatter in (JsonFormatter(), LineFormatter("%(message)s")):
        told = formatter.format(record)
        assert "aaaa" not in told
        assert "GET /l/" in told
        assert "/a/l/b/" in told
