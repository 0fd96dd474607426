"""Finding the person or the group that somebody wants to share a file with.

Only people who may share at all search here (`files.add_grant`, on a file that they manage). They
find active people by parts of user name, first and last name, and groups by parts of their name;
at most ten at a time, and nothing by a single letter. An e-mail address finds its owner only when
it is typed in full: addresses are never listed or completed. Deactivated accounts are never found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db.models import Q

from accounts.models import User

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
        matched = people.filter(_like(text, "username", "first_name", "last_name"))
        groups = Group.objects.filter(_like(text, "name"))
        similar = [
            *matched.order_by("username")[: AT_MOST + 1],
            *groups.order_by("name")[: AT_MOST + 1],
        ]
    rest = sorted((one for one in similar if one not in exact), key=lambda one: str(one).casefold())
    all_ = [*exact, *rest]
    return Found(exact, all_[:AT_MOST], len(all_) > AT_MOST)


def _like(text: str, *fields: str) -> Q:
    """Every word occurs in one of the fields, whatever its case."""
    condition = Q()
    for word in text.split():
        # SQLite ignores the case of ASCII alone: ask for the usual spellings of the others, too.
        spellings = {word} if word.isascii() else {word, word.lower(), word.title(), word.upper()}
        one_of = Q()
        for field in fields:
            for spelling in spellings:
                one_of |= Q((f"{field}__icontains", spelling))
        condition &= one_of
    return condition


def key_of(recipient: Recipient) -> str:
    """What stands for the recipient in a form."""
    return f"{'user' if isinstance(recipient, User) else 'group'}-{recipient.pk}"


def describe(recipient: Recipient) -> str:
    """The recipient as a person recognises it; never an e-mail address."""
    if isinstance(recipient, Group):
        return f"group “{recipient.name}”"
    full_name = recipient.get_full_name()
    return f"{full_name} ({recipient.username})" if full_name else recipient.username
