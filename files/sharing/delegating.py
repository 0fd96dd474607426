"""Sharing, and stopping it, by who owns or manages something: as far as their own access reaches.

The pages of files and folders come here. What an administrator gives is `granting`, which this
rests on. Each is one transaction with its audit event.
"""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from files.access.explaining import Access, access_of, accesses_of
from files.access.permissions import may_share
from files.access.principals import Person
from files.models import Grant, Item
from files.sharing.granting import GRANTS_AT_ONCE, Outcome, Terms, give, revoke
from runtime import moments


def share(
    items: Collection[Item],
    recipients: Collection[User | Group],
    terms: Terms,
    *,
    actor: User,
    tell: bool = True,
) -> list[Outcome]:
    """Give as somebody who may manage all of these, and no further than their own access reaches.

    Whom it is given to is told, unless not `tell`: then the caller tells them.

    To every recipient every one of them: all of it, or nothing. Raises ValidationError with all
    that is in the way, also where something would outlast what it rests on.
    """
    with transaction.atomic():
        problems = _beyond_reach(items, recipients, terms, actor)
        if problems:
            raise ValidationError(problems)
        return give(items, recipients, terms, actor, tell=tell)


def _beyond_reach(
    items: Collection[Item], recipients: Collection[User | Group], terms: Terms, actor: User
) -> list[str]:
    """What stands in the way of sharing these, in words; each is named where they are several."""
    if (count := len(items) * len(recipients)) > GRANTS_AT_ONCE:
        text = _(
            "That is %(items)d things for %(people)d people and groups, %(count)d together, and at "
            "most %(most)d can be done at once: choose fewer, or share with a group."
        )
        numbers = {"items": len(items), "people": len(recipients)}
        return [text % {**numbers, "count": count, "most": GRANTS_AT_ONCE}]
    found = accesses_of(Person(actor), items) if may_share(actor) else {}
    own_groups = set(actor.groups.values_list("pk", flat=True))
    problems: list[str] = []
    for item in items:
        access = found.get(item.pk)
        if access is None or not access.may_manage:
            why = [_("You can no longer share this. Ask its owner or an administrator.")]
        else:
            why = [
                *(_in_the_way(item, access, to, actor, own_groups) for to in recipients),
                _too_long(access, terms),
            ]
        name = "" if len(items) == 1 else f"“{item.name}”: "
        problems += [name + one for one in why if one]
    return list(dict.fromkeys(problems))


def _in_the_way(
    item: Item, access: Access, to: User | Group, actor: User, own_groups: Collection[int]
) -> str:
    if isinstance(to, Group):
        if not access.is_owner and to.pk in own_groups:
            # The same by another way: they would keep it when what they have now ends.
            return _(
                "You are in the group “%(group)s” yourself, and would keep this when your own "
                "access ends: ask its owner or an administrator."
            ) % {"group": to.name}
        return ""
    if to.pk == item.owner_id:
        return _("%(name)s owns this already: leave out that name.") % {"name": to.username}
    if to.pk == actor.pk:
        # In person it would outlive what it rests on, such as being in a group.
        return _("You cannot share this with yourself: leave out your own name.")
    return ""


def _too_long(access: Access, terms: Terms) -> str:
    if access.until is None:
        return ""
    if terms.expires_at is not None and terms.expires_at <= access.until:
        return ""
    return _("Your own access ends on %(moment)s: choose an earlier end.") % {
        "moment": moments.in_words(access.until)
    }


def may_withdraw(target: Grant, access: Access | None, *, actor: User) -> bool:
    """Whether somebody with that access to the target may revoke that grant of it.

    The owner may revoke every grant. Who manages it through a grant may revoke every grant
    to download or to add; of those to manage only what they gave themselves, and what they hold in
    person. So nobody can shut out who let them in, or another manager.
    """
    if access is None or not access.may_manage:
        return False
    if access.is_owner or target.level != Grant.Level.MANAGE:
        return True
    return actor.pk in {target.granted_by_id, target.user_id}


def withdraw(target: Grant, *, actor: User) -> bool:
    """Revoke as somebody who may manage the file. False where it was revoked before.

    Raises ValidationError where that is not theirs to do.
    """
    with transaction.atomic():
        if not may_withdraw(target, access_of(Person(actor), target.target), actor=actor):
            raise ValidationError(
                _("This is not yours to stop: ask its owner or an administrator.")
            )
        return revoke(target, actor=actor)
