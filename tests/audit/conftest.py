"""Fixtures of the audit tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker


@pytest.fixture
def _database_access(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Lets a test connect to databases of its own making, without the one of the test run."""
    with django_db_blocker.unblock():
        yield
