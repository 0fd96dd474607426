"""What `doctor` says of the database, its connections and its disk."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from runtime import connections
from runtime.findings import Level
from securestore.diagnosis import agreement, database, surroundings
from tests.securestore.diagnosis.findings import lines, one

pytestmark = pytest.mark.django_db
Usage = namedtuple("Usage", "total used free")


def test_a_good_database_passes() -> None:
    found = lines(
        database.check_database,
        database.check_migrations,
        agreement.check_audit_log,
        agreement.check_upkeep,
        agreement.check_tree,
        agreement.check_names_of_people,
        database.check_disk,
        surroundings.check_clock,
    )
    assert {line.level for line in found} == {Level.OK}


def test_a_database_that_is_down_is_a_line_for_each_part() -> None:
    def down(*_: Any) -> None:
        raise OperationalError("connection refused\nsecond line")

    with connection.execute_wrapper(down):
        found = lines(database.check_database, database.check_migrations, agreement.check_audit_log)
        assert one(surroundings.check_clock).level == Level.OK
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
    monkeypatch.setattr(database, "database_file", lambda: tmp_path / "db.sqlite3")
    monkeypatch.setattr(
        database, "_shown", lambda statement: shown.get(statement.rpartition(" ")[2], "3.40")
    )
    line = lines(database.check_database)[1]
    assert (line.level, line.said) == (Level.FAIL, f"wrong: {pragma}.")


def test_a_migration_that_is_missing_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'files'")
    line = one(database.check_migrations)
    assert line.level == Level.FAIL
    assert "files.0001_initial first" in line.said
    assert "manage.py migrate" in line.remedy


@pytest.mark.parametrize(
    ("free", "level"), [(100 << 20, Level.FAIL), (1 << 30, Level.WARN), (99 << 30, Level.OK)]
)
def test_room_on_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, level: Level
) -> None:
    monkeypatch.setattr(database, "database_file", lambda: tmp_path / "db.sqlite3")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free))
    line = one(database.check_disk)
    assert (line.level, bool(line.remedy)) == (level, level != Level.OK)


def test_a_network_disk_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(database, "database_file", lambda: tmp_path / "db.sqlite3")
    monkeypatch.setattr(database, "_file_system", lambda folder: "nfs4")
    line = lines(database.check_disk)[0]
    assert (line.level, "nfs4" in line.said) == (Level.FAIL, True)


def test_the_disk_of_a_folder_is_known() -> None:
    assert database._file_system(Path("/proc/self")) == "proc"


def test_a_database_whose_folder_is_gone_is_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(database, "database_file", lambda: tmp_path / "gone" / "db.sqlite3")
    assert one(database.check_disk).level == Level.FAIL


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What PostgreSQL says of its connections, and the sizes of the pools of those who serve."""

    def say(most: int, *pools: int) -> None:
        told = {"SHOW max_connections": most, "SHOW superuser_reserved_connections": 3}
        monkeypatch.setattr(database, "_shown", told.__getitem__)
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
    [line] = database._check_connections()
    assert line.level == level
    assert ("DATABASE_POOL_SIZE" in line.remedy) == (level != Level.OK)
