"""An upgrade from the first release beside readers: nobody is shut out, and it can be killed.

Every migration that there is goes through it, those of tomorrow as well.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from accounts.models import User
from files.models import FileRecord
from files.records import derived
from runtime import forecast, online, schema_changes
from tests.integration import migrating
from tests.integration.postgresql import server

SIZE, FEW = 4_000, 200
MANY = pytest.param(20_000, marks=pytest.mark.soak)
PATIENCE = 2.0
"""Seconds for which a reader may be shut out."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, Any]]:
    with server() as configuration:
        yield configuration


@pytest.fixture
def database(
    postgres: dict[str, Any], django_db_blocker: DjangoDbBlocker
) -> Iterator[dict[str, Any]]:
    """An empty database of the test's own, as the default one."""
    with django_db_blocker.unblock(), migrating.empty(postgres) as configuration:
        yield configuration


@pytest.mark.parametrize("size", [SIZE, MANY])
def test_no_migration_locks_readers_out_of_a_table_while_it_works_through_rows(
    database: dict[str, Any], size: int
) -> None:
    waited = migrating.upgrade_beside_a_reader(database, size)
    assert {name: seconds for name, seconds in waited.items() if seconds > PATIENCE} == {}


def test_the_watch_sees_what_shuts_readers_out(database: dict[str, Any]) -> None:
    migrating.begin(SIZE)
    for statements in (
        ["ALTER TABLE files_grant ADD COLUMN v uuid DEFAULT gen_random_uuid()"],
        ["ALTER TABLE files_grant ALTER COLUMN user_id SET NOT NULL"],
        ["ALTER TABLE files_grant ADD CONSTRAINT w UNIQUE (id, user_id)"],
        ["ALTER TABLE files_grant ADD COLUMN x int", "CREATE INDEX xs ON files_grant (id, x)"],
        ["ALTER TABLE files_grant ADD COLUMN y int", "UPDATE files_grant SET y = 1"],
    ):
        with migrating.watched(SIZE) as watch, transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        assert watch.found, statements


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_a_migration_that_is_killed_again_and_again_comes_to_the_same_end(
    database: dict[str, Any], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Each run gets one statement further than the one before it, or five.

    An odd step: the kills are before a statement and after one by turns.
    """
    monkeypatch.setattr(online, "BATCH", 60)
    migrating.begin(FEW)
    with migrating.twin_of(database) as unkilled:
        state = None
        for migration in migrating.plan():
            migrating.fill_later(FEW)
            state = migrating.apply(migration, state)
        expected = migrating.contents(unkilled)
    kills, state = 0, None
    for migration in migrating.plan():
        migrating.fill_later(FEW)
        ended, at = None, 1
        while migrating.is_on_line(migration) and ended is None:
            ended = migrating.killed(migration, at, after=at % 2 == 0, state=state)
            kills += ended is None
            at += step
        state = ended or migrating.apply(migration, state)
    assert kills > 30 / step
    assert migrating.contents(database) == expected
    # Each file has its name in the root of its owner, and the oldest of a name has kept it.
    assert list(derived.out_of_step()) == []
    files = FileRecord.objects.filter(owner=User.objects.order_by("pk")[0]).order_by("place")
    named: dict[str, list[str]] = {"report": [], "summary": []}
    for name in files.values_list("name", flat=True):
        named[name[:7].lower().strip(" .(")].append(name)
    assert [bool(re.search(r"\(\d+\)", name)) for name in named["report"]].count(False) == 1
    for names in named.values():
        assert "(" not in names[0]
        numbers = [int(match[1]) for name in names if (match := re.search(r"\((\d+)\)", name))]
        assert numbers == list(range(2, len(names) + 1))


def test_what_a_kill_left_of_an_index_is_made_anew(database: dict[str, Any]) -> None:
    migrating.begin(FEW)
    invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)"
    index = "storedobject_in_order"
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE INDEX {index} ON files_storedobject (object_name COLLATE "C")')
        cursor.execute(invalid, [index])
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
        assert cursor.fetchall() == []


def test_a_long_transaction_makes_no_queue_of_readers_behind_the_migration(
    database: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waiting `ALTER TABLE` shuts readers out as much as one that works."""
    monkeypatch.setattr(schema_changes, "PAUSE", 0.05)
    migrating.begin(FEW)
    tried = threading.Event()
    patience = schema_changes.waited_in_vain

    def waited_in_vain(error: BaseException) -> bool:
        tried.set()
        return patience(error)

    monkeypatch.setattr(schema_changes, "waited_in_vain", waited_in_vain)
    with (
        psycopg.connect(
            host=database["HOST"], user="postgres", dbname=database["NAME"]
        ) as long_reader,
        migrating.Reader(database) as reader,
    ):
        long_reader.execute("SELECT 1 FROM files_filerecord, files_grant, accounts_user LIMIT 1")

        def end_it() -> None:
            # Only when the migration has stepped back once.
            tried.wait(60)
            long_reader.rollback()

        ending = threading.Thread(target=end_it)
        ending.start()
        said = io.StringIO()
        call_command("migrate", stdout=said, stderr=said)
        ending.join()
    assert tried.is_set()
    assert "A table is in use." in said.getvalue()
    assert migrating.plan() == []
    assert reader.longest < PATIENCE


def test_a_table_that_is_never_free_ends_the_run_with_words(
    database: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_changes, "PAUSE", 0.0)
    monkeypatch.setattr(schema_changes, "TRIES", 2)
    migrating.begin(FEW)
    with psycopg.connect(
        host=database["HOST"], user="postgres", dbname=database["NAME"]
    ) as long_reader:
        long_reader.execute("SELECT 'secret' FROM files_filerecord LIMIT 1")
        with pytest.raises(
            schema_changes.StillInUse, match=f"process {long_reader.info.backend_pid}"
        ) as e:
            call_command("migrate", "files", "0007", verbosity=0)
        assert "secret" not in str(e.value)
        assert "goes on" in str(e.value)
    call_command("migrate", verbosity=0)
    assert migrating.plan() == []


def test_migrate_says_beforehand_what_takes_long(
    database: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.forecast.LARGE", 100)
    monkeypatch.setitem(forecast.PER_CHANGE, "postgresql", 1.0)
    migrating.begin(FEW)
    said = io.StringIO()
    call_command("migrate", stdout=said)
    first = said.getvalue().index("This upgrade takes about")
    assert first < said.getvalue().index("Applying files.0002")
    assert "files_filerecord (200 rows)" in said.getvalue()
    assert "Readers and writers are not kept waiting" in said.getvalue()
