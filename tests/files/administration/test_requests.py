"""Requests in the administration: seen, filtered, ended; never made, changed or deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.models import FileRequest
from files.sharing import requests
from tests.files.asked import ask, folder_of

pytestmark = pytest.mark.django_db
LIST = "admin:files_filerequest_changelist"


def test_administrators_filter_and_end_them(client: Client, root: User, alice: User) -> None:
    one, _token = ask(alice, title="Open one")
    other, _token = ask(alice, folder_of(alice, "Other"), title="Ended one")
    requests.end(other, actor=alice)
    client.force_login(root)
    for query, seen in (("", {"Open", "Ended"}), ("?over=no", {"Open"}), ("?over=yes", {"Ended"})):
        page = client.get(reverse(LIST) + query).content.decode()
        assert {word for word in ("Open", "Ended") if f"{word} one" in page} == seen
    page = client.get(reverse("admin:files_filerequest_change", args=[one.pk])).content.decode()
    assert "Open one" in page
    assert one.token_digest not in page
    data = {"action": "end", "_selected_action": [one.pk, other.pk]}
    client.post(reverse(LIST), data, follow=True)
    one.refresh_from_db()
    assert (one.ended_by, FileRequest.objects.lasting().count()) == (root, 0)


def test_who_only_looks_ends_none(client: Client, mallory: User, alice: User) -> None:
    one, _token = ask(alice)
    User.objects.filter(pk=mallory.pk).update(is_staff=True)
    mallory.user_permissions.add(Permission.objects.get(codename="view_filerequest"))
    client.force_login(mallory)
    assert client.get(reverse(LIST)).status_code == 200
    client.post(reverse(LIST), {"action": "end", "_selected_action": [one.pk]})
    for page in ("add", "delete"):
        args = [] if page == "add" else [one.pk]
        assert client.get(reverse(f"admin:files_filerequest_{page}", args=args)).status_code == 403
    one.refresh_from_db()
    assert one.ended_at is None


def test_what_came_before_a_bound_is_shown(
    client: Client, root: User, alice: User, settings: Settings
) -> None:
    later = timezone.now() + timedelta(days=200)
    ask(alice, title="Too long", expires_at=later, most_bytes=5)
    ask(alice, folder_of(alice, "Other"), title="Too large", most_bytes=1_000)
    client.force_login(root)
    front, beyond = reverse("admin:index"), reverse(LIST) + "?bounds=beyond"
    assert beyond not in client.get(front).content.decode()
    settings.REQUEST_MAX_DAYS = 100
    assert beyond in client.get(front).content.decode()
    page = client.get(beyond).content.decode()
    assert ("Too long" in page, "Too large" in page) == (True, False)
    settings.REQUEST_MAX_DAYS, settings.REQUEST_MAX_QUOTA = 365, 100
    page = client.get(beyond).content.decode()
    assert ("Too long" in page, "Too large" in page) == (False, True)
