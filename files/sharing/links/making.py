"""Makes a link to what somebody manages, never past the end of their own access.

The secret of its URL is given out once, and kept nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from accounts.outside import capability, codes, passwords
from audit import Event
from files.access.explaining import access_of
from files.access.principals import Person
from files.models import Folder, Item, Link
from files.records.names import clean_line
from files.sharing import granting
from files.sharing.links.events import record
from files.sharing.links.listing import AT_MOST, links_of, may_make
from runtime import moments

MOST_DOWNLOADS: Final = 1_000_000
SHORTEST_PASSWORD: Final = 6
"""Characters. Guesses are slowed, and it is handed on by word of mouth."""


@dataclass(frozen=True)
class Terms:
    """Until when, how often and for whom a link works; without an end, for `LINK_DAYS`."""

    expires_at: datetime | None = None
    label: str = ""
    password: str = ""
    addresses: str = ""
    most: int | None = None
    hashed: str | None = None
    """What is kept of the password, where `hashed` has made it."""


@dataclass(frozen=True)
class Made:
    """A new link, and the secret of its URL, which is shown once and kept nowhere."""

    link: Link
    text: str


def path_of(text: str) -> str:
    """The path of the link with that secret."""
    return f"/l/{text}/"


@sensitive_variables()
def make(item: Item, terms: Terms, *, actor: User) -> Made:
    """Make a link to what the actor manages. Raises ValidationError, by field where it is one's."""
    expires_at = _end(item, terms, actor)
    terms = hashed(terms)
    if terms.most is not None and not 1 <= terms.most <= MOST_DOWNLOADS:
        raise ValidationError({"most": _("Choose a number of downloads, or leave it empty.")})
    text = capability.generate()
    link = Link(
        **{item.kind: item},
        maker=actor,
        digest=capability.digest_of(text),
        label=clean_line(terms.label),
        expires_at=expires_at,
        password=terms.hashed or "",
        addresses=" ".join(_addresses(terms.addresses)),
        most=terms.most,
    )
    link.full_clean(exclude=("file", "folder", "maker"))
    with transaction.atomic():
        # One at a time, whoever makes them: two could both be the last that there is room for.
        granting.locked(link)
        if links_of(item).open().count() >= AT_MOST:
            raise ValidationError(
                _("It has %(most)d links, as many as there may be: end one first.")
                % {"most": AT_MOST}
            )
        link.save(force_insert=True)
        record(
            Event.LINK_CREATED,
            link,
            actor=actor,
            label=link.label or None,
            expires_at=expires_at,
            most=link.most,
            protected_by=link.protection or None,
            fingerprint=link.fingerprint,
        )
    return Made(link, text)


@sensitive_variables()
def hashed(terms: Terms) -> Terms:
    """The same terms, with what is kept of their password.

    For who makes the link in a transaction: one has to wait for a hash, and nobody else is to wait
    for them meanwhile. Raises ValidationError by field, TooBusy.
    """
    if terms.hashed is not None:
        return terms
    if settings.LINK_NEEDS_PASSWORD and not terms.password:
        raise ValidationError({"password": _("Links need a password here: choose one.")})
    if terms.password and len(terms.password) < SHORTEST_PASSWORD:
        text = ngettext(
            "It needs %(least)d character at least.",
            "It needs %(least)d characters at least.",
            SHORTEST_PASSWORD,
        )
        raise ValidationError({"password": text % {"least": SHORTEST_PASSWORD}})
    return replace(terms, hashed=passwords.hash_of(terms.password))


def _end(item: Item, terms: Terms, actor: User) -> datetime:
    """When the link ends. Raises ValidationError where it may not be made, or not for so long."""
    if not may_make(actor):
        raise ValidationError(_("Your account may not make links: ask an administrator."))
    found = access_of(Person(actor), item)
    if found is None or not found.may_manage:
        raise ValidationError(_("You can no longer share this. Ask its owner or an administrator."))
    if isinstance(item, Folder) and item.is_root:
        raise ValidationError(
            _("All of a person's files cannot be shared at once: choose a folder.")
        )
    now = timezone.now()
    longest = now + timedelta(days=settings.LINK_MAX_DAYS)
    wanted = terms.expires_at
    if wanted is None:
        usual = now + timedelta(days=min(settings.LINK_DAYS, settings.LINK_MAX_DAYS))
        return min(usual, found.until or usual)
    if wanted <= now:
        raise ValidationError({"expires_at": _("That end is over already: choose a later one.")})
    if wanted > longest + timedelta(days=1):
        text = ngettext(
            "A link works for %(days)d day at most: choose an earlier end.",
            "A link works for %(days)d days at most: choose an earlier end.",
            settings.LINK_MAX_DAYS,
        )
        raise ValidationError({"expires_at": text % {"days": settings.LINK_MAX_DAYS}})
    if found.until is not None and wanted > found.until:
        moment = moments.in_words(found.until)
        text = _("Your own access ends on %(moment)s: choose an earlier end.")
        raise ValidationError({"expires_at": text % {"moment": moment}})
    return wanted


def _addresses(text: str) -> list[str]:
    """Raises ValidationError by field."""
    try:
        found = codes.addresses_of(text)
    except ValidationError as error:
        raise ValidationError({"addresses": error.messages}) from None
    if closed := codes.closed_domains(found, settings.LINK_MAIL_DOMAINS):
        raise ValidationError({"addresses": closed})
    return found
