"""Changes of e-mail addresses are on record, whoever makes them, through whichever page."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from audit import Event
from audit.models import AuditEvent

PAGE = "account_email"
NEW = "alice@example.net"


def changes() -> list[tuple[str, str, str]]:
    """By whom, what, and of which address; oldest first."""
    found = AuditEvent.objects.filter(event=Event.EMAIL_CHANGED).order_by("id")
    return [(event.actor_name, event.data["change"], event.data["email"]) for event in found]


def data() -> dict[str, Any]:
    found: dict[str, Any] = AuditEvent.objects.filter(event=Event.EMAIL_CHANGED).latest("id").data
    return found


@pytest.fixture
def own(alice: User) -> EmailAddress:
    """Alice's address, confirmed, as allauth keeps it."""
    made = EmailAddress(user=alice, email=alice.email, verified=True, primary=True)
    EmailAddress.objects.bulk_create([made])
    return EmailAddress.objects.get()


def test_one_is_added_confirmed_and_made_primary_and_the_old_one_removed(
    client: Client, alice: User, own: EmailAddress
) -> None:
    client.force_login(alice)
    client.post(reverse(PAGE), {"action_add": "", "email": NEW})
    assert changes() == [("alice", "added", NEW)]

    key = EmailConfirmationHMAC(EmailAddress.objects.get(email=NEW)).key
    Client().post(reverse("account_confirm_email", args=[key]))
    assert changes()[1:] == [("", "confirmed", NEW)]
    assert (data()["user_id"], data()["confirmed"], data()["primary"]) == (alice.pk, True, False)

    client.post(reverse(PAGE), {"action_primary": "", "email": NEW})
    assert changes()[2:] == [
        ("alice", "no longer primary", own.email),
        ("alice", "made primary", NEW),
        ("alice", "of the account", NEW),
    ]
    assert data()["previous"] == own.email

    client.post(reverse(PAGE), {"action_remove": "", "email": own.email})
    assert changes()[5:] == [("alice", "removed", own.email)]


def test_what_changes_nothing_is_no_event(client: Client, alice: User, own: EmailAddress) -> None:
    client.force_login(alice)
    own.save()
    alice.save()
    client.post(reverse(PAGE), {"action_add": "", "email": "no address"})
    client.post(reverse(PAGE), {"action_primary": "", "email": "bob@example.org"})
    assert changes() == []


def test_a_row_that_allauth_makes_of_the_accounts_own_address_is_no_event(
    client: Client, alice: User
) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email)
    assert changes() == []
    EmailAddress.objects.get().delete()
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True)
    assert [change for _, change, _ in changes()] == ["removed", "added"]


def test_an_administrator_changes_an_account(client: Client, alice: User, root: User) -> None:
    client.force_login(root)
    page = reverse("admin:accounts_user_change", args=[alice.pk])
    form = client.get(page).context["adminform"].form
    fields = {name: form.initial.get(name) for name in form.fields if form.initial.get(name)}
    fields.pop("password")
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    fields["groups"] = [group.pk for group in fields.get("groups", ())]
    answer = client.post(page, {**fields, **joined, "email": NEW})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert changes() == [("root", "of the account", NEW)]
    assert data()["previous"] == "alice@example.org"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"email": NEW, "verified": "on", "primary": "on"}, "changed"),
        ({"email": "alice@example.org", "verified": "on"}, "no longer primary"),
        ({"email": "alice@example.org", "primary": "on"}, "unconfirmed"),
        ({"email": "alice@example.org"}, "unconfirmed, no longer primary"),
    ],
)
def test_an_administrator_changes_an_address(
    client: Client, alice: User, root: User, own: EmailAddress, fields: dict[str, str], told: str
) -> None:
    client.force_login(root)
    page = reverse("admin:account_emailaddress_change", args=[own.pk])
    assert client.post(page, {"user": alice.pk, **fields}).status_code == 302
    assert changes() == [("root", told, fields["email"])]
    assert data()["previous"] == (own.email if told == "changed" else None)


def test_an_administrator_adds_confirms_and_deletes_addresses(
    client: Client, alice: User, root: User
) -> None:
    client.force_login(root)
    client.post(reverse("admin:account_emailaddress_add"), {"user": alice.pk, "email": NEW})
    number = EmailAddress.objects.get().pk
    many = {"_selected_action": [number]}
    page = reverse("admin:account_emailaddress_changelist")
    client.post(page, {"action": "make_verified", **many})
    client.post(page, {"action": "delete_selected", "post": "yes", **many})
    assert changes() == [
        ("root", "added", NEW),
        ("root", "confirmed", NEW),
        ("root", "removed", NEW),
    ]


def test_without_the_permission_there_is_no_such_page(client: Client, bob: User) -> None:
    bob.is_staff = True
    bob.save()
    client.force_login(bob)
    page = reverse("admin:account_emailaddress_add")
    assert client.post(page, {"user": bob.pk, "email": NEW}).status_code == 403
    bob.user_permissions.add(Permission.objects.get(codename="add_emailaddress"))
    assert client.get(page).status_code == 200
    assert changes() == []
