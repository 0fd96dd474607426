"""The key of a held file, as a program sends it: in the header `Securestore-Key` of each request.

It is never in an address, a log, a cookie or a report of a failure. Wrong ones are counted with
those that people type.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from accounts import limits
from files.errors import NotAKey, WrongFileKey
from files.keys import custody
from files.models import FileRecord
from files.vault import held, opening
from files.web.api.entrance import token_of, user_of
from files.web.held_keys import wrong_keys_counted

HEADER = "Securestore-Key"
TOLD_EVERY = 900
"""Seconds for which one event tells that a program unlocked a file, however many its requests."""


ENCODED: Final = "UTF-8''"
"""What a passphrase begins with that is written as RFC 8187 has it: headers are ASCII, and lose
blanks at their ends."""


@sensitive_variables()
def key_of(request: HttpRequest, record: FileRecord) -> str | None:
    """The file's own key, from the key or passphrase in the header; None where there is none.

    Raises WrongFileKey, NotAKey, TooBusy, LimitReached, FileDamaged, KeysMissing.
    """
    typed = request.headers.get(HEADER)
    if typed is None or not record.is_held:
        return None
    typed = _decoded(typed)
    told = f"unlocked:{token_of(request).pk}:{record.version.hex}:{record.current_id}"
    with wrong_keys_counted(request, record):
        key = custody.typed_key(record, typed)
        try:
            opening.open_file(record, key)
        except WrongFileKey:
            return held.unlock(record, typed, actor=user_of(request))
        if limits.is_news(told, TOLD_EVERY):
            return held.unlock(record, typed, actor=user_of(request))
        return key


@sensitive_variables()
def _decoded(value: str) -> str:
    """The key or passphrase that a header means. Raises NotAKey."""
    if not value.startswith(ENCODED):
        return value
    try:
        return unquote(value.removeprefix(ENCODED), errors="strict")
    except UnicodeError:
        raise NotAKey from None
