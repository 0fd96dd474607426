"""Moving all of the database into another one: SQLite to PostgreSQL, back, or to one of its kind.

The source is closed to writers first (`closing`), so what is copied is all that there is; sessions
end. Rows go over as values, not as text, so that every microsecond, byte and MAC is what it was.
What the target counts by triggers is counted there, and compared. The target is *arriving* until
everything was compared, the source is marked *moved* before the target is in service, and there is
no moment in which both are. Whatever is killed, the next run goes on, and never begins again what
is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.db.migrations.executor import MigrationExecutor

import audit
from audit import Event, chain, triggers
from audit.models import AuditEvent
from files.models import DatabaseState, FileRecord
from files.records import derived
from files.recovery import database_closing, drill, fitting, row_comparing, row_copying
from files.recovery.database_closing import MoveFailed
from files.recovery.other_database import TARGET, called, place
from files.recovery.row_copying import Progress, number_of_rows
from runtime import database_state

SHOWN: Final = 20
"""Values that are told of where the target would refuse them; of more, the number."""

SAMPLE: Final = 20
"""Files that are read from the store by what the target says of them."""

Say = Callable[[str], object]


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
        total = sum(
            number_of_rows(model, DEFAULT_DB_ALIAS) for model in database_closing.moved_models()
        )
        expect(2 * total)
        say("Copying")
        row_copying.copy_all(target, progress)
        say("Comparing every row, and what the target keeps by itself")
        row_comparing.compare(progress)
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
    if place(DEFAULT_DB_ALIAS) == place(TARGET):
        raise MoveFailed("The target is this very database.")


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
        counts = {model: number_of_rows(model, TARGET) for model in database_closing.moved_models()}
        events = chain.head().number
    return Moved(sum(counts.values()), events, counts[FileRecord])
