"""Invitations: a person without an account gets a link by mail, and with it makes one.

The link's token is 256 random bits. The database keeps a hash of it and the session another, so
neither opens anything; nothing here logs or records it. A link works once, until it expires, is
revoked, or a newer one is sent. Who sends it to an address that is not theirs has given the account
away: whoever follows it shows that the mail arrived, so the address counts as verified.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

import audit
from accounts.limits import ADDRESS, Limit
from accounts.members import ensure_members_group
from accounts.models import Invitation, User
from notices import mail

SENDING = Limit("invitation", {"to": "5/h", "user": "50/h"})
OPENING = Limit("invitation_link", {ADDRESS: "30/5m"})
ACCEPTING = Limit("invitation_accept", {ADDRESS: "20/5m"})
MAY_INVITE = ("accounts.add_user", "accounts.add_invitation")


class NotOpen(Exception):
    """The invitation was used, revoked, has expired, or never was."""


def may_invite(user: User) -> bool:
    """Whether a user may send and revoke invitations."""
    return user.is_active and any(user.has_perm(permission) for permission in MAY_INVITE)


def hash_of(token: str) -> str:
    """What the database keeps of a token. It is random, so a plain hash cannot be searched."""
    return hashlib.sha256(b"securestore/invitation/1\0" + token.encode()).hexdigest()


def invite(
    email: str, *, groups: Iterable[Group] = (), actor: User, request: HttpRequest
) -> Invitation:
    """Make an invitation and send it. Without `groups`, to Members.

    Groups are powers: the caller lets only superusers choose them. Raises ValidationError where
    the address has an account or an open invitation already, and LimitReached.
    """
    invitation = Invitation(email=User.objects.normalize_email(email), invited_by=actor)
    refuse_address(invitation.email)
    SENDING.take(request, to=invitation.email, user=actor.pk)
    return _send(invitation, list(groups) or [ensure_members_group()], actor, request)


def resend(invitation: Invitation, *, actor: User, request: HttpRequest) -> Invitation:
    """Send an invitation again, with a new link; the old one stops working.

    Raises NotOpen when it was accepted or revoked; an expired one opens again.
    """
    SENDING.take(request, to=invitation.email, user=actor.pk)
    return _send(invitation, None, actor, request)


def revoke(invitation: Invitation, *, actor: User) -> bool:
    """Take an invitation back; whether there was something to take back."""
    with transaction.atomic():
        changed = Invitation.objects.waiting().filter(pk=invitation.pk)
        if not changed.update(revoked_at=timezone.now(), revoked_by=actor):
            return False
        audit.record(
            audit.Event.INVITATION_REVOKED, invitation=invitation.pk, email=invitation.email
        )
    return True


def refuse_address(email: str) -> None:
    """Raise ValidationError where nobody can be invited under this address."""
    if User.objects.filter(email__iexact=email).exists() or (
        EmailAddress.objects.filter(email__iexact=email).exists()
    ):
        raise ValidationError(gettext("An account with this e-mail address exists already."))
    if Invitation.objects.waiting().filter(email__iexact=email).exists():
        raise ValidationError(
            gettext("This address is invited already: send that invitation again.")
        )


# --- Sending -----------------------------------------------------------------------------------


def _send(
    invitation: Invitation, groups: Sequence[Group] | None, actor: User, request: HttpRequest
) -> Invitation:
    token = secrets.token_urlsafe(32)
    lasts = timedelta(hours=settings.INVITATION_EXPIRY_HOURS)
    is_new = invitation.pk is None
    with transaction.atomic():
        if not is_new:
            invitation = Invitation.objects.select_for_update(no_key=True).get(pk=invitation.pk)
            if invitation.state not in {"open", "expired"}:
                raise NotOpen
        invitation.token_hash = hash_of(token)
        invitation.sent_at = timezone.now()
        invitation.expires_at = invitation.sent_at + lasts
        try:
            with transaction.atomic():
                invitation.save()
        except IntegrityError:  # Invited twice at once.
            refuse_address(invitation.email)
            raise
        if groups is not None:
            invitation.groups.set(groups)
        audit.record(
            audit.Event.USER_INVITED,
            invitation=invitation.pk,
            email=invitation.email,
            again=not is_new,
        )
        _mail(invitation, token, actor, request, lasts)
    return invitation


def _mail(
    invitation: Invitation, token: str, actor: User, request: HttpRequest, lasts: timedelta
) -> None:
    """Write the mail. It waits in the queue, and is sent when the transaction stands."""
    link = request.build_absolute_uri(reverse("invitation_link", args=[token]))
    mail.enqueue(
        "accounts/email/invitation",
        {"invitation": invitation, "link": link, "actor": actor, "host": request.get_host()},
        kind="invitation",
        to=invitation.email,
        useful_for=lasts,
    )


# --- Accepting ---------------------------------------------------------------------------------


def find(token_hash: str) -> Invitation:
    """The open invitation with that hash. Raises NotOpen."""
    found = Invitation.objects.open().filter(token_hash=token_hash).first()
    if found is None:
        raise NotOpen
    return found


def accept(token_hash: str, *, username: str, password: str) -> User:
    """Make the account that an invitation is for.

    Raises NotOpen, TooBusy, and ValidationError by field where the name is taken or is no name, or
    where the address got an account meanwhile.
    """
    user = User(username=User.normalize_username(username))
    # Before the transaction: it may wait for its turn, and nobody else's write shall wait with it.
    user.set_password(password)
    with transaction.atomic():
        open_now = Invitation.objects.open().select_for_update(of=("self",), no_key=True)
        invitation = open_now.filter(token_hash=token_hash).first()
        if invitation is None:
            raise NotOpen
        user.email = invitation.email
        user.full_clean()
        user.save()
        user.groups.set(invitation.groups.all())
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        Invitation.objects.filter(pk=invitation.pk).update(
            accepted_at=timezone.now(), accepted_by=user
        )
        audit.record(
            audit.Event.INVITATION_ACCEPTED,
            actor=user,
            invitation=invitation.pk,
            user_id=user.pk,
            username=user.username,
        )
    return user
