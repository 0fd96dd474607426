"""A database goes elsewhere, all of it, and is never used again: both ways, and killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import DjangoDbBlocker

from accounts.models import NameWord, User
from audit import Event, chain, triggers
from audit.models import AuditEvent
from files.access.principals import Person
from files.folders import making, moving
from files.models import DatabaseState, FileRecord, Grant, StoredObject
from files.records import derived
from files.recovery import database_closing, fitting, row_copying
from files.tree import placing
from runtime import database_state
from tests.integration import moves, prepared
from tests.integration.postgresql import server

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

pytestmark = pytest.mark.usefixtures("unlocked")
WAYS = [("sqlite", "postgresql"), ("postgresql", "sqlite"), ("sqlite", "sqlite")]


@pytest.fixture
def unlocked(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield
        database_state.forget()


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, Any]]:
    with server(migrated=True) as configuration:
        yield configuration


class Made:
    """Makes databases like one that was filled, or migrated, once: that takes most of the time."""

    def __init__(self, postgres: dict[str, Any], folder: Path) -> None:
        self._postgres, self._folder = postgres, folder
        self._like: dict[tuple[str, str], dict[str, Any]] = {}
        self._objects: dict[str, dict[str, bytes]] = {}

    def empty(self, kind: str) -> dict[str, Any]:
        return made(kind, self._postgres, self._folder)

    def migrated(self, kind: str) -> dict[str, Any]:
        if kind == "postgresql":
            return moves.like(self._postgres)
        configuration = self.empty(kind)
        prepared.database(Path(configuration["NAME"]))
        return configuration

    def filled(self, kind: str, client: S3Client) -> dict[str, Any]:
        bucket = settings.S3_BUCKET
        if (kind, "filled") not in self._like:
            self._like[kind, "filled"] = self.migrated(kind)
            with moves.in_use(self._like[kind, "filled"]):
                moves.fill()
            found = client.list_objects_v2(Bucket=bucket)["Contents"]
            self._objects[kind] = {
                one["Key"]: client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
                for one in found
            }
        for name, body in self._objects[kind].items():
            client.put_object(Bucket=bucket, Key=name, Body=body)
        return moves.like(self._like[kind, "filled"])


@pytest.fixture(scope="module")
def databases(postgres: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(postgres, tmp_path_factory.mktemp("databases"))


def made(kind: str, postgres: dict[str, Any], folder: Path) -> dict[str, Any]:
    return moves.sqlite(folder) if kind == "sqlite" else moves.postgresql(postgres)


@pytest.fixture(params=WAYS, ids="-to-".join)
def both(
    request: pytest.FixtureRequest,
    databases: Made,
    unlocked: None,
    s3: S3Client,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A database, filled, and one that only migrations have seen."""
    source, target = request.param
    return databases.filled(source, s3), databases.migrated(target)


Pair = tuple[dict[str, Any], dict[str, Any]]


def test_every_row_arrives_as_it_was_and_the_source_is_never_used_again(both: Pair) -> None:
    source, target = both
    with moves.in_use(source):
        numbers = {
            model._meta.db_table: row_copying.last_number(model, column, "default")
            for model, column in row_copying.numbered()
        }
        before = moves.contents()
        call_command("move_database", to=moves.url_of(target), verbosity=0)
        assert moves.state() == database_state.MOVED
        after = moves.contents()
        # Its last event is that it was closed.
        assert AuditEvent.objects.latest("id").event == Event.DATABASE_CLOSED
        changed = {table for table in before if before[table] != after[table]}
        assert changed == {"audit_auditevent"}
        with pytest.raises(DatabaseError), transaction.atomic():
            DatabaseState.objects.all().delete()
        with pytest.raises(DatabaseError), transaction.atomic():
            DatabaseState.objects.update(state="closed")
        with pytest.raises(CommandError, match="moved to"):
            call_command("move_database", reopen=True)
        with pytest.raises(CommandError, match="moved to"):
            call_command("sweep")
        # Said once more, it says that it is done.
        call_command("move_database", to=moves.url_of(target), verbosity=0)
    with moves.in_use(target):
        assert moves.state() == "in service"
        assert AuditEvent.objects.latest("id").event == Event.DATABASE_MOVED
        assert chain.verify().number == AuditEvent.objects.count()
        arrived = moves.contents()
        assert {t for t in after if after[t] != arrived[t]} == {"audit_auditevent"}
        assert not Session.objects.exists()
        assert derived.missing() | triggers.missing() == set()
        assert triggers.foreign() == []
        assert list(derived.out_of_step()) == []
        for model, column in row_copying.numbered():
            assert (
                row_copying.last_number(model, column, "default") == numbers[model._meta.db_table]
            )
        # It works: a next row of each kind, rights, and the index of names.
        last = Grant.objects.latest("pk").pk
        record = FileRecord.objects.order_by("place")[0]
        grant = Grant.objects.create(file=record, group=Group.objects.get())
        assert grant.pk > last + 1
        assert User.objects.create(username="new", email="new@example.org").pk
        owner = Person(record.owner)
        making.rename(record, "somewhere else.txt", by=owner, actor=record.owner)
        folder = making.create_folder(
            placing.root_of(record.owner), "New", by=owner, actor=record.owner
        )
        assert moving.move(record, folder, by=owner, actor=record.owner).folder == folder
        call_command("sweep", verbosity=0)
        assert list(derived.out_of_step()) == []


@pytest.mark.parametrize(
    "both", [("sqlite", "postgresql"), ("postgresql", "sqlite")], indirect=True, ids="-to-".join
)
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_a_move_that_is_killed_again_and_again_comes_to_its_end(
    both: Pair, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Each run gets further than the one before; never are both in service.

    An odd step: the kills are before a statement and after one by turns.
    """
    monkeypatch.setattr(row_copying, "BATCH", 4)
    source, target = both
    at = 1
    with moves.in_use(source):
        before = moves.contents()
        while moves.killed(moves.url_of(target), at):
            at += step
            here = moves.state()
            with moves.in_use(target):
                there = moves.state()
                complete = AuditEvent.objects.filter(event=Event.DATABASE_MOVED).exists()
            # Before it is begun the target holds nothing; after it, it has its event.
            assert here != "in service" or (there == "in service" and not complete)
            assert there != "in service" or here == database_state.MOVED or not complete
        after = moves.contents()
        assert moves.state() == database_state.MOVED
        assert {t for t in before if before[t] != after[t]} == {"audit_auditevent"}
    assert at > 20
    with moves.in_use(target):
        arrived = moves.contents()
        assert {t for t in after if after[t] != arrived[t]} == {"audit_auditevent"}
        moved = AuditEvent.objects.filter(event=Event.DATABASE_MOVED).count()
        assert (moves.state(), moved) == ("in service", 1)
        chain.verify()


def test_a_closed_database_refuses_every_change_and_can_be_reopened(both: Pair) -> None:
    source, target = both
    with moves.in_use(source):
        before = moves.contents()
        database_closing.close(uuid4(), "elsewhere")
        assert triggers.foreign() == []
        for model in database_closing.moved_models():
            table = model._meta.db_table
            for sql in (
                f"UPDATE {table} SET {model._meta.pk.column} = {model._meta.pk.column}",  # noqa: S608
                f"DELETE FROM {table}",  # noqa: S608
            ):
                if model._base_manager.exists():
                    with pytest.raises(DatabaseError) as refused, transaction.atomic():
                        run(sql)
                    assert database_state.behind(refused.value) or "append-only" in str(
                        refused.value
                    )
        with pytest.raises(DatabaseError) as refused, transaction.atomic():
            Group.objects.create(name="late")
        assert database_state.behind(refused.value)
        with pytest.raises(CommandError, match="closed"):
            call_command("sweep")
        # Sessions are none of it: pages that read go on.
        Session.objects.all().delete()
        call_command("move_database", reopen=True, verbosity=0)
        assert moves.state() == "in service"
        after = moves.contents()
        assert {t for t in before if before[t] != after[t]} == {"audit_auditevent"}
        Group.objects.create(name="late")
        chain.verify()
        # And a move from then on is another one.
        call_command("move_database", to=moves.url_of(target), verbosity=0)


def stopped_before(monkeypatch: pytest.MonkeyPatch, step: str, url: str) -> bool:
    """Move, and die before that step; whether it came to that."""

    def die(*arguments: object) -> None:
        raise moves.Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"files.recovery.{step}", die)
        return moves.killed(url, -1)


def run(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)


def test_a_target_that_holds_anything_else_is_refused_and_nothing_is_closed(
    both: Pair, databases: Made, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = both
    with moves.in_use(target):
        Group.objects.create(name="somebody's")
    with moves.in_use(source):
        with pytest.raises(CommandError, match="auth_group has rows"):
            call_command("move_database", to=moves.url_of(target))
        with pytest.raises(CommandError, match="this very database"):
            call_command("move_database", to=moves.url_of(source))
        with pytest.raises(CommandError, match="not the URL of a database"):
            call_command("move_database", to="mysql://u:hunter2@host/name")
        assert moves.state() == "in service"
    with moves.in_use(target):
        # Without signals: the event of a deleted group would be a row as well.
        NameWord.objects.all()._raw_delete("default")
        Group.objects.all()._raw_delete("default")
    # An unfinished move of another one.
    with moves.in_use(databases.filled("sqlite", s3)):
        assert stopped_before(monkeypatch, "row_comparing.compare", moves.url_of(target))
    with moves.in_use(source), pytest.raises(CommandError, match="that is not this one"):
        call_command("move_database", to=moves.url_of(target))
    with moves.in_use(target), pytest.raises(CommandError, match="not complete"):
        call_command("sweep")


@pytest.mark.parametrize("both", [("sqlite", "postgresql")], indirect=True, ids="-to-".join)
def test_what_postgresql_would_refuse_is_told_before_anybody_has_to_wait(both: Pair) -> None:
    source, target = both
    with moves.in_use(source):
        group = Group.objects.get()
        run("UPDATE auth_group SET name = 'a' || char(0) || 'b'")
        first = User.objects.create(username="Ärger", email="a@example.org")
        User.objects.create(username="ärger", email="b@example.org")
        before = moves.contents()
        with pytest.raises(CommandError) as refused:
            call_command("move_database", to=moves.url_of(target), verbosity=0)
        said = str(refused.value)
        assert f"auth_group, key {group.pk}, column name: a NUL character" in said
        assert f"accounts_user, key {first.pk}, column username" in said
        assert "Nothing was closed or copied. Put each right" in said
        assert moves.state() == "in service"
        assert moves.contents() == before
        # It is put right, and moves: the target was not touched either.
        run("UPDATE auth_group SET name = 'Team 🩷'")
        first.username = "anger"
        first.save(update_fields=["username"])
        call_command("move_database", to=moves.url_of(target), verbosity=0)
        assert moves.state() == database_state.MOVED


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state_changed_at", "2026-13-01 00:00:00"),
        ("file_id", "nothing"),
        ("etags", '["a\\u0000b"]'),
        ("etags", '["\\ud800"]'),
        ("stream_created_at", "soon"),
        ("object_name", "a\0b"),
        ("object_name", "x" * 2000),
        ("state", "x" * 9),
    ],
)
def test_postgresql_refuses_what_is_told_of(
    databases: Made, s3: S3Client, column: str, value: str
) -> None:
    """A check that were stricter than the database would stop moves for nothing."""
    change = f"UPDATE files_storedobject SET {column} = %s WHERE id = %s"  # noqa: S608
    with moves.in_use(databases.filled("sqlite", s3)):
        run("PRAGMA ignore_check_constraints = ON")
        run(change, value, StoredObject.objects.latest("pk").pk)
        assert list(fitting.misfits([StoredObject]))
    with moves.in_use(databases.filled("postgresql", s3)):
        key = StoredObject.objects.latest("pk").pk
        with pytest.raises((DatabaseError, ValueError)):
            run(change, value, key)


def test_another_target_never_makes_the_first_one_pass_for_complete(
    both: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, first = both
    second = moves.sqlite(tmp_path)  # Not even migrated.
    with moves.in_use(source):
        assert stopped_before(monkeypatch, "row_copying._copy_usage", moves.url_of(first))
        call_command("move_database", to=moves.url_of(second), verbosity=0)
        with pytest.raises(CommandError):
            call_command("move_database", to=moves.url_of(first), verbosity=0)
    with moves.in_use(first):
        assert moves.state() == database_state.ARRIVING
