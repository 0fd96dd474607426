"""Links for people outside: made, opened and ended. Who has the URL comes in, and nobody else.

Made by who manages something and may make links, never past the end of their own access. Each
request asks the maker's access anew: a link of who lost it sleeps, and works again when it is back.
A link that is not there, is over, ended, used up or asleep is nothing at all to who comes: the same
questions are asked for each of them. Downloads are counted by `files.vault.counting`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

import audit
from accounts import limits
from accounts.models import User
from accounts.outside import LINK, Door, capability, codes, passwords
from audit import Event
from files.access import principals
from files.access.explaining import access_of
from files.access.permissions import Permission
from files.access.principals import Person
from files.access.rule import folders_visible_to, visible_to
from files.models import Ancestry, FileRecord, Folder, Item, Link, LinkQuerySet
from files.records.names import clean_line
from files.sharing import effective_access, granting
from files.vault.counting import told
from notices import Kind, mail, notify
from runtime import moments
from runtime.statements import ID, statement

AT_MOST: Final = 100
"""Links of one file or folder that work at once."""

MOST_DOWNLOADS: Final = 1_000_000
SHORTEST_PASSWORD: Final = 6
"""Characters. Guesses are slowed, and it is handed on by word of mouth."""

OPENED_EVERY: Final = 3600
"""Seconds for which one event tells of all visits to a link from one address."""

_NOBODY: Final = UUID(int=0)


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


@dataclass(frozen=True)
class Standing:
    """A link that works now: who comes by it, and what it leads to."""

    link: Link
    who: principals.Link
    item: Item

    @property
    def door(self) -> Door:
        """What stands before it."""
        return door_of(self.link)


def may_make(user: User) -> bool:
    """Whether the user may make links at all, to what they manage."""
    return bool(settings.LINKS) and user.has_perm(Permission.LINK)


def door_of(link: Link) -> Door:
    """The door that a link is."""
    return Door(LINK, link.pk, link.digest)


def path_of(text: str) -> str:
    """The path of the link with that secret."""
    return f"/l/{text}/"


# --- Making and ending --------------------------------------------------------------------------


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
        _record(
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


def may_end(link: Link, actor: User) -> bool:
    """Whether somebody may end it: who made it, and who manages what it leads to."""
    if link.maker_id == actor.pk:
        return True
    found = access_of(Person(actor), link.target) if link.target else None
    return found is not None and found.may_manage


def end(link: Link, *, actor: User) -> bool:
    """End a link as who made it or manages what it is to. False where it was ended before.

    Raises ValidationError where that is not theirs to do.
    """
    if not may_end(link, actor):
        raise ValidationError(_("This is not yours to stop: ask its owner or an administrator."))
    return revoke(link, actor=actor)


def revoke(link: Link, *, actor: User) -> bool:
    """End a link now; who may is the callers' to ask. False where it was ended before."""
    with transaction.atomic():
        now = timezone.now()
        open_now = Link.objects.filter(pk=link.pk, revoked_at=None)
        if not open_now.update(revoked_at=now, revoked_by=actor, ended_at=now):
            return False
        _record(Event.LINK_REVOKED, link, actor=actor)
    return True


def note_ended(*, now: datetime, at_most: int = 1000) -> int:
    """Record of links that they are over by time, once for each; how many there were."""
    over = Link.objects.filter(expires_at__lte=now, ended_at=None).order_by("pk")[:at_most]
    ended = 0
    for link in list(over):
        with transaction.atomic():
            if Link.objects.filter(pk=link.pk, ended_at=None).update(ended_at=now):
                _record(Event.LINK_ENDED, link)
                ended += 1
    return ended


def links_of(item: Item) -> LinkQuerySet:
    """The links to exactly this file or folder, the newest first."""
    found: LinkQuerySet = Link.objects.filter(**{f"{item.kind}_id": item.pk})
    return found.select_related("maker")


def links_reaching(item: Item) -> list[Link]:
    """The links that work now by themselves and lead to it, those of folders above among them.

    Whether their makers' access lasts is not asked: they may sleep. One query.
    """
    # What stands nowhere has nothing above it.
    return _reaching(kind=item.kind, item=item.pk, folder=item.covered_from_id or item.pk)


@statement(item=ID, folder=ID)
def _reaching(kind: str, item: Any, folder: Any) -> QuerySet[Link]:
    links = Link.objects.open().select_related("maker", "file", "folder").order_by()
    above = Ancestry.objects.filter(descendant=folder).values("ancestor")
    # Two questions, each by its index: as one it would look at all links.
    found = links.filter(**{f"{kind}_id": item}).union(links.filter(folder__in=above))
    return found.order_by("-created_at", "-id")[: 2 * AT_MOST]


def awake(item: Item, found: Iterable[Link]) -> set[int]:
    """Which of these, which lead to it, work now: by themselves, and by their makers' access.

    Four queries at most, however many they are and whoever made them.
    """
    live = [link for link in found if link.state == "live" and link.maker.is_active]
    makers = {link.maker_id: link.maker for link in live}
    if not makers or not settings.LINKS:
        return set()
    may = effective_access.who_may(makers.values(), Permission.LINK)
    managed = effective_access.managed_on_the_way(item, makers.values())
    return {
        link.pk
        for link in live
        if link.maker_id in may
        and (link.folder_id or link.file_id) in managed.get(link.maker_id, ())
    }


def beyond_bounds(found: QuerySet[Link]) -> QuerySet[Link]:
    """Of these, those that work and could not be made as they are today: a bound came after them.

    Domains are no matter here: one that is allowed no more opens nothing.
    """
    longest = timedelta(days=settings.LINK_MAX_DAYS + 1)
    beyond = Q(expires_at__gt=F("created_at") + longest)
    if settings.LINK_NEEDS_PASSWORD:
        beyond |= Q(password="")
    now = timezone.now()
    return found.filter(beyond, ended_at=None, revoked_at=None, expires_at__gt=now)


def made_by(user: User) -> LinkQuerySet:
    """All links that somebody made, those that are not over first, then the newest first."""
    now = timezone.now()
    is_open = Case(
        When(ended_at=None, revoked_at=None, expires_at__gt=now, then=Value(0)), default=Value(1)
    )
    found: LinkQuerySet = Link.objects.filter(maker=user).order_by(is_open, "-created_at", "-pk")
    return found.select_related("file", "folder")


def awake_by(maker: User, made: Iterable[Link], managed: Container[UUID]) -> set[int]:
    """Which of these, all of that maker's, their access keeps awake; `managed` is what they manage.

    Whether they have ended is another question.
    """
    if not may_make(maker):
        return set()
    return {one.pk for one in made if (one.file_id or one.folder_id) in managed}


# --- Coming by one ------------------------------------------------------------------------------


def principal_of(link: Link) -> principals.Link:
    """Who comes by that link."""
    return principals.Link(link.maker, link.pk, link.expires_at, link.file_id, link.folder_id)


@sensitive_variables()
def find(text: str) -> Standing | None:
    """The link with that secret, if it works now. Two queries, whatever is the matter with it."""
    link = Link.objects.select_related("maker").filter(digest=capability.digest_of(text)).first()
    works = link is not None and link.state == "live" and link.maker.is_active
    if link is not None and works and settings.LINKS:
        who = principal_of(link)
    else:
        later = timezone.now() + timedelta(days=1)
        who = principals.Link(User(pk=0, is_active=True), 0, later, file=_NOBODY)
    item = _root(who)
    return Standing(link, who, item) if link is not None and item is not None else None


def _root(who: principals.Link) -> Item | None:
    if who.file is None:
        folders = folders_visible_to(who).select_related("owner", "parent")
        return folders.filter(pk=who.folder or _NOBODY).first()
    files = visible_to(who).select_related("owner", "current__held_key")
    return files.filter(pk=who.file).first()


def still_works(link_id: int, record: FileRecord) -> bool:
    """Whether a running download of a file by the link may go on. Two queries."""
    link = Link.objects.select_related("maker").filter(pk=link_id, revoked_at=None).first()
    if link is None or not settings.LINKS or link.expires_at <= timezone.now():
        return False
    return visible_to(principal_of(link)).filter(pk=record.pk).exists()


def note_opened(standing: Standing, *, address: str) -> None:
    """Record that somebody came by a link: once an hour for each address."""
    link = standing.link
    if not limits.is_news(f"link:{link.pk}:{address}", OPENED_EVERY):
        return
    with transaction.atomic():
        _count(link, opened=F("opened") + 1, last_opened_at=timezone.now())
        notify(Kind.LINK_OPENED, [link.maker_id], file_id=link.file_id, folder_id=link.folder_id)
        _record(Event.LINK_OPENED, link)


def note_refused(link: Link, reason: str) -> None:
    """Record a wrong password or code, and count it for the link's owner to see."""
    with transaction.atomic():
        _count(link, attempts=F("attempts") + 1)
        _record(Event.LINK_REFUSED, link, reason=reason)


@sensitive_variables()
def send_code(standing: Standing, address: str, *, language: str) -> None:
    """Send a code to an address, if it may have one: nobody is told whether.

    What is written is the same either way, and so is the time.
    """
    link = standing.link
    allowed = codes.is_among(address, _named(link))

    def queue(code: str) -> None:
        mail.enqueue(
            "outside/email/link_code",
            {"code": f"{code[:4]} {code[4:]}", "minutes": int(codes.LASTS.total_seconds() // 60)},
            to=codes.normal(address),
            kind="link_code",
            language=language,
            useful_for=codes.LASTS,
        )

    with transaction.atomic():
        codes.send(standing.door, address, allowed=allowed, mail=queue)
        _count(link, attempts=F("attempts") + (0 if allowed else 1))
        if allowed:
            _record(Event.LINK_CODE_SENT, link, email=codes.normal(address))
        else:
            _record(Event.LINK_REFUSED, link, reason="address")


@sensitive_variables()
def take_code(standing: Standing, address: str, code: str) -> None:
    """Take the code that was sent to an address. Raises WrongCode, which the log has."""
    try:
        codes.check(standing.door, address, code)
        if not codes.is_among(address, _named(standing.link)):
            raise codes.WrongCode
    except codes.WrongCode:
        note_refused(standing.link, "code")
        raise


@sensitive_variables()
def take_password(standing: Standing, text: str) -> bool:
    """Whether that is the link's password; a wrong one is recorded. Raises TooBusy."""
    right = passwords.matches(text, standing.link.password)
    if not right:
        note_refused(standing.link, "password")
    return right


def _named(link: Link) -> list[str]:
    """The addresses, and the domains that an administrator still allows."""
    return codes.within(link.named, settings.LINK_MAIL_DOMAINS)


def _count(link: Link, **changes: Any) -> None:
    Link.objects.filter(pk=link.pk).update(**changes)


def _record(event: Event, link: Link, *, actor: User | None = None, **details: Any) -> None:
    audit.record(event, actor=actor, **{**told(link), **details})
