"""What the database keeps by itself: what is missing or out of step is noticed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.models import User
from files.lists import name_search
from files.lists.paging import page_of
from files.models import Entry, FileRecord, Folder, Grant, StoredObject, Usage
from files.records import derived
from files.records.names import plain_name
from files.recovery.backups import check_sqlite
from files.tree import plain_names
from runtime.findings import Level
from securestore.diagnosis.agreement import check_tree, check_upkeep
from tests.audit.databases import as_default
from tests.files import trees
from tests.files.test_models import filed
from tests.integration import prepared

MAKERS = ("0009_names_and_usage", "0017_folders", "0022_plain_names")
pytestmark = pytest.mark.django_db


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_the_migration_makes_is_what_is_looked_for() -> None:
    before = [import_module(f"files.migrations.{name}") for name in MAKERS]
    on_sqlite = {name for module in before for name in module.SQLITE_TRIGGERS}
    on_postgresql = {name for module in before for name in module.POSTGRESQL_TRIGGERS}
    assert on_sqlite == derived.SQLITE
    assert on_postgresql | {"filerecord_plain_names"} == derived.POSTGRESQL
    # Also after the migrations that came later, which may have remade a table.
    assert derived.missing() == set()


def test_all_is_in_step(alice: User, bob: User) -> None:
    record = filed(alice)
    Grant.objects.create(file=record, user=bob)
    filed(bob).delete()
    inner = trees.folder(alice, "Straße", "ΣΑΣ", "a")
    trees.put(record, inner, name="Ärger İ.txt")
    put_away = trees.put(filed(alice), inner)
    FileRecord.objects.filter(pk=put_away.pk).update(trashed_at=timezone.now())
    Entry.objects.filter(file=put_away).delete()
    assert list(derived.out_of_step()) == []
    for check in (check_upkeep, check_tree):
        [line] = check()
        assert line.level == Level.OK


BENT: dict[str, tuple[str, set[str]]] = {
    "another's file": (
        "UPDATE files_filerecord SET owner_id = {bob}",
        {"owners of files, and of their folders"},
    ),
    "another's folder": (
        "UPDATE files_folder SET owner_id = {bob} WHERE name = 'Cases'",
        {"owners of folders, and of those that they are in"},
    ),
    "nothing above": (
        "DELETE FROM files_ancestry WHERE distance = 2",
        {"folders above folders, by their parents alone"},
    ),
    "not above itself": (
        "DELETE FROM files_ancestry WHERE distance = 0",
        {
            "folders above folders, by their parents alone",
            "folders above folders, that no parents account for",
        },
    ),
    "above a stranger": (
        "INSERT INTO files_ancestry (ancestor_id, descendant_id, distance)"
        " SELECT a.id, b.id, 1 FROM files_folder a, files_folder b"
        " WHERE a.name = 'Beside' AND b.name = '12'",
        {"folders above folders, that no parents account for"},
    ),
    "no name": (
        "DELETE FROM files_entry WHERE file_id IS NOT NULL",
        {"files without a name in their folder"},
    ),
    "no folder's name": (
        "DELETE FROM files_entry WHERE folder_id IS NOT NULL",
        {"folders without a name in theirs"},
    ),
    "a name elsewhere": (
        "UPDATE files_entry SET parent_id ="
        " (SELECT id FROM files_folder WHERE name = 'Beside') WHERE file_id IS NOT NULL",
        {"files without a name in their folder", "names of files where they are not"},
    ),
    "a name of what sleeps": (
        "UPDATE files_folder SET trashed_at = CURRENT_TIMESTAMP WHERE name = 'Beside'",
        {"names of folders where they are not"},
    ),
    "another key": (
        "UPDATE files_entry SET key = 'other' WHERE file_id IS NOT NULL",
        {"names of files and folders, and their keys"},
    ),
    "a key that is not folded": (
        "UPDATE files_filerecord SET name = 'Stra\u00dfe';"
        " UPDATE files_entry SET key = 'stra\u00dfe' WHERE file_id IS NOT NULL",
        {"names of files and folders, and their keys"},
    ),
    "bytes of versions": (
        "UPDATE files_filerecord SET kept_bytes = 5",
        {"what former versions take"},
    ),
}


@pytest.mark.parametrize("what", BENT)
def test_a_tree_that_is_bent_is_noticed(alice: User, bob: User, what: str) -> None:
    trees.folder(alice, "Beside")
    trees.put(filed(alice), trees.folder(alice, "Cases", "12"))
    statements, expected = BENT[what]
    for statement in statements.format(bob=bob.pk).split(";"):
        sql(statement)
    assert set(dict(derived.tree_out_of_step())) == expected
    [line] = check_tree()
    assert (line.level, "verify_audit" in line.remedy) == (Level.FAIL, True)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the triggers of SQLite")
@pytest.mark.parametrize("trigger", sorted(derived.SQLITE))
def test_a_missing_trigger_is_named(trigger: str) -> None:
    sql(f"DROP TRIGGER {trigger}")
    assert derived.missing() == {trigger}
    [line] = check_upkeep()
    assert (line.level, trigger in line.said) == (Level.FAIL, True)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="FTS5")
def test_an_index_that_lags_behind_is_noticed(alice: User) -> None:
    record = filed(alice)
    sql(f"DELETE FROM files_name_index_docsize WHERE id = {record.place}")  # noqa: S608
    sql("INSERT INTO files_name_index_docsize (id, sz) VALUES (7, x'00')")
    found = dict(derived.out_of_step())
    assert set(found) == set(derived._IN_STEP_ON_SQLITE)
    [line] = check_upkeep()
    assert line.level == Level.FAIL
    assert "migrate files 0021" in line.remedy


def test_a_wrong_count_is_noticed(alice: User) -> None:
    filed(alice)
    Usage.objects.update(bytes=3)
    assert dict(derived.out_of_step()) == {"what people store": 1, "what people stored": 1}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="FTS5")
def test_a_backup_whose_index_is_of_other_names_is_not_sound(alice: User) -> None:
    record = filed(alice, name="abcdef")

    def problems() -> str:
        with closing(sqlite3.connect(":memory:")) as copy:
            copy.deserialize(connection.connection.serialize())
            return check_sqlite(copy)

    assert problems() == ""
    sql(
        "INSERT INTO files_name_index (files_name_index, rowid, plain_name)"  # noqa: S608
        f" VALUES ('delete', {record.place}, 'abcdef')"
    )
    assert "index of names" in problems()


@pytest.mark.integration
@pytest.mark.skipif(connection.vendor != "sqlite", reason="on PostgreSQL an integration test does")
def test_what_was_there_before_the_migrations_is_taken_along(
    tmp_path: Path,
) -> None:
    configuration = {**connections.settings["default"], "NAME": tmp_path / "db.sqlite3"}
    prepared.database(tmp_path / "db.sqlite3")
    with as_default(configuration):
        owner, other = (User.objects.create(username=name) for name in ("o", "p"))
        at = datetime(2030, 1, 1, tzinfo=UTC)
        records = [filed(owner, name=f"The {n}th", created_at=at) for n in range(3)]
        old = filed(owner, created_at=at - timedelta(days=1))
        Grant.objects.create(file=old, user=other)
        StoredObject.objects.filter(pk=old.current_id).update(past_master_key_ids=" b a ")
        StoredObject.objects.update(etags=["of a part"], tails=[{"name": "gone", "frames": 1}])
        newest = MigrationExecutor(connection).loader.graph.leaf_nodes("files")
        for target in ([("files", "0006_download_session")], newest):
            MigrationExecutor(connection).migrate(target)
        assert derived.missing() == set()
        assert list(derived.out_of_step()) == []
        expected = [*sorted(records, key=lambda record: record.pk, reverse=True), old]
        assert list(FileRecord.objects.all()) == expected
        assert page_of(other, length=5).records == [old]
        assert len(name_search.newest(["2th"], before=None, at_most=5)) == 1
        assert Usage.objects.get().files == 4
        past = FileRecord.objects.values_list("current__past_master_key_ids", flat=True)
        assert sorted(past) == ["", "", "", " b a "]
        assert not StoredObject.objects.exclude(etags=[], tails=[]).exists()


# --- Plain names ------------------------------------------------------------------------------

OF_BEFORE = {
    "Report.PDF": "report.pdf",
    "M\u00fcller.pdf": None,
    "\u0414\u043e\u0433\u043e\u0432\u043e\u0440": None,
}
"""What code of the release before names, and what the database makes of it until a sweep."""


@pytest.mark.parametrize("name", OF_BEFORE)
@pytest.mark.parametrize("table", ["files_filerecord", "files_folder"])
def test_what_the_release_before_names_is_found_after_a_sweep(
    alice: User, name: str, table: str
) -> None:
    folder = trees.folder(alice, "Stra\u00dfe")
    record = trees.put(filed(alice, name="\u00c4rger.txt"), folder)
    sql(f"UPDATE {table} SET name = '{name}' WHERE name <> ''")  # noqa: S608
    item = record if table == "files_filerecord" else folder
    item.refresh_from_db()
    assert item.plain_name == OF_BEFORE[name]
    assert list(derived.kept_out_of_step()) == []
    assert plain_names.fill() == (OF_BEFORE[name] is None)
    assert plain_names.fill() == 0
    item.refresh_from_db()
    assert item.plain_name == plain_name(name)
    assert list(derived.kept_out_of_step()) == []
    sound = "INSERT INTO files_name_index (files_name_index, rank) VALUES ('integrity-check', 1)"
    if connection.vendor == "sqlite":
        sql(sound)


@pytest.mark.parametrize("name", OF_BEFORE)
def test_what_it_adds_is_found_after_a_sweep(alice: User, name: str) -> None:
    record = filed(alice, name=name)
    folder = trees.folder(alice, "old")
    of_its_own = {"id", "plain_name", "place", "current_id", "parent_id"}
    columns = {
        model: ", ".join({str(field.column) for field in model._meta.concrete_fields} - of_its_own)
        for model in (FileRecord, Folder)
    }
    copy = filed(alice, name="other")
    current, place = copy.current_id, copy.place + 1
    FileRecord.objects.filter(pk=copy.pk).delete()
    some = columns[FileRecord]
    sql(
        f"INSERT INTO files_filerecord (id, place, current_id, {some})"  # noqa: S608
        f" SELECT '{uuid4().hex}', {place}, {current}, {some} FROM files_filerecord"
        f" WHERE id = '{record.pk.hex if connection.vendor == 'sqlite' else record.pk}'"
    )
    some = columns[Folder]
    sql(
        f"INSERT INTO files_folder (id, parent_id, {some})"  # noqa: S608
        f" SELECT '{uuid4().hex}', parent_id, {some} FROM files_folder WHERE name = 'old'"
    )
    assert folder.name == "old"
    added = FileRecord.objects.get(place=place)
    assert added.plain_name == OF_BEFORE[name]
    assert set(Folder.objects.filter(name="old").values_list("plain_name", flat=True)) == {"old"}
    plain_names.fill()
    added.refresh_from_db()
    assert added.plain_name == plain_name(name)
    assert list(derived.kept_out_of_step()) == []
    if connection.vendor == "sqlite":
        sql("INSERT INTO files_name_index (files_name_index, rank) VALUES ('integrity-check', 1)")


@pytest.mark.parametrize("wrong", ["'other'", "NULL"])
def test_a_plain_name_that_is_not_the_names_is_noticed(alice: User, wrong: str) -> None:
    filed(alice, name="\u00c4rger.txt" if wrong == "'other'" else "trouble.txt")
    sql(f"UPDATE files_filerecord SET plain_name = {wrong}")  # noqa: S608
    assert dict(derived.kept_out_of_step()) == {"names, and what a search compares": 1}
    [line] = check_upkeep()
    assert line.level == Level.FAIL
