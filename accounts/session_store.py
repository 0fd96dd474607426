"""Where sessions are kept, so that the database opens none: `SESSION_ENGINE`.

A row is found by a digest of the cookie, and its data are encrypted under a key that takes the
cookie and `SECRET_KEY`. So who reads the database has neither a cookie nor what a session holds,
and who writes to it cannot make a session. Nobody can look into one whose cookie is not at hand:
what others must know of a session stands beside it (`accounts.sessions`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from runtime.statements import TEXT, now, statement

_DIGEST = 30
"""Bytes of the digest: 40 characters of base64, which is what the column takes."""


def row_key(cookie: str) -> str:
    """The key of a session's row. A cookie has 165 random bits, so a plain digest tells nothing."""
    digest = hashlib.sha256(b"securestore/session/1\0" + cookie.encode()).digest()
    return base64.urlsafe_b64encode(digest[:_DIGEST]).decode()


@statement(key=TEXT)
def _alive(key: Any) -> QuerySet[Session]:
    return Session.objects.filter(expire_date__gt=now(), session_key=key)


class SessionStore(DatabaseStore):
    """Django's own, whose `session_key` stays what the cookie says."""

    # --- Rows are found by the digest

    def _get_session_from_db(self) -> Session | None:
        found = _alive.first(key=row_key(str(self.session_key)))
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        """Whether there is a row for that cookie."""
        return Session.objects.filter(session_key=row_key(session_key)).exists()

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        """The row of the session."""
        return Session(
            session_key=row_key(self._cookie()),
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
        )

    async def acreate_model_instance(self, data: dict[str, Any]) -> Session:
        """This site is WSGI alone; Django's own would keep the cookie as it is."""
        raise NotImplementedError

    def delete(self, session_key: str | None = None) -> None:
        """Forget the session of that cookie; its own, where none is given."""
        cookie = session_key or self.session_key
        if cookie is not None:
            Session.objects.filter(session_key=row_key(cookie)).delete()

    # --- Data are under the cookie's key

    def _fernet(self) -> Fernet:
        key = salted_hmac("securestore.session", self._cookie(), algorithm="sha256").digest()
        return Fernet(base64.urlsafe_b64encode(key))

    def _cookie(self) -> str:
        store: Any = self  # The types of Django's sessions leave this out.
        return str(store._get_or_create_session_key())

    def encode(self, session_dict: dict[str, Any]) -> str:
        """The data as they are kept."""
        text = json.dumps(session_dict, separators=(",", ":")).encode()
        return self._fernet().encrypt(text).decode()

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        """What `encode` was given; nothing where it is another's, or was altered."""
        try:
            found: dict[str, Any] = json.loads(self._fernet().decrypt(session_data))
        except (ValueError, InvalidToken):
            return {}
        return found
