"""Moving all of the database into another one: SQLite to PostgreSQL, back, or to one of its kind.

The source is closed to writers first (`closing`), so what is copied is all that there is; sessions
end. Rows go over as values, not as text, so that every microsecond, byte and MAC is what it was.
What the target counts by triggers is counted there, and compared. The target is *arriving* until
everything was compared, the source is marked *moved* before the target is in service, and there is
no moment in which both are. Whatever is killed, the next run goes on, and never begins again what
is done.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import environ
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, models, transaction
from django.db.migrations.executor import MigrationExecutor

import audit
from audit import Event, chain, triggers
from audit.models import AuditEvent
from files.models import DatabaseState, FileRecord, Usage
from files.records import derived
from files.recovery import database_closing, drill, fitting
from files.recovery.database_closing import MoveFailed
from runtime import database_state
from runtime.configuration import BASE_DIR

TARGET: Final = "target"
"""The alias of the other database."""

BATCH: Final = 1000
"""Rows of a transaction."""

SHOWN: Final = 20
"""Values that are told of where the target would refuse them; of more, the number."""

SAMPLE: Final = 20
"""Files that are read from the store by what the target says of them."""

Progress = Callable[[int], object]
Say = Callable[[str], object]


# --- The other database ------------------------------------------------------------------------


def connect(url: str) -> str:
    """Make the database of a URL known as `TARGET`; how it is called, without its password.

    Raises MoveFailed, which repeats nothing of the URL.
    """
    found: dict[str, Any] = {}
    # The library's warning of an unknown scheme would show the password.
    with (
        suppress(ValueError, KeyError, ImproperlyConfigured),
        warnings.catch_warnings(action="ignore"),
    ):
        found = environ.Env.db_url_config(url)
    engine = found.get("ENGINE", "")
    if engine == "django.db.backends.sqlite3" and found["NAME"] != ":memory:":
        path = BASE_DIR / found["NAME"]
        if not path.parent.is_dir():
            raise MoveFailed(f"{path.parent} is not there: make the folder first.")
        found["NAME"] = path
        found["OPTIONS"] = {
            "timeout": 10,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            ),
            **found.get("OPTIONS", {}),
        }
        name = f"sqlite:///{path}"
    elif engine == "django.db.backends.postgresql" and found["NAME"]:
        found["OPTIONS"] = {"connect_timeout": 5, **found.get("OPTIONS", {})}
        port = f":{found['PORT']}" if found.get("PORT") else ""
        name = f"postgres://{found['HOST'] or 'localhost'}{port}/{found['NAME']}"
    else:
        raise MoveFailed(
            "That is not the URL of a database to move to: write it like "
            "postgres://user:password@host:5432/name or sqlite:////path/db.sqlite3, and special "
            "characters of a password as %40 and so on."
        )
    # Without what was left open by an earlier one.
    forget()
    both = {DEFAULT_DB_ALIAS: {**connections[DEFAULT_DB_ALIAS].settings_dict}, TARGET: found}
    connections.settings[TARGET] = connections.configure_settings(both)[TARGET]
    return name[:255]


def forget() -> None:
    """Close the connection to the other database, and know it no more."""
    if TARGET in connections.settings:
        connections[TARGET].close()
        del connections[TARGET]
        del connections.settings[TARGET]


def has_password(url: str) -> bool:
    """Whether there is a password in a URL, which others saw where it was an argument."""
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False


def called(using: str = DEFAULT_DB_ALIAS) -> str:
    """How the database in use is called, without its password."""
    settings = connections[using].settings_dict
    if connections[using].vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"[:255]
    port = f":{settings['PORT']}" if settings.get("PORT") else ""
    return f"postgres://{settings['HOST'] or 'localhost'}{port}/{settings['NAME']}"[:255]


# --- The move ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of it."""

    rows: int
    events: int
    files: int
    already: bool = False


def move(
    other: str,
    *,
    say: Say = lambda line: None,
    progress: Progress = lambda rows: None,
    expect: Progress = lambda rows: None,
) -> Moved:
    """Move the default database to `TARGET`, which is called `other`; go on where a run stopped.

    `expect` is told the rows in all, `progress` those that are done, twice: copied, then compared.
    Raises MoveFailed, `online.StillInUse`, DatabaseError.
    """
    source = database_closing.state_of()
    if source is not None and source.state == database_state.ARRIVING:
        raise MoveFailed(database_state.State(source.state, source.other).words)
    _refuse_pending()
    target = _state_of_target()
    moved = False
    if source is not None and source.state == database_state.MOVED:
        moved = target is not None and target.move == source.move
        if target is None and _knows(source.move):
            return Moved(0, 0, 0, already=True)
        if not moved:
            raise MoveFailed(database_state.State(source.state, source.other).words)
    if target is not None and (source is None or target.move != source.move):
        raise MoveFailed(
            f"The target holds an unfinished move from {target.other} that is not this one: it is "
            "of another database, or this one was reopened since. Give an empty one."
        )
    if target is None:
        say("Preparing the target")
        _refuse_itself()
        _prepare_target()
    if source is None:
        say("Checking this database before it is closed")
        _refuse_misfits()
        _refuse_unsound()
        say("Closing it to writers: pages that only read go on")
        database_closing.close(uuid4(), other)
    elif target is None:
        # Another target than before: what the first one holds must never pass for this move's.
        database_closing.turn(source.move, uuid4(), other)
    source = database_closing.state_of()
    if source is None:
        raise MoveFailed("This database was reopened meanwhile: nothing was moved.")
    if target is None:
        target = _begin(source.move)
    if not moved:
        total = sum(_count(model, DEFAULT_DB_ALIAS) for model in database_closing.moved_models())
        expect(2 * total)
        say("Copying")
        _copy_all(target, progress)
        say("Comparing every row, and what the target keeps by itself")
        _compare(progress)
        say("Checking the audit log, the keys and a sample of files from there")
        _check_target()
        # From here on there is no way back: this one, or none, is in service, and then the other.
        if not database_closing.mark_moved(source.move):
            raise MoveFailed("This database was reopened meanwhile: nothing was moved.")
    return _put_into_service(source.move)


def _refuse_pending() -> None:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MoveFailed("Migrations are missing here: run `manage.py migrate` first.")


def _refuse_misfits() -> None:
    """What PostgreSQL has no room for. First of all: some of it not even Django could read."""
    vendors = connections[DEFAULT_DB_ALIAS].vendor, connections[TARGET].vendor
    if vendors != ("sqlite", "postgresql"):
        return
    found = fitting.misfits(database_closing.moved_models())
    told = [str(misfit) for misfit in islice(found, SHOWN)]
    if told:
        more = sum(1 for _ in found)
        also = f"\nand {more} more." if more else ""
        raise MoveFailed(
            "PostgreSQL would not take what stands here:\n"
            + "\n".join(told)
            + also
            + "\nNothing was closed or copied. Put each right while this database is in service, "
            "in the pages or with `manage.py shell`, and move again."
        )


def _refuse_unsound() -> None:
    """What the target would be refused for is found before anybody has to wait."""
    _refuse_out_of_step("here")
    _refuse_unreadable()
    try:
        chain.verify()
    except chain.BrokenChain as broken:
        raise MoveFailed(
            f"The audit log does not hold, from {broken}: it would not at the target either."
        ) from None


def _refuse_out_of_step(where: str) -> None:
    missing = derived.missing() | triggers.missing()
    if missing:
        raise MoveFailed(f"Triggers are missing {where}: {', '.join(sorted(missing))}.")
    for what, count in derived.out_of_step():
        raise MoveFailed(f"Not in step {where}: {what} ({count}); `manage.py doctor` says more.")


def _refuse_unreadable() -> None:
    """The master keys, the store, and files that are read by what the default database says."""
    for check in drill.look(str(SAMPLE)):
        if not check.passed:
            raise MoveFailed(f"{check.name}: {check.detail}")


def _refuse_itself() -> None:
    if _place(DEFAULT_DB_ALIAS) == _place(TARGET):
        raise MoveFailed("The target is this very database.")


def _place(using: str) -> object:
    """The same for two connections to one database, whatever their addresses look like."""
    connection = connections[using]
    if connection.vendor == "sqlite":
        return Path(str(connection.settings_dict["NAME"])).resolve()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid::bigint, pg_postmaster_start_time() FROM pg_database"
            " WHERE datname = current_database()"
        )
        return cursor.fetchone()


def _state_of_target() -> DatabaseState | None:
    try:
        return database_closing.state_of(TARGET)
    except DatabaseError as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise MoveFailed(f"The target does not answer: {reason}") from None


def _knows(move: UUID) -> bool:
    """Whether the target is what that move has put into service."""
    with database_closing.as_default(TARGET):
        if AuditEvent._meta.db_table not in connections[TARGET].introspection.table_names():
            return False
        found = AuditEvent.objects.filter(event=Event.DATABASE_MOVED)
        return any(event.data.get("move") == str(move) for event in found)


# --- An empty target ---------------------------------------------------------------------------


_MADE_BY_MIGRATIONS: Final = (ContentType, Permission)


def _prepare_target() -> None:
    """Bring the target's tables to this release. Raises MoveFailed where it holds anything."""
    connection = connections[TARGET]
    ours = {model._meta.db_table for model in database_closing.moved_models()}
    there = set(connection.introspection.table_names())
    # Others' tables may be there (a cache, sessions); only ours must be empty.
    if there & ours:
        _refuse_rows(there)
    elif there - {"django_migrations"}:
        raise MoveFailed(
            f"The target has tables of others ({', '.join(sorted(there)[:3])}): give an empty one."
        )
    if connection.vendor == "sqlite":
        path = Path(str(connection.settings_dict["NAME"]))
        path.touch(mode=0o600)
    with database_closing.as_default(TARGET):  # So that nothing of it gets to the closed one.
        call_command("migrate", database=TARGET, interactive=False, verbosity=0)
    _refuse_rows(set(connection.introspection.table_names()))
    if _applied(TARGET) != _applied(DEFAULT_DB_ALIAS):
        raise MoveFailed("The target has other migrations than this database: give an empty one.")


def _refuse_rows(there: set[str]) -> None:
    for model in database_closing.moved_models():
        if model in _MADE_BY_MIGRATIONS or model._meta.db_table not in there:
            continue
        if model._base_manager.using(TARGET).exists():
            raise MoveFailed(
                f"The target is not empty: {model._meta.db_table} has rows. Give a database that "
                "is empty, or one that only `migrate` has seen."
            )


def _applied(using: str) -> set[tuple[str, str]]:
    return set(MigrationExecutor(connections[using]).loader.applied_migrations)


def _begin(move: UUID) -> DatabaseState:
    """Mark the target as arriving, without what migrations have put there."""
    with transaction.atomic(using=TARGET):
        for model in reversed(database_closing.moved_models()):
            if model in _MADE_BY_MIGRATIONS:
                rows = model._base_manager.using(TARGET).all()
                rows._raw_delete(TARGET)
        return DatabaseState.objects.using(TARGET).create(
            state=database_state.ARRIVING, move=move, other=called()
        )


# --- Rows --------------------------------------------------------------------------------------


def _names(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def _count(model: type[models.Model], using: str) -> int:
    return model._base_manager.using(using).count()


def _copy_all(target: DatabaseState, progress: Progress) -> None:
    for model in database_closing.moved_models():
        if model is Usage:
            continue
        _copy(model, target, progress)
    # The target's triggers have counted on their own; persons who own nothing any more are no part
    # of that. What was counted here is compared below.
    _copy_usage(progress)
    _copy_sequences()
    ContentType.objects.clear_cache()


def _copy(model: type[models.Model], target: DatabaseState, progress: Progress) -> None:
    """Copy a table in the order of its keys, a batch and how far it is in one transaction."""
    table = model._meta.db_table
    so_far = dict(target.progress.get(table, {"rows": 0, "last": None, "done": False}))
    progress(so_far["rows"])
    if so_far["done"]:
        return
    # Whose rows refer to one another goes over in one piece: a folder may come before its parent,
    # and whether that is there is asked when the transaction ends.
    in_one = _refers_to_itself(model)
    with transaction.atomic(using=TARGET) if in_one else nullcontext():
        _copy_batches(model, target, so_far, progress)


def _refers_to_itself(model: type[models.Model]) -> bool:
    return any(
        field.remote_field is not None and field.remote_field.model is model
        for field in model._meta.concrete_fields
    )


def _copy_batches(
    model: type[models.Model],
    target: DatabaseState,
    so_far: dict[str, Any],
    progress: Progress,
) -> None:
    table, key = model._meta.db_table, model._meta.pk
    rows = model._base_manager.using(DEFAULT_DB_ALIAS).order_by("pk")
    while not so_far["done"]:
        page = rows if so_far["last"] is None else rows.filter(pk__gt=key.to_python(so_far["last"]))
        batch = list(page.values_list(*_names(model))[:BATCH])
        if batch:
            last = model.from_db(TARGET, _names(model), batch[-1])
            so_far["last"] = key.value_to_string(last)
        so_far["rows"] += len(batch)
        so_far["done"] = len(batch) < BATCH
        with transaction.atomic(using=TARGET):
            _insert(model, batch)
            # Compare-and-set: a second run at the same time must not do the same.
            still = DatabaseState.objects.using(TARGET).filter(
                move=target.move, state=database_state.ARRIVING, progress=target.progress
            )
            target.progress = {**target.progress, table: dict(so_far)}
            if not still.update(progress=target.progress):
                raise MoveFailed("Another run is moving into this target: let it end.")
        progress(len(batch))


def _insert(model: type[models.Model], batch: list[tuple[Any, ...]]) -> None:
    """As they are: no default, no time of now, no signal."""
    fields = model._meta.concrete_fields
    rows = [model.from_db(TARGET, _names(model), values) for values in batch]
    # SQLite takes so many values in a statement, and PostgreSQL so many as well.
    size = connections[TARGET].ops.bulk_batch_size(list(fields), rows) if rows else 1
    left = iter(rows)
    while some := list(islice(left, max(min(size, BATCH), 1))):
        try:
            into: Any = model._base_manager.using(TARGET)
            into._insert(some, fields=fields, using=TARGET, raw=True)
        except DatabaseError as error:
            raise MoveFailed(_said_of_a_row(model, some, error)) from error


def _said_of_a_row(model: type[models.Model], rows: list[Any], error: DatabaseError) -> str:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"The target does not take a row of {model._meta.db_table}, one of the keys {rows[0].pk} "
        f"to {rows[-1].pk}: {reason}. Put it right here (`move_database --reopen` first), and move "
        "again."
    )


def _copy_usage(progress: Progress) -> None:
    names = _names(Usage)
    rows = list(Usage.objects.using(DEFAULT_DB_ALIAS).order_by("pk").values_list(*names))
    with transaction.atomic(using=TARGET):
        counted = set(Usage.objects.using(TARGET).exclude(files=0).values_list(*names))
        if counted != {row for row in rows if row[names.index("files")]}:
            raise MoveFailed(
                "What people store is not what this database has counted: run `manage.py doctor`."
            )
        Usage.objects.using(TARGET).all().delete()
        _insert(Usage, rows)
    progress(len(rows))


# --- Sequences ---------------------------------------------------------------------------------


def _numbered() -> Iterator[tuple[type[models.Model], str]]:
    """The models whose keys the database gives out, and the key's column."""
    for model in database_closing.moved_models():
        key = model._meta.pk
        if isinstance(key, models.AutoField | models.BigAutoField) and key.column:
            yield model, key.column


def last_number(model: type[models.Model], column: str, using: str) -> int:
    """The last key that a database has given out, though its row may be gone; 0 for none."""
    table, connection = model._meta.db_table, connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [f'"{table}"', column])
            [[sequence]] = cursor.fetchall()
            cursor.execute(f"SELECT last_value, is_called FROM {sequence}")  # noqa: S608
            [[value, is_called]] = cursor.fetchall()
            given = value if is_called else 0
        else:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
            given = (cursor.fetchone() or (0,))[0]
    highest = model._base_manager.using(using).aggregate(highest=models.Max("pk"))["highest"]
    return max(given, highest or 0)


def _copy_sequences() -> None:
    """Go on counting where the source was: a number that was given out once names nothing else."""
    connection = connections[TARGET]
    for model, column in _numbered():
        last, table = last_number(model, column, DEFAULT_DB_ALIAS), model._meta.db_table
        with transaction.atomic(using=TARGET), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)",
                    [f'"{table}"', column, max(last, 1), last > 0],
                )
                continue
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            if last:
                cursor.execute(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last]
                )


# --- Is it all there? --------------------------------------------------------------------------


def digest(model: type[models.Model], using: str, progress: Progress = lambda rows: None) -> str:
    """The number of rows, and a sum over the SHA-256 of each, whatever their order."""
    total, count = 0, 0
    rows = model._base_manager.using(using).order_by().values_list(*_names(model))
    for row in rows.iterator(chunk_size=BATCH):
        text = "\x1f".join(map(_canonical, row)).encode("utf-8", "surrogatepass")
        total += int.from_bytes(hashlib.sha256(text).digest())
        count += 1
        if count % BATCH == 0:
            progress(BATCH)
    progress(count % BATCH)
    return f"{count}:{total % (1 << 256):064x}"


def _canonical(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    return f"{type(value).__name__}:{value}"


def _compare(progress: Progress) -> None:
    """Raises MoveFailed for the tables whose rows are not the same on both sides."""
    differing = []
    for model in database_closing.moved_models():
        here = digest(model, DEFAULT_DB_ALIAS, progress)
        if here != digest(model, TARGET):
            differing.append(model._meta.db_table)
    differing += [
        f"the numbers of {model._meta.db_table}"
        for model, column in _numbered()
        if last_number(model, column, TARGET) != last_number(model, column, DEFAULT_DB_ALIAS)
    ]
    if differing:
        raise MoveFailed(f"Not the same at the target: {', '.join(differing)}. Nothing was moved.")


def _check_target() -> None:
    """What the target keeps by itself, its log, the keys, and files that are read from there."""
    here = chain.head()
    with database_closing.as_default(TARGET):
        _refuse_out_of_step("at the target")
        for foreign in triggers.foreign():
            raise MoveFailed(f"The target runs what is not ours: {foreign}.")
        connections[TARGET].check_constraints()
        try:
            there = chain.verify(here)
        except chain.BrokenChain as broken:
            raise MoveFailed(f"The audit log does not hold, from {broken}.") from None
        if there != here:
            raise MoveFailed("The audit log ends elsewhere at the target.")
        _refuse_unreadable()


# --- The end -----------------------------------------------------------------------------------


def _put_into_service(move: UUID) -> Moved:
    """The target's first event, and its row goes: from then on it is the one in service."""
    with database_closing.as_default(TARGET), transaction.atomic(using=TARGET):
        gone, _ = DatabaseState.objects.filter(move=move, state=database_state.ARRIVING).delete()
        if gone:
            audit.record(Event.DATABASE_MOVED, move=move)
        counts = {model: _count(model, TARGET) for model in database_closing.moved_models()}
        events = chain.head().number
    return Moved(sum(counts.values()), events, counts[FileRecord])
