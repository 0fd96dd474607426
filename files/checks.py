"""System checks: settings that would leak or lose files are errors, before anything starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from files import vault
from files.masterkeys import read_keyring

SAFE_UPLOAD_HANDLERS = ["files.transfers.refuse.RefusingUploadHandler"]


@register(Tags.security)
def upload_handlers(**kwargs: Any) -> list[CheckMessage]:
    """Django's own upload handlers keep plaintext in memory or on disk."""
    if settings.FILE_UPLOAD_HANDLERS == SAFE_UPLOAD_HANDLERS:
        return []
    return [
        Error(
            "FILE_UPLOAD_HANDLERS would keep plaintext in memory or in temporary files.",
            hint=f"Set it to {SAFE_UPLOAD_HANDLERS!r}.",
            id="files.E001",
        )
    ]


@register(Tags.security)
def no_asgi(**kwargs: Any) -> list[CheckMessage]:
    """Django spools every ASGI body to a temporary file, as plaintext."""
    if getattr(settings, "ASGI_APPLICATION", None) is None:
        return []
    return [
        Error(
            "ASGI_APPLICATION is set: Django writes ASGI request bodies to disk as plaintext.",
            hint="Remove it and serve securestore.wsgi with a WSGI server.",
            id="files.E002",
        )
    ]


@register(Tags.security)
def master_keys(**kwargs: Any) -> list[CheckMessage]:
    """MASTER_KEYS must hold at least one Fernet key."""
    try:
        read_keyring()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="files.E003")]
    return []


@register(Tags.database)
def keys_for_all_files(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every file's master key must be configured (`manage.py check --database default`)."""
    if not databases:
        return []
    try:
        vault.check_keyring()
    except vault.KeysMissing as error:
        return [Error(str(error), id="files.E004")]
    except (DatabaseError, ImproperlyConfigured):
        # Not migrated yet, or reported by another check.
        return []
    return []
