"""The cookie that keeps a held file unlocked for a while, so that ranges and resumes work.

It holds the file's own key and an end, sealed by the master key for one purpose: this user, this
session, this file, this encryption of it. Another user or session, signing out, a re-encryption or
the end make it worthless, whatever the browser does with it; so does any change of a byte. Nothing
about it is kept on the server.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from datetime import datetime
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.outside import Door
from files.crypto.errors import Damaged, UnknownMasterKey
from files.crypto.keyrecord import WrappedKey
from files.keys.master_keys import keyring
from files.models import FileRecord

COOKIE: Final = "securestore_unlock_key"
"""Its name says `key`, which is what filters of error reports look for."""
_END: Final = struct.Struct(">Q")


def _cookie_of(request: HttpRequest, record: FileRecord) -> str:
    """Each former version has one of its own, so that none takes another's place."""
    if outsider(request) is not None:
        # All that is below a link is sent it: each file has one of its own there.
        return f"{COOKIE}_{record.pk.hex}"
    return COOKIE if record.former_id is None else f"{COOKIE}_{record.version.hex}"


def outsider(request: HttpRequest) -> Door | None:
    """The door that somebody outside came by."""
    found: Door | None = getattr(request, "outsider", None)
    return found


def _path_of(request: HttpRequest, record: FileRecord) -> str:
    # A link's own path is its secret, and stands in no cookie.
    return "/l/" if outsider(request) else reverse("files:detail", args=[record.pk])


def _purpose(request: HttpRequest, record: FileRecord) -> str:
    if (door := outsider(request)) is not None:
        row = record.current
        return f"securestore/unlock/1 {door.id} {door.digest} {row.file_id} {row.stream_id}"
    # The session's key is a credential itself: a digest of it binds as well.
    session = hashlib.sha256((request.session.session_key or "").encode()).hexdigest()
    row = record.current
    return f"securestore/unlock/1 {request.user.pk} {session} {row.file_id} {row.stream_id}"


def _marker(master_key_id: str) -> str:
    """Tells the master keys apart, and a browser nothing about them."""
    return hashlib.sha256(f"securestore/unlock/1 {master_key_id}".encode()).hexdigest()[:8]


@sensitive_variables()
def unlock(response: HttpResponseBase, request: HttpRequest, record: FileRecord, key: str) -> None:
    """Let the browser open this file until `UNLOCK_MINUTES` from now."""
    until = timezone.now() + settings.UNLOCK_TIME
    secret = _END.pack(int(until.timestamp())) + key.encode()
    sealed = keyring().wrap_secret(secret, _purpose(request, record))
    token = base64.urlsafe_b64encode(sealed.token).decode().rstrip("=")
    response.set_cookie(
        _cookie_of(request, record),
        f"{_marker(sealed.master_key_id)}.{token}",
        max_age=settings.UNLOCK_TIME,
        path=_path_of(request, record),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


@sensitive_variables()
def unlocked(request: HttpRequest, record: FileRecord) -> tuple[str, datetime] | None:
    """The file's own key and until when it is unlocked; None where it is not."""
    marker, _, text = request.COOKIES.get(_cookie_of(request, record), "").partition(".")
    ring = keyring()
    master_key_id = next((known for known in ring.ids if _marker(known) == marker), None)
    if master_key_id is None:
        return None
    try:
        token = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        secret = ring.unwrap_secret(WrappedKey(master_key_id, token), _purpose(request, record))
    except (binascii.Error, ValueError, Damaged, UnknownMasterKey):
        return None
    until = datetime.fromtimestamp(_END.unpack_from(secret)[0], tz=timezone.get_default_timezone())
    if until <= timezone.now():
        return None
    return secret[_END.size :].decode(), until


def key_of(request: HttpRequest, record: FileRecord) -> str | None:
    """The file's own key, where it is held and unlocked."""
    found = unlocked(request, record) if record.is_held else None
    return found[0] if found else None


def lock(response: HttpResponseBase, request: HttpRequest, record: FileRecord) -> None:
    """Take the cookie away again."""
    path = _path_of(request, record)
    response.delete_cookie(_cookie_of(request, record), path=path, samesite="Strict")
