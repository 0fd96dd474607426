"""Operations on line: what they refuse, and when they try again (PostgreSQL: tests/integration)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection, models

from runtime import online, schema_changes


def in_vain() -> OperationalError:
    cause = Exception("canceling statement due to lock timeout")
    cause.sqlstate = schema_changes.LOCK_NOT_AVAILABLE  # type: ignore[attr-defined]
    error = OperationalError("lock timeout")
    error.__cause__ = cause
    return error


def test_a_lock_that_was_not_had_is_tried_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_changes, "PAUSE", 0.0)
    errors = [in_vain(), in_vain()]
    between: list[int] = []

    def work() -> None:
        if errors:
            raise errors.pop()

    schema_changes.patiently(connection, work, lambda: between.append(len(errors)))
    assert between == [1, 0]


def test_another_error_is_not() -> None:
    def work() -> None:
        raise OperationalError("the server closed the connection")

    with pytest.raises(OperationalError, match="closed"):
        schema_changes.patiently(connection, work)


def test_what_an_operation_does_not_do_on_line_is_refused() -> None:
    operation = online.AlterField("filerecord", "name", models.CharField(max_length=10))
    with pytest.raises(NotImplementedError, match="max_length"):
        operation._refuse_other_changes(
            models.CharField(max_length=9), models.CharField(max_length=10)
        )


def test_sql_that_is_only_shown_is_what_django_shows() -> None:
    editor: Any = SimpleNamespace(connection=SimpleNamespace(vendor="postgresql"), collect_sql=True)
    assert not schema_changes.is_postgresql(editor)
