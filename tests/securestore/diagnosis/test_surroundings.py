"""What `doctor` says of settings, cache, mail, clock and secrets."""

from __future__ import annotations

import socketserver
import threading
from collections import namedtuple
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.checks import Error, Warning
from django.db import OperationalError
from django.utils import timezone

import audit
from audit.models import AuditEvent
from launcher.ports import free_port
from runtime import clock
from runtime.findings import Level
from securestore.diagnosis import database, surroundings
from tests.securestore.diagnosis.findings import lines, one

pytestmark = pytest.mark.django_db
Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("messages", "level", "said"),
    [
        ([], Level.OK, "0 errors, 0 warnings."),
        ([Warning("w", id="a.W1")], Level.WARN, "0 errors, 1 warning (a.W1)."),
        (
            [Error("e", id="b.E2"), Error("e", id="a.E1"), Warning("w", id="a.W1")],
            Level.FAIL,
            "2 errors (a.E1, b.E2), 1 warning (a.W1).",
        ),
        ([Error("e", id="securestore.E004")], Level.OK, "0 errors, 0 warnings."),  # Silenced.
    ],
)
def test_the_checks_are_counted(
    monkeypatch: pytest.MonkeyPatch, messages: list[Any], level: Level, said: str
) -> None:
    monkeypatch.setattr(surroundings, "run_checks", lambda **options: messages)
    line = one(surroundings.check_settings)
    assert (line.level, line.said) == (level, said)
    assert bool(line.remedy) == (level != Level.OK)


def test_the_settings_are_checked_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def checks(**options: Any) -> list[Any]:
        if "databases" in options:
            raise OperationalError("down")
        return [Warning("w", id="a.W1")]

    monkeypatch.setattr(surroundings, "run_checks", checks)
    assert one(surroundings.check_settings).level == Level.WARN


@pytest.mark.integration
def test_a_cache_in_memory_is_not_shared() -> None:
    line = one(surroundings.check_cache)
    assert line.level == Level.FAIL
    assert "does not see" in line.said


def test_a_child_that_fails_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_WRITE", "raise SystemExit('no table django_cache')")
    line = one(surroundings.check_cache)
    assert (line.level, "no table django_cache" in line.said) == (Level.FAIL, True)


def test_a_cache_that_cannot_be_read_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(key: str) -> None:
        raise OperationalError("no such table")

    monkeypatch.setattr(surroundings, "_WRITE", "")
    monkeypatch.setattr(cache, "get", down)
    assert one(surroundings.check_cache).level == Level.FAIL


def test_mail_that_goes_nowhere_is_a_warning(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    line = one(surroundings.check_mail)
    assert (line.level, "console" in line.said) == (Level.WARN, True)


class _Smtp(socketserver.StreamRequestHandler):
    """Greets, answers anything with 250, and notes what it was told."""

    told: list[bytes]

    def handle(self) -> None:
        self.wfile.write(b"220 hello\r\n")
        for line in self.rfile:
            self.told.append(line.split()[0].upper())
            self.wfile.write(b"221 bye\r\n" if self.told[-1] == b"QUIT" else b"250 ok\r\n")


@pytest.fixture
def smtp(settings: Any) -> Iterator[list[bytes]]:
    """A mail server; the commands that it was sent."""
    told: list[bytes] = []
    handler = type("Handler", (_Smtp,), {"told": told})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.server_address[1]
        yield told
        server.shutdown()


def test_a_mail_server_is_visited_and_sent_nothing(smtp: list[bytes]) -> None:
    assert one(surroundings.check_mail).level == Level.OK
    assert smtp == [b"QUIT"]


def test_a_mail_server_that_is_down_is_a_failure(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    line = one(surroundings.check_mail)
    assert (line.level, "EMAIL_URL" in line.remedy) == (Level.FAIL, True)


def test_a_clock_that_went_back_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    audit.record(audit.Event.SWEPT)
    assert one(surroundings.check_clock).level == Level.OK
    earlier = AuditEvent.objects.get().at - timedelta(minutes=2)
    monkeypatch.setattr(timezone, "now", lambda: earlier)
    assert one(surroundings.check_clock).level == Level.FAIL


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of which every parent but itself counts as open."""
    monkeypatch.setattr(
        surroundings, "_open_to_others", lambda path: bool(path.stat().st_mode & 0o004)
    )
    return tmp_path


def test_a_file_of_secrets_that_others_may_read_is_a_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = folder / "audit-key"
    secret.write_text("secret")
    monkeypatch.setenv("AUDIT_KEY_FILE", str(secret))
    secret.chmod(0o604)
    line = one(surroundings.check_secrets)
    assert (line.level, line.remedy) == (Level.FAIL, f"Run `chmod 600 {secret}`.")
    secret.chmod(0o640)
    assert one(surroundings.check_secrets).level == Level.OK


def test_a_database_that_others_may_read_is_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "db.sqlite3"
    path.touch()
    path.chmod(0o644)
    monkeypatch.setattr(database, "database_file", lambda: path)
    assert [line.level for line in lines(surroundings.check_secrets)] == [Level.WARN, Level.OK]


def test_a_closed_folder_closes_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch()
    path.chmod(0o644)
    tmp_path.chmod(0o700)
    assert not surroundings._open_to_others(path)
    assert surroundings._open_to_others(Path("/etc/passwd"))
    assert not surroundings._open_to_others(tmp_path / "gone")


@pytest.mark.parametrize(
    ("seconds", "level"), [(1, Level.OK), (-31, Level.WARN), (31, Level.WARN), (3600, Level.FAIL)]
)
def test_a_clock_that_is_not_the_databases_is_told(
    monkeypatch: pytest.MonkeyPatch, seconds: int, level: Level
) -> None:
    moment = timezone.now() + timedelta(seconds=seconds)
    monkeypatch.setattr(clock, "now", lambda: moment)
    line = one(surroundings.check_clock)
    assert line.level == level
