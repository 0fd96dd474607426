"""Accounts: names and addresses are unique, permissions have no shortcut to a file."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import ScryptPasswordHasher
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from pytest_django import Settings

from accounts.models import User
from audit import Event
from audit.models import AuditEvent


@pytest.mark.parametrize("address", ["Ann@Example.ORG", " ann@example.org ", "ANN@EXAMPLE.ORG"])
def test_addresses_are_normalised(db: None, address: str) -> None:
    assert User.objects.create_user("ann", address).email == "ann@example.org"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"username": "ann"}, {"username": "Ann"}),
        ({"username": "ann", "email": "a@x.org"}, {"username": "bob", "email": "A@X.org"}),
    ],
)
def test_two_accounts_differ_by_more_than_case(
    db: None, first: dict[str, str], second: dict[str, str]
) -> None:
    User.objects.create(**first)
    with pytest.raises(ValidationError, match="exists already"):
        User(**second, password="x").full_clean()
    with pytest.raises(IntegrityError):
        User.objects.create(**second)


def test_several_accounts_have_no_address(db: None) -> None:
    User.objects.create_user("ann")
    User.objects.create_user("bob", "")
    assert User.objects.filter(email="").count() == 2


def password_changes() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(event=Event.PASSWORD_CHANGED))


def test_a_changed_password_is_recorded(alice: User) -> None:
    assert password_changes() == []  # The first one of a new account is no change.
    alice.set_password("another long password")
    alice.save()
    alice.save()
    (event,) = password_changes()
    assert event.data == {"user_id": alice.pk, "username": "alice"}


def test_a_hash_brought_up_to_date_is_no_change(
    alice: User, password: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScryptPasswordHasher, "work_factor", 2)  # What it costs is not asked.
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    assert authenticate(username="alice", password=password) == alice
    assert User.objects.get(pk=alice.pk).password.startswith("scrypt$")
    assert password_changes() == []


def test_a_superuser_has_every_permission_but_on_an_object(root: User, alice: User) -> None:
    assert root.has_perm("files.download_filerecord")
    assert root.has_perms(["files.add_filerecord", "accounts.change_user"])
    assert not root.has_perm("files.download_filerecord", alice)
    assert not root.has_perms(["accounts.change_user"], alice)


def test_nobody_inactive_or_anonymous_has_permissions(root: User, alice: User) -> None:
    root.is_active = False
    assert not root.has_perm("accounts.change_user")
    assert not root.has_perm("accounts.change_user", alice)
    assert not AnonymousUser().has_perm("accounts.change_user", alice)
