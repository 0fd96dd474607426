"""System checks: settings that would leak or lose files are errors, before anything starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from files.crypto import lanes
from files.crypto.errors import KeyServiceError, KeyServiceRefused, KeyServiceUnavailable
from files.errors import KeyRetired, KeysMissing
from files.keys.master_keys import read_keyring
from files.rotation import retirement, rewrapping

SAFE_UPLOAD_HANDLERS = ["files.web.transfers.refuse.RefusingUploadHandler"]


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
def link_bounds(**kwargs: Any) -> list[CheckMessage]:
    """What links are by default must be within what they may be at all."""
    if settings.LINK_DAYS <= settings.LINK_MAX_DAYS:
        return []
    return [
        Warning(
            "LINK_DAYS is more than LINK_MAX_DAYS: links end after the latter.",
            hint="Set LINK_DAYS to LINK_MAX_DAYS at most.",
            id="files.W003",
        )
    ]


@register(Tags.security)
def master_keys(**kwargs: Any) -> list[CheckMessage]:
    """MASTER_KEYS or KMS_KEY_ID must name at least one key."""
    try:
        read_keyring()
    except (ImproperlyConfigured, KeyServiceRefused) as error:
        return [Error(str(error), id="files.E003")]
    except KeyServiceUnavailable as error:
        return [Warning(f"The key service does not answer: {error}", id="files.W002")]
    return []


@register(Tags.security)
def lanes_as_forced(**kwargs: Any) -> list[CheckMessage]:
    """CRYPTO_LANES must not ask for what this machine does not have."""
    taken = lanes.choice()
    if not taken.refused:
        return []
    return [
        Error(
            f"{taken.said}.",
            hint="Set CRYPTO_LANES=auto, or run `make lanes`.",
            id="files.E006",
        )
    ]


@register(Tags.database)
def keys_for_all_files(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every needed master key is configured, and no retired one comes first.

    For `manage.py check --database default`.
    """
    if not databases:
        return []
    try:
        rewrapping.check_keyring()
        retired = retirement.configured_and_retired()
    except KeysMissing as error:
        return [Error(str(error), id="files.E004")]
    except KeyRetired as error:
        return [Error(str(error), id="files.E005")]
    except (DatabaseError, ImproperlyConfigured, KeyServiceError):
        # Not migrated yet, or reported by another check.
        return []
    return [
        Warning(
            f"Master key {key_id} was retired and is still configured.",
            hint="Remove it, unless a backup from before its retirement is being restored.",
            id="files.W001",
        )
        for key_id in retired
    ]
