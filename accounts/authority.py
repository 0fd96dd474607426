"""Who may decide about powers and identities in the administration: one table, and one rule.

A model has an entry in `RULES`, or the administration shows it to nobody. Django's permissions are
needed besides: an entry only ever takes away.

- Powers (who is staff or a superuser, groups and their permissions) are given by superusers alone.
- An identity (name, address, password, whether an account works) is changed by nobody who has less
  power than the person whose it is: to become them would be to gain it.

`accounts.administration` puts this before every page of the administration, and asks for the
password again before whatever one of them changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from django.contrib.auth.models import AnonymousUser, Permission
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext

from accounts import members
from accounts.models import User

FUNCTIONS = frozenset(
    {"files.add_filerecord", "files.download_filerecord", "files.share_filerecord"}
)
"""Permissions that decide nothing about others: who has them may use a function of the site, with
what is theirs."""

SHARING = "files.add_grant"
"""Of people who are no staff it is one, too, where every member has it."""


class Who(Enum):
    """Who may add, change and delete rows, given Django's permission for it."""

    NOBODY = "nobody: it is to be read"
    SUPERUSERS = "superusers"
    NOT_BELOW = "staff who have every power of the person that it is about"
    STAFF = "staff"


def administrators() -> QuerySet[User, int]:
    """By number, those who are told of what concerns the whole site."""
    return User.objects.filter(is_active=True, is_superuser=True).values_list("pk", flat=True)


@dataclass(frozen=True)
class Rule:
    """What the rows of one model decide, and who may decide it."""

    who: Who
    power: bool
    """Whether a row says what somebody may do or read."""
    identity: bool
    """Whether a row says who somebody is, or lets somebody sign in."""
    why: str
    powers: frozenset[str] = frozenset()
    """Fields that superusers alone decide, where others may change the rest."""
    person: str = ""
    """The field that says whom a row is about; empty for the account itself."""


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "accounts.user": Rule(
            Who.NOT_BELOW,
            power=True,
            identity=True,
            why="a password or an address makes its owner",
            powers=frozenset({"is_staff", "is_superuser", "groups", "user_permissions"}),
        ),
        "auth.group": Rule(
            Who.SUPERUSERS,
            power=True,
            identity=False,
            why="what a group may, everybody in it may, whoever changes it among them",
        ),
        "accounts.invitation": Rule(
            Who.STAFF,
            power=True,
            identity=True,
            why="whoever it reaches gets an account; into which groups, superusers decide",
            powers=frozenset({"groups"}),
        ),
        "account.emailaddress": Rule(
            Who.NOT_BELOW,
            power=False,
            identity=True,
            why="mail to a confirmed address resets the password",
            person="user",
        ),
        "mfa.authenticator": Rule(
            Who.SUPERUSERS,
            power=False,
            identity=True,
            why="without the factor the password is enough",
            person="user",
        ),
        "accounts.token": Rule(
            Who.NOT_BELOW,
            power=False,
            identity=True,
            why="it acts in a person's place: to make one is to read what they may, to end one is "
            "to lock a program of theirs out",
            person="user",
        ),
        "files.filerecord": Rule(
            Who.STAFF,
            power=True,
            identity=False,
            why="its owner reads it: a transfer is an event, and one to oneself is self-granted",
        ),
        "files.folder": Rule(
            Who.STAFF,
            power=True,
            identity=False,
            why="its owner reads what is in it: a transfer is an event, as one of a file is",
        ),
        "files.filerequest": Rule(
            Who.STAFF,
            power=True,
            identity=False,
            why="it lets people outside add to a folder; here it is ended, and nothing else",
        ),
        "files.grant": Rule(
            Who.STAFF,
            power=True,
            identity=False,
            why="who is named reads the file or folder: to grant oneself is an event of its own",
        ),
        "files.link": Rule(
            Who.STAFF,
            power=True,
            identity=False,
            why="it lets people outside read; here it is ended, and nothing else",
        ),
        "files.accessrequest": Rule(
            Who.NOBODY, power=False, identity=False, why="who may share something answers for it"
        ),
        "files.masterkey": Rule(Who.NOBODY, power=False, identity=False, why="it shows a report"),
        "notices.mail": Rule(
            Who.STAFF,
            power=False,
            identity=False,
            why="it says whom a mail is for, never what it says; all that is done is to try again",
        ),
        "audit.auditevent": Rule(Who.NOBODY, power=False, identity=False, why="it is history"),
    }
)


def rule_of(model: type[Model]) -> Rule | None:
    """The entry of a model; None means that the administration is closed to it."""
    return RULES.get(model._meta.label_lower)


def lets_write(actor: Any, model: type[Model], subject: Model | None = None) -> bool:
    """Whether the rule lets that person write rows of the model, and that row if it is given."""
    rule = rule_of(model)
    if rule is None or rule.who is Who.NOBODY or not actor.is_active:
        return False
    if actor.is_superuser or rule.who is Who.STAFF:
        return True
    if rule.who is Who.SUPERUSERS:
        return False
    about = getattr(subject, rule.person) if subject and rule.person else subject
    return not isinstance(about, User) or not exceeds(about, actor)


def refuse_above(actor: Any, person: User) -> None:
    """Raise ValidationError where `person` has powers that `actor` does not have."""
    if exceeds(person, actor):
        raise ValidationError(
            gettext("%(person)s has powers that you do not have: ask a superuser.")
            % {"person": person}
        )


def withheld(actor: Any, model: type[Model]) -> frozenset[str]:
    """The fields of the model that are not that person's to decide."""
    rule = rule_of(model)
    return frozenset() if rule is None or actor.is_superuser else rule.powers


def exceeds(subject: User, actor: User | AnonymousUser) -> bool:
    """Whether becoming `subject` would give `actor` a power that they do not have.

    Whether the account works at the moment does not matter: who may change it may set it to work.
    """
    if actor.is_superuser:
        return False
    if subject.is_superuser or (subject.is_staff and not actor.is_staff):
        return True
    return not _powers(subject) <= permissions_of(actor)


def permissions_of(user: User | AnonymousUser) -> frozenset[str]:
    """`app.codename` of all that the person was given, directly or by a group. One query."""
    given = Permission.objects.filter(Q(user=user.pk) | Q(group__user=user.pk))
    return _names(given.distinct())


def _powers(user: User) -> frozenset[str]:
    """What the person may do that concerns others."""
    has = permissions_of(user) - FUNCTIONS
    if SHARING in has and not user.is_staff:
        of_members = Permission.objects.filter(group__name=members.NAME)
        return has - (_names(of_members) & {SHARING})
    return has


def _names(permissions: Any) -> frozenset[str]:
    rows = permissions.order_by().values_list("content_type__app_label", "codename")
    return frozenset(f"{app}.{codename}" for app, codename in rows)
