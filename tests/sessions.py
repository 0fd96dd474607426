"""Who uses a test's client signed in before the test: `Client.force_login` leaves what that leaves.

Most tests of pages begin with it. Django's own signs in as the page does, in some twenty statements
and with an event; this one makes the two rows that stay. Tests of signing in ask for
`real_sign_in`. This is a pytest plugin: `tests/conftest.py` names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone
from django.utils.crypto import get_random_string

from accounts import reauthentication, sessions
from accounts.models import User
from accounts.session_store import SessionStore
from runtime.inserting import insert

_sign_in = Client.force_login


def _signed_in(client: Client, user: User) -> None:
    request, now = HttpRequest(), timezone.now()
    store: Any = SessionStore(get_random_string(32))
    store._session_cache = {
        auth.SESSION_KEY: str(user.pk),
        auth.BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        auth.HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    request.session, request.user = store, user
    reauthentication.note_sign_in(request, user)
    insert(store.create_model_instance(store._session))
    row = UserSession(
        session_key=sessions._key(request),
        user=user,
        created_at=now,
        last_seen_at=now,
        ip="127.0.0.1",
        data={sessions._PASSWORD: sessions._password_of(user)},
    )
    insert(row)
    client.cookies[settings.SESSION_COOKIE_NAME] = store.session_key


@pytest.fixture(autouse=True, scope="session")
def _signed_in_before() -> Iterator[None]:
    def force_login(self: Client, user: User, backend: str | None = None) -> None:
        if backend or settings.SESSION_COOKIE_NAME in self.cookies:
            _sign_in(self, user, backend)
        else:
            _signed_in(self, user)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "force_login", force_login)
        yield


@pytest.fixture
def real_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Client.force_login` signs in, and the log has it."""
    monkeypatch.setattr(Client, "force_login", _sign_in)
