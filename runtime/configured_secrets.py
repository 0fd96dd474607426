"""The secrets that this process is configured with: to be judged, and kept out of reports.

Nothing here may be logged, shown or stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from runtime.configuration import optional_secret, read_environment


def own_secrets() -> Iterator[tuple[str, str]]:
    """The secrets that an operator makes for this site, by the name of their setting."""
    yield "SECRET_KEY", settings.SECRET_KEY
    yield "AUDIT_KEY", settings.AUDIT_KEY
    if settings.METRICS_TOKEN:
        yield "METRICS_TOKEN", settings.METRICS_TOKEN
    try:
        keys = optional_secret(read_environment(), "MASTER_KEYS") or ""
    except ImproperlyConfigured:
        return  # A check of its own reports it.
    for key in keys.replace(",", " ").split():
        yield "MASTER_KEYS", key


def foreign_secrets() -> Iterator[tuple[str, str]]:
    """The secrets that another service gave to this site, where there are any."""
    storages: dict[str, Any] = settings.STORAGES
    given = {
        "AWS_SECRET_ACCESS_KEY": storages["default"].get("OPTIONS", {}).get("secret_key"),
        "The password in DATABASE_URL": settings.DATABASES["default"].get("PASSWORD"),
        "The password in EMAIL_URL": settings.EMAIL_HOST_PASSWORD,
    }
    yield from ((name, str(value)) for name, value in given.items() if value)
