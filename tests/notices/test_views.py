"""The bell, the page of notices and the switches: one's own, by as many queries for any number."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from files.models import FileRecord
from files.vault import storing
from notices import Kind, notify
from notices.kinds import MANNERS
from notices.models import Choice, Notice
from tests.files.conftest import give

pytestmark = pytest.mark.django_db

PAGE = "/notices/"


@pytest.fixture
def record(alice: User, bob: User, s3: object) -> FileRecord:
    made = storing.store(alice, [b"x"], name="a <b>plan.txt")
    give(made, bob)
    Notice.objects.all().delete()
    return made


@pytest.fixture
def told(alice: User, bob: User, record: FileRecord) -> Notice:
    notify(Kind.SHARED_WITH_YOU, [bob.pk], file_id=record.pk, actor_id=alice.pk)
    return Notice.objects.get()


def test_a_notice_leads_to_what_it_is_about(client: Client, bob: User, told: Notice) -> None:
    client.force_login(bob)
    text = client.get(PAGE).text
    assert f'href="/files/{told.file_id}/"' in text
    assert "<bdi>alice</bdi> shares with you: <bdi>a &lt;b&gt;plan.txt</bdi>" in text
    assert '<span class="count">1<' in text


def test_it_says_how_many_files_arrived(client: Client, alice: User, record: FileRecord) -> None:
    notify(Kind.UPLOADED_TO_REQUEST, [alice.pk], file_id=record.pk)
    client.force_login(alice)
    assert "<bdi>1</bdi> file arrived by your request: <bdi>a" in client.get(PAGE).text


def test_it_says_nothing_of_what_its_reader_cannot_see_any_more(
    client: Client, bob: User, told: Notice, record: FileRecord
) -> None:
    record.grants.update(revoked_at=timezone.now())
    client.force_login(bob)
    text = client.get(PAGE).text
    assert "plan" not in text
    assert str(record.pk) not in text
    assert "something that you cannot see any more" in text


def test_to_look_changes_nothing_and_to_mark_is_ones_own(
    client: Client, alice: User, bob: User, told: Notice
) -> None:
    client.force_login(alice)
    assert client.post(reverse("notices:read"), {"notice": told.pk}).status_code == 404
    client.post(reverse("notices:read"), {"up_to": told.pk})
    client.force_login(bob)
    client.get(PAGE)
    assert Notice.objects.filter(read_at=None).count() == 1
    assert client.get(reverse("notices:read")).status_code == 405
    assert client.post(reverse("notices:read"), {"notice": told.pk}).status_code == 302
    assert not Notice.objects.filter(read_at=None).exists()
    assert 'class="count"' not in client.get(PAGE).text


def test_all_are_read_that_were_shown_and_no_newer_one(
    client: Client, bob: User, told: Notice
) -> None:
    notify(Kind.PASSWORD_CHANGED, [bob.pk])
    client.force_login(bob)
    client.post(reverse("notices:read"), {"up_to": told.pk})
    assert list(Notice.objects.filter(read_at=None).values_list("kind", flat=True)) == [
        "password_changed"
    ]


def test_pages_end_where_the_next_begins_and_take_as_many_queries(
    client: Client, alice: User, bob: User, record: FileRecord
) -> None:
    client.force_login(bob)
    counts = []
    for number in (1, 119):
        for _ in range(number):
            notify(Kind.SHARED_WITH_YOU, [bob.pk], file_id=record.pk, actor_id=alice.pk)
        client.get(PAGE)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            first = client.get(PAGE)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert '<span class="count">99+<' in first.text
    seen, url = [], PAGE
    while url:
        page = client.get(url)
        seen += [one.notice.pk for one, _ in page.context["told"]]
        url = page.context["next_url"]
    assert len(seen) == 120
    assert seen == sorted(seen, reverse=True)
    for odd in ("x", "-1", "9" * 40, "٣"):
        assert client.get(PAGE, {"before": odd}).status_code == 200


def test_each_kind_has_its_sentence(client: Client, alice: User, root: User) -> None:
    until = "2026-12-03T10:00+0000"
    for kind in Kind:
        Choice.objects.create(user=root, kind=kind, in_app=True)
        details: dict[str, str | int] = {"count": 2, "browser": "Firefox", "address": "192.0.2.1"}
        details |= {"change": "added", "until": until}
        notify(kind, [root.pk], actor_id=alice.pk, details=details)
    client.force_login(root)
    page = client.get(PAGE)
    assert page.status_code == 200
    assert len(page.context["told"]) == len(Kind)
    assert "3 Dec 2026, 10:00" in page.text
    assert "%(" not in page.text


def test_every_kind_is_switched_on_the_page_of_the_account(client: Client, bob: User) -> None:
    client.force_login(bob)
    text = client.get(reverse("account")).text
    for kind, manner in MANNERS.items():
        assert (f'name="in_app" value="{kind}"' in text) is not manner.for_administrators
        mailed = not manner.for_administrators and not manner.always_mailed
        assert (f'name="by_mail" value="{kind}"' in text) is mailed
    form = {"in_app": ["link_opened"], "by_mail": ["file_downloaded", "key_report", "rubbish"]}
    answer = client.post(reverse("notices:choose"), form)
    assert answer["Location"] == "/accounts/#notices"
    on = Choice.objects.filter(user=bob)
    assert list(on.filter(in_app=True).values_list("kind", flat=True)) == ["link_opened"]
    assert list(on.filter(by_mail=True).values_list("kind", flat=True)) == ["file_downloaded"]
    notify(Kind.SHARED_WITH_YOU, [bob.pk])
    assert not Notice.objects.exists()
    notify(Kind.PASSWORD_CHANGED, [bob.pk])
    assert Notice.objects.get().by_mail
