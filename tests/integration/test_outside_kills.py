"""A sample of the kills of `make soak`, by a seed: deliveries, and downloads by a link."""

from __future__ import annotations

from typing import Any

from pytest_django import DjangoDbBlocker, Settings

from tests.audit.databases import as_default
from tests.integration import outside_kills


def test_three_kills_of_each(
    migrated_database: dict[str, Any], django_db_blocker: DjangoDbBlocker, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with django_db_blocker.unblock(), as_default(migrated_database):
        outside_kills.mails(migrated_database, 16, 3)
        outside_kills.counts(migrated_database, 16, 3)
