"""The page of one file: what it is, why one sees it, who else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.models import Grant, StoredObject
from tests.files.test_models import filed, stored

Give = Callable[..., Grant]


@pytest.fixture
def session(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_the_owner_sees_everything(session: Client, alice: User, bob: User, give: Give) -> None:
    record = filed(alice, name="plans.pdf", size=1234567, content_type="application/pdf")
    give(record, bob, granted_by=alice, reason="review")
    page = session.get(f"/files/{record.id}/").text
    for text in (
        "plans.pdf",
        "You own this file.",
        "1,234,567 bytes",
        "application/pdf",
        str(record.id),
        "bob",
        "review",
        f"/files/{record.id}/download/",
        f"/files/{record.id}/delete/",
    ):
        assert text in page


def test_a_reader_sees_why_and_until_when_and_not_who_else(
    client: Client, alice: User, bob: User, mallory: User, give: Give
) -> None:
    record = filed(alice)
    team = Group.objects.create(name="Reviewers")
    bob.groups.add(team)
    give(record, team, expires_at=timezone.now() + timedelta(days=3))
    give(record, mallory, reason="confidential")
    client.force_login(bob)
    page = client.get(f"/files/{record.id}/").text
    assert "Reviewers" in page
    assert "until" in page
    assert "Who else may read it" not in page
    assert "mallory" not in page
    assert "confidential" not in page
    assert f"/files/{record.id}/delete/" not in page


def test_a_manager_sees_who_else_and_may_delete(
    client: Client, alice: User, bob: User, mallory: User, give: Give
) -> None:
    record = filed(alice)
    give(record, bob, level="manage")
    give(record, mallory, revoked_at=timezone.now())
    client.force_login(bob)
    page = client.get(f"/files/{record.id}/").text
    assert "download, share and delete" in page
    assert "mallory" in page
    assert "revoked" in page
    assert f"/files/{record.id}/delete/" in page


def test_who_may_not_download_is_told_so(session: Client, alice: User) -> None:
    record = filed(alice)
    alice.groups.clear()
    page = session.get(f"/files/{record.id}/").text
    assert "may not download" in page
    assert f"/files/{record.id}/download/" not in page


def test_a_damaged_file_is_shown_so_and_not_offered(session: Client, alice: User) -> None:
    record = filed(alice, current=stored(state=StoredObject.State.DAMAGED))
    page = session.get(f"/files/{record.id}/").text
    assert "This file is damaged in the store" in page
    assert f"/files/{record.id}/download/" not in page


def test_only_those_who_may_share_are_led_to_it(session: Client, alice: User) -> None:
    record = filed(alice)
    link = f"/files/{record.id}/grants/"
    assert link not in session.get(f"/files/{record.id}/").text
    alice.user_permissions.add(Permission.objects.get(codename="add_grant"))
    assert link in session.get(f"/files/{record.id}/").text


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_refused(session: Client, alice: User, method: str) -> None:
    assert getattr(session, method)(f"/files/{filed(alice).id}/").status_code == 405


def test_the_number_of_queries_does_not_depend_on_the_number_of_grants(
    session: Client,
    alice: User,
    bob: User,
    give: Give,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    record = filed(alice)
    give(record, bob, granted_by=alice)
    session.get(f"/files/{record.id}/")
    # Session, user, file, grants, and the permissions of the user and of the groups.
    with django_assert_num_queries(7):
        session.get(f"/files/{record.id}/")
    for number in range(30):
        group = Group.objects.create(name=f"team {number}")
        give(record, group, granted_by=bob)
        give(record, bob, granted_by=alice, revoked_at=timezone.now())
    with django_assert_num_queries(7):
        page = session.get(f"/files/{record.id}/").text
    assert page.count("team ") == 30
