"""How long a connection to the database is held, and how long anybody waits on it.

A thread that waits for a client or for the store needs no connection, and there are fewer of these
than threads: `release` gives it back, and the next query takes one again. Whoever must not wait as
long as the settings allow works within `hurried`. Nothing here may ever end a transaction.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, connections, transaction
from django.db.backends.signals import connection_created
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

_opened = threading.local()
"""By their aliases, the connections that this thread has opened, which may be closed by now."""

patience: ContextVar[float | None] = ContextVar("database_patience", default=None)
"""Seconds that a statement of this thread may take, where they are fewer than the settings'."""


def serve() -> None:
    """Let this process answer requests: connections from a pool, and the time-outs of requests.

    Commands keep a connection for each thread, and may take their time. Before the first query.
    """
    configured = connections.settings["default"]
    served: dict[str, Any] = settings.SERVING_DATABASE
    if not served:
        return
    options = {**configured.get("OPTIONS", {}), **served["OPTIONS"]}
    if "pool" in options:
        # Imported only here: a site on SQLite may be without PostgreSQL's library.
        kind = import_string(options["pool"]["connection_class"])
        options["pool"] = {**options["pool"], "connection_class": kind}
        options["application_name"] = _name(options["pool"]["max_size"])
    configured.update({**served, "OPTIONS": options})


def _name(size: int) -> str:
    """What PostgreSQL knows this process by, and `census` reads (63 bytes at most)."""
    return f"securestore {socket.gethostname()[:32]}/{os.getpid()}/{size}"


def census() -> list[int]:
    """The size of the pool of each process that serves now, on whichever host (PostgreSQL)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT application_name FROM pg_stat_activity"
            " WHERE application_name LIKE 'securestore %/%/%' AND datname = current_database()"
        )
        return [int(name.rpartition("/")[2]) for (name,) in cursor.fetchall()]


def release() -> None:
    """Give this thread's connection back to the pool, if it has one and no transaction is open.

    Where there is no pool it stays: to make it anew would cost more than it holds.
    """
    # Called for every piece of a transfer: Django's way to a thread's own costs ten times as much.
    own: BaseDatabaseWrapper | None = getattr(_opened, "default", None)
    if (
        own is not None
        and own.connection is not None
        and not own.in_atomic_block
        and own.settings_dict.get("OPTIONS", {}).get("pool")
    ):
        own.close()


def _note_opened(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Remember which connection this thread has opened."""
    setattr(_opened, connection.alias, connection)


connection_created.connect(_note_opened, dispatch_uid="runtime.connections")


@contextmanager
def hurried(seconds: float) -> Iterator[None]:
    """A transaction in which nothing waits longer than that. Raises OperationalError instead."""
    if connection.vendor != "postgresql":
        with _busy_timeout(seconds), transaction.atomic():
            yield
        return
    token = patience.set(seconds)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                limit = f"{round(seconds * 1000)}ms"
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [limit])
            yield
    finally:
        patience.reset(token)


@contextmanager
def _busy_timeout(seconds: float) -> Iterator[None]:
    """SQLite alone: how long one waits for another's transaction is the connection's own."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        [before] = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
    try:
        yield
    finally:
        if connection.connection is not None:
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {int(before)}")
