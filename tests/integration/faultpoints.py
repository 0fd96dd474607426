"""Named points at which a process of the site can be killed; they exist in tests only.

A point is the moment right before or right after a call to the store (any call of botocore's) or a
commit of the database (a transaction's, or that of a statement outside of one). Parts travel side
by side, so the order of points differs from run to run: a point is known by its name and by how
many of that name came before it. While the file that `FAULT_POINTS` names exists, every point is
written to the trace beside it, and the process group gets SIGKILL at the one that the file names,
by that or by its number; 0 only counts.

Parts can be made to arrive out of order: then some wait until a later one is there (`LATER`).

`tests.integration.crash_settings` installs this; nothing of it is in the product.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from botocore.client import BaseClient
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

VARIABLE = "FAULT_POINTS"
_WRITES = ("INSERT", "UPDATE", "DELETE")

LATER = {1: 3, 4: 5}
"""Parts of an upload that go only after another one arrived: the second and third before the first,
the last before the one before it."""

PATIENCE = 5.0
"""Seconds that a part waits, at most."""

DISORDER = "disorder"

_lock = threading.Lock()
_arrived: dict[str, set[int]] = defaultdict(set)
"""The parts that the store has, by multipart upload."""
_arrival = threading.Condition()


def trace_of(control: Path) -> Path:
    """Where the points that were passed are written, one a line."""
    return control.with_suffix(".trace")


def arm(control: Path, where: int | str, *, disorder: bool = False) -> None:
    """Count from now on, and kill at that point, one of `passed` or its number; 0 for none.

    With `disorder`, parts arrive out of order; for uploads of five.
    """
    trace_of(control).unlink(missing_ok=True)
    draft = control.with_suffix(".draft")
    draft.write_text(f"{where}\n{DISORDER if disorder else ''}", encoding="utf-8")
    draft.replace(control)


def disarm(control: Path) -> None:
    """Count and kill no more."""
    control.unlink(missing_ok=True)


def passed(control: Path) -> list[str]:
    """The points that were passed since `arm`, in order."""
    with suppress(FileNotFoundError):
        return trace_of(control).read_text(encoding="utf-8").splitlines()
    return []


def point(name: str) -> None:
    """One point: count it, and die here if it is the one."""
    control = Path(os.environ[VARIABLE])
    with _lock:
        try:
            wanted = control.read_text(encoding="utf-8").splitlines()[0]
        except FileNotFoundError:
            return
        before = passed(control)
        earlier = sum(known.rpartition(" #")[0] == name for known in before)
        here = f"{name} #{earlier + 1}"
        with trace_of(control).open("a", encoding="utf-8") as stream:
            stream.write(f"{here}\n")
        if wanted in {here, str(len(before) + 1)}:
            _die()


def _die() -> NoReturn:
    # The whole group: Granian's manager goes with its worker.
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("still alive")


def install() -> None:
    """Put points around every call to a store and every commit of this process."""
    call, commit = BaseClient._make_api_call, BaseDatabaseWrapper._commit  # type: ignore[attr-defined]

    def called(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        part = parameters.get("PartNumber", "")
        name = f"{operation} {part}".rstrip()
        if part in LATER:
            _wait_for(parameters["UploadId"], LATER[part])
        point(f"before {name}")
        answer = call(self, operation, parameters)
        point(f"after {name}")
        if part:
            with _arrival:
                _arrived[parameters["UploadId"]].add(part)
                _arrival.notify_all()
        return answer

    def committed(self: Any) -> Any:
        point("before commit")
        answer = commit(self)
        point("after commit")
        return answer

    BaseClient._make_api_call = called  # type: ignore[attr-defined]
    BaseDatabaseWrapper._commit = committed  # type: ignore[attr-defined]
    connection_created.connect(_watch_statements, weak=False)


def _wait_for(upload: str, part: int) -> None:
    try:
        armed = Path(os.environ[VARIABLE]).read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    if armed.endswith(DISORDER):
        with _arrival:
            _arrival.wait_for(lambda: part in _arrived[upload], PATIENCE)


def _watch_statements(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _around_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_around_statement)


def _around_statement(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """A statement outside of a transaction commits by itself."""
    if context["connection"].in_atomic_block or not sql.startswith(_WRITES):
        return execute(sql, params, many, context)
    table = next((word for word in sql.split() if word.startswith('"')), "")
    point(f"before {sql[:6]} {table}")
    answer = execute(sql, params, many, context)
    point(f"after {sql[:6]} {table}")
    return answer
