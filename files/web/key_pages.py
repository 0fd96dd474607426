"""What pages say of a held file's key: that it is needed, or what it is, once, to who made it.

Must never put a key into a page but the one that was just made or asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import (
    HttpRequest,
    HttpResponse,
)
from django.shortcuts import render
from django.utils.cache import patch_cache_control

from files.keys import custody
from files.models import FileRecord
from files.web.requested import user_of
from files.web.transfers import unlocking

DOWNLOAD = "download"
VIEW = "view"
"""What goes on once a file's key was entered: the names of these pages."""


def key_context(request: HttpRequest, record: FileRecord) -> dict[str, Any]:
    """What a page says of a held file's key: never the key."""
    found = unlocking.unlocked(request, record)
    mine = record.current.creator_id == user_of(request).pk
    return {
        "unlocked_until": found[1] if found else None,
        "has_passphrase": bool(custody.derivation_of(record.current)),
        "key_is_mine": mine,
        "key_is_anothers": record.uploaded_by_id not in {None, user_of(request).pk},
        "offer_ends": mine and custody.offer_ends(record.current),
    }


def locked(
    request: HttpRequest,
    record: FileRecord,
    *,
    status: int = 403,
    problem: str = "",
    then: str = "",
) -> HttpResponse:
    """The page that asks for a held file's key, instead of its bytes.

    `then` is DOWNLOAD or VIEW where these were asked for: the right key goes on with them.
    """
    context = {"record": record, "problem": problem, "then": then}
    context |= key_context(request, record)
    return render(request, "files/locked.html", context, status=status)


def shown_keys(
    stored: Sequence[FileRecord], keys: Sequence[custody.UserKey] | None
) -> list[tuple[FileRecord, str]]:
    """New files with the keys that their owner is to be shown; passphrases are not among them."""
    pairs = zip(stored, keys or (), strict=False)
    return [(record, key.text) for record, key in pairs if not key.derivation]


def keys_page(
    request: HttpRequest,
    shown: Sequence[tuple[FileRecord, str]],
    *,
    status: int = 200,
    problem: str = "",
) -> HttpResponse:
    """The page that shows keys and asks for a confirmation that they were saved."""
    context = {"shown": shown, "problem": problem}
    return as_it_is(render(request, "files/keys.html", context, status=status))


def as_it_is(response: HttpResponse) -> HttpResponse:
    """An answer that shows a secret: nobody stores it, and nobody compresses it, nor do we.

    Of a compressed one the length tells of what is in it (`securestore.compression`).
    """
    patch_cache_control(response, private=True, no_store=True, no_transform=True)
    return response
