"""Requests: asking people without an account for files, and what becomes of what they sent.

Made by who manages a folder and may ask at all; it never outlasts its maker's own access, and
sleeps while that is not there. What is sent through one is stored as everything is (`files.vault`);
where it is held back, it waits until it is accepted. Must never keep a token: it is told once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import (
    Aggregate,
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

import audit
from accounts.models import User
from accounts.outside import capability, codes
from audit import Event
from files.access.explaining import access_of
from files.access.permissions import Permission
from files.access.principals import Person, Principal
from files.access.rule import folders_managed_by, waiting_for
from files.models import FileRecord, FileRequest, Folder, Received, Sender, StoredObject
from files.models.requests import MAX_WORDS
from files.records.names import clean_line
from files.tree import placing
from files.vault import outside, removing
from runtime import moments

AT_ONCE = 500
"""Files that are accepted or declined in one step."""


@dataclass(frozen=True)
class Terms:
    """What a request asks for, of whom, until when, and how much it takes; empty: as is usual."""

    title: str
    words: str = ""
    expires_at: datetime | None = None
    most_bytes: int | None = None
    most_files: int | None = None
    most_senders: int | None = None
    identify: str = FileRequest.Identify.NAME
    addresses: list[str] = field(default_factory=list)
    accept_first: bool = False


def may_ask(user: User) -> bool:
    """Whether somebody may ask people outside for files at all."""
    return settings.REQUEST_ALLOWED and user.has_perm(Permission.REQUEST)


def usual_end(now: datetime | None = None) -> datetime:
    """When a request ends of which nobody says when."""
    days: int = min(settings.REQUEST_DAYS, settings.REQUEST_MAX_DAYS)
    return (now or timezone.now()) + timedelta(days=days)


def make(folder: Folder, terms: Terms, *, by: Principal, actor: User) -> tuple[FileRequest, str]:
    """A new request for a folder, and its token, which nobody can tell again.

    Raises ValidationError with all that is in the way.
    """
    with transaction.atomic():
        until = terms.expires_at or _within_reach(folder, actor)
        problems = _in_the_way(folder, terms, until, by, actor)
        if problems:
            raise ValidationError(problems)
        token = capability.generate()
        new = FileRequest(
            folder=folder,
            maker=actor,
            title=clean_line(terms.title),
            words=terms.words.strip(),
            token_digest=capability.digest_of(token),
            identify=terms.identify,
            addresses=[one.lower() for one in terms.addresses],
            most_bytes=terms.most_bytes or min(settings.REQUEST_QUOTA, settings.REQUEST_MAX_QUOTA),
            most_files=terms.most_files,
            most_senders=terms.most_senders,
            accept_first=terms.accept_first,
            expires_at=until,
        )
        new.full_clean()
        new.save(force_insert=True)
        audit.record(
            Event.REQUEST_CREATED,
            actor=actor,
            file_request_id=new.pk,
            folder_id=str(folder.pk),
            expires_at=new.expires_at.isoformat(),
            bytes=new.most_bytes,
            files=new.most_files,
            fingerprint=new.fingerprint,
        )
    return new, token


def _within_reach(folder: Folder, actor: User) -> datetime:
    """The usual end, or the end of the maker's own access where that comes before."""
    access = access_of(Person(actor), folder)
    own = access.until if access is not None else None
    return min(usual_end(), own) if own is not None else usual_end()


def _in_the_way(
    folder: Folder, terms: Terms, until: datetime, by: Principal, actor: User
) -> list[str]:
    if not may_ask(actor):
        return [_("You may not ask people outside for files. An administrator can allow it.")]
    if not folders_managed_by(by).filter(pk=folder.pk).exists():
        return [_("You can no longer manage this folder. Ask its owner.")]
    access = access_of(Person(actor), folder)
    now = timezone.now()
    problems = []
    if not clean_line(terms.title):
        problems.append(_("Give it a title: it is what people outside are shown."))
    if len(terms.words) > MAX_WORDS:
        problems.append(
            _("The words to the sender may have %(most)d characters.") % {"most": MAX_WORDS}
        )
    if until <= now:
        problems.append(_("The end is in the past: choose a later one."))
    elif until > now + timedelta(days=settings.REQUEST_MAX_DAYS, minutes=1):
        problems.append(
            ngettext(
                "A request lasts %(days)d day at most: choose an earlier end.",
                "A request lasts %(days)d days at most: choose an earlier end.",
                settings.REQUEST_MAX_DAYS,
            )
            % {"days": settings.REQUEST_MAX_DAYS}
        )
    if access is not None and access.until is not None and until > access.until:
        problems.append(
            _("Your own access ends on %(moment)s: choose an earlier end.")
            % {"moment": moments.in_words(access.until)}
        )
    largest: int = settings.REQUEST_MAX_QUOTA
    if terms.most_bytes is not None and not 0 < terms.most_bytes <= largest:
        problems.append(
            _("A request takes %(most)s in all, at most: ask for less.")
            % {"most": filesizeformat(largest)}
        )
    return problems + _wrong_addresses(terms)


def _wrong_addresses(terms: Terms) -> list[str]:
    problems: list[str] = []
    try:
        named = codes.addresses_of(" ".join(terms.addresses))
        problems += codes.closed_domains(named, settings.REQUEST_MAIL_DOMAINS)
    except ValidationError as error:
        problems += error.messages
    if terms.identify == FileRequest.Identify.CODE and not terms.addresses:
        problems.append(_("Say whose mail addresses get a code."))
    return problems


def requests_managed_by(principal: Principal) -> QuerySet[FileRequest]:
    """Requests for folders that the principal manages: to look at, and to end."""
    managed = folders_managed_by(principal).values("pk")
    return FileRequest.objects.filter(folder__in=managed).select_related("folder", "maker")


def beyond_bounds(found: QuerySet[FileRequest]) -> QuerySet[FileRequest]:
    """Of these, those that are open and could not be made as they are today: a bound came after."""
    longest = timedelta(days=settings.REQUEST_MAX_DAYS + 1)
    late = Q(expires_at__gt=F("created_at") + longest)
    large = Q(most_bytes__gt=settings.REQUEST_MAX_QUOTA)
    return found.filter(late | large, ended_at=None, expires_at__gt=timezone.now())


def made_by(user: User) -> QuerySet[FileRequest]:
    """All requests that somebody made, those that are not over first, then the newest first."""
    now = timezone.now()
    is_open = Case(When(ended_at=None, expires_at__gt=now, then=Value(0)), default=Value(1))
    found = FileRequest.objects.filter(maker=user).order_by(is_open, "-created_at", "-pk")
    return found.select_related("folder")


def with_numbers(requests: QuerySet[FileRequest]) -> QuerySet[FileRequest]:
    """With how many senders, files and bytes each has had, and how many files wait."""
    received = Received.objects.filter(sender__request=OuterRef("pk")).order_by()
    of_each: QuerySet[Any, Any] = received.values("sender__request")
    waiting = Q(accepted_at=None, declined_at=None, file__isnull=False)
    of_it = Sender.objects.filter(request=OuterRef("pk")).order_by()
    senders: QuerySet[Any, Any] = of_it.values("request")

    return requests.annotate(
        senders_n=summed(senders, Count("pk")),
        files_n=summed(of_each, Count("pk")),
        bytes_n=summed(of_each, Sum("size")),
        waiting_n=summed(of_each.filter(waiting), Count("pk")),
    )


def summed(rows: QuerySet[Any, Any], what: Aggregate) -> Coalesce:
    """That aggregate over each one's rows, 0 where there are none."""
    return Coalesce(Subquery(rows.annotate(n=what).values("n")), 0)


def end(request: FileRequest, *, actor: User) -> bool:
    """End a request: nothing comes through it any more, and what is on its way is refused.

    False where it had ended by somebody's word before. Who may is asked by the callers.
    """
    now = timezone.now()
    with transaction.atomic():
        rows = FileRequest.objects.filter(pk=request.pk, ended_at=None)
        if not rows.update(ended_at=now, ended_by=actor):
            return False
        writing = StoredObject.objects.filter(
            sender__request=request.pk, state=StoredObject.State.WRITING
        )
        # Their writers clean up behind themselves; what nobody writes is taken away by a sweep.
        given_up = removing.doom(writing)
        audit.record(
            Event.REQUEST_ENDED,
            actor=actor,
            file_request_id=request.pk,
            folder_id=str(request.folder_id),
            aborted=given_up,
        )
    request.ended_at, request.ended_by = now, actor
    return True


# --- What waits -------------------------------------------------------------------------------


def waiting_through(request: FileRequest, by: Principal) -> QuerySet[FileRecord]:
    """What came through a request and waits to be accepted, the oldest first."""
    waiting = waiting_for(by).filter(received__sender__request=request.pk)
    return waiting.select_related("received__sender").order_by("received__id")


def accept(request: FileRequest, files: Collection[UUID], *, by: Principal, actor: User) -> int:
    """Let what waits into its senders' folders, where all see it who see these. How many did.

    What does not wait any more is left out. Raises TooDeep, NoSuchFolder.
    """
    with transaction.atomic():
        below = placing.lock_folder(request.folder)
        found = list(waiting_through(request, by).filter(pk__in=list(files)[:AT_ONCE]))
        for record in found:
            sender = record.received.sender
            sender.refresh_from_db(fields=["folder", "waiting"])
            folder = outside.own_folder(sender, below)
            placing.put(record, folder, placing.free_name(folder, record.name))
            _decided(record, Event.UPLOAD_ACCEPTED, actor, accepted_at=timezone.now())
        _tidy(found)
    return len(found)


def decline(request: FileRequest, files: Collection[UUID], *, by: Principal, actor: User) -> int:
    """Put what waits into the trash of the folder's owner. How many were.

    What does not wait any more is left out. Raises NoSuchFolder.
    """
    with transaction.atomic():
        below = placing.lock_folder(request.folder)
        found = list(waiting_through(request, by).filter(pk__in=list(files)[:AT_ONCE]))
        now = timezone.now()
        for record in found:
            placing.leave(record)
            FileRecord.objects.filter(pk=record.pk).update(
                folder=below, trashed_at=now, trashed_by=actor
            )
            _decided(record, Event.UPLOAD_DECLINED, actor, declined_at=now)
        _tidy(found)
    return len(found)


def _decided(record: FileRecord, event: Event, actor: User, **fields: datetime) -> None:
    Received.objects.filter(pk=record.received.pk).update(**fields)
    audit.record(event, actor=actor, file_id=record.pk, **outside.told(record.received.sender))


def _tidy(decided: Collection[FileRecord]) -> None:
    """Folders in which nothing waits any more go: they had no name, and nobody saw them."""
    senders = {record.received.sender.pk for record in decided}
    waits = FileRecord.objects.filter(folder=OuterRef("pk"))
    Folder.objects.filter(~Exists(waits), waits_for__in=senders).delete()
