"""Copying rows into the other database as they are: as values, not as text, a batch at a time.

How far it is stands in the target with each batch, so that whatever is killed goes on there. Must
never give a row a default, a time of now or a signal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import Any, Final

from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, models, transaction

from files.models import DatabaseState, Usage
from files.recovery import database_closing
from files.recovery.database_closing import MoveFailed
from files.recovery.other_database import TARGET
from runtime import database_state

BATCH: Final = 1000
"""Rows of a transaction."""

Progress = Callable[[int], object]


def columns_of(model: type[models.Model]) -> list[str]:
    """The attributes of a model that are columns, in their order."""
    return [field.attname for field in model._meta.concrete_fields]


def number_of_rows(model: type[models.Model], using: str) -> int:
    """How many rows the table of a model has in that database."""
    return model._base_manager.using(using).count()


def copy_all(target: DatabaseState, progress: Progress) -> None:
    """Copy what is not there yet. Raises MoveFailed, DatabaseError."""
    for model in database_closing.moved_models():
        if model is Usage:
            continue
        _copy(model, target, progress)
    # The target's triggers have counted on their own; persons who own nothing any more are no part
    # of that. What was counted here is compared with it.
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
        batch = list(page.values_list(*columns_of(model))[:BATCH])
        if batch:
            last = model.from_db(TARGET, columns_of(model), batch[-1])
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
    rows = [model.from_db(TARGET, columns_of(model), values) for values in batch]
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
    names = columns_of(Usage)
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


def numbered() -> Iterator[tuple[type[models.Model], str]]:
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
    for model, column in numbered():
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
