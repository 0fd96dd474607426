"""The history of one file: for its owner and managers, and telling no more than it may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

import audit
from accounts.models import User
from audit import Event
from files.models import FileRecord, Grant
from files.sharing import granting
from tests.files.conftest import CONTENT, Store

Give = Callable[..., Grant]


def url(record: FileRecord) -> str:
    return f"/files/{record.pk}/history/"


def rows(response: Any) -> list[tuple[str, str, str, str]]:
    assert response.status_code == 200
    return [
        (entry.what, entry.who, entry.details, entry.address)
        for entry in response.context["page"].entries
    ]


def test_what_happened_is_told_newest_first(
    client: Client, alice: User, bob: User, record: FileRecord
) -> None:
    grant = granting.grant(Grant(file=record, user=bob), actor=alice)
    team = Group.objects.create(name="Team")
    granting.grant(Grant(file=record, group=team, level="manage"), actor=alice)
    reader = Client()
    reader.force_login(bob)
    with_body = reader.get(f"/files/{record.pk}/download/")
    with_body.getvalue()
    with_body.close()
    granting.revoke(grant, actor=alice)
    reader.get(f"/files/{record.pk}/download/")
    client.force_login(alice)
    size = len(CONTENT)
    assert rows(client.get(url(record))) == [
        ("Download refused", "somebody else", "not visible", ""),
        ("Sharing stopped", "alice", "for bob, to open and download", ""),
        ("Downloaded", "bob", f"complete, {size} bytes sent", ""),
        ("Shared", "alice", "for group “Team”, to share and delete, too", ""),
        ("Shared", "alice", "for bob, to open and download", ""),
        ("Uploaded", "alice", f"{size} bytes", ""),
    ]


def test_it_is_for_owner_and_managers(
    client: Client,
    alice: User,
    bob: User,
    mallory: User,
    root: User,
    record: FileRecord,
    give: Give,
) -> None:
    for user, level, status in (
        (alice, None, 200),
        (bob, "manage", 200),
        (mallory, "download", 404),
        (root, None, 404),
    ):
        if level:
            give(record, user, level=level)
        client.force_login(user)
        assert client.get(url(record)).status_code == status
        linked = url(record) in client.get(f"/files/{record.pk}/").text
        assert linked == (status == 200)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_only_tells(client: Client, alice: User, record: FileRecord, method: str) -> None:
    client.force_login(alice)
    assert getattr(client, method)(url(record)).status_code == 405


@pytest.mark.parametrize("held", ["staff", "permission", "both"])
def test_addresses_are_for_those_who_may_read_the_log(
    client: Client, alice: User, mallory: User, record: FileRecord, held: str
) -> None:
    client.force_login(mallory)
    client.get(f"/files/{record.pk}/download/", REMOTE_ADDR="192.0.2.77")
    if held in {"staff", "both"}:
        User.objects.filter(pk=alice.pk).update(is_staff=True)
    if held in {"permission", "both"}:
        alice.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    client.force_login(alice)
    response = client.get(url(record))
    told = held == "both"
    assert ("192.0.2.77" in response.text) == told
    assert ("mallory" in response.text) == told


def test_events_of_other_files_are_not_told(
    client: Client, alice: User, record: FileRecord, store: Store
) -> None:
    store(alice)
    audit.record(Event.SWEPT, purged=3)
    client.force_login(alice)
    assert len(rows(client.get(url(record)))) == 1


def test_pages_follow_one_another(
    client: Client, alice: User, record: FileRecord, settings: Settings
) -> None:
    settings.EVENTS_PER_PAGE = 3
    for number in range(6):
        audit.record(Event.FILE_DOWNLOADED, file_id=record.pk, bytes=number, outcome="complete")
    client.force_login(alice)
    seen, query = [], ""
    while True:
        response = client.get(url(record) + query)
        seen += rows(response)
        before = response.context["page"].before
        if not before:
            break
        query = f"?before={before}"
        assert query in response.text
    assert len(seen) == 7
    assert [row[2].split(", ")[1] for row in seen[:6]] == [
        f"{number} bytes sent" for number in reversed(range(6))
    ]


@pytest.mark.parametrize("before", ["", "x", "-1", "٣", "9" * 40, "1; DROP TABLE"])
def test_what_is_no_number_is_the_first_page(
    client: Client, alice: User, record: FileRecord, before: str
) -> None:
    client.force_login(alice)
    assert len(rows(client.get(url(record), {"before": before}))) == 1


def test_the_number_of_queries_is_fixed(
    client: Client,
    alice: User,
    bob: User,
    record: FileRecord,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client.force_login(alice)
    client.get(url(record))
    for _ in range(3):
        with django_assert_num_queries(10):
            client.get(url(record))
        for _ in range(10):
            granting.grant(Grant(file=record, user=bob), actor=alice)


def test_names_and_details_are_escaped(client: Client, alice: User, record: FileRecord) -> None:
    FileRecord.objects.update(name="<script>alert(1)</script>")
    audit.record(Event.DOWNLOAD_FAILED, file_id=record.pk, outcome="<b>", bytes=1)
    client.force_login(alice)
    text = client.get(url(record)).text
    assert "<script>alert" not in text
    assert "<b>" not in text
