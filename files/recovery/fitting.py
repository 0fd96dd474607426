"""What SQLite holds and PostgreSQL would refuse: found before a move, while nobody has to wait.

SQLite takes nearly anything in any column: characters that PostgreSQL has no room for, text that is
longer than its column, numbers beyond their type. The site writes none of these, but others may
have: an import, a shell, a release of long ago. Each is told by its table, key and column. Looked
at as the file has it, since Django could not even read some of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.functions import Lower
from django.utils.dateparse import parse_date, parse_datetime, parse_time

BATCH: Final = 1000
"""Rows that are fetched at once."""

INTEGERS: Final = {
    **BaseDatabaseOperations.integer_field_ranges,
    "AutoField": (-(2**31), 2**31 - 1),
    "BigAutoField": (-(2**63), 2**63 - 1),
    "SmallAutoField": (-(2**15), 2**15 - 1),
    "DurationField": (-(2**63), 2**63 - 1),
}
"""The least and the greatest of each kind of integer, as PostgreSQL has them."""

_ALONE = re.compile(r"[\ud800-\udfff]")
"""Half of a pair of UTF-16: no character (Unicode, section 3.8)."""

Value = int | float | bytes | None
"""As SQLite keeps it; text as the bytes of it."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that PostgreSQL would refuse."""

    table: str
    key: str
    column: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table}, key {self.key}, column {self.column}: {self.reason}"


def misfits(tables: list[type[models.Model]]) -> Iterator[Misfit]:
    """Every value of the default database, which is SQLite, that PostgreSQL would not take."""
    for model in tables:
        is_sound = True
        for misfit in _of_rows(model):
            is_sound = False
            yield misfit
        # Names that are no text could not be compared.
        if is_sound:
            yield from _of_names(model)


def _of_rows(model: type[models.Model]) -> Iterator[Misfit]:
    connection = connections[DEFAULT_DB_ALIAS]
    quote = connection.ops.quote_name
    table, fields = model._meta.db_table, model._meta.concrete_fields
    columns = [quote(str(field.column)) for field in fields]
    # No column by itself, or the driver would make of it what it was declared to be.
    wanted = [quote(str(model._meta.pk.column)) + " || ''"]
    for name in columns:
        wanted.append(f"typeof({name})")
        wanted.append(f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(wanted)} FROM {quote(table)}")  # noqa: S608
        while rows := cursor.fetchmany(BATCH):
            for key, *found in rows:
                for field, kind, value in zip(fields, found[::2], found[1::2], strict=True):
                    if reason := refusal(field, kind, value):
                        yield Misfit(table, str(key), str(field.column), reason)


def _of_names(model: type[models.Model]) -> Iterator[Misfit]:
    """Names that differ by nothing but case: SQLite knows the case of ASCII alone."""
    for constraint in model._meta.constraints:
        if not isinstance(constraint, models.UniqueConstraint) or len(constraint.expressions) != 1:
            continue
        expression: Any = constraint.expressions[0]
        if not isinstance(expression, Lower):
            continue
        [source] = expression.get_source_expressions()
        field: Any = model._meta.get_field(source.name)
        rows = model._base_manager.using(DEFAULT_DB_ALIAS)
        if constraint.condition is not None:
            rows = rows.filter(constraint.condition)
        names = dict(rows.order_by("pk").values_list("pk", source.name))
        seen = Counter(name.lower() for name in names.values())
        for key, name in names.items():
            if seen[name.lower()] > 1:
                reason = f"{name!r} differs from another one by upper and lower case alone"
                yield Misfit(model._meta.db_table, str(key), field.column, reason)


# --- One value ---------------------------------------------------------------------------------


def refusal(field: Any, kind: str, value: Value) -> str | None:
    """Why PostgreSQL would not take a value of that kind (`typeof` of SQLite); None: it would."""
    while field.remote_field is not None:
        field = field.target_field
    if kind == "null":
        return None
    name = field.get_internal_type()
    if name in INTEGERS:
        return _of_integer(INTEGERS[name], kind, value)
    check = _CHECKS.get(name, _of_text)
    return check(field, kind, value)


def _of_integer(bounds: tuple[int | None, int | None], kind: str, value: Value) -> str | None:
    if kind != "integer" or not isinstance(value, int):
        return f"{_shown(value)} is no whole number"
    least, greatest = bounds
    if (least is not None and value < least) or (greatest is not None and value > greatest):
        return f"{value} is out of range: it may be from {least} to {greatest}"
    return None


def _of_text(field: Any, kind: str, value: Value) -> str | None:
    if kind != "text" or not isinstance(value, bytes):
        return f"{_shown(value)} is no text"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "its bytes are no text in UTF-8"
    if "\0" in text:
        return "a NUL character (code 0) is in the text"
    most = field.max_length
    if most is not None and field.get_internal_type() != "TextField" and len(text) > most:
        return f"{len(text)} characters, of which it may have {most}"
    return None


def _parsed(what: str, parse: Callable[[str], object]) -> Callable[[Any, str, Value], str | None]:
    def check(_field: Any, kind: str, value: Value) -> str | None:
        try:
            if kind == "text" and isinstance(value, bytes) and parse(value.decode()) is not None:
                return None
        except ValueError:
            pass
        return f"{_shown(value)} is no {what}"

    return check


def _of_json(_field: Any, kind: str, value: Value) -> str | None:
    try:
        found = json.loads(value) if kind == "text" and isinstance(value, bytes) else None
    except ValueError:
        found = None
        kind = ""
    if kind != "text":
        return f"{_shown(value)} is no JSON"
    for text in _texts(found):
        if "\0" in text:
            return "a NUL character (\\u0000) is in the JSON"
        if _ALONE.search(text):
            return "half a character (\\ud800 to \\udfff, alone) is in the JSON"
    if re.search(
        rb"(?<![\w\"])(NaN|-?Infinity)(?![\w\"])", value if isinstance(value, bytes) else b""
    ):
        return "NaN or Infinity is in the JSON"
    return None


def _texts(found: object) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for key, value in found.items():
            yield key
            yield from _texts(value)
    elif isinstance(found, list):
        for value in found:
            yield from _texts(value)


def _of_truth(_field: Any, kind: str, value: Value) -> str | None:
    return None if kind == "integer" and value in (0, 1) else f"{_shown(value)} is neither 0 nor 1"


def _of_number(_field: Any, kind: str, value: Value) -> str | None:
    return None if kind in ("integer", "real") else f"{_shown(value)} is no number"


def _of_bytes(_field: Any, kind: str, value: Value) -> str | None:
    return None if kind == "blob" else f"{_shown(value)} is text or a number, where bytes belong"


_CHECKS: Final[dict[str, Callable[[Any, str, Value], str | None]]] = {
    "BinaryField": _of_bytes,
    "BooleanField": _of_truth,
    "DateField": _parsed("date", parse_date),
    "DateTimeField": _parsed("date and time", parse_datetime),
    "DecimalField": _of_number,
    "FloatField": _of_number,
    "GenericIPAddressField": _parsed("IP address", ip_address),
    "JSONField": _of_json,
    "TimeField": _parsed("time", parse_time),
    "UUIDField": _parsed("UUID", UUID),
}


def _shown(value: Value) -> str:
    """Enough of it to know it again."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
