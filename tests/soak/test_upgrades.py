"""Upgrades from the first release: many files and a reader; killed at every statement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from runtime import online
from tests.integration import migrating
from tests.integration.postgresql import server

pytestmark = pytest.mark.soak
FEW = 200


@pytest.fixture
def database(django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Any]]:
    """An empty database on a server of its own, as the default one."""
    with (
        server() as postgres,
        django_db_blocker.unblock(),
        migrating.empty(postgres) as configuration,
    ):
        yield configuration


def test_an_upgrade_with_300_000_files_shuts_no_reader_out(database: dict[str, Any]) -> None:
    waited = migrating.upgrade_beside_a_reader(database, 300_000)
    print({name: round(seconds, 2) for name, seconds in waited.items()})  # noqa: T201
    assert {name: seconds for name, seconds in waited.items() if seconds > 2.0} == {}


@pytest.mark.parametrize("after", [False, True])
def test_a_migration_that_is_killed_anywhere_goes_on(
    database: dict[str, Any], monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(online, "BATCH", 60)
    migrating.begin(FEW)
    for migration in migrating.plan():
        migrating.fill_later(FEW)
        if migrating.is_on_line(migration):
            with migrating.twin_of(database) as unkilled:
                migrating.apply(migration)
                expected = migrating.contents(unkilled)
            at, ended = 0, None
            while ended is None:
                at += 1
                with migrating.twin_of(database) as twin:
                    ended = migrating.killed(migration, at, after=after)
                    if migration in migrating.plan():
                        migrating.apply(migration)
                    assert migrating.contents(twin) == expected, (migration, at)
        migrating.apply(migration)
