"""What `migrate` says beforehand: how long, who waits, how much disk."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, migrations, models

from runtime import forecast, online
from tests.audit.databases import as_default


class Ordinary(migrations.Migration):
    operations = [
        migrations.AddField("filerecord", "x", models.IntegerField(null=True)),
        migrations.AddIndex("filerecord", models.Index(fields=["x"], name="x")),
    ]


class OnLine(online.Migration):
    operations = Ordinary.operations


class Code(migrations.Migration):
    operations = [migrations.RunPython(migrations.RunPython.noop)]


class BriefCode(Code):
    brief = True


class Light(migrations.Migration):
    operations = [migrations.AddField("filerecord", "x", models.IntegerField(null=True))]


class Remade(migrations.Migration):
    operations = [migrations.AddField("filerecord", "x", models.IntegerField(default=0))]


def said(
    monkeypatch: pytest.MonkeyPatch, vendor: str, *kinds: type[migrations.Migration], rows: int
) -> str:
    monkeypatch.setattr(forecast, "_rows", lambda connection: {"files_filerecord": rows})
    database: Any = SimpleNamespace(vendor=vendor, settings_dict={"NAME": ":memory:"})
    plan: list[tuple[Any, bool]] = [(kind("0099_it", "files"), False) for kind in kinds]
    return " ".join(forecast.lines(database, plan))


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
@pytest.mark.parametrize("kind", [Ordinary, OnLine, Code, Light])
def test_nothing_is_said_of_small_tables(
    monkeypatch: pytest.MonkeyPatch, vendor: str, kind: type[migrations.Migration]
) -> None:
    assert said(monkeypatch, vendor, kind, rows=forecast.LARGE - 1) == ""


@pytest.mark.parametrize("kind", [Light, BriefCode])
def test_nothing_is_said_of_what_takes_a_moment(
    monkeypatch: pytest.MonkeyPatch, kind: type[migrations.Migration]
) -> None:
    assert said(monkeypatch, "postgresql", kind, rows=1_000_000) == ""


@pytest.mark.parametrize("kind", [Ordinary, Code])
def test_a_migration_that_shuts_readers_out_is_named_with_its_time(
    monkeypatch: pytest.MonkeyPatch, kind: type[migrations.Migration]
) -> None:
    words = said(monkeypatch, "postgresql", kind, rows=1_000_000)
    assert "Readers have to wait during files.0099_it (" in words
    assert "stop the service before" in words


def test_one_that_lets_them_go_on_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    words = said(monkeypatch, "postgresql", OnLine, rows=1_000_000)
    assert "about 8 seconds: files_filerecord (1,000,000 rows)" in words
    assert "not kept waiting" in words


def test_on_sqlite_who_writes_waits_and_tables_are_written_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = said(monkeypatch, "sqlite", Remade, Light, rows=10_000_000)
    assert "files_filerecord (10,000,000 rows), written anew 1 times" in words
    assert "about 4 minutes" in words
    assert "Nobody else can write for up to 4 minutes at a time" in words


def test_the_disk_that_it_takes_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    path.write_bytes(bytes(3_000_000))
    database: Any = SimpleNamespace(settings_dict={"NAME": path})
    [words] = forecast._disk(database)
    assert f"up to 6 MB of disk meanwhile, twice the database; {tmp_path} has" in words
    usage = SimpleNamespace(free=5_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    [words] = forecast._disk(database)
    assert f"{tmp_path} has ONLY 5 MB" in words


@pytest.mark.django_db
def test_rows_are_counted() -> None:
    Group.objects.create(name="one")
    rows = forecast._rows(connection)
    assert "files_filerecord" in rows
    if connection.vendor == "sqlite":
        assert rows["auth_group"] == Group.objects.count()


def test_a_database_without_tables_has_nothing_to_say(
    tmp_path: Path, django_db_blocker: Any
) -> None:
    configuration = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "empty")}
    with django_db_blocker.unblock(), as_default(configuration):
        assert list(forecast.lines(connection, [(Remade("1", "files"), False)])) == []
