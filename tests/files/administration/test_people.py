"""People in the admin, where their files are concerned: deactivated and deleted."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from files.models import FileRecord
from tests.files.conftest import give
from tests.files.test_admin import queries
from tests.files.test_models import filed

LIST = "admin:accounts_user_changelist"


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def page(user: User, name: str = "change") -> str:
    return reverse(f"admin:accounts_user_{name}", args=[user.pk])


def test_deactivating_an_account_ends_access_and_says_what_to_do_with_its_files(
    admin: Client, alice: User
) -> None:
    record = filed(alice)
    alice_at_home = Client()
    alice_at_home.force_login(alice)
    assert alice_at_home.get(f"/files/{record.pk}/").status_code == 200
    fields = {"username": "alice", "email": alice.email}
    answer = admin.post(page(alice), fields, follow=True)
    assert "The account alice can no longer sign in. It owns 1 file." in answer.text
    assert page(alice, "transfer") in answer.text
    assert alice_at_home.get(f"/files/{record.pk}/").status_code == 302
    alice.refresh_from_db()
    assert not alice.is_active
    assert FileRecord.objects.filter(owner=alice).exists()
    again = admin.post(page(alice), {**fields, "is_active": "on"}, follow=True)
    assert "can no longer" not in again.text


@pytest.mark.parametrize("action", [True, False])
def test_who_owns_files_is_not_deleted_and_the_page_says_why(
    admin: Client, alice: User, bob: User, action: bool
) -> None:
    for name in ("one.txt", "two.txt"):
        filed(alice, name=name)
    data = {"action": "delete_selected", "_selected_action": [alice.pk, bob.pk]}
    for confirmed in ({}, {"post": "yes"}):
        if action:
            answer = admin.post(reverse(LIST), {**data, **confirmed})
        elif confirmed:
            answer = admin.post(page(alice, "delete"), confirmed)
        else:
            answer = admin.get(page(alice, "delete"))
        assert answer.status_code == 200
        assert (
            "alice owns 2 files: transfer what it owns to somebody else, or deactivate the account"
            in answer.text
        )
        assert "one.txt" not in answer.text
    assert User.objects.filter(pk__in=[alice.pk, bob.pk]).count() == 2


def test_who_is_named_by_grants_is_not_deleted(admin: Client, alice: User, bob: User) -> None:
    give(filed(alice), bob)
    answer = admin.post(page(bob, "delete"), {"post": "yes"})
    assert "bob is named by 1 share, which is kept as history: deactivate" in answer.text
    assert User.objects.filter(pk=bob.pk).exists()


def test_a_group_that_grants_name_is_not_deleted_and_the_page_says_why(
    admin: Client, alice: User
) -> None:
    team, other = Group.objects.create(name="Team"), Group.objects.create(name="Other")
    give(filed(alice), team)
    for group in (team, other):
        address = reverse("admin:auth_group_delete", args=[group.pk])
        answer = admin.post(address, {"post": "yes"}, follow=True)
        said = "Team is named by 1 share, which is kept as history: revoke" in answer.text
        assert said is (group == team)
    assert set(Group.objects.filter(name__in=["Team", "Other"])) == {team}


def test_others_are_deleted(admin: Client, bob: User) -> None:
    assert admin.post(page(bob, "delete"), {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=bob.pk).exists()


def test_a_file_that_comes_in_between_is_no_traceback(
    admin: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed(alice)
    monkeypatch.setattr("files.administration.people.obstacles", lambda people: [])
    monkeypatch.setattr(
        "django.contrib.auth.admin.UserAdmin.get_deleted_objects",
        lambda self, objs, request: ([], {}, set(), []),
    )
    answer = admin.post(page(alice, "delete"), {"post": "yes"}, follow=True)
    assert "This account owns files meanwhile: nothing was deleted." in answer.text
    assert User.objects.filter(pk=alice.pk).exists()


def test_the_pages_of_people_take_as_many_queries_whatever_they_own(
    admin: Client, alice: User, bob: User
) -> None:
    def counted() -> list[int]:
        return [
            queries(admin, reverse(LIST)),
            queries(admin, page(alice)),
            queries(admin, page(alice, "delete")),
        ]

    give(filed(alice), alice)
    before = counted()
    for number in range(10):
        give(filed(alice), alice)
        User.objects.create(username=f"user{number}", email=f"user{number}@example.org")
    assert counted() == before


def test_staff_without_permissions_do_not_hand_over(client: Client, alice: User, bob: User) -> None:
    filed(alice)
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(bob)
    change = client.get(page(alice))
    for name in ("access", "transfer"):
        assert page(alice, name) not in change.text
        assert client.get(page(alice, name)).status_code == 403
