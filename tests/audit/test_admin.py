"""The log in the admin is there to be read."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from audit import Event, record
from audit.models import AuditEvent

LIST = "admin:audit_auditevent_changelist"
CHANGE = "admin:audit_auditevent_change"
DELETE = "admin:audit_auditevent_delete"
FILE = UUID("6d5fe6b4-9c1f-4a53-8f1d-0f3a7f9d2c11")


@pytest.fixture
def event(root: User, admin_session: Client) -> AuditEvent:
    return record(Event.GRANT_REVOKED, actor=root, file_id=FILE, grant_id=12)


@pytest.fixture
def admin_session(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def listed(client: Client, **query: str) -> list[int]:
    response = client.get(reverse(LIST), query)
    assert response.status_code == 200
    return [event.id for event in response.context["cl"].result_list]


def test_events_are_listed_newest_first(event: AuditEvent, admin_session: Client) -> None:
    assert listed(admin_session) == [event.id, event.id - 1]  # The other one is the sign-in.


def test_events_are_filtered_by_name(event: AuditEvent, admin_session: Client) -> None:
    assert listed(admin_session, event="grant_revoked") == [event.id]
    assert listed(admin_session, event="swept") == []


@pytest.mark.parametrize("query", ["root", "ROOT", str(FILE), FILE.hex])
def test_events_are_found(event: AuditEvent, admin_session: Client, query: str) -> None:
    assert event.id in listed(admin_session, q=query)


@pytest.mark.parametrize("query", ["roo", "nobody", "%", "6d5fe6b4"])
def test_others_are_not_found(event: AuditEvent, admin_session: Client, query: str) -> None:
    assert listed(admin_session, q=query) == []


def test_an_event_of_a_later_version_is_shown(admin_session: Client) -> None:
    last = AuditEvent.objects.latest("id")
    AuditEvent.objects.create(
        id=last.id + 1, at=last.at, event="moon_landed", data={}, previous_mac=last.mac, mac=""
    )
    assert b"Moon landed" in admin_session.get(reverse(LIST)).content


def test_an_event_is_shown_and_not_changed(event: AuditEvent, admin_session: Client) -> None:
    page = reverse(CHANGE, args=[event.id])
    shown = admin_session.get(page)
    assert shown.status_code == 200
    assert b'name="_save"' not in shown.content
    assert admin_session.post(page, {"actor_name": "somebody"}).status_code == 403


def test_events_are_neither_added_nor_deleted(event: AuditEvent, admin_session: Client) -> None:
    assert admin_session.get(reverse("admin:audit_auditevent_add")).status_code == 403
    assert admin_session.post(reverse(DELETE, args=[event.id]), {"post": "yes"}).status_code == 403
    admin_session.post(
        reverse(LIST), {"action": "delete_selected", "_selected_action": [event.id], "post": "yes"}
    )
    assert AuditEvent.objects.filter(id=event.id).exists()


def test_staff_need_the_permission(client: Client, alice: User) -> None:
    alice.is_staff = True
    alice.save()
    client.force_login(alice)
    assert client.get(reverse(LIST)).status_code == 403
    alice.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    assert client.get(reverse(LIST)).status_code == 200
