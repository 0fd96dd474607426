"""What an upgrade of the database will take: how long, who waits, how much disk.

Said before anything is changed, where tables are so large that it matters. The figures are those of
a machine of two cores with a plain disk: an order of magnitude, and words for what to do.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.db import migrations
from django.db.backends.base.base import BaseDatabaseWrapper

from runtime import online

LARGE: Final = 50_000
"""Rows from which on a table is worth a word."""

PER_INDEX: Final = 8e-6
PER_CHANGE: Final = {"postgresql": 1e-4, "sqlite": 2e-5}
PER_REMAKE: Final = 2e-5
PER_CHECK: Final = 1.5e-6
"""Seconds for each row: to index it, to change it, to write its table anew, to check its keys."""

_BRIEF = (
    migrations.CreateModel,
    migrations.DeleteModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.RemoveIndex,
    migrations.RenameIndex,
)
_REMAKES = (
    migrations.AlterField,
    migrations.RemoveField,
    migrations.AddConstraint,
    migrations.RemoveConstraint,
    migrations.AlterUniqueTogether,
)
_CODE = (migrations.RunPython, migrations.RunSQL)


@dataclass
class _Outlook:
    """What the migrations that are left come to."""

    seconds: float = 0.0
    tables: dict[str, int] = field(default_factory=dict)
    shut_out: list[str] = field(default_factory=list)
    """Migrations during which readers wait, on PostgreSQL."""


def lines(connection: BaseDatabaseWrapper, plan: list[tuple[Any, bool]]) -> Iterator[str]:
    """What to say before `plan`, migrations and whether each is taken back; often nothing."""
    rows = _rows(connection)
    large = {table: count for table, count in rows.items() if count >= LARGE}
    if not plan or not large:
        return
    if connection.vendor == "sqlite":
        yield from _sqlite(connection, plan, rows, large)
    else:
        yield from _postgresql(plan, large)


def _table(app_label: str, operation: Any, large: dict[str, int]) -> str:
    """The table that an operation changes, as Django names it; empty where it is not large."""
    model = getattr(operation, "model_name", "") or getattr(operation, "name", "")
    table = f"{app_label}_{model.lower()}"
    return table if table in large else ""


def _postgresql(plan: list[tuple[Any, bool]], large: dict[str, int]) -> Iterator[str]:
    outlook = _Outlook()
    for migration, _ in plan:
        locked, most = False, max(large.values())
        seconds = waiting = 0.0
        for operation in migration.operations:
            table = _table(migration.app_label, operation, large)
            takes = 0.0
            if isinstance(operation, _CODE):
                takes = most * PER_CHANGE["postgresql"] if _knows(migration, large) else 0.0
            elif table and not isinstance(operation, (*_BRIEF, migrations.AddField)):
                takes = large[table] * PER_INDEX
            if table:
                outlook.tables[table] = large[table]
            seconds += takes
            beside = isinstance(operation, migrations.AddIndex) and not locked
            if not beside:
                waiting += takes
            locked = locked or bool(table)
        outlook.seconds += seconds
        if waiting > 1 and not isinstance(migration, online.Migration):
            outlook.shut_out.append(f"{migration} ({_time(waiting)})")
    if not outlook.seconds >= 1:
        return
    yield f"This upgrade takes about {_time(outlook.seconds)}: {_named(outlook.tables)}."
    if outlook.shut_out:
        yield (
            f"Readers have to wait during {', '.join(outlook.shut_out)}: stop the service before, "
            "or choose an hour when nobody needs it. Ctrl-C now leaves everything as it is."
        )
    else:
        yield "Readers and writers are not kept waiting meanwhile."


def _knows(migration: Any, large: dict[str, int]) -> bool:
    """Whether its code may go through a large table: its application has one.

    Not where the migration says of itself that it is `brief`, whatever there is.
    """
    return not getattr(migration, "brief", False) and any(
        table.startswith(f"{migration.app_label}_") for table in large
    )


def _sqlite(
    connection: BaseDatabaseWrapper,
    plan: list[tuple[Any, bool]],
    rows: dict[str, int],
    large: dict[str, int],
) -> Iterator[str]:
    outlook = _Outlook()
    longest = 0.0
    remakes = 0
    for migration, _ in plan:
        # Django checks every reference of the database at the end of each.
        seconds = sum(rows.values()) * PER_CHECK
        for operation in migration.operations:
            table = _table(migration.app_label, operation, large)
            if table and (isinstance(operation, _REMAKES) or _needs_remake(operation)):
                seconds += large[table] * PER_REMAKE
                remakes += 1
                outlook.tables[table] = large[table]
            elif isinstance(operation, _CODE) and _knows(migration, large):
                seconds += max(large.values()) * PER_CHANGE["sqlite"]
        outlook.seconds += seconds
        longest = max(longest, seconds)
    yield (
        f"This upgrade takes about {_time(outlook.seconds)}"
        + (f": {_named(outlook.tables)}, written anew {remakes} times." if remakes else ".")
    )
    yield (
        f"Nobody else can write for up to {_time(longest)} at a time: requests that do are "
        "answered 503. Stop the service and its timers before; Ctrl-C now leaves all as it is."
    )
    yield from _disk(connection)


def _needs_remake(operation: Any) -> bool:
    """As Django's schema editor of SQLite decides about a new column."""
    if not isinstance(operation, migrations.AddField):
        return False
    new = operation.field
    return not new.null or new.unique or new.has_default()


def _disk(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """A transaction that writes tables anew is in the log until its end, and then in the file."""
    path = Path(str(connection.settings_dict["NAME"]))
    if not path.is_file():
        return
    size = path.stat().st_size
    free = shutil.disk_usage(path.parent).free
    enough = "has" if free >= 2 * size else "has ONLY"
    yield (
        f"It needs up to {2 * size / 1e6:,.0f} MB of disk meanwhile, twice the database; "
        f"{path.parent} {enough} {free / 1e6:,.0f} MB. Where it runs out, what was not finished is "
        "taken back."
    )


def _rows(connection: BaseDatabaseWrapper) -> dict[str, int]:
    """The rows of each table; estimates on PostgreSQL, where it counts slowly."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                # A table that was never analysed has fewer than none.
                "SELECT c.relname, CASE WHEN c.reltuples < 0 THEN s.n_live_tup"
                " ELSE c.reltuples::bigint END"
                " FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid"
                " WHERE s.schemaname = current_schema()"
            )
            return dict(cursor.fetchall())
        counts = {}
        for table in connection.introspection.table_names(cursor):
            if not table.startswith("files_name_index"):
                cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
                [[counts[table]]] = cursor.fetchall()
        return counts


def _named(tables: dict[str, int]) -> str:
    return ", ".join(f"{table} ({count:,} rows)" for table, count in sorted(tables.items()))


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} seconds"
    return f"{round(seconds / 60)} minutes"
