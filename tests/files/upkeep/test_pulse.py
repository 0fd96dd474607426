"""Whether the database takes writes is found out by a write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection

from files.models import Pulse
from files.upkeep import pulse


def test_it_is_one_row_however_often_it_is_written(db: None) -> None:
    for _ in range(3):
        pulse.check()
    [row] = Pulse.objects.all()
    assert "written at" in str(row)


def test_a_refused_write_is_an_error(db: None) -> None:
    def refuse(run: Callable[..., object], sql: str, *arguments: object) -> object:
        if sql.startswith(("INSERT", "UPDATE")):
            raise OperationalError("attempt to write a readonly database")
        return run(sql, *arguments)

    with connection.execute_wrapper(refuse), pytest.raises(OperationalError):
        pulse.check()
