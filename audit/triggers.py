"""What the database runs by itself: the triggers of ours, and whatever somebody else put there.

Ours keep the log append-only, and derived columns in step. A trigger or a rule that is not ours may
drop an event as it is written, or change a grant without one: none is taken for harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

from django.db import connection

SQLITE = frozenset({"audit_no_update", "audit_no_delete", "audit_no_replace"})
POSTGRESQL = frozenset({"audit_no_change", "audit_no_truncate"})

_LOG = "audit.migrations.0002_append_only"
_FILES = (
    "files.migrations.0009_names_and_usage",
    "files.migrations.0017_folders",
    "files.migrations.0022_plain_names",
)
_STATE = "files.migrations.0015_database_state"
_CLOSING = "files.recovery.database_closing"
"""Where triggers come from, a later one in place of an earlier one of the same name. A migration
that makes others is named here."""


def missing() -> set[str]:
    """The names of those of the log that are not there, or switched off."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')"
                " AND tgrelid = to_regclass('audit_auditevent')"
            )
            return set(POSTGRESQL - {row[0] for row in cursor.fetchall()})
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        return set(SQLITE - {row[0] for row in cursor.fetchall()})


def foreign() -> list[str]:
    """What the database runs that is not ours, or is ours and was altered, each in words."""
    on_sqlite = connection.vendor == "sqlite"
    return sorted(_foreign_to_sqlite() if on_sqlite else _foreign_to_postgresql())


def _rows(statement: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(map(str, row)) for row in cursor.fetchall()]


# --- SQLite ------------------------------------------------------------------------------------


def _foreign_to_sqlite() -> Iterator[str]:
    expected = dict(map(_named, import_module(_LOG).SQLITE))
    for made_by in (*_FILES, _STATE):
        for name, body in import_module(made_by).SQLITE_TRIGGERS.items():
            expected[name] = _plain(f"CREATE TRIGGER {name} {body}")
    expected.update(map(_named, import_module(_CLOSING).as_made()))
    for schema in ("sqlite_master", "sqlite_temp_master"):
        found = _rows(f"SELECT name, tbl_name, sql FROM {schema} WHERE type = 'trigger'")  # noqa: S608
        for name, table, text in found:
            if name not in expected:
                yield f"trigger {name} on {table} is not ours"
            elif _plain(text) != expected[name]:
                yield f"trigger {name} on {table} is not as we made it"


def _named(statement: str) -> tuple[str, str]:
    plain = _plain(statement)
    return plain.split()[2], plain


def _plain(text: str) -> str:
    """A statement without what says nothing: spaces, quotes, the schema, its case."""
    words = text.replace('"', "").replace("IF NOT EXISTS ", "").split()
    return " ".join(words).lower()


# --- PostgreSQL --------------------------------------------------------------------------------

_TRIGGERS = """
    SELECT t.tgname, c.relname, t.tgenabled, pg_get_triggerdef(t.oid), p.proname, p.prosrc
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
"""
_INTERNAL_OFF = """
    SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE t.tgisinternal AND t.tgenabled NOT IN ('O', 'A')
    AND c.relnamespace = current_schema()::regnamespace
"""
_RULES = """
    SELECT r.rulename, c.relname FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    WHERE r.rulename <> '_RETURN' AND c.relnamespace = current_schema()::regnamespace
"""
_ROW_SECURITY = """
    SELECT relname FROM pg_class
    WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace
"""
# Those of an extension belong to whoever runs the server.
_EVENT_TRIGGERS = """
    SELECT e.evtname FROM pg_event_trigger e WHERE e.evtenabled <> 'D' AND NOT EXISTS (
        SELECT 1 FROM pg_depend d WHERE d.deptype = 'e' AND d.objid IN (e.oid, e.evtfoid)
    )
"""
_FUNCTION = re.compile(r"FUNCTION (\w+)\(\) RETURNS trigger.*?\$\$(.*?)\$\$", re.DOTALL)


def _foreign_to_postgresql() -> Iterator[str]:
    log, files = import_module(_LOG), [import_module(made_by) for made_by in _FILES]
    closed = import_module(_CLOSING).as_made()
    whole = [*log.POSTGRESQL, *import_module(_STATE).POSTGRESQL, *closed]
    statements = [*whole, *(made_by.POSTGRESQL_FUNCTIONS for made_by in files)]
    bodies = {name: body for text in statements for name, body in _FUNCTION.findall(text)}
    expected = dict(_named(text) for text in whole if "CREATE TRIGGER" in text)
    for made_by in files:
        for name, body in made_by.POSTGRESQL_TRIGGERS.items():
            expected[name] = _plain(f"CREATE TRIGGER {name} {body}")
    for name, table, enabled, text, function, body in _rows(_TRIGGERS):
        if name not in expected:
            yield f"trigger {name} on {table} is not ours"
        elif enabled not in {"O", "A"}:
            yield f"trigger {name} on {table} is switched off"
        elif _essence(text) != _essence(expected[name]) or body != bodies.get(function):
            yield f"trigger {name} on {table} is not as we made it"
    for name, table in _rows(_INTERNAL_OFF):
        yield f"constraint trigger {name} on {table} is switched off"
    for name, table in _rows(_RULES):
        yield f"rule {name} on {table} is not ours"
    for (table,) in _rows(_ROW_SECURITY):
        yield f"row security of {table} may hide rows"
    for (name,) in _rows(_EVENT_TRIGGERS):
        yield f"event trigger {name} is not ours"
    ((role,),) = _rows("SHOW session_replication_role")
    if role != "origin":
        yield f"session_replication_role is {role}: no trigger runs"


def _essence(text: str) -> str:
    """As PostgreSQL gives a trigger back, and as it was made: the same words in one order."""
    # Once for each change that it is for, in an order of PostgreSQL's own.
    plain = _plain(text).replace("update or delete", "delete or update")
    schema = re.sub(r"\bon \w+\.", "on ", plain)
    return re.sub(r"[()\s]|execute function \w+\.", "", schema.replace("function ", ""))
