"""The triggers that keep the log append-only, as the database has them now."""

from __future__ import annotations

from django.db import connection

SQLITE = frozenset({"audit_no_update", "audit_no_delete", "audit_no_replace"})
POSTGRESQL = frozenset({"audit_no_change", "audit_no_truncate"})


def missing() -> set[str]:
    """The names of those that are not there, or switched off."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')"
                " AND tgrelid = to_regclass('audit_auditevent')"
            )
            return set(POSTGRESQL - {row[0] for row in cursor.fetchall()})
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        return set(SQLITE - {row[0] for row in cursor.fetchall()})
