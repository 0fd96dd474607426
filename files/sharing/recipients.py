"""Finding the person or the group that somebody wants to share a file with.

Only people who may share at all search here (`files.add_grant`, on a file that they manage). They
find active people by parts of user name, first and last name, and groups by parts of their name,
without case or accents; at most ten at a time, and nothing by a single letter. An e-mail address
finds its owner only when it is typed in full: addresses are never listed or completed. Deactivated
accounts are never found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db.models import Count, Q
from django.utils.translation import gettext, ngettext

from accounts import finding
from accounts.models import User
from files.access.permissions import may_share
from files.access.principals import Principal
from files.records.names import plain_name

AT_MOST = 10
SHORTEST = 2
"""Letters that a search by parts of a name needs."""

Recipient = User | Group


@dataclass(frozen=True)
class Found:
    """Who may be meant by a text: those that it names in full, and up to ten in all."""

    exact: Sequence[Recipient]
    similar: Sequence[Recipient]
    are_more: bool


def find(text: str) -> Found:
    """People and groups that `text` names or resembles. Five queries at most."""
    people = User.objects.filter(is_active=True)
    exact: list[Recipient] = [
        *people.filter(Q(username__iexact=text) | Q(email__iexact=text)).order_by("username")[:2],
        *Group.objects.filter(name=text),
    ]
    similar: list[Recipient] = []
    if len(text) >= SHORTEST:
        matched = finding.with_parts(people, text)
        groups = finding.with_parts(Group.objects.all(), text)
        similar = [
            *matched.order_by("username")[: AT_MOST + 1],
            *groups.order_by("name")[: AT_MOST + 1],
        ]
    rest = sorted((one for one in similar if one not in exact), key=lambda one: str(one).casefold())
    all_ = [*exact, *rest]
    return Found(exact, all_[:AT_MOST], len(all_) > AT_MOST)


def key_of(recipient: Recipient) -> str:
    """What stands for the recipient in a form."""
    return f"{'user' if isinstance(recipient, User) else 'group'}-{recipient.pk}"


def describe(recipient: Recipient) -> str:
    """The recipient as a person recognises it; never an e-mail address."""
    if isinstance(recipient, Group):
        return gettext("group “%(name)s”") % {"name": recipient.name}
    full_name = recipient.get_full_name()
    return f"{full_name} ({recipient.username})" if full_name else recipient.username


@dataclass(frozen=True)
class Suggestion:
    """Somebody who may be meant by what is being typed; never with an e-mail address."""

    kind: str
    """`user` or `group`."""
    id: int
    label: str
    detail: str
    """What tells apart who have the same label: a person's user name, a group's size."""


def suggest(principal: Principal, text: str, limit: int = AT_MOST) -> list[Suggestion]:
    """People and groups with a word in their name that begins with each that was typed.

    For who may share at all, after two letters; oneself is left out. By the index of words alone,
    four queries at most, whoever there is.
    """
    user = principal.user
    if not isinstance(user, User) or not may_share(user) or len(text.strip()) < SHORTEST:
        return []
    people, groups = finding.beginning(text, but=user)
    first = finding.words_typed(text)[:1]
    found: list[Recipient] = [
        *User.objects.filter(pk__in=people, is_active=True),
        *Group.objects.filter(pk__in=groups).order_by("name")[:limit],
    ]

    def order(one: Recipient) -> tuple[bool, str, str]:
        # Whose name begins so comes before whose second one does.
        label = plain_name(_label(one))
        return not label.startswith(tuple(first)), label, key_of(one)

    chosen = sorted(found, key=order)[:limit]
    sizes = _sizes([one.pk for one in chosen if isinstance(one, Group)])
    return [_suggestion(one, sizes) for one in chosen]


def _sizes(groups: list[int]) -> dict[int, int]:
    """Who would be let in by each group: its active people."""
    if not groups:
        return {}
    active = Count("user", filter=Q(user__is_active=True))
    counted = Group.objects.filter(pk__in=groups).order_by().annotate(active=active)
    return dict(counted.values_list("pk", "active"))


def _label(recipient: Recipient) -> str:
    if isinstance(recipient, Group):
        return recipient.name
    return recipient.get_full_name() or recipient.username


def _suggestion(recipient: Recipient, sizes: dict[int, int]) -> Suggestion:
    label = _label(recipient)
    if isinstance(recipient, Group):
        number = sizes.get(recipient.pk, 0)
        words = ngettext("%(number)d person", "%(number)d people", number) % {"number": number}
        return Suggestion("group", recipient.pk, label, words)
    detail = recipient.username if recipient.username != label else ""
    return Suggestion("user", recipient.pk, label, detail)
