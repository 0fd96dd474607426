"""Nothing runs in the database but what is ours; an event that is dropped undoes what it tells."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

import audit
from accounts.models import User
from audit import chain, triggers
from audit.models import AuditEvent

POSTGRESQL_FUNCTION = """
    CREATE FUNCTION foreign_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$
"""


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def put(when: str, table: str, sqlite: str, postgresql: str) -> None:
    """A trigger of somebody else's."""
    if connection.vendor == "sqlite":
        run(f"CREATE TRIGGER foreign_one {when} ON {table} BEGIN {sqlite}; END")
        return
    run(
        POSTGRESQL_FUNCTION.format(postgresql),
        f"CREATE TRIGGER foreign_one {when} ON {table} FOR EACH ROW EXECUTE FUNCTION foreign_one()",
    )


def drop_events() -> None:
    put("BEFORE INSERT", "audit_auditevent", "SELECT RAISE(IGNORE)", "RETURN NULL;")


def test_ours_are_not_foreign(db: None) -> None:
    assert triggers.foreign() == []
    assert triggers.missing() == set()


@pytest.mark.parametrize("table", ["audit_auditevent", "files_grant", "accounts_user"])
def test_a_trigger_of_somebody_else_is_found(db: None, table: str) -> None:
    put("AFTER INSERT", table, "SELECT 1", "RETURN NULL;")
    assert triggers.foreign() == [f"trigger foreign_one on {table} is not ours"]


def test_one_of_ours_that_was_altered_is_found(db: None) -> None:
    if connection.vendor == "sqlite":
        run(
            "DROP TRIGGER audit_no_update",
            "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit_auditevent"
            " WHEN OLD.id > 9 BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
        )
        name = "audit_no_update"
    else:
        run(
            "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN NULL; END $$"
        )
        name = "audit_no_change"
    assert f"trigger {name} on audit_auditevent is not as we made it" in triggers.foreign()


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_what_only_postgresql_has_is_found(db: None) -> None:
    run(
        "CREATE RULE quiet AS ON INSERT TO audit_auditevent DO INSTEAD NOTHING",
        "ALTER TABLE files_grant ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE audit_auditevent DISABLE TRIGGER audit_no_truncate",
    )
    assert triggers.foreign() == [
        "row security of files_grant may hide rows",
        "rule quiet on audit_auditevent is not ours",
        "trigger audit_no_truncate on audit_auditevent is switched off",
    ]


def test_an_event_that_is_dropped_undoes_what_it_tells_of(alice: User) -> None:
    drop_events()
    with (
        pytest.raises(chain.NotRecorded, match="is not in the log as it was written"),
        transaction.atomic(),
    ):
        User.objects.filter(pk=alice.pk).update(first_name="Changed")
        audit.record(audit.Event.SWEPT)
    alice.refresh_from_db()
    assert alice.first_name == ""
    assert not AuditEvent.objects.exists()


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_an_event_that_is_altered_is_not_taken(db: None) -> None:
    put("BEFORE INSERT", "audit_auditevent", "", "NEW.actor_name := 'nobody'; RETURN NEW;")
    with pytest.raises(chain.NotRecorded), transaction.atomic():
        audit.record(audit.Event.SWEPT)
