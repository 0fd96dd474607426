"""Who is signed in where: sessions are noted, end when idle or old, and can be revoked.

Each session has a row of allauth's beside Django's own, under the same digest of its cookie
(`accounts.session_store`). Reading it is one query for a request; writing when it was last seen
happens at most once a minute. Whatever ends a session deletes Django's row too, so no page can be
reached with its cookie again.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy

import audit
from accounts import user_agents
from accounts.models import User
from accounts.session_store import row_key
from runtime.connections import hurried
from runtime.statements import TEXT, statement

log = logging.getLogger(__name__)

NOTED_EVERY = timedelta(minutes=1)
NOTED_WITHIN = 0.5
"""Seconds that a page waits for the note, which it can do without."""

SHOWN = 100
OVER = {
    "idle": gettext_lazy("You were signed out, because you had not used the site for a while."),
    "age": gettext_lazy("You were signed out, because you had been signed in for so long."),
}
_PASSWORD = "password"  # noqa: S105 - the name of what tells that it was changed
_AGENT_LENGTH: int = UserSession._meta.get_field("user_agent").max_length


def begin(request: HttpRequest, user: User) -> None:
    """Note the session of a sign-in."""
    if not request.session.session_key:
        request.session.save()
    idle = timezone.now() - timedelta(seconds=settings.SESSION_IDLE_TIMEOUT)
    UserSession.objects.filter(user=user, last_seen_at__lt=idle).delete()
    UserSession.objects.update_or_create(
        session_key=_key(request),
        defaults={
            "user": user,
            "created_at": timezone.now(),
            "data": {_PASSWORD: _password_of(user)},
            **_seen(request),
        },
    )


def end(request: HttpRequest) -> None:
    """Forget the request's session, whose user signs out."""
    UserSession.objects.filter(session_key=_key(request)).delete()


def user_of(request: HttpRequest) -> User | AnonymousUser:
    """Whose session the request comes with; nobody's, where it was idle too long or is too old."""
    user = get_user(request)
    if not user.is_authenticated:
        return user
    row = current(request)
    if row is None:
        begin(request, user)
        return user
    reason = why_over(row)
    if reason is None:
        note(request, row)
        request.session_row = row  # type: ignore[attr-defined]
        return user
    # From here on the request is nobody's: the log must not ask it for its user again.
    request.user = AnonymousUser()
    with transaction.atomic():
        row.delete()
        audit.record(audit.Event.SIGNED_OUT, actor=user, reason=reason)
    request.session.flush()
    messages.info(request, OVER[reason], fail_silently=True)
    return AnonymousUser()


def current(request: HttpRequest) -> UserSession | None:
    """The row of the request's own session."""
    found: UserSession | None = _known_by.first(key=_key(request))
    return found


@statement(key=TEXT)
def _known_by(key: Any) -> QuerySet[UserSession]:
    rows: QuerySet[UserSession] = UserSession.objects.filter(session_key=key)[:1]
    return rows


def _key(request: HttpRequest) -> str:
    """What the rows of the request's session are known by."""
    cookie = request.session.session_key
    return row_key(cookie) if cookie else ""


def _password_of(user: User) -> str:
    """Tells whether the password was changed since; a session's own data cannot be looked into."""
    return salted_hmac("securestore.session.password", user.get_session_auth_hash()).hexdigest()


def note_again(request: HttpRequest) -> None:
    """Note that a request takes long, or that one ends which did, if a signed-in user's."""
    row = getattr(request, "session_row", None)
    if row is not None:
        note(request, row)


def why_over(row: UserSession) -> str | None:
    """Why a session has ended by the clock: `idle`, `age`, or None when it has not."""
    now = timezone.now()
    if now - row.last_seen_at > timedelta(seconds=settings.SESSION_IDLE_TIMEOUT):
        return "idle"
    if now - row.created_at > timedelta(seconds=settings.SESSION_COOKIE_AGE):
        return "age"
    return None


def note(request: HttpRequest, row: UserSession) -> None:
    """Note that a session is in use, unless that was done within the last minute."""
    if timezone.now() - row.last_seen_at < NOTED_EVERY:
        return
    seen = _seen(request)
    row.last_seen_at = seen["last_seen_at"]
    try:
        with hurried(NOTED_WITHIN):
            UserSession.objects.filter(pk=row.pk).update(**seen)
    except (DatabaseError, InterfaceError) as error:
        # Busy with something larger. The page needs no write, and the next request notes it.
        log.warning("a session's use was not noted: %s", type(error).__name__)


def _seen(request: HttpRequest) -> dict[str, Any]:
    agent = request.headers.get("User-Agent", "").replace("\0", "")
    return {
        "ip": get_adapter().get_client_ip(request),
        "user_agent": user_agents.shortened(agent, _AGENT_LENGTH),
        "last_seen_at": timezone.now(),
    }


def of(user: User) -> list[UserSession]:
    """The live sessions of a user, the last used one first. Rows of dead ones are removed."""
    rows = list(UserSession.objects.filter(user=user).order_by("-last_seen_at")[:SHOWN])
    kept = Session.objects.filter(
        session_key__in=[row.session_key for row in rows], expire_date__gt=timezone.now()
    )
    alive = set(kept.values_list("session_key", flat=True))
    # A password that was changed since makes a session void.
    password = _password_of(user)
    live = [
        row
        for row in rows
        if row.session_key in alive
        and row.data.get(_PASSWORD) == password
        and why_over(row) is None
    ]
    for row in live:
        row.browser = user_agents.in_words(row.user_agent)
    dead = {row.pk for row in rows} - {row.pk for row in live}
    if dead:
        UserSession.objects.filter(pk__in=dead).delete()
    return live


def revoke(user: User, number: int) -> bool:
    """End one session of a user's; whether there was one."""
    return _end(user, UserSession.objects.filter(user=user, pk=number)) > 0


def revoke_others(request: HttpRequest, user: User) -> int:
    """End every session of a user's but the one of this request; how many."""
    others = UserSession.objects.filter(user=user).exclude(session_key=_key(request))
    return _end(user, others)


def revoke_all(user: User) -> int:
    """End every session of a user's; how many."""
    return _end(user, UserSession.objects.filter(user=user))


def _end(user: User, sessions: QuerySet[UserSession]) -> int:
    with transaction.atomic():
        rows = list(sessions)
        Session.objects.filter(session_key__in=[row.session_key for row in rows]).delete()
        UserSession.objects.filter(pk__in=[row.pk for row in rows]).delete()
        for row in rows:
            audit.record(
                audit.Event.SESSION_REVOKED,
                user_id=user.pk,
                username=user.username,
                session_address=row.ip,
                session_agent=row.user_agent,
            )
    return len(rows)
