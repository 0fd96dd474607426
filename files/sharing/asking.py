"""Asking for access to what one may not see, and answering: the use cases of requests for access.

Who asks learns nothing of whether there is anything. Whatever id they ask for, the same is
written, by the same queries, and shown to them: that they asked. Those who may decide are looked
for later, by `deliver` (`notices.finders`), so that no answer takes longer for what exists. To
decline is to be silent: only what was shared shows. Every request is forgotten after `LASTS`,
answered or not.

It is answered by who may share the thing, as far as their own access reaches: `delegating` decides
that, as of everything that is shared. While the thing is in the trash, or who asked is deactivated,
the request sleeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

import audit
from accounts.models import User
from audit import Event
from audit.chain import Detail
from files.access.permissions import Permission, may_share
from files.access.principals import Person, Principal
from files.access.rule import folders_managed_by, folders_visible_to, managed_by, visible_to
from files.models import AccessRequest, FileRecord, Folder, Grant, Item
from files.models.asked import LASTS
from files.records.names import clean_line
from files.sharing import delegating, effective_access
from files.sharing.granting import Terms
from notices import Kind, notify

AT_MOST: Final = 100
"""Requests of one person that are remembered at once."""

AT_ONCE: Final = 200
"""Requests that one look for those who may decide is about."""

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_NOT_GRANTED = ~Q(answer=AccessRequest.Answer.GRANTED)


class TooManyRequests(Exception):
    """As many requests of one person are remembered as may be. The words may be shown."""

    def __init__(self) -> None:
        text = _(
            "You have asked for %(most)d things within %(days)d days, which is as many as are "
            "remembered. Ask the people themselves."
        )
        super().__init__(text % {"most": AT_MOST, "days": LASTS.days})


class Answered(Exception):
    """Somebody else has answered it, or it can be answered no longer. The words may be shown."""

    def __init__(self) -> None:
        super().__init__(_("This was answered meanwhile, or can no longer be answered."))


# --- Asking -------------------------------------------------------------------------------------


def ask(asker: User, kind: str, wanted: UUID, reason: str) -> AccessRequest:
    """Ask for access to what has that id, if anything has: one request for each person and id.

    Who has asked already has asked. Raises TooManyRequests.
    """
    rows = AccessRequest.objects.filter(asker=asker)
    with transaction.atomic():
        # One at a time: two could both be the last that there is room for, or the same.
        User.objects.select_for_update(no_key=True).get(pk=asker.pk)
        rows.filter(asked_at__lte=timezone.now() - LASTS).delete()
        if (there := rows.filter(_NOT_GRANTED, kind=kind, wanted=wanted).first()) is not None:
            return there
        if rows.count() >= AT_MOST:
            raise TooManyRequests
        model = Folder if kind == AccessRequest.Kind.FOLDER else FileRecord
        exists = model._default_manager.filter(pk=wanted).exists()
        made = AccessRequest.objects.create(
            asker=asker, kind=kind, wanted=wanted, reason=clean_line(reason)
        )
        # Of what does not exist as well: this is told to readers of the log alone.
        _record(Event.ACCESS_ASKED, made, asker, exists=exists)
    return made


@dataclass(frozen=True)
class Own:
    """A request as who asked sees it. `item` is what they can see now, and nothing else."""

    asked: AccessRequest
    item: Item | None


def own(asker: User) -> list[Own]:
    """What somebody has asked for, the newest first. Three queries."""
    since = timezone.now() - LASTS
    rows = list(AccessRequest.objects.filter(asker=asker, asked_at__gt=since).order_by("-pk"))
    wanted = [row.wanted for row in rows]
    who = Person(asker)
    seen: dict[UUID, Item] = {
        **{one.pk: one for one in visible_to(who).filter(pk__in=wanted)},
        **{one.pk: one for one in folders_visible_to(who).filter(pk__in=wanted)},
    }
    return [Own(row, seen.get(row.wanted)) for row in rows]


# --- Answering ----------------------------------------------------------------------------------


def answerable_by(who: Principal) -> QuerySet[AccessRequest]:
    """The requests for what the principal may share, answered ones as well, while they last."""
    user = who.user
    if not isinstance(user, User) or not may_share(user):
        return AccessRequest.objects.none()
    this = OuterRef("wanted")
    files = Exists(managed_by(who).filter(pk=this))
    folders = Exists(folders_managed_by(who).filter(pk=this))
    kinds = AccessRequest.Kind
    return AccessRequest.objects.filter(
        Q(files, kind=kinds.FILE) | Q(folders, kind=kinds.FOLDER),
        asker__is_active=True,
        asked_at__gt=timezone.now() - LASTS,
    ).exclude(asker=user)


def waiting_for(who: Principal) -> QuerySet[AccessRequest]:
    """Those of them that nobody has answered, the newest first."""
    return answerable_by(who).filter(answer="").select_related("asker").order_by("-pk")


def item_of(asked: AccessRequest) -> Item | None:
    """What was asked for, if it exists. To be shown to nobody who was not let through."""
    model = Folder if asked.kind == AccessRequest.Kind.FOLDER else FileRecord
    found: Item | None = (
        model._default_manager.select_related("owner").filter(pk=asked.wanted).first()
    )
    return found


def grant(asked: AccessRequest, terms: Terms, *, by: Principal, actor: User) -> Grant:
    """Answer by sharing what was asked for with who asked, on these terms.

    Raises Answered, and ValidationError where sharing would: one reaches no further than one's own
    access does, and no longer.
    """
    with transaction.atomic():
        row, item = _locked(asked, by)
        # They are told once: that they have what they asked for.
        outcome = delegating.share([item], [row.asker], terms, actor=actor, tell=False)[0]
        row.grant = outcome.grant
        _answer(row, AccessRequest.Answer.GRANTED, terms.reason, actor)
        _record(
            Event.ACCESS_REQUEST_GRANTED,
            row,
            actor,
            grant_id=outcome.grant.pk,
            user_id=row.asker_id,
            level=terms.level,
            expires_at=outcome.grant.expires_at,
        )
        file_id, folder_id = _where(row)
        notify(
            Kind.ACCESS_GRANTED,
            [row.asker_id],
            file_id=file_id,
            folder_id=folder_id,
            actor_id=actor.pk,
        )
    return outcome.grant


def decline(asked: AccessRequest, word: str, *, by: Principal, actor: User) -> None:
    """Answer by nothing: who asked is not told, for that would say that the thing exists.

    The word is for others who may decide. Raises Answered.
    """
    with transaction.atomic():
        row, _item = _locked(asked, by)
        _answer(row, AccessRequest.Answer.DECLINED, word, actor)
        _record(Event.ACCESS_REQUEST_DECLINED, row, actor, user_id=row.asker_id)


def _locked(asked: AccessRequest, by: Principal) -> tuple[AccessRequest, Item]:
    rows = AccessRequest.objects.select_for_update(no_key=True, of=("self",))
    row = rows.select_related("asker").filter(pk=asked.pk, answer="").first()
    item = item_of(asked)
    if row is None or item is None or not answerable_by(by).filter(pk=asked.pk).exists():
        raise Answered
    return row, item


def _answer(row: AccessRequest, answer: str, word: str, actor: User) -> None:
    row.answer, row.word = answer, clean_line(word)
    row.answered_at, row.answered_by = timezone.now(), actor
    row.save(update_fields=["answer", "word", "answered_at", "answered_by", "grant"])


def _record(
    event: Event,
    asked: AccessRequest,
    actor: User,
    *,
    grant_id: int | None = None,
    **details: Detail,
) -> None:
    file_id, folder_id = _where(asked)
    told: dict[str, Detail] = {} if folder_id is None else {"folder_id": folder_id}
    told |= {"access_request": asked.pk, **details}
    audit.record(event, actor=actor, file_id=file_id, grant_id=grant_id, **told)


def _where(asked: AccessRequest) -> tuple[UUID | None, UUID | None]:
    """The id of a file, and that of a folder: one of them."""
    of_file = asked.kind == AccessRequest.Kind.FILE
    return (asked.wanted, None) if of_file else (None, asked.wanted)


# --- Telling those who may decide -----------------------------------------------------------------


def deciders(item: Item) -> QuerySet[User]:
    """Who may answer a request for it: its owner, and who manages it, as far as they may share."""
    may = [
        User.objects.with_perm(permission.value, backend=_BACKEND).values("pk")
        for permission in (Permission.SHARE, Permission.SHARE_OWN)
    ]
    return effective_access.managers(item).filter(Q(pk__in=may[0]) | Q(pk__in=may[1]))


def tell(now: datetime | None = None) -> int:
    """Tell those who may decide of the requests that they were not told of; how many requests."""
    untold = AccessRequest.objects.filter(told_at=None).select_related("asker").order_by("pk")
    told = 0
    for row in list(untold[:AT_ONCE]):
        with transaction.atomic():
            # Another process may be at it.
            once = AccessRequest.objects.filter(pk=row.pk, told_at=None)
            if once.update(told_at=now or timezone.now()):
                _tell(row)
                told += 1
    return told


def _tell(row: AccessRequest) -> None:
    item = item_of(row)
    if item is None or row.answer or not row.asker.is_active:
        return
    people = deciders(item).exclude(pk=row.asker_id).values_list("pk", flat=True)
    file_id, folder_id = _where(row)
    notify(
        Kind.ACCESS_REQUESTED,
        list(people),
        file_id=file_id,
        folder_id=folder_id,
        path=f"/asked/{row.pk}/",
        actor_id=row.asker_id,
    )
