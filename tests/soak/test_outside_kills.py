"""Deliveries and downloads by a link, killed again and again, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.audit.databases import as_default, migrate_all
from tests.integration import outside_kills
from tests.integration.conftest import empty_database

__all__ = ["empty_database"]

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("seed", range(3))
def test_forty_kills_of_each(
    empty_database: dict[str, Any], django_db_blocker: DjangoDbBlocker, seed: int
) -> None:
    with django_db_blocker.unblock(), as_default(empty_database):
        migrate_all()
        outside_kills.mails(empty_database, seed, 40)
        outside_kills.counts(empty_database, seed, 40)
