"""Many files in one step: granted to many, or handed over; asked first, all of it or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.administration import bulk_actions
from files.folders import ownership
from files.models import FileRecord, Grant
from tests.files.conftest import give
from tests.files.test_admin import FILES, change_url, inline, moment
from tests.files.test_models import filed

Events = Callable[[str], list[dict[str, Any]]]
NOW = timezone.now


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def act(client: Client, action: str, records: list[FileRecord], /, **fields: Any) -> Any:
    """What the page that asks sends back, or with no fields what leads to it."""
    chosen = {"action": action, "_selected_action": [record.pk for record in records]}
    confirmed = {"confirmed": "yes", **fields} if fields else {}
    return client.post(reverse(FILES), {**chosen, **confirmed}, follow=True)


# --- Grants -----------------------------------------------------------------------------------


def test_the_action_asks_first(admin: Client, alice: User, bob: User) -> None:
    records = [filed(alice, name="<i>one</i>"), filed(alice, name="two")]
    Group.objects.create(name="Team")
    page = act(admin, "grant_many", records)
    assert page.status_code == 200
    assert "&lt;i&gt;one" in page.text
    for name in ("users", "groups", "level", "starts_at", "expires_at", "reason"):
        assert f'name="{name}"' in page.text
    assert not Grant.objects.exists()


def test_many_files_are_granted_to_many_in_one_step(
    admin: Client, alice: User, bob: User, mallory: User, root: User, events: Events
) -> None:
    records = [filed(alice), filed(bob)]
    team = Group.objects.create(name="Team")
    end = (NOW() + timedelta(days=2)).replace(microsecond=0)
    answer = act(
        admin,
        "grant_many",
        records,
        users=[mallory.pk, root.pk],
        groups=[team.pk],
        level="manage",
        reason="the audit",
        **moment("expires_at", end),
    )
    assert "6 shares made." in answer.text
    assert Grant.objects.count() == 6
    for grant in Grant.objects.all():
        assert (grant.level, grant.expires_at, grant.reason) == ("manage", end, "the audit")
        assert grant.granted_by == root
    assert set(rule.managed_by(Person(mallory))) == set(records)
    assert len(events("grant_created")) == 4
    assert [event["user_id"] for event in events("self_granted")] == [root.pk] * 2


def test_the_same_grant_is_not_made_twice(
    admin: Client, alice: User, bob: User, mallory: User
) -> None:
    records = [filed(alice), filed(alice)]
    give(records[0], bob)
    give(records[1], bob, revoked_at=NOW())
    give(records[1], bob, level="manage")
    give(records[1], mallory, expires_at=NOW() + timedelta(days=1))
    fields = {"users": [bob.pk, mallory.pk], "level": "download"}
    answer = act(admin, "grant_many", records, **fields)
    assert "2 shares made. 1 that is there already now lasts longer. 1 skipped" in answer.text
    assert Grant.objects.live().filter(level="download").count() == 4
    assert "0 shares made. 4 skipped" in act(admin, "grant_many", records, **fields).text
    later = moment("starts_at", (NOW() + timedelta(days=1)).replace(microsecond=0))
    ending = moment("expires_at", (NOW() + timedelta(days=2)).replace(microsecond=0))
    assert "4 skipped" in act(admin, "grant_many", records, **fields, **later, **ending).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"level": "download"}, "Choose at least one user or group."),
        ({"users": ["{bob}"], "level": "all"}, "Select a valid choice"),
        ({"users": ["999999"], "level": "download"}, "Select a valid choice"),
        ({"users": ["{gone}"], "level": "download"}, "Select a valid choice"),
        ({"users": ["{bob}"], "level": "download", "starts_at": "soon"}, "Enter a valid date"),
        ({"users": ["{bob}"], "level": "download", "reason": "x" * 256}, "at most 255"),
        (
            {"users": ["{bob}"], "level": "download", **moment("expires_at", NOW())},
            "still to come",
        ),
        (
            {
                "users": ["{bob}"],
                "level": "download",
                **moment("starts_at", NOW() + timedelta(days=3)),
                **moment("expires_at", NOW() + timedelta(days=2)),
            },
            "must start before it expires",
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_granted(
    admin: Client, alice: User, bob: User, mallory: User, fields: dict[str, Any], said: str
) -> None:
    User.objects.filter(pk=mallory.pk).update(is_active=False)
    numbers = {"bob": bob.pk, "gone": mallory.pk}
    users = [one.format(**numbers) for one in fields.get("users", [])]
    answer = act(admin, "grant_many", [filed(alice)], **{**fields, "users": users})
    assert said in answer.text
    assert not Grant.objects.exists()


@pytest.mark.parametrize("field", ["starts_at", "expires_at"])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_a_moment_that_cannot_be_computed_with_is_refused_in_words(
    admin: Client, alice: User, bob: User, settings: Settings, field: str, zone: str
) -> None:
    settings.TIME_ZONE = zone
    record = filed(alice)
    far = {field: "9999-12-31T23:59:59", "level": "download"}
    row = {"file": record.pk, "user": bob.pk, **far}
    for page in (
        act(admin, "grant_many", [record], users=[bob.pk], **far),
        admin.post(reverse("admin:files_grant_add"), row),
        admin.post(change_url(record), inline(row)),
    ):
        assert "Choose a moment before the year 3000." in page.text
    assert not Grant.objects.exists()


@pytest.mark.parametrize("action", ["grant_many", "transfer_many", "delete_selected"])
@pytest.mark.parametrize("selected", ["x", "", "1", "\0"])
def test_a_selection_that_makes_no_sense_is_refused_in_words(
    admin: Client, alice: User, action: str, selected: str
) -> None:
    filed(alice)
    data = {"action": action, "_selected_action": selected, "confirmed": "yes", "post": "yes"}
    answer = admin.post(reverse(FILES), data, follow=True)
    assert "makes no sense" in answer.text
    data["action"] = "revoke_selected"
    answer = admin.post(reverse("admin:files_grant_changelist"), data, follow=True)
    assert answer.status_code == 200
    data["_selected_action"] = "9" * 30
    answer = admin.post(reverse("admin:files_grant_changelist"), data, follow=True)
    assert "makes no sense" in answer.text
    assert FileRecord.objects.exists()


def test_all_or_nothing_where_a_file_is_gone(admin: Client, alice: User, bob: User) -> None:
    records = [filed(alice), filed(alice)]
    FileRecord.objects.filter(pk=records[0].pk).delete()
    answer = act(admin, "grant_many", records, users=[bob.pk], level="download")
    assert "Some of what was selected is gone: nothing was done." in answer.text
    assert not Grant.objects.exists()


def test_one_step_has_bounds(
    admin: Client, alice: User, bob: User, mallory: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [filed(alice), filed(alice), filed(alice)]
    monkeypatch.setattr(bulk_actions, "GRANTS_AT_ONCE", 5)
    fields = {"users": [bob.pk, mallory.pk], "level": "download"}
    assert "That would be 6 shares" in act(admin, "grant_many", records, **fields).text
    monkeypatch.setattr(bulk_actions, "AT_ONCE", 2)
    for action in ("grant_many", "transfer_many"):
        assert "Select 2 at most: nothing was done." in act(admin, action, records).text
    assert not Grant.objects.exists()


def test_the_page_that_asks_takes_as_many_queries_whatever_is_selected(
    admin: Client, alice: User, bob: User, django_assert_num_queries: Any
) -> None:
    record = filed(alice)
    act(admin, "grant_many", [record])
    with CaptureQueriesContext(connection) as captured:
        act(admin, "grant_many", [record])
    records = [filed((alice, bob)[number % 2]) for number in range(10)]
    for number in range(10):
        User.objects.create(username=f"user{number}")
        Group.objects.create(name=f"Team {number}")
    with django_assert_num_queries(len(captured)):
        act(admin, "grant_many", records)


@pytest.mark.parametrize("action", ["grant_many", "transfer_many"])
def test_the_actions_want_their_permissions(
    client: Client, alice: User, bob: User, action: str
) -> None:
    record = filed(alice)
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    granting, handing = {"add_grant"}, {"add_grant", "change_filerecord"}
    for names in ({"change_filerecord"}, granting, handing):
        found = Permission.objects.filter(codename__in={*names, "view_filerecord"})
        bob.user_permissions.set(found)
        client.force_login(bob)
        allowed = names >= (granting if action == "grant_many" else handing)
        page = act(client, action, [record])
        assert ('name="confirmed"' in page.text) is allowed
        if not allowed:
            fields = {"users": [bob.pk], "level": "manage", "new_owner": bob.pk}
            act(client, action, [record], **fields)
            assert not rule.visible_to(Person(bob)).exists()


# --- Owners -----------------------------------------------------------------------------------


def test_selected_files_are_handed_over(
    admin: Client, alice: User, bob: User, events: Events
) -> None:
    records = [filed(alice), filed(alice), filed(bob)]
    assert "new_owner" in act(admin, "transfer_many", records).text
    answer = act(admin, "transfer_many", records, new_owner=bob.pk)
    assert (
        "2 files handed over to bob. 1 left out: bob owns it already, or it is gone." in answer.text
    )
    assert FileRecord.objects.filter(owner=bob).count() == 3
    assert len(events("ownership_transferred")) == 2


def one(record: FileRecord) -> str:
    return reverse("admin:files_filerecord_transfer", args=[record.pk])


def everything(user: User) -> str:
    return reverse("admin:accounts_user_transfer", args=[user.pk])


def test_one_file_is_handed_over_on_its_page(admin: Client, alice: User, bob: User) -> None:
    record = filed(alice)
    assert one(record) in admin.get(reverse("admin:files_filerecord_change", args=[record.pk])).text
    assert admin.get(one(record)).status_code == 200
    answer = admin.post(one(record), {"new_owner": bob.pk}, follow=True)
    assert "1 file handed over to bob." in answer.text
    record.refresh_from_db()
    assert record.owner == bob


def test_all_files_of_a_person_are_handed_over_in_steps(
    admin: Client, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "AT_ONCE", 2)
    for _ in range(3):
        filed(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert (
        everything(alice) in admin.get(reverse("admin:accounts_user_change", args=[alice.pk])).text
    )
    answer = admin.post(everything(alice), {"new_owner": bob.pk}, follow=True)
    assert "Not everything yet: alice still owns 1 file." in answer.text
    admin.post(everything(alice), {"new_owner": bob.pk})
    assert FileRecord.objects.filter(owner=bob).count() == 3
    assert "nothing to transfer" in admin.get(everything(alice)).text
    assert admin.post(everything(alice), {"new_owner": bob.pk}).status_code == 200


@pytest.mark.parametrize("why", ["deactivated", "quota", "nobody"])
def test_a_new_owner_who_will_not_do_is_refused_in_words(
    admin: Client, alice: User, bob: User, why: str
) -> None:
    record = filed(alice, size=9)
    if why == "deactivated":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    elif why == "quota":
        User.objects.filter(pk=bob.pk).update(quota=8)
    chosen = "" if why == "nobody" else bob.pk
    said = {"quota": "raise the quota", "nobody": "required"}.get(why, "Select a valid choice")
    for page in (
        admin.post(one(record), {"new_owner": chosen}),
        admin.post(everything(alice), {"new_owner": chosen}),
        act(admin, "transfer_many", [record], new_owner=chosen),
    ):
        assert page.status_code == 200
        assert said in page.text
    record.refresh_from_db()
    assert record.owner == alice


def test_the_pages_want_the_permissions_and_a_thing_that_exists(
    client: Client, admin: Client, alice: User, bob: User
) -> None:
    assert (
        admin.get(reverse("admin:files_filerecord_transfer", args=[uuid.uuid4()])).status_code
        == 404
    )
    assert admin.get(reverse("admin:accounts_user_transfer", args=[10**20])).status_code == 404
    record = filed(alice)
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    names = {"change_filerecord", "add_grant", "view_user", "view_filerecord"}
    for missing in ("change_filerecord", "add_grant"):
        bob.user_permissions.set(Permission.objects.filter(codename__in=names - {missing}))
        client.force_login(bob)
        for address in (one(record), everything(alice)):
            assert client.get(address).status_code == 403
            assert client.post(address, {"new_owner": bob.pk}).status_code == 403
    assert not FileRecord.objects.filter(owner=bob).exists()


def test_a_step_is_no_larger_than_the_use_case_means_it_to_be() -> None:
    assert bulk_actions.AT_ONCE == ownership.AT_ONCE
