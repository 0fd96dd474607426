"""No power changes without an event, by whatever door it is given or taken."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core import serializers
from django.core.management import call_command

from accounts import powers
from accounts.models import User
from audit import Event, context
from audit.models import AuditEvent
from tests.files.use_cases import ROOT


def told(event: Event = Event.ACCOUNT_CHANGED) -> list[dict[str, Any]]:
    return [one.data for one in AuditEvent.objects.filter(event=event).order_by("id")]


@pytest.fixture
def group(db: None) -> Group:
    return Group.objects.create(name="Auditors")


@pytest.fixture
def share(db: None) -> Permission:
    return Permission.objects.get(codename="add_grant")


def test_a_superuser_made_by_a_command_is_an_event(db: None, monkeypatch: Any) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery staple")
    with context.active(context.Context(actor_name="command:createsuperuser")):
        call_command(
            "createsuperuser", username="boss", email="boss@example.org", interactive=False
        )
    made = User.objects.get(username="boss")
    event = AuditEvent.objects.get(event=Event.ACCOUNT_CHANGED)
    assert event.actor_name == "command:createsuperuser"
    assert (event.data["user_id"], event.data["change"]) == (made.pk, "added")
    assert (event.data["staff"], event.data["superuser"]) == (True, True)


@pytest.mark.parametrize("field", ["is_staff", "is_superuser", "is_active", "username"])
def test_every_field_that_is_a_power_or_an_identity(alice: User, field: str) -> None:
    setattr(alice, field, "alicia" if field == "username" else not getattr(alice, field))
    alice.save(update_fields=[field])
    (event,) = told()
    assert event["user_id"] == alice.pk
    assert (event["staff"], event["superuser"]) == (alice.is_staff, alice.is_superuser)
    assert (event["active"], event["username"]) == (alice.is_active, alice.username)


def test_what_is_no_power_is_no_event(alice: User) -> None:
    alice.first_name = "Alice"
    alice.save()
    Group.objects.create(name="Others").save()
    assert (told(), told(Event.GROUP_CHANGED)) == ([], [])


def test_groups_and_permissions_from_either_side(
    alice: User, bob: User, group: Group, share: Permission
) -> None:
    alice.groups.add(group)
    group.user_set.add(bob)
    alice.user_permissions.add(share)
    share.user_set.add(bob)
    group.user_set.clear()
    alice.user_permissions.clear()
    of = [(event["user_id"], event["groups"], event["permissions"]) for event in told()]
    assert of == [
        (alice.pk, "Auditors, Members", ""),
        (bob.pk, "Auditors, Members", ""),
        (alice.pk, "Auditors, Members", "add_grant"),
        (bob.pk, "Auditors, Members", "add_grant"),
        (alice.pk, "Members", "add_grant"),
        (bob.pk, "Members", "add_grant"),
        (alice.pk, "Members", ""),
    ]
    group.permissions.add(share)
    share.group_set.clear()
    assert [event["permissions"] for event in told(Event.GROUP_CHANGED)] == ["add_grant", ""]


def test_a_fixture_is_no_way_round(alice: User, group: Group, tmp_path: Path) -> None:
    rows = json.loads(serializers.serialize("json", [alice]))
    rows[0]["fields"] |= {"is_superuser": True, "groups": [group.pk]}
    file = tmp_path / "fixture.json"
    file.write_text(json.dumps(rows))
    call_command("loaddata", str(file), verbosity=0)
    first, *_, last = told()
    assert (first["change"], first["superuser"]) == ("loaded", True)
    assert last["groups"] == "Auditors"
    rows[0]["fields"]["password"] = "argon2$another"
    file.write_text(json.dumps(rows))
    before = len(told())
    call_command("loaddata", str(file), verbosity=0)
    assert [event["change"] for event in told()[before:]] == ["loaded"]


def test_deletions_are_events(alice: User, group: Group) -> None:
    group.delete()
    alice.delete()
    assert [event["change"] for event in told(Event.GROUP_CHANGED)] == ["deleted"]
    assert [(event["change"], event["username"]) for event in told()] == [("deleted", "alice")]


def test_several_changes_can_be_one_event(alice: User, group: Group, share: Permission) -> None:
    with powers.as_one():
        alice.is_staff = True
        alice.save()
        alice.groups.add(group)
        with powers.as_one():
            alice.user_permissions.add(share)
    (event,) = told()
    assert (event["staff"], event["groups"]) == (True, "Auditors, Members")
    assert event["group_ids"] == ",".join(
        str(pk) for pk in sorted(alice.groups.values_list("pk", flat=True))
    )
    assert event["may"] == powers.mark("files", "add_grant")


def test_the_first_administrator_is_an_event(db: None, s3: object, monkeypatch: Any) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery staple")
    call_command("setup_vault", verbosity=0)
    (event,) = told()
    assert (event["superuser"], event["groups"]) == (True, "Members")
    assert told(Event.GROUP_CHANGED)[-1]["group"] == "Members"


def test_more_than_fits_is_a_digest() -> None:
    assert powers.told(["a", "b"]) == "a b"
    assert powers.told(["x" * 400, "y" * 400]).startswith("sha256:")


def test_no_code_of_ours_goes_past_the_rows() -> None:
    """`update` and `bulk_create` send no signals: nothing that is a power is written by them."""
    field = r"is_staff|is_superuser|is_active|user_permissions|permissions|groups"
    past = re.compile(rf"\.update\([^)]*\b({field})\s*=|through\.objects\.(bulk_)?create")
    for package in ("accounts", "audit", "files", "runtime", "securestore"):
        for path in (ROOT / package).rglob("*.py"):
            assert not past.search(path.read_text()), path
