"""Links in the administration: seen, filtered, ended; never made, changed or deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.models import Link
from files.sharing.links import ending, making
from files.sharing.links.making import Terms
from tests.files.sharing.links.makers import may_link
from tests.files.test_models import placed

pytestmark = pytest.mark.django_db
LIST = "admin:files_link_changelist"


def test_administrators_filter_and_end_them(client: Client, root: User, alice: User) -> None:
    alice = may_link(alice)
    record = placed(alice)
    one = making.make(record, Terms(label="Open one", password="long enough"), actor=alice)
    other = making.make(record, Terms(label="Ended one"), actor=alice)
    ending.revoke(other.link, actor=alice)
    client.force_login(root)
    queries = {"": 2, "?state=live": 1, "?state=revoked": 1, "?state=expired": 0}
    for query, number in {**queries, "?state=exhausted": 0, "?takes=password": 1}.items():
        page = client.get(reverse(LIST) + query).content.decode()
        assert sum(word in page for word in ("Open one", "Ended one")) == number, query
    page = client.get(reverse("admin:files_link_change", args=[one.link.pk])).content.decode()
    assert "Open one" in page
    for secret in (one.text, one.link.digest, one.link.password):
        assert secret not in page
    access = reverse("admin:files_filerecord_access", args=[record.pk])
    page = client.get(access).content.decode()
    assert reverse("admin:files_link_change", args=[one.link.pk]) in page
    assert reverse("admin:files_link_change", args=[other.link.pk]) not in page
    assert "asleep" not in page
    alice.user_permissions.clear()
    assert "asleep" in client.get(access).content.decode()
    data = {"action": "end", "_selected_action": [one.link.pk, other.link.pk]}
    client.post(reverse(LIST), data, follow=True)
    assert set(Link.objects.values_list("revoked_by", flat=True)) == {root.pk, alice.pk}


def test_who_only_looks_ends_none(client: Client, mallory: User, alice: User) -> None:
    alice = may_link(alice)
    one = making.make(placed(alice), Terms(), actor=alice).link
    User.objects.filter(pk=mallory.pk).update(is_staff=True)
    mallory.user_permissions.add(Permission.objects.get(codename="view_link"))
    client.force_login(mallory)
    assert client.get(reverse(LIST)).status_code == 200
    client.post(reverse(LIST), {"action": "end", "_selected_action": [one.pk]})
    for page in ("add", "delete"):
        args = [] if page == "add" else [one.pk]
        assert client.get(reverse(f"admin:files_link_{page}", args=args)).status_code == 403
    one.refresh_from_db()
    assert one.revoked_at is None


def test_what_came_before_a_bound_is_shown_and_ended(
    client: Client, root: User, alice: User, settings: Settings
) -> None:
    alice = may_link(alice)
    record, later = placed(alice), timezone.now() + timedelta(days=200)
    open_one = making.make(record, Terms(label="No word", expires_at=later), actor=alice).link
    kept = making.make(record, Terms(label="Kept", password="long enough"), actor=alice).link
    client.force_login(root)
    front, beyond = reverse("admin:index"), reverse(LIST) + "?bounds=beyond"
    assert beyond not in client.get(front).content.decode()
    for bounds in ({"LINK_MAX_DAYS": 100}, {"LINK_MAX_DAYS": 300, "LINK_NEEDS_PASSWORD": True}):
        for name, value in bounds.items():
            setattr(settings, name, value)
        assert beyond in client.get(front).content.decode(), bounds
        page = client.get(beyond).content.decode()
        assert "No word" in page
        assert "Kept" not in page
    client.post(beyond, {"action": "end", "_selected_action": [open_one.pk]})
    assert "No word" not in client.get(beyond).content.decode()
    assert beyond not in client.get(front).content.decode()
    kept.refresh_from_db()
    assert kept.state == "live"
