"""How long a connection is held, and how long anybody waits on it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, connections
from django.db.backends.signals import connection_created
from pytest_django import Settings

from runtime.connections import hurried, release, serve


def busy_timeout() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        return int(cursor.fetchone()[0])


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own")
def test_who_is_in_a_hurry_waits_less_and_leaves_nothing_behind(db: None) -> None:
    before = busy_timeout()
    with pytest.raises(ZeroDivisionError), hurried(0.25):
        assert busy_timeout() == 250
        raise ZeroDivisionError
    assert busy_timeout() == before


def test_a_transaction_is_never_ended(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "pool", {"max_size": 1})
    assert connection.in_atomic_block
    release()
    assert connection.connection is not None


class Opened:
    """A connection as `release` sees it."""

    alias = "default"
    in_atomic_block = False

    def __init__(self, **options: object) -> None:
        self.connection: object | None = object()
        self.settings_dict = {"OPTIONS": options}

    def close(self) -> None:
        self.connection = None


def in_a_thread_of_its_own(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize("options", [{}, {"pool": {"max_size": 1}}])
def test_one_of_a_pool_is_given_back_by_the_thread_that_has_it(options: dict[str, object]) -> None:
    opened, others = Opened(**options), Opened(pool={"max_size": 1})

    def work() -> None:
        connection_created.send(Opened, connection=opened)
        in_a_thread_of_its_own(release)
        assert opened.connection is not None
        in_a_thread_of_its_own(lambda: note(others))
        release()

    def note(connection: Opened) -> None:
        connection_created.send(Opened, connection=connection)

    in_a_thread_of_its_own(work)
    assert (opened.connection is None) == bool(options)
    assert others.connection is not None


def test_to_serve_changes_nothing_where_there_is_no_pool(settings: Settings) -> None:
    before = dict(connections.settings["default"])
    settings.SERVING_DATABASE = {}
    serve()
    assert connections.settings["default"] == before


def test_to_serve_is_to_take_connections_from_a_pool(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = {"OPTIONS": {"connect_timeout": 5, "options": "-c lock_timeout=60s"}}
    monkeypatch.setitem(connections.settings, "default", configured)
    settings.SERVING_DATABASE = {
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            "options": "-c lock_timeout=10s",
            "pool": {
                "connection_class": "runtime.postgresql_timeouts.PatientConnection",
                "max_size": 3,
            },
        },
    }
    serve()
    options = configured["OPTIONS"]
    assert options["connect_timeout"] == 5
    assert options["options"] == "-c lock_timeout=10s"
    assert options["pool"]["max_size"] == 3  # type: ignore[index]
    assert options["pool"]["connection_class"].__name__ == "PatientConnection"  # type: ignore[index]
