"""`manage.py migrate`, as Django's, beside a site that goes on: says first what takes long.

On PostgreSQL it never waits for a lock so long that readers queue up behind it, but steps back and
tries again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import pre_migrate

from runtime import forecast, schema_changes


class Command(migrate.Command):
    help = (
        "Bring the database's tables to this release. Says beforehand what takes long, and whether "
        "readers or writers wait meanwhile. Safe to stop and to run again: it goes on."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        self._told = False

        def tell(plan: Any, using: str, **kwargs: Any) -> None:
            # Sent once for each application, and again with each try.
            if not self._told:
                self._told = True
                for line in forecast.lines(connections[using], plan):
                    self.stdout.write(self.style.WARNING(line))

        pre_migrate.connect(tell, weak=False)
        try:
            if connection.vendor != "postgresql":
                super().handle(*args, **options)
                return
            with _hurried(connection):
                schema_changes.patiently(
                    connection,
                    lambda: super(Command, self).handle(*args, **options),
                    self._say_that_it_waits,
                )
        finally:
            pre_migrate.disconnect(tell)

    def _say_that_it_waits(self) -> None:
        self.stderr.write(
            "A table is in use. So that nobody queues up behind this, it is tried again in "
            f"{schema_changes.PAUSE:.0f} seconds."
        )


@contextmanager
def _hurried(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Wait for locks for a moment only; for rows as well, which is no harm: it is tried again."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        [[before]] = cursor.fetchall()
        cursor.execute(f"SET lock_timeout = '{schema_changes.PATIENCE}'")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{before}'")
