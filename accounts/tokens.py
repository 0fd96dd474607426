"""Tokens: programs act in a person's place, within scopes, one folder, networks and a time.

A token reaches never further than its person: who may do what is asked of the person's account on
each request, and a token only takes away from it. It is shown once, where it is made; kept is a
digest, by which it is found. Changing a password ends all tokens of its person (`User.save`);
while an account is deactivated, none of its tokens works. Must never tell a client why one was
refused: unknown, ended, and not from there look alike, and only the log knows.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

import audit
from accounts import authority, limits, lockouts, token_text
from accounts.limits import ADDRESS, Limit, LimitReached
from accounts.models import Token, User
from accounts.names import is_seen
from audit.client_addresses import client_address
from files.crypto.portable import clean_line
from runtime.connections import hurried

log = logging.getLogger(__name__)

LONGEST: Final = timedelta(days=365)
"""How long a token works at most."""

AT_MOST: Final = 50
"""Live tokens of one person."""

GUESSES: Final = Limit("token", {ADDRESS: "60/5m"})
"""Tokens that nobody has, from one address. A right one is never kept out by them."""

NOTED_EVERY: Final = timedelta(minutes=1)
NOTED_WITHIN: Final = 0.5
"""Seconds that a request waits for the note of its use, which it can do without."""

TOLD_EVERY: Final = 3600
"""Seconds for which one event speaks for all refusals of one token for one reason."""

NETWORKS: Final = 20
"""Networks that one token may be bound to."""


class Refused(Exception):
    """The token is not taken. `reason` is for the log alone."""

    def __init__(self, reason: str) -> None:
        super().__init__("The token is not valid here.")
        self.reason = reason


@dataclass(frozen=True)
class Made:
    """A new token, and what is shown once and kept nowhere."""

    token: Token
    text: str


# --- Making and revoking ------------------------------------------------------------------------


@sensitive_variables()
def make(
    user: User,
    *,
    name: str,
    scopes: Collection[str],
    expires_at: datetime,
    actor: User,
    folder_id: UUID | None = None,
    networks: str = "",
) -> Made:
    """Make a token of a person's. Who may, and that they have just confirmed who they are, is the
    callers' to ask; so is whether the folder is one that the person sees.

    An administrator makes one for a person who has no more power than they have: it is marked as
    theirs, and the person is told on their account's page. Raises ValidationError by field.
    """
    by_another = actor.pk != user.pk
    if by_another:
        authority.refuse_above(actor, user)
        if not user.is_active:
            raise ValidationError(_("This account is not active: none of its tokens would work."))
    name = clean_line(name)
    if not is_seen(name):
        raise ValidationError({"name": _("Nothing of this name can be seen: give it letters.")})
    if not scopes or set(scopes) - set(Token.Scope.values):
        raise ValidationError({"scopes": _("Choose what the token may do.")})
    now = timezone.now()
    if not now < expires_at <= now + LONGEST + timedelta(days=1):
        raise ValidationError({"expires_at": _("Choose a day within a year from now.")})
    text = token_text.generate()
    token = Token(
        user=user,
        name=name,
        digest=token_text.digest_of(text),
        scopes=" ".join(sorted(set(scopes))),
        folder_id=folder_id,
        networks=" ".join(networks_of(networks)),
        expires_at=expires_at,
        made_by=actor if by_another else None,
    )
    token.full_clean()
    with transaction.atomic():
        # One at a time: two could both be the last that there is room for.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if Token.objects.live().filter(user=user).count() >= AT_MOST:
            raise ValidationError(
                _("You have %(most)d tokens, as many as one person may have: end one first.")
                % {"most": AT_MOST}
            )
        token.save(force_insert=True)
        audit.record(
            audit.Event.TOKEN_CREATED,
            actor=actor,
            token_id=token.pk,
            label=token.name,
            fingerprint=token.fingerprint,
            user_id=user.pk,
            username=user.username,
            scopes=token.scopes,
            folder_id=folder_id,
            networks=token.networks or None,
            expires_at=expires_at,
        )
    return Made(token, text)


def networks_of(text: str) -> list[str]:
    """The networks that a person typed, as they are kept. Raises ValidationError by field."""
    found = []
    for part in text.replace(",", " ").split():
        try:
            network = ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise ValidationError(
                {
                    "networks": _(
                        "“%(part)s” is no address and no network: write 192.0.2.7, or 192.0.2.0/24."
                    )
                    % {"part": part[:50]}
                }
            ) from None
        found.append(str(network))
    if len(found) > NETWORKS:
        raise ValidationError(
            {"networks": _("At most %(most)d can be named.") % {"most": NETWORKS}}
        )
    return list(dict.fromkeys(found))


def revoke(token: Token, *, actor: User) -> bool:
    """End a token now. False where that was done before. Who may is the callers' to ask."""
    with transaction.atomic():
        open_now = Token.objects.filter(pk=token.pk, revoked_at=None)
        if not open_now.update(revoked_at=timezone.now(), revoked_by=actor):
            return False
        token.note_revoked(reason="", actor=actor)
    return True


def revoke_all(user: User, *, actor: User) -> int:
    """End every token of a person's; how many there were."""
    with transaction.atomic():
        ended = list(
            Token.objects.select_for_update(no_key=True).filter(user=user, revoked_at=None)
        )
        for token in ended:
            revoke(token, actor=actor)
    return len(ended)


def of(user: User) -> list[Token]:
    """A person's tokens that work, and those that ended within a month, the newest first."""
    lately = timezone.now() - timedelta(days=30)
    ended_before = Q(revoked_at__lt=lately) | Q(expires_at__lt=lately)
    found = Token.objects.filter(user=user).exclude(ended_before).select_related("made_by")
    return list(found[: 4 * AT_MOST])


# --- Presenting one -----------------------------------------------------------------------------


def presented(request: HttpRequest) -> str | None:
    """What the request has after `Authorization: Bearer`; None where it has nothing of the kind."""
    scheme, _space, text = request.headers.get("Authorization", "").strip().partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


@sensitive_variables()
def authenticate(request: HttpRequest, text: str) -> Token:
    """The token that this text is, of a person who may use it from there; its use is noted.

    Raises Refused, which the log has with its reason; and LimitReached. One query, mostly.
    """
    found = None
    if token_text.is_sound(text):
        digest = token_text.digest_of(text)
        found = Token.objects.select_related("user").filter(digest=digest).first()
    if found is None:
        _count_guess(request)
        raise _noted(Refused("unknown" if token_text.is_sound(text) else "malformed"), request)
    if (reason := _why_not(found, client_address(request))) is not None:
        raise _noted(Refused(reason), request, found)
    note_use(found, client_address(request))
    return found


def _why_not(token: Token, address: str) -> str | None:
    if token.state != "live":
        return token.state
    if not token.user.is_active:
        return "account is not active"
    return None if _is_within(address, token.networks.split()) else "address"


def _is_within(address: str, networks: Iterable[str]) -> bool:
    allowed = [ipaddress.ip_network(network) for network in networks]
    if not allowed:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in allowed)


def _count_guess(request: HttpRequest) -> None:
    try:
        GUESSES.take(request)
    except LimitReached as reached:
        lockouts.note(request, GUESSES.action, reached.wait, new=reached.is_new)
        raise


def _noted(refused: Refused, request: HttpRequest, token: Token | None = None) -> Refused:
    """Record a refusal: of a token that there is once an hour, however often it is presented."""
    about: dict[str, Any] = {}
    if token is not None:
        if not limits.is_news(f"token:{token.pk}:{refused.reason}", TOLD_EVERY):
            return refused
        about = {"token_id": token.pk, "label": token.name, "user_id": token.user_id}
        about["username"] = token.user.username
    audit.record(audit.Event.TOKEN_REFUSED, reason=refused.reason, **about)
    return refused


def note_use(token: Token, address: str) -> None:
    """Note that a token is in use, unless that was done within the last minute."""
    now = timezone.now()
    if token.last_used_at is not None and now - token.last_used_at < NOTED_EVERY:
        return
    token.last_used_at, token.last_used_from = now, address
    try:
        with hurried(NOTED_WITHIN):
            # Of many requests at once, each of which found it old, one notes it.
            old = Q(last_used_at=None) | Q(last_used_at__lte=now - NOTED_EVERY)
            noted = Token.objects.filter(old, pk=token.pk)
            noted.update(last_used_at=now, last_used_from=address)
    except (DatabaseError, InterfaceError) as error:
        # Busy with something larger: the next request notes it.
        log.warning("a token's use was not noted: %s", type(error).__name__)


def is_live(token_id: int) -> bool:
    """Whether a token works still, of a person whose account is active. One query."""
    return Token.objects.live().filter(pk=token_id).exists()
