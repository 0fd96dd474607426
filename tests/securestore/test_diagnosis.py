"""What `doctor` says of settings, database, cache, disk, mail, clock and secrets."""

from __future__ import annotations

import shutil
import socketserver
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.checks import Error, Warning
from django.db import OperationalError, connection
from django.utils import timezone

import audit
from accounts.models import User
from audit.models import AuditEvent
from launcher.ports import free_port
from runtime import clock, connections
from runtime.findings import Level, Line, examine
from securestore import diagnosis

pytestmark = pytest.mark.django_db
Usage = namedtuple("Usage", "total used free")


def lines(*probes: Any) -> list[Line]:
    return list(examine((probe.__name__, probe) for probe in probes))


def one(probe: Any) -> Line:
    [line] = lines(probe)
    return line


# --- Settings ------------------------------------------------------------------------------------


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
    monkeypatch.setattr(diagnosis, "run_checks", lambda **options: messages)
    line = one(diagnosis.check_settings)
    assert (line.level, line.said) == (level, said)
    assert bool(line.remedy) == (level != Level.OK)


def test_the_settings_are_checked_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def checks(**options: Any) -> list[Any]:
        if "databases" in options:
            raise OperationalError("down")
        return [Warning("w", id="a.W1")]

    monkeypatch.setattr(diagnosis, "run_checks", checks)
    assert one(diagnosis.check_settings).level == Level.WARN


# --- Database ------------------------------------------------------------------------------------


def test_a_good_database_passes() -> None:
    found = lines(
        diagnosis.check_database,
        diagnosis.check_migrations,
        diagnosis.check_audit_log,
        diagnosis.check_upkeep,
        diagnosis.check_tree,
        diagnosis.check_names_of_people,
        diagnosis.check_disk,
        diagnosis.check_clock,
    )
    assert {line.level for line in found} == {Level.OK}


def test_a_database_that_is_down_is_a_line_for_each_part() -> None:
    def down(*_: Any) -> None:
        raise OperationalError("connection refused\nsecond line")

    with connection.execute_wrapper(down):
        found = lines(
            diagnosis.check_database, diagnosis.check_migrations, diagnosis.check_audit_log
        )
        assert one(diagnosis.check_clock).level == Level.OK
    assert [line.level for line in found] == [Level.FAIL] * 3
    assert all("connection refused" in line.said and line.remedy for line in found)
    assert not any("\n" in str(line) for line in found)


@pytest.mark.parametrize(
    ("pragma", "wrong"),
    [
        ("journal_mode", "delete"),
        ("synchronous", 1),
        ("foreign_keys", 0),
        ("busy_timeout", 0),
    ],
)
def test_what_sqlite_must_not_be_set_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pragma: str, wrong: object
) -> None:
    good = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    shown = {**good, pragma: wrong}
    monkeypatch.setattr(diagnosis, "_database_file", lambda: tmp_path / "db.sqlite3")
    monkeypatch.setattr(
        diagnosis, "_shown", lambda statement: shown.get(statement.rpartition(" ")[2], "3.40")
    )
    line = lines(diagnosis.check_database)[1]
    assert (line.level, line.said) == (Level.FAIL, f"wrong: {pragma}.")


def test_a_migration_that_is_missing_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'files'")
    line = one(diagnosis.check_migrations)
    assert line.level == Level.FAIL
    assert "files.0001_initial first" in line.said
    assert "manage.py migrate" in line.remedy


def test_a_trigger_that_is_missing_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER audit_no_update")
    line = one(diagnosis.check_audit_log)
    assert (line.level, "audit_no_update" in line.said) == (Level.FAIL, True)


def test_a_trigger_of_somebody_else_is_a_failure() -> None:
    assert one(diagnosis.check_foreign).level == Level.OK
    with connection.cursor() as cursor:
        cursor.execute("CREATE TRIGGER quiet AFTER INSERT ON files_grant BEGIN SELECT 1; END")
    line = one(diagnosis.check_foreign)
    assert (line.level, "trigger quiet on files_grant" in line.said) == (Level.FAIL, True)


def test_a_power_that_no_event_gave_is_a_failure(alice: User) -> None:
    User.groups.through.objects.all().delete()
    Group.objects.all().delete()
    assert one(diagnosis.check_accounts).level == Level.OK
    User.objects.update(is_superuser=True)
    line = one(diagnosis.check_accounts)
    assert (line.level, "account" in line.said) == (Level.FAIL, True)


@pytest.mark.parametrize(
    ("free", "level"), [(100 << 20, Level.FAIL), (1 << 30, Level.WARN), (99 << 30, Level.OK)]
)
def test_room_on_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, level: Level
) -> None:
    monkeypatch.setattr(diagnosis, "_database_file", lambda: tmp_path / "db.sqlite3")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free))
    line = one(diagnosis.check_disk)
    assert (line.level, bool(line.remedy)) == (level, level != Level.OK)


def test_a_network_disk_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(diagnosis, "_database_file", lambda: tmp_path / "db.sqlite3")
    monkeypatch.setattr(diagnosis, "_file_system", lambda folder: "nfs4")
    line = lines(diagnosis.check_disk)[0]
    assert (line.level, "nfs4" in line.said) == (Level.FAIL, True)


def test_the_disk_of_a_folder_is_known() -> None:
    assert diagnosis._file_system(Path("/proc/self")) == "proc"


def test_a_database_whose_folder_is_gone_is_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(diagnosis, "_database_file", lambda: tmp_path / "gone" / "db.sqlite3")
    assert one(diagnosis.check_disk).level == Level.FAIL


# --- Cache, mail, clock --------------------------------------------------------------------------


@pytest.mark.integration
def test_a_cache_in_memory_is_not_shared() -> None:
    line = one(diagnosis.check_cache)
    assert line.level == Level.FAIL
    assert "does not see" in line.said


def test_a_child_that_fails_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_WRITE", "raise SystemExit('no table django_cache')")
    line = one(diagnosis.check_cache)
    assert (line.level, "no table django_cache" in line.said) == (Level.FAIL, True)


def test_a_cache_that_cannot_be_read_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(key: str) -> None:
        raise OperationalError("no such table")

    monkeypatch.setattr(diagnosis, "_WRITE", "")
    monkeypatch.setattr(cache, "get", down)
    assert one(diagnosis.check_cache).level == Level.FAIL


def test_mail_that_goes_nowhere_is_a_warning(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    line = one(diagnosis.check_mail)
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
    assert one(diagnosis.check_mail).level == Level.OK
    assert smtp == [b"QUIT"]


def test_a_mail_server_that_is_down_is_a_failure(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    line = one(diagnosis.check_mail)
    assert (line.level, "EMAIL_URL" in line.remedy) == (Level.FAIL, True)


def test_a_clock_that_went_back_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    audit.record(audit.Event.SWEPT)
    assert one(diagnosis.check_clock).level == Level.OK
    earlier = AuditEvent.objects.get().at - timedelta(minutes=2)
    monkeypatch.setattr(timezone, "now", lambda: earlier)
    assert one(diagnosis.check_clock).level == Level.FAIL


# --- Secrets -------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of which every parent but itself counts as open."""
    monkeypatch.setattr(
        diagnosis, "_open_to_others", lambda path: bool(path.stat().st_mode & 0o004)
    )
    return tmp_path


def test_a_file_of_secrets_that_others_may_read_is_a_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = folder / "audit-key"
    secret.write_text("secret")
    monkeypatch.setenv("AUDIT_KEY_FILE", str(secret))
    secret.chmod(0o604)
    line = one(diagnosis.check_secrets)
    assert (line.level, line.remedy) == (Level.FAIL, f"Run `chmod 600 {secret}`.")
    secret.chmod(0o640)
    assert one(diagnosis.check_secrets).level == Level.OK


def test_a_database_that_others_may_read_is_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = folder / "db.sqlite3"
    database.touch()
    database.chmod(0o644)
    monkeypatch.setattr(diagnosis, "_database_file", lambda: database)
    assert [line.level for line in lines(diagnosis.check_secrets)] == [Level.WARN, Level.OK]


def test_a_closed_folder_closes_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch()
    path.chmod(0o644)
    tmp_path.chmod(0o700)
    assert not diagnosis._open_to_others(path)
    assert diagnosis._open_to_others(Path("/etc/passwd"))
    assert not diagnosis._open_to_others(tmp_path / "gone")


# --- PostgreSQL's connections, and its clock -------------------------------------------------


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What PostgreSQL says of its connections, and the sizes of the pools of those who serve."""

    def say(most: int, *pools: int) -> None:
        told = {"SHOW max_connections": most, "SHOW superuser_reserved_connections": 3}
        monkeypatch.setattr(diagnosis, "_shown", told.__getitem__)
        monkeypatch.setattr(connections, "census", lambda: list(pools))

    return say


@pytest.mark.parametrize(
    ("most", "pools", "level"),
    [
        (100, (8, 8), Level.OK),
        (100, (), Level.OK),
        (30, (8, 8), Level.OK),
        (28, (8, 8), Level.WARN),
        (18, (8, 8), Level.FAIL),
    ],
)
def test_processes_that_want_more_connections_than_there_are_are_told(
    shown: Callable[..., None], most: int, pools: tuple[int, ...], level: Level
) -> None:
    shown(most, *pools)
    [line] = diagnosis._check_connections()
    assert line.level == level
    assert ("DATABASE_POOL_SIZE" in line.remedy) == (level != Level.OK)


@pytest.mark.parametrize(
    ("seconds", "level"), [(1, Level.OK), (-31, Level.WARN), (31, Level.WARN), (3600, Level.FAIL)]
)
def test_a_clock_that_is_not_the_databases_is_told(
    monkeypatch: pytest.MonkeyPatch, seconds: int, level: Level
) -> None:
    moment = timezone.now() + timedelta(seconds=seconds)
    monkeypatch.setattr(clock, "now", lambda: moment)
    line = one(diagnosis.check_clock)
    assert line.level == level
