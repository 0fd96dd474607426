"""A program asks for a token of a person's, who allows it in the browser, or refuses.

By a port of the program's own machine (RFC 8252): the browser that is signed in there carries a
code to it, which only who began can redeem (PKCE, RFC 7636). Or by a code that the person types
into a page (RFC 8628), which shows from where it was asked for; the password is asked for each
time, since whoever sends somebody such a code wants to act as them. The token itself is made by
`tokens.make`, when the program fetches it, and is nowhere before. Kept are digests of codes, for
minutes.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.debug import sensitive_variables

import audit
from accounts import tokens
from accounts.limits import ADDRESS, Limit
from accounts.models import ProgramRequest, Token, User
from accounts.names import is_seen
from files.crypto.portable import clean_line

CARRIED: Final = timedelta(minutes=1)
"""How long a browser has to carry a code to its own machine."""

TYPED: Final = timedelta(minutes=10)
"""How long a person has to type a code."""

INTERVAL: Final = 5
"""Seconds between two questions of a program whether its code was typed."""

LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Of codes that are typed: no vowels, so that they are no words, and none that look alike."""

LENGTH: Final = 8
USUAL: Final = timedelta(days=90)

BEGINNING: Final = Limit("program_begin", {ADDRESS: "60/10m"})
TYPING: Final = Limit("program_code", {"user": "10/10m", ADDRESS: "60/10m"})
REDEEMING: Final = Limit("program_token", {ADDRESS: "60/5m"})
"""Codes that nobody was given, from one address."""


class NotOpen(Exception):
    """There is no such request, or it was answered, or its time is over."""


class Pending(Exception):
    """Nobody has answered yet. `too_fast`: the program asks more often than it was told to."""

    def __init__(self, *, too_fast: bool = False) -> None:
        super().__init__()
        self.too_fast = too_fast


class Denied(Exception):
    """The person said no."""


@dataclass(frozen=True)
class Asked:
    """What a program wants: what it is called, and what its token is to do."""

    name: str
    scopes: tuple[str, ...]

    @classmethod
    def of(cls, name: str, scope: str) -> Asked:
        """From what the program says. Raises ValueError."""
        cleaned = clean_line(name[:200])[:60]
        scopes = dict.fromkeys(scope.split())
        if not is_seen(cleaned) or not scopes or set(scopes) - set(Token.Scope.values):
            raise ValueError
        return cls(cleaned, tuple(one for one in Token.Scope.values if one in scopes))


@dataclass(frozen=True)
class Begun:
    """What a program without a browser is told; kept are digests."""

    device_code: str
    user_code: str


# --- Asking -----------------------------------------------------------------------------------


@sensitive_variables()
def begin(asked: Asked, address: str) -> Begun:
    """Note that a program asks, and make its two codes: one to ask with, one to be typed."""
    device_code = secrets.token_urlsafe(32)
    user_code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    now = timezone.now()
    ProgramRequest.objects.filter(expires_at__lt=now - timedelta(hours=1)).delete()
    ProgramRequest.objects.create(
        secret=digest_of(device_code),
        typed=_typed(user_code),
        name=asked.name,
        scopes=" ".join(asked.scopes),
        address=address,
        expires_at=now + TYPED,
    )
    return Begun(device_code, f"{user_code[:4]}-{user_code[4:]}")


def find(user_code: str) -> ProgramRequest:
    """The request whose code was typed, however it was written. Raises NotOpen."""
    letters = "".join(char for char in user_code.upper() if char.isalnum())
    found = _open().filter(typed=_typed(letters)).first() if len(letters) == LENGTH else None
    if found is None:
        raise NotOpen
    return found


def waiting(number: int) -> ProgramRequest:
    """A request that waits for an answer, by its number. Raises NotOpen."""
    found = _open().filter(pk=number).exclude(typed="").first()
    if found is None:
        raise NotOpen
    return found


# --- Answering --------------------------------------------------------------------------------


@sensitive_variables()
def allow_here(
    user: User, asked: Asked, *, until: datetime, challenge: str, redirect_uri: str, address: str
) -> str:
    """Allow what a program on the browser's own machine asks; the code that is carried to it."""
    code = secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        made = ProgramRequest.objects.create(
            secret=digest_of(code),
            name=asked.name,
            scopes=" ".join(asked.scopes),
            address=address,
            challenge=challenge,
            redirect_uri=redirect_uri,
            expires_at=now + CARRIED,
            user=user,
            decided_at=now,
            token_until=until,
        )
        _note(audit.Event.PROGRAM_ALLOWED, made, user)
    return code


def allow(found: ProgramRequest, user: User, *, scopes: Collection[str], until: datetime) -> None:
    """Allow what a program asked for by a code, or less. Raises NotOpen."""
    kept = [one for one in found.scopes.split() if one in scopes]
    if not kept:
        raise NotOpen
    with transaction.atomic():
        _decide(found, user=user, scopes=" ".join(kept), token_until=until)
        found.scopes = " ".join(kept)
        _note(audit.Event.PROGRAM_ALLOWED, found, user)


def refuse(found: ProgramRequest, user: User) -> None:
    """Refuse it: the program is told so. Raises NotOpen."""
    with transaction.atomic():
        _decide(found, user=user, is_refused=True)
        _note(audit.Event.PROGRAM_REFUSED, found, user)


def _decide(found: ProgramRequest, **fields: object) -> None:
    if not _open().filter(pk=found.pk).update(decided_at=timezone.now(), **fields):
        raise NotOpen


def _open() -> QuerySet[ProgramRequest]:
    return ProgramRequest.objects.filter(decided_at=None, expires_at__gt=timezone.now())


def _note(event: audit.Event, found: ProgramRequest, user: User) -> None:
    audit.record(
        event,
        actor=user,
        label=found.name,
        scopes=found.scopes,
        asked_from=found.address,
        by_code=bool(found.typed),
    )


# --- Fetching the token -----------------------------------------------------------------------


@sensitive_variables()
def redeem(code: str, *, verifier: str, redirect_uri: str) -> tokens.Made:
    """The token for a code that a browser carried. Raises NotOpen, ValidationError."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    with transaction.atomic():
        found = _locked(code)
        if (
            found.typed
            or not constant_time_compare(found.challenge, challenge.decode().rstrip("="))
            or found.redirect_uri != redirect_uri
        ):
            raise NotOpen
        return _made(found)


@sensitive_variables()
def collect(device_code: str) -> tokens.Made:
    """The token of who asked by a code that is typed. Raises Pending, Denied, NotOpen,
    ValidationError."""
    with transaction.atomic():
        found = _locked(device_code)
        if not found.typed:
            raise NotOpen
        if found.decided_at is not None and not found.is_refused:
            return _made(found)
        if found.is_refused:
            found.delete()
        last, now = found.asked_at, timezone.now()
        too_fast = last is not None and now - last < timedelta(seconds=INTERVAL - 1)
        ProgramRequest.objects.filter(pk=found.pk).update(asked_at=now)
    if found.is_refused:
        raise Denied
    raise Pending(too_fast=too_fast)


def _locked(secret: str) -> ProgramRequest:
    """The request with that code, held to the end of the transaction. Raises NotOpen."""
    rows = ProgramRequest.objects.select_for_update(of=("self",), no_key=True)
    active = Q(user=None) | Q(user__is_active=True)
    found = rows.filter(active, secret=digest_of(secret), expires_at__gt=timezone.now()).first()
    if found is None:
        raise NotOpen
    return found


def _made(found: ProgramRequest) -> tokens.Made:
    """The token that was allowed. The request is gone with it: a code is good for one."""
    user, until = found.user, found.token_until
    if user is None or until is None:
        raise NotOpen
    made = tokens.make(
        user, name=found.name, scopes=found.scopes.split(), expires_at=until, actor=user
    )
    found.delete()
    return made


def digest_of(code: str) -> str:
    """What the database keeps of a code that is too long to be guessed."""
    return hashlib.sha256(b"securestore/program/1\0" + code.encode()).hexdigest()


def _typed(user_code: str) -> str:
    """What it keeps of a short one: nothing that can be tried without the site's own secret."""
    return salted_hmac("securestore.program", user_code, algorithm="sha256").hexdigest()
