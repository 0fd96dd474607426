"""Who comes by a link: whether it works now, what they show at its door, what they may see.

Each request asks the maker's access anew. A link that is not there, is over, ended, used up or
asleep is nothing at all to who comes: the same questions are asked for each of them. Downloads are
counted by `files.vault.counting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts import limits
from accounts.models import User
from accounts.outside import LINK, Door, capability, codes, passwords
from audit import Event
from files.access import principals
from files.access.rule import folders_visible_to, visible_to
from files.models import FileRecord, Item, Link
from files.sharing.links.events import record
from notices import Kind, mail, notify

OPENED_EVERY: Final = 3600
"""Seconds for which one event tells of all visits to a link from one address."""

_NOBODY: Final = UUID(int=0)


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


def door_of(link: Link) -> Door:
    """The door that a link is."""
    return Door(LINK, link.pk, link.digest)


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
        record(Event.LINK_OPENED, link)


def note_refused(link: Link, reason: str) -> None:
    """Record a wrong password or code, and count it for the link's owner to see."""
    with transaction.atomic():
        _count(link, attempts=F("attempts") + 1)
        record(Event.LINK_REFUSED, link, reason=reason)


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
            record(Event.LINK_CODE_SENT, link, email=codes.normal(address))
        else:
            record(Event.LINK_REFUSED, link, reason="address")


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
