"""Powers that somebody wrote to the database are found, and what use cases give is not."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from accounts import accounting, members, powers
from accounts.models import User
from audit import chain
from audit.models import AuditEvent


def found() -> list[str]:
    return list(accounting.differences())


@pytest.fixture
def group(db: None) -> Group:
    group = Group.objects.create(name="Auditors")
    group.permissions.set(Permission.objects.filter(codename__in=["view_grant", "add_grant"]))
    return group


@pytest.fixture
def person(group: Group) -> User:
    user = User.objects.create_superuser("eve", "eve@example.org", "x")
    user.groups.add(group, members.ensure_members_group())
    user.user_permissions.set(Permission.objects.all())
    User.objects.create_user("nobody")
    return user


def test_everything_that_use_cases_do_is_accounted_for(person: User, group: Group) -> None:
    assert found() == []
    person.is_superuser = False
    person.save()
    person.user_permissions.clear()
    group.permissions.clear()
    assert found() == []
    group.delete()
    assert found() == []
    person.delete()
    assert found() == []


WRITES: dict[str, Callable[[User, Group], Any]] = {
    "superuser": lambda user, group: User.objects.filter(username="nobody").update(
        is_superuser=True
    ),
    "staff": lambda user, group: User.objects.filter(username="nobody").update(is_staff=True),
    "active": lambda user, group: User.objects.filter(pk=user.pk).update(is_active=False),
    "groups": lambda user, group: User.groups.through.objects.create(
        user=User.objects.get(username="nobody"), group=group
    ),
    "groups, one less": lambda user, group: User.groups.through.objects.filter(
        user=user, group=group
    ).delete(),
    "permissions": lambda user, group: User.user_permissions.through.objects.create(
        user=User.objects.get(username="nobody"), permission=Permission.objects.latest("pk")
    ),
    "group": lambda user, group: Group.permissions.through.objects.create(
        group=group, permission=Permission.objects.get(codename="add_user")
    ),
    # People give files to a name.
    "another's name": lambda user, group: User.objects.filter(pk=user.pk).update(username="alice"),
    "another group's name": lambda user, group: Group.objects.filter(pk=group.pk).update(
        name="Directors"
    ),
    "a superuser out of nothing": lambda user, group: User.objects.bulk_create(
        [User(username="ghost", is_superuser=True)]
    ),
}


def test_names_that_were_changed_by_the_vault_are_accounted_for(person: User, group: Group) -> None:
    group.name = "Directors"
    group.save()
    person.username = "eva"
    person.save()
    assert found() == []
    assert AuditEvent.objects.latest("id").data["username"] == "eva"
    # A name as long as a name may be, and one that an event keeps in part.
    group.name = "\u202e" + "x" * 149
    group.save()
    Group.objects.filter(pk=group.pk).update(name=group.name)
    assert found() == []


@pytest.mark.parametrize("what", WRITES)
def test_what_is_written_past_the_vault_is_found(person: User, group: Group, what: str) -> None:
    assert found() == []
    WRITES[what](person, group)
    (one,) = found()
    assert "no event" in one


def test_what_was_there_before_is_stated_once(person: User, group: Group) -> None:
    """An upgrade: nothing told of these powers."""
    User.objects.bulk_create([User(username="old", is_superuser=True, is_active=False)])
    old = User.objects.get(username="old")
    assert len(found()) == 1
    stating = import_module("audit.migrations.0004_powers_stated")
    stating.state(apps, None)
    event = AuditEvent.objects.filter(event="account_changed", data__user_id=old.pk).get()
    assert (event.data["change"], event.data["superuser"]) == ("stated", True)
    assert chain.verify().number == AuditEvent.objects.count()
    # Here the log told of powers before: a statement is no way to make them good.
    (one,) = found()
    assert "states powers after the log began to tell of them" in one


def test_a_statement_before_anything_was_told_is_believed(db: None) -> None:
    group = Group.objects.create(name="Old")
    given = Group.permissions.through
    given.objects.create(group=group, permission=Permission.objects.get(codename="add_grant"))
    User.objects.bulk_create([User(username="old", is_staff=True)])
    old = User.objects.get(username="old")
    User.groups.through.objects.create(user=old, group=group)
    assert len(found()) == 2
    import_module("audit.migrations.0004_powers_stated").state(apps, None)
    assert found() == []
    with powers.as_one():
        old.is_superuser = True
        old.save()
    assert found() == []
    User.objects.filter(pk=old.pk).update(is_staff=False)
    assert found() == [f"account {old.pk}: no event accounts for its staff"]
