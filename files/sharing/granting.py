"""Granting and revoking: the use cases behind every door that changes who may read what.

Of pages for people, `delegating` stands before it: it asks how far somebody's own access reaches.
Each is one transaction with its audit event. Nothing here reads or writes content.
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import audit
from accounts.models import User
from audit import Event
from files.access.rule import LEVELS
from files.models import Ancestry, FileRecord, Folder, Grant, Item, Link
from files.records.names import clean_line
from files.vault import recent
from notices import Kind, telling
from notices.telling import About
from runtime import moments

ITEMS_AT_ONCE = 500
"""Files and folders that one step of `share` is for."""

GRANTS_AT_ONCE = 1000
"""Each is an event of its own, and nobody else writes to the log meanwhile: some seconds."""


def grant(new: Grant, *, actor: User) -> Grant:
    """Save a new grant. Raises ValidationError when it breaks a rule of the model.

    Whoever has the same already, for a time that meets this one, keeps one grant, which lasts as
    long as both would have: that one is returned. Granting oneself access is allowed, and is
    recorded as such.
    """
    new.granted_by = actor
    new.reason = clean_line(new.reason)
    new.full_clean()
    own_groups = set(actor.groups.values_list("pk", flat=True))
    with transaction.atomic():
        # Two at once would make the same grant twice.
        target = locked(new)
        there = Grant.objects.filter(
            file=new.file_id, folder=new.folder_id, user=new.user_id, group=new.group_id
        )
        same = _meeting(there.filter(level=new.level, revoked_at=None).order_by("pk"), new)
        if same is not None:
            _extend(same, new, actor, target, own_groups)
            return same
        new.save()
        _record_new(new, actor, target, own_groups)
        _tell([new], actor)
    return new


def locked(new: Grant | Link) -> Item:
    """What the grant or the link is to, locked. Raises ValidationError where it is gone."""
    found: Item | None = None
    if new.folder_id is not None:
        found = Folder.objects.select_for_update(no_key=True).filter(pk=new.folder_id).first()
    elif new.file_id is not None:
        found = FileRecord.objects.select_for_update(no_key=True).filter(pk=new.file_id).first()
    if found is None:
        raise ValidationError(_("This was deleted meanwhile: go back to your files."))
    return found


def _meeting(there: Iterable[Grant], new: Grant) -> Grant | None:
    """The one of these that is not over, and whose time meets that of the new one."""
    now = timezone.now()
    for one in there:
        is_over = one.expires_at is not None and one.expires_at <= now
        before = one.expires_at and new.starts_at and one.expires_at < new.starts_at
        after = new.expires_at and one.starts_at and new.expires_at < max(one.starts_at, now)
        if not is_over and not before and not after:
            return one
    return None


def _extend(
    same: Grant, new: Grant, actor: User, target: Item, own_groups: Collection[int]
) -> bool:
    """Let a grant last as long as the new one would have, too; whether that changed it."""
    starts = same.starts_at and new.starts_at and min(same.starts_at, new.starts_at)
    expires = same.expires_at and new.expires_at and max(same.expires_at, new.expires_at)
    now = timezone.now()
    begun = same.starts_at is None or same.starts_at <= now
    if (begun or starts == same.starts_at) and expires == same.expires_at:
        return False
    if not begun:
        same.starts_at = starts
    same.expires_at, same.reason = expires, new.reason or same.reason
    same.save(update_fields=["starts_at", "expires_at", "reason"])
    _record(Event.GRANT_CHANGED, same, actor)
    if _lets_in(same, actor, target, own_groups):
        _record(Event.SELF_GRANTED, same, actor)
    return True


def _lets_in(new: Grant, actor: User, target: Item, own_groups: Collection[int]) -> bool:
    """Whether somebody lets themselves in: an owner is in already."""
    to_self = new.user_id == actor.pk or new.group_id in own_groups
    return to_self and target.owner_id != actor.pk


def _record_new(new: Grant, actor: User, target: Item, own_groups: Collection[int]) -> None:
    lets_in = _lets_in(new, actor, target, own_groups)
    _record(Event.SELF_GRANTED if lets_in else Event.GRANT_CREATED, new, actor)
    if new.user_id is not None and new.file_id is not None:
        recent.note(new.user_id, [new.file_id], recent.Way.GIVEN)


@dataclass(frozen=True)
class Granted:
    """What one step of `grant_many` did."""

    made: int
    skipped: int
    extended: int


class How(enum.Enum):
    """What became of what was to be given to somebody."""

    MADE = enum.auto()
    EXTENDED = enum.auto()
    SAME = enum.auto()
    """It was there already, for at least that time."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file or folder and one recipient; `grant` is the one that counts now."""

    item: Item
    recipient: User | Group
    grant: Grant
    how: How


@dataclass(frozen=True)
class Terms:
    """For what, from when, until when and why something is given."""

    level: str
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str = ""


def grant_many(
    items: Collection[Item],
    recipients: Collection[User | Group],
    *,
    level: str,
    starts_at: datetime | None,
    expires_at: datetime | None,
    reason: str,
    actor: User,
) -> Granted:
    """Grant every one of these files or folders to every recipient: all of it, or nothing.

    Skipped is who has the same already, for at least that time; extended, for a time that meets it.
    Raises ValidationError when a grant breaks a rule, or one of them is gone.
    """
    terms = Terms(level, starts_at, expires_at, reason)
    with transaction.atomic():
        told = Counter(one.how for one in give(items, recipients, terms, actor))
    return Granted(told[How.MADE], told[How.SAME], told[How.EXTENDED])


def give(
    items: Collection[Item],
    recipients: Collection[User | Group],
    terms: Terms,
    actor: User,
    *,
    tell: bool = True,
) -> list[Outcome]:
    """Every one of these to every recipient, whoever is asked for it. In a transaction."""
    # Two such steps at once would make the same grants twice.
    found = _all_locked(items)
    own_groups = set(actor.groups.values_list("pk", flat=True))
    have: defaultdict[tuple[Any, ...], list[Grant]] = defaultdict(list)
    of_these = Q(file__in=[one.pk for one in found]) | Q(folder__in=[one.pk for one in found])
    there = Grant.objects.filter(of_these, level=terms.level, revoked_at=None)
    for one in there.order_by("pk"):
        have[one.file_id or one.folder_id, one.user_id, one.group_id].append(one)
    reason = clean_line(terms.reason)
    told = []
    for item, to in product(found, recipients):
        ids = (to.pk, None) if isinstance(to, get_user_model()) else (None, to.pk)
        one = Grant(
            **{item.kind: item},
            user_id=ids[0],
            group_id=ids[1],
            level=terms.level,
            starts_at=terms.starts_at,
            expires_at=terms.expires_at,
            reason=reason,
            granted_by=actor,
        )
        if item in {found[0], found[-1]}:
            one.full_clean()  # The terms are the same for all of a kind; files come first.
        same = _meeting(have[item.pk, *ids], one)
        if same is None:
            told.append(Outcome(item, to, one, How.MADE))
        else:
            longer = _extend(same, one, actor, item, own_groups)
            told.append(Outcome(item, to, same, How.EXTENDED if longer else How.SAME))
    for one in Grant.objects.bulk_create([one.grant for one in told if one.how is How.MADE]):
        _record_new(one, actor, one.target, own_groups)
    if tell:
        _tell([one.grant for one in told if one.how is How.MADE], actor)
    return told


def _tell(made: Collection[Grant], actor: User) -> None:
    """Tell those to whom something is given from now on; groups are told through their members."""
    begun = [one for one in made if one.starts_at is None or one.starts_at <= timezone.now()]
    told = notices_of(begun, actor_id=actor.pk)
    telling.notify_each(Kind.SHARED_WITH_YOU, told, actor_id=actor.pk)


def notices_of(grants: Collection[Grant], *, actor_id: int | None = None) -> list[About]:
    """What each person is told of these grants: once of each, and nobody of what is their own."""
    groups = {one.group_id for one in grants if one.group_id is not None}
    members: defaultdict[int | None, list[int]] = defaultdict(list)
    if groups:
        people = User.objects.filter(groups__in=groups, is_active=True)
        for person, group in people.values_list("pk", "groups"):
            members[group].append(person)
    told = {}
    for one in grants:
        people_of = members[one.group_id] if one.user_id is None else [one.user_id]
        for person in people_of:
            if person not in {actor_id, one.target.owner_id}:
                about = About(person, one.file_id, one.folder_id, once=f"grant {one.pk}")
                told[person, one.file_id, one.folder_id] = about
    return list(told.values())


def _all_locked(items: Collection[Item]) -> list[Item]:
    """These files, and then these folders, locked. Raises ValidationError where one is gone."""
    files = [one.pk for one in items if isinstance(one, FileRecord)]
    folders = [one.pk for one in items if isinstance(one, Folder)]
    found: list[Item] = [
        *FileRecord.objects.select_for_update(no_key=True).filter(pk__in=files).order_by("pk"),
        *Folder.objects.select_for_update(no_key=True).filter(pk__in=folders).order_by("pk"),
    ]
    if len(found) < len(items):
        raise ValidationError(_("Some of these were deleted meanwhile: choose again."))
    if any(isinstance(one, Folder) and one.is_root for one in found):
        raise ValidationError(
            _("All of a person's files cannot be shared at once: choose a folder.")
        )
    return found


def given_by(user_id: int | None, item: Item) -> int:
    """How many live grants of it that person gave to others."""
    if user_id is None:
        return 0
    return item.grants.live().filter(granted_by=user_id).exclude(user=user_id).count()


def change(changed: Grant, *, actor: User) -> Grant:
    """Save an edited grant. Raises ValidationError."""
    changed.reason = clean_line(changed.reason)
    changed.full_clean()
    with transaction.atomic():
        former = Grant.objects.select_for_update(of=("self",), no_key=True).get(pk=changed.pk)
        # It may have been revoked since this copy was read.
        changed.revoked_at, changed.revoked_by = former.revoked_at, former.revoked_by
        changed.save()
        _record(Event.GRANT_CHANGED, changed, actor)
        own_groups = set(actor.groups.values_list("pk", flat=True))
        if _lets_in(changed, actor, changed.target, own_groups) and _is_wider(changed, former):
            _record(Event.SELF_GRANTED, changed, actor)
    return changed


def _is_wider(changed: Grant, former: Grant) -> bool:
    longer = former.expires_at is not None and (
        changed.expires_at is None or changed.expires_at > former.expires_at
    )
    sooner = former.starts_at is not None and (
        changed.starts_at is None or changed.starts_at < former.starts_at
    )
    more = LEVELS[changed.level] > LEVELS[former.level]
    return longer or sooner or more


def revoke(target: Grant, *, actor: User) -> bool:
    """End a grant now; the row stays as history. False where it was revoked before."""
    with transaction.atomic():
        changed = Grant.objects.filter(pk=target.pk, revoked_at=None).update(
            revoked_at=timezone.now(), revoked_by=actor
        )
        if changed:
            # What it was at its end, whatever was changed since this copy was read.
            _record(Event.GRANT_REVOKED, Grant.objects.get(pk=target.pk), actor)
    return bool(changed)


MOST_LEFT = 20
"""Grants that `remaining` names at most."""


def remaining(item: Item, user: User | None, group: Group | None) -> list[Grant]:
    """The grants by which that person, or members of that group, read it now or later.

    Those of the folders above it, too. To be asked when one was revoked: to revoke a grant ends
    that grant, and no other way in.
    """
    above = Ancestry.objects.filter(descendant=item.covered_from_id).values("ancestor")
    lasting = Grant.objects.lasting().filter(Q((item.kind, item.pk)) | Q(folder__in=above))
    if user is not None:
        found = lasting.filter(Q(user=user) | Q(group__in=user.groups.all()))
    elif group is not None:
        members = group.user_set.filter(is_active=True)
        to_members = Q(user__in=members) | Q(group__in=Group.objects.filter(user__in=members))
        found = lasting.filter(Q(group=group) | to_members)
    else:
        return []
    return list(found.select_related("user", "group", "file", "folder").order_by("pk")[:MOST_LEFT])


_LEVELS = {
    Grant.Level.DOWNLOAD.value: gettext_lazy("download"),
    Grant.Level.ADD.value: gettext_lazy("add"),
    Grant.Level.MANAGE.value: gettext_lazy("manage"),
}
"""After “the grant 12 to Ann to”."""


def describe_left(left: Collection[Grant], name: str) -> str:
    """Say how somebody whose grant was revoked still gets in; empty where they do not."""
    if not left:
        return ""
    ways = "; ".join(_way(one) for one in left)
    return _("%(name)s can still read it, or will, by %(ways)s. To end that, revoke it, too.") % {
        "name": name,
        "ways": ways,
    }


def _way(one: Grant) -> str:
    if one.folder is not None:
        text = _("the grant %(number)s to %(name)s to %(level)s on the folder “%(folder)s”")
    else:
        text = _("the grant %(number)s to %(name)s to %(level)s")
    parts = [
        text
        % {
            "number": one.pk,
            "name": one.recipient_name,
            "level": _LEVELS[one.level],
            "folder": one.folder,
        }
    ]
    if one.status == "scheduled" and one.starts_at is not None:
        parts.append(_("from %(moment)s") % {"moment": moments.in_words(one.starts_at)})
    if one.expires_at is None:
        return f"{' '.join(parts)}{_(', without end')}"
    parts.append(_("until %(moment)s") % {"moment": moments.in_words(one.expires_at)})
    return " ".join(parts)


def _record(event: Event, subject: Grant, actor: User) -> None:
    audit.record(
        event,
        actor=actor,
        file_id=subject.file_id,
        grant_id=subject.pk,
        **({"folder_id": str(subject.folder_id)} if subject.folder_id else {}),
        level=subject.level,
        user_id=subject.user_id,
        group_id=subject.group_id,
        starts_at=subject.starts_at,
        expires_at=subject.expires_at,
    )
