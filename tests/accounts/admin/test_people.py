"""Accounts and groups in the administration: who changes what, and what the log has of it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from audit import Event
from audit.models import AuditEvent


@pytest.fixture
def clerk(db: None) -> User:
    """Staff who manage accounts, without being superusers."""
    user = User.objects.create_user("clerk", "clerk@example.org", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["add_user", "change_user", "view_user"])
    )
    return user


def page(user: User, name: str = "change") -> str:
    return reverse(f"admin:accounts_user_{name}", args=[user.pk])


def form(user: User, **changes: str) -> dict[str, str]:
    return {"username": user.username, "email": user.email, "is_active": "on", **changes}


def test_people_are_found_by_name_and_address(client: Client, root: User, alice: User) -> None:
    client.force_login(root)
    for query in ("alic", "alice@exa"):
        listed = client.get(reverse("admin:accounts_user_changelist"), {"q": query})
        assert list(listed.context["cl"].result_list) == [alice]


def test_an_account_is_added_with_its_address(client: Client, root: User) -> None:
    client.force_login(root)
    passwords = dict.fromkeys(("password1", "password2"), "correct horse battery staple")
    client.post(
        reverse("admin:accounts_user_add"),
        {"username": "eve", "email": "Eve@Example.org", "usable_password": "true", **passwords},
    )
    eve = User.objects.get(username="eve")
    assert eve.email == "eve@example.org"
    # As who was invited.
    assert [group.name for group in eve.groups.all()] == ["Members"]
    assert AuditEvent.objects.get(event=Event.ACCOUNT_CHANGED).data["groups"] == "Members"


def test_an_address_that_is_taken_is_refused_with_words(
    client: Client, root: User, alice: User, bob: User
) -> None:
    client.force_login(root)
    answer = client.post(page(bob), form(bob, email="ALICE@example.org"))
    assert b"An account with this e-mail address exists already." in answer.content


def test_a_password_set_in_the_admin_is_recorded(client: Client, root: User, alice: User) -> None:
    client.force_login(root)
    passwords = dict.fromkeys(("password1", "password2"), "another long password")
    client.post(
        reverse("admin:auth_user_password_change", args=[alice.pk]),
        {"usable_password": "true", **passwords},
    )
    event = AuditEvent.objects.get(event=Event.PASSWORD_CHANGED)
    assert (event.actor_id, event.data["user_id"]) == (root.pk, alice.pk)


def test_a_clerk_edits_people_but_not_their_powers(
    client: Client, clerk: User, alice: User
) -> None:
    client.force_login(clerk)
    client.post(
        page(alice),
        form(alice, first_name="Alice", is_superuser="on", is_staff="on", user_permissions="1"),
    )
    alice.refresh_from_db()
    assert alice.first_name == "Alice"
    assert not alice.is_superuser
    assert not alice.is_staff
    assert not alice.user_permissions.exists()


def test_a_clerk_does_not_raise_themselves(client: Client, clerk: User) -> None:
    client.force_login(clerk)
    client.post(page(clerk), form(clerk, is_superuser="on"))
    clerk.refresh_from_db()
    assert not clerk.is_superuser


def test_a_clerk_does_not_touch_a_superuser(client: Client, clerk: User, root: User) -> None:
    client.force_login(clerk)
    assert client.post(page(root), form(root, email="clerk2@example.org")).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[root.pk])
    assert client.get(password).status_code == 403
    root.refresh_from_db()
    assert root.email == "root@example.org"


def changes(name: Event) -> list[dict[str, object]]:
    return [event.data for event in AuditEvent.objects.filter(event=name).order_by("pk")]


def test_what_an_administrator_does_to_an_account_is_recorded(
    client: Client, root: User, alice: User
) -> None:
    client.force_login(root)
    group = Group.objects.create(name="Auditors")
    client.post(page(alice), form(alice, groups=str(group.pk), is_staff="on"))
    client.post(page(alice), {"username": alice.username, "email": alice.email})
    client.post(reverse("admin:accounts_user_delete", args=[alice.pk]), {"post": "yes"})
    granted, ended, deleted = changes(Event.ACCOUNT_CHANGED)
    assert granted["user_id"] == alice.pk
    assert (granted["groups"], granted["staff"], granted["active"]) == ("Auditors", True, True)
    assert (ended["groups"], ended["staff"], ended["active"]) == ("", False, False)
    assert (deleted["change"], deleted["username"]) == ("deleted", alice.username)
    assert not User.objects.filter(pk=alice.pk).exists()
    event = AuditEvent.objects.filter(event=Event.ACCOUNT_CHANGED).latest("pk")
    assert event.actor_id == root.pk


def test_what_an_administrator_does_to_a_group_is_recorded(client: Client, root: User) -> None:
    client.force_login(root)
    share = Permission.objects.get(codename="add_grant")
    address = reverse("admin:auth_group_add")
    client.post(address, {"name": "Sharers", "permissions": str(share.pk)})
    chosen = {"action": "delete_selected", "post": "yes"}
    group = Group.objects.get(name="Sharers")
    client.post(
        reverse("admin:auth_group_changelist"), {**chosen, "_selected_action": str(group.pk)}
    )
    added, deleted = changes(Event.GROUP_CHANGED)
    assert (added["change"], added["permissions"]) == ("added", "add_grant")
    assert (deleted["change"], deleted["group"]) == ("deleted", "Sharers")
    assert not Group.objects.filter(name="Sharers").exists()
