"""Links in the administration: seen, filtered, ended; never made, changed or deleted."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from files.models import Link
from files.sharing import links
from files.sharing.links import Terms
from tests.files.sharing.test_links import may_link
from tests.files.test_models import placed

pytestmark = pytest.mark.django_db
LIST = "admin:files_link_changelist"


def test_administrators_filter_and_end_them(client: Client, root: User, alice: User) -> None:
    alice = may_link(alice)
    record = placed(alice)
    one = links.make(record, Terms(label="Open one", password="long enough"), actor=alice)
    other = links.make(record, Terms(label="Ended one"), actor=alice)
    links.revoke(other.link, actor=alice)
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
    one = links.make(placed(alice), Terms(), actor=alice).link
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
