"""New rows, by statements that are written once for each model.

To write the same INSERT anew for each row takes Django longer than the database takes to do it.
What goes in with every upload goes in by this. A row becomes what `save(force_insert=True)` makes
of it, but that nobody is told: a model with receivers of `pre_save` or `post_save` is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import BooleanField, CharField, Field, ForeignKey, Model, TextField
from django.db.models.constants import OnConflict
from django.db.models.signals import post_save, pre_save
from django.db.models.sql import InsertQuery


class NotPlain(Exception):
    """A row that no statement written once can insert: of a value that only the database makes."""


@dataclass(frozen=True)
class _Written:
    sql: str
    fields: tuple[Field[Any, Any], ...]
    stay: tuple[type | None, ...]
    """Of each field the kind of value that the database takes as it is."""
    related: tuple[ForeignKey[Any, Any], ...]
    """Those that refer to another row."""
    returns: bool
    """Whether the database says what number the row got."""


STAYS: Final[dict[type, type]] = {CharField: str, TextField: str, BooleanField: bool}
"""Kinds of field, and the values that each of our databases takes from them as they are."""

_written: dict[tuple[object, ...], _Written] = {}


def insert(row: Model) -> None:
    """Insert a new row, and tell it its number.

    Raises IntegrityError, NotPlain, and ValueError where it refers to a row that was not saved.
    """
    _insert(row)


def insert_unless_taken(row: Model) -> bool:
    """The same, unless the database has another one that rules it out; whether it went in.

    The transaction goes on either way. The row is not told its number.
    """
    return _insert(row, ignoring=True) > 0


def insert_or_change(row: Model, *, unique: tuple[str, ...], change: tuple[str, ...]) -> None:
    """Insert a row or, where there is one with the same `unique` fields, change that one's fields.

    The row is not told its number. Raises IntegrityError, NotPlain.
    """
    _insert(row, unique=unique, change=change)


def _insert(
    row: Model,
    *,
    ignoring: bool = False,
    unique: tuple[str, ...] = (),
    change: tuple[str, ...] = (),
) -> int:
    connection = connections[DEFAULT_DB_ALIAS]
    model = type(row)
    if row.pk is None:
        row.pk = model._meta.pk.get_pk_value_on_save(row)
    shape = (connection.vendor, model, row.pk is None, ignoring, unique, change)
    written = _written.get(shape)
    if written is None:
        written = _written[shape] = _write(row, connection, ignoring, unique, change)
    for field in written.related:
        # Of another row that had no number yet when this one was told of it.
        if getattr(row, field.attname) is None and field.is_cached(row):
            _tell_number(row, field)
    values = []
    for column, stays in zip(written.fields, written.stay, strict=True):
        value = column.pre_save(row, add=True)
        # Django takes ten calls to find out that it stays as it is.
        if value is not None and type(value) is not stays:
            value = column.get_db_prep_save(value, connection)
        values.append(value)
    if any(hasattr(value, "as_sql") for value in values):
        raise NotPlain(model._meta.label)
    # What the database refuses must not be committed by halves.
    with transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS), connection.cursor() as cursor:
        cursor.execute(written.sql, values)
        if written.returns:
            [row.pk] = cursor.fetchone()
        # SQLite counts a row only when all that it returns was read.
        count = 1 if written.returns else int(cursor.rowcount)
    if count:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return count


def _tell_number(row: Model, field: ForeignKey[Any, Any]) -> None:
    other = getattr(row, field.name)
    if other is None:
        return
    if other.pk is None:
        raise ValueError(f"{field}: it refers to a row that was not saved")
    setattr(row, field.name, other)


def _write(
    row: Model, connection: Any, ignoring: bool, unique: tuple[str, ...], change: tuple[str, ...]
) -> _Written:
    """As Django writes it. Raises NotPlain."""
    model = type(row)
    meta = model._meta
    if meta.parents or pre_save.has_listeners(model) or post_save.has_listeners(model):
        raise NotPlain(meta.label)
    fields = tuple(
        field
        for field in meta.local_concrete_fields
        if not field.generated and (row.pk is not None or field is not meta.pk)
    )
    conflict = OnConflict.IGNORE if ignoring else OnConflict.UPDATE if unique else None
    query = InsertQuery(
        model,
        on_conflict=conflict,
        unique_fields=[meta.get_field(name) for name in unique],
        update_fields=[meta.get_field(name) for name in change],
    )
    query.insert_values(fields, [row])
    compiler: Any = query.get_compiler(connection=connection)
    returns = row.pk is None and conflict is None
    compiler.returning_fields = [meta.pk] if returns else []
    [(sql, parameters)] = compiler.as_sql()
    if len(parameters) != len(fields):
        raise NotPlain(meta.label)
    related = tuple(field for field in fields if isinstance(field, ForeignKey))
    stay = tuple(STAYS.get(type(field)) for field in fields)
    return _Written(sql, fields, stay, related, returns)
