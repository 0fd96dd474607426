"""Queries of one shape are written once, and asked with other values each time.

To write the query of a page anew takes Django longer than the database takes to answer it. A
function that makes a queryset becomes a statement:

    @statement(user=NUMBER, ids=IDS)
    def shown(user: Any, ids: Any) -> QuerySet[FileRecord]:
        return visible_to(Person(Somebody(user))).filter(pk__in=ids)

    shown(user=7, ids=[...])  # the rows

    shown.update({"name": "…"}, user=7, ids=[...])  # changes them; how many there were

It runs once for each database, for each number of values in a list (rounded up), and for each other
argument, with stand-ins for the values. What is kept is text: values are never, nor is an answer.
Each call asks the database, as ever.

A moment in a query must be that of the question, and never that of the first one: it comes from
`now()`. A constant in what was written that looks like a moment or an id is refused.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import (
    BigIntegerField,
    DateTimeField,
    Field,
    QuerySet,
    TextField,
    UUIDField,
    Value,
)
from django.db.models.sql import UpdateQuery
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

NUMBER: Final = BigIntegerField()
TEXT: Final = TextField()
MOMENT: Final = DateTimeField()
ID: Final = UUIDField()


class Many:
    """That an argument is a list of such values, one at least."""

    def __init__(self, of: Field[Any, Any]) -> None:
        self.of = of


IDS: Final = Many(ID)
NUMBERS: Final = Many(NUMBER)
_NOW: Final = "now"
_CONVERTERS: Final = "converters_of_statements"
"""Of a connection: where it keeps them. They refer to it, and end with it."""
_writing: ContextVar[bool] = ContextVar("writing", default=False)
_PERSONAL: Final = re.compile(
    r"\d{4}-\d\d-\d\d.*|[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-.*", re.I
)

Row = TypeVar("Row")


class NotConstant(Exception):
    """A statement was written with something in it that is another one the next time."""


@dataclass(frozen=True)
class _Mark:
    """Where a value goes: which one, and of a list the how manieth."""

    name: str
    number: int | None = None


class _Given(Value):
    """In the place of a value while a statement is written."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        del compiler, connection
        return "%s", [self.value]


def now() -> Any:
    """The moment of the question, for a queryset: now, or its stand-in while one is written."""
    return _Given(_Mark(_NOW), output_field=MOMENT) if _writing.get() else timezone.now()


@dataclass(frozen=True)
class Somebody:
    """An active person in a statement, of whom a rule needs the number alone."""

    pk: Any
    is_active: bool = True


def statement(
    **given: Field[Any, Any] | Many,
) -> Callable[[Callable[..., QuerySet[Any, Row]]], Statement[Row]]:
    """Keep what the function makes; of its arguments these are values, and of these kinds."""
    return lambda write: Statement(write, given)


@dataclass(frozen=True, eq=False)
class _Written:
    """A query as the database takes it, and what makes rows of its answer."""

    sql: str
    parameters: tuple[Any, ...]
    compiler: Any
    rows_of: Callable[[Any], Any]
    model: Any
    locks: bool
    """Whether it locks its rows, which only a transaction can."""
    plain: bool
    """Whether each value is one column's."""


@dataclass(frozen=True)
class _NewValue:
    """Where the new value of a field goes."""

    name: str


class Statement(Generic[Row]):
    """A query that is written once for each of its shapes."""

    def __init__(
        self, write: Callable[..., QuerySet[Any, Row]], given: dict[str, Field[Any, Any] | Many]
    ) -> None:
        self._write = write
        self._given = given
        self._written: dict[Any, _Written] = {}
        self.__doc__ = write.__doc__

    def __call__(self, **asked: Any) -> list[Row]:
        """The rows. Raises NotConstant the first time, where the function cannot be kept.

        Raises TransactionManagementError where it locks them and there is no transaction.
        """
        connection = connections[DEFAULT_DB_ALIAS]
        written, ready = self._ready(connection, asked, {})
        if written.locks and not connection.in_atomic_block:
            raise transaction.TransactionManagementError("to lock rows takes a transaction")
        return list(written.rows_of(_asked(written, ready)))

    def update(self, changes: Mapping[str, Any], **asked: Any) -> int:
        """Change these fields of the rows, as `QuerySet.update` does; how many rows there were.

        The statement is written once for each set of fields. Values that the database makes
        (`Now()`, `F`) are not for this. Raises NotConstant.
        """
        connection = connections[DEFAULT_DB_ALIAS]
        written, ready = self._ready(connection, asked, changes)
        with (
            transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS),
            connection.cursor() as cursor,
        ):
            cursor.execute(written.sql, ready)
            return int(cursor.rowcount)

    def _ready(
        self, connection: Any, asked: dict[str, Any], changes: Mapping[str, Any]
    ) -> tuple[_Written, tuple[Any, ...]]:
        """What was written for such a question, and the values of this one."""
        lists = {
            name: _filled_up(asked[name]) for name, one in self._given.items() if _is_many(one)
        }
        shape = (
            (name, len(lists[name]) if name in lists else asked[name])
            for name in sorted(asked)
            if name in lists or name not in self._given
        )
        key = (connection.vendor, tuple(changes), *shape)
        written = self._written.get(key)
        if written is None:
            asked_now = {**asked, **lists}
            written = self._written[key] = self._write_down(asked_now, changes, connection)
        values = {**asked, **lists, _NOW: timezone.now()}
        return written, tuple(
            _new_value(written.model, one.name, changes, connection)
            if isinstance(one, _NewValue)
            else self._value(one, values, connection)
            for one in written.parameters
        )

    def first(self, **asked: Any) -> Row | None:
        """The first row, if there is any; the function says how many are read."""
        return next(iter(self(**asked)), None)

    def _value(self, one: Any, values: dict[str, Any], connection: Any) -> Any:
        if not isinstance(one, _Mark):
            return one
        if one.name == _NOW:
            return MOMENT.get_db_prep_value(values[_NOW], connection)
        kind = self._given[one.name]
        if isinstance(kind, Many):
            return kind.of.get_db_prep_value(values[one.name][one.number], connection)
        return kind.get_db_prep_value(values[one.name], connection)

    def _write_down(
        self, asked: dict[str, Any], changes: Mapping[str, Any], connection: Any
    ) -> _Written:
        stand_ins: dict[str, Any] = {}
        for name, kind in self._given.items():
            if isinstance(kind, Many):
                stand_ins[name] = [
                    _Given(_Mark(name, number), output_field=kind.of)
                    for number in range(len(asked[name]))
                ]
            else:
                stand_ins[name] = _Given(_Mark(name), output_field=kind)
        token = _writing.set(True)
        try:
            queryset: Any = self._write(**{**asked, **stand_ins})
            query = queryset.query
            if changes:
                query = query.chain(UpdateQuery)
                query.add_update_values(
                    {name: _Given(_NewValue(name), output_field=TEXT) for name in changes}
                )
                query.clear_select_clause()
            compiler = query.get_compiler(connection=connection)
            sql, parameters = compiler.as_sql()
        finally:
            _writing.reset(token)
        for one in parameters:
            if isinstance(one, date | datetime | UUID) or (
                isinstance(one, str) and _PERSONAL.fullmatch(one)
            ):
                raise NotConstant(f"{self._write.__qualname__}: {type(one).__name__}")
        # Not the connection of whoever came first.
        compiler.connection = None
        columns = [one for one, *_ in compiler.select or ()]
        if plain := not compiler.has_composite_fields(columns):
            # Else it looks through its columns for each answer.
            compiler.has_composite_fields = lambda _: False
        return _Written(
            sql,
            tuple(parameters),
            compiler,
            queryset._iterable_class,
            queryset.model,
            query.select_for_update,
            plain,
        )


def _new_value(model: Any, name: str, changes: Mapping[str, Any], connection: Any) -> Any:
    field = model._meta.get_field(name)
    value = field.get_db_prep_save(changes[name], connection)
    if hasattr(value, "as_sql"):
        raise NotConstant(f"{model._meta.label}.{name}: {type(value).__name__}")
    return value


def _is_many(one: object) -> bool:
    return isinstance(one, Many)


def _filled_up(values: Sequence[Any]) -> list[Any]:
    """As many as the next power of two, the last one again and again: few shapes for any length."""
    found = list(values)
    wanted = 1 << (len(found) - 1).bit_length()
    return found + found[-1:] * (wanted - len(found))


def _asked(written: _Written, parameters: tuple[Any, ...]) -> Any:
    """What Django's makers of rows take for a queryset."""

    def get_compiler(using: str = DEFAULT_DB_ALIAS, **_: Any) -> Any:
        compiler = copy.copy(written.compiler)
        compiler.connection = connections[using]
        compiler.as_sql = lambda *_args, **_options: (written.sql, parameters)
        if written.plain:
            compiler.get_converters = partial(_converters, written, compiler.connection)
        return compiler

    return SimpleNamespace(
        db=DEFAULT_DB_ALIAS,
        model=written.model,
        query=SimpleNamespace(get_compiler=get_compiler),
        _known_related_objects={},
        _fields=None,
    )


def _converters(written: _Written, connection: Any, columns: Sequence[Any]) -> Any:
    """What makes values of the columns: the same each time, but each connection's own."""
    kept: dict[_Written, Any] = connection.__dict__.setdefault(_CONVERTERS, {})
    found = kept.get(written)
    if found is None:
        of: Any = SQLCompiler.get_converters
        found = kept[written] = of(SimpleNamespace(connection=connection), columns)
    return found
