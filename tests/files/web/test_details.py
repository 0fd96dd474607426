"""The page of one file: what it is, why one sees it, who else does."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from audit.models import AuditEvent
from files.crypto.digests import digest_all
from files.models import FileRecord, Grant, KeptVersion, StoredObject
from tests.files.conftest import CONTENT, KEY, give
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
        "(you)",
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
    assert "Through <bdi>group “Reviewers”</bdi>" in page
    assert "Can open and download, until <time" in page
    assert page.count('<p class="who">') == 2  # The owner and oneself.
    assert "Ended access" not in page
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
    assert "Can open, download, rename, share and delete, no end" in page
    assert "mallory" in page[page.index("Ended access (1)") :]
    assert "mallory" not in page[: page.index("Ended access (1)")]
    assert "Stopped <time" in page
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
    # Session, user, where they are signed in, file, the permissions of the user and of the groups;
    # who reads it and who did, links to it, how many versions there are; unread notices. It stands
    # in no folder, so there is none above it to ask about.
    with django_assert_num_queries(11):
        session.get(f"/files/{record.id}/")
    for number in range(30):
        group = Group.objects.create(name=f"team {number}")
        give(record, group, granted_by=bob)
        give(record, bob, granted_by=alice, revoked_at=timezone.now())
    # And how many people are in the groups.
    with django_assert_num_queries(12):
        page = session.get(f"/files/{record.id}/").text
    assert page.count("team ") == 30


SHA256 = hashlib.sha256(CONTENT).hexdigest()
CHAIN = digest_all([CONTENT]).chain.hex()


def test_digests_are_shown_to_who_could_have_the_bytes(
    client: Client, record: FileRecord, alice: User, bob: User
) -> None:
    give(record, bob)
    for person in (alice, bob):
        client.force_login(person)
        page = client.get(f"/files/{record.pk}/").content.decode()
        assert SHA256 in page
        assert CHAIN in page
    Group.objects.get(name="Members").permissions.clear()
    page = client.get(f"/files/{record.pk}/").content.decode()
    assert "may not download" in page
    assert SHA256 not in page
    assert CHAIN not in page


def test_digests_of_a_held_file_are_shown_while_it_is_unlocked(
    client: Client, held_record: FileRecord, alice: User
) -> None:
    client.force_login(alice)
    address = f"/files/{held_record.pk}/"
    for page in ("", "download/", "history/", "reencrypt/"):
        assert CHAIN not in client.get(f"{address}{page}").content.decode()
    client.post(f"{address}unlock/", {"key": KEY})
    page = client.get(address).content.decode()
    assert SHA256 in page
    assert CHAIN in page


def test_digests_are_in_no_list_event_history_or_log_line(
    client: Client, record: FileRecord, root: User, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        client.force_login(alice)
        client.get(f"/files/{record.pk}/")
        b"".join(client.get(f"/files/{record.pk}/download/"))
        pages = [client.get(page).content for page in ("/files/", f"/files/{record.pk}/history/")]
        client.force_login(root)
        pages += [
            client.get(f"/admin/{page}").content
            for page in ("files/filerecord/", f"files/filerecord/{record.pk}/change/")
        ]
    told = [json.dumps(event.data) for event in AuditEvent.objects.all()]
    everything = b"".join(pages).decode() + "".join(told) + caplog.text
    for digest in (SHA256, CHAIN):
        for spelling in (digest, base64.b64encode(bytes.fromhex(digest)).decode()):
            assert spelling not in everything


def test_the_time_of_modification_is_shown(client: Client, record: FileRecord, alice: User) -> None:
    client.force_login(alice)
    assert "Last changed" not in client.get(f"/files/{record.pk}/").content.decode()
    FileRecord.objects.update(modified_at=datetime(2019, 5, 1, 10, 30, tzinfo=UTC))
    page = client.get(f"/files/{record.pk}/").content.decode()
    assert "Last changed" in page
    assert "1 May 2019" in page


def test_the_buttons_are_what_one_may_do_and_each_is_there_once(
    client: Client, alice: User, bob: User, give: Give
) -> None:
    record = filed(alice, size=5)
    give(record, bob)
    alice.user_permissions.add(Permission.objects.get(codename="add_grant"))
    own = ["download", "grants", "view", "move", "versions", "rename", "history", "delete"]
    for person, expected in ((alice, own), (bob, ["download", "view"])):
        client.force_login(person)
        page = client.get(f"/files/{record.id}/").text
        links = re.findall(rf'href="/files/{record.id}/([a-z]+)/"', page)
        assert links == expected
    assert "5" in re.findall(r"Download <span class=.quiet.>(.*?)</span>", page)[0]


def test_versions_are_counted(session: Client, alice: User) -> None:
    record = filed(alice)
    assert re.search(r"Versions</a>", session.get(f"/files/{record.id}/").text)
    KeptVersion.objects.create(
        file=record, object=stored(), version=uuid4(), size=1, uploaded_at=timezone.now()
    )
    page = session.get(f"/files/{record.id}/").text
    assert re.search(r"Versions <span class=.quiet.>2</span></a>", page)


def test_a_manager_may_stop_sharing_from_there(
    session: Client, alice: User, bob: User, give: Give
) -> None:
    record = filed(alice)
    grant = give(record, bob)
    stop = f'name="revoke" value="{grant.pk}"'
    assert stop not in session.get(f"/files/{record.id}/").text
    alice.user_permissions.add(Permission.objects.get(codename="add_grant"))
    page = session.get(f"/files/{record.id}/").text
    assert stop in page
    assert f'<form method="post" action="/files/{record.id}/grants/">' in page


def test_how_many_people_are_in_a_group_is_said(
    session: Client, alice: User, bob: User, mallory: User, give: Give
) -> None:
    record, team = filed(alice), Group.objects.create(name="Team")
    give(record, team)
    assert "0 people" in session.get(f"/files/{record.id}/").text
    team.user_set.add(bob, mallory)
    User.objects.filter(pk=mallory.pk).update(is_active=False)
    assert "1 person<" in session.get(f"/files/{record.id}/").text


def test_who_manages_and_may_not_share_sees_everybody_page_by_page(
    client: Client, record: FileRecord, bob: User, settings: Settings
) -> None:
    settings.GRANTS_PER_PAGE = 2
    give(record, bob, level="manage")
    for number in range(4):
        give(record, User.objects.create(username=f"reader{number}"))
        give(record, bob, expires_at=timezone.now())
    client.force_login(bob)
    address = f"/files/{record.pk}/"
    assert client.get(f"{address}grants/").status_code == 403
    seen: set[str] = set()
    for page in ("1", "2", "3"):
        text = client.get(address, {"page": page}).text
        found = set(re.findall(r"reader\d", text))
        assert len(found) <= 2
        assert not found & seen
        seen |= found
        assert 'name="revoke"' not in text
        assert (f'href="?page={int(page) + 1}"' in text) is (page != "3")
    assert len(seen) == 4
    page = client.get(address, {"earlier": "2"}).text
    assert '<details class="ended" open>' in page
    assert page.count('<li class="expired">') == 2
