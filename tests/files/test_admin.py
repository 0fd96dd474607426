"""The admin: it decides who may read what, and opens nothing itself."""

from __future__ import annotations

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
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.models import FileRecord, Grant, StoredObject
from tests.files.conftest import CONTENT
from tests.files.test_models import filed, stored

Events = Callable[[str], list[dict[str, Any]]]
Give = Callable[..., Grant]
FILES, GRANTS = "admin:files_filerecord_changelist", "admin:files_grant_changelist"


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


@pytest.fixture
def staff(client: Client, mallory: User) -> Callable[..., Client]:
    """Mallory as staff, with these permissions and no more."""

    def with_permissions(*names: str) -> Client:
        User.objects.filter(pk=mallory.pk).update(is_staff=True)
        mallory.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(mallory)
        return client

    return with_permissions


def change_url(record: FileRecord) -> str:
    return reverse("admin:files_filerecord_change", args=[record.pk])


def moment(name: str, value: Any) -> dict[str, str]:
    """A date and a time as the browser sends them."""
    return {name: f"{value:%Y-%m-%dT%H:%M:%S}"} if value else {}


def inline(*rows: dict[str, Any]) -> dict[str, Any]:
    """The grants of a file's page, as its form sends them; rows with an `id` exist."""
    data: dict[str, Any] = {
        "grants-TOTAL_FORMS": len(rows),
        "grants-INITIAL_FORMS": sum("id" in row for row in rows),
    }
    for number, row in enumerate(rows):
        for name, value in row.items():
            data[f"grants-{number}-{name}"] = value
    return data


def listed(client: Client, page: str, **query: str) -> list[Any]:
    response = client.get(reverse(page), query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


# --- Files ------------------------------------------------------------------------------------


def test_a_grant_is_made_on_the_files_page_with_an_expiry(
    admin: Client, alice: User, bob: User, root: User, events: Events
) -> None:
    record = filed(alice)
    until = (timezone.now() + timedelta(days=2)).replace(microsecond=0)
    row = {"file": record.pk, "user": bob.pk, "level": "download", **moment("expires_at", until)}
    response = admin.post(change_url(record), inline(row))
    assert response.status_code == 302
    grant = Grant.objects.get()
    assert (grant.user, grant.expires_at, grant.granted_by) == (bob, until, root)
    assert rule.visible_to(Person(bob)).exists()
    assert len(events("grant_created")) == 1


def test_a_grant_on_the_files_page_may_be_to_a_group(
    admin: Client, alice: User, bob: User, root: User
) -> None:
    team = Group.objects.create(name="Team")
    bob.groups.add(team)
    record = filed(alice)
    row = {"file": record.pk, "group": team.pk, "level": "manage"}
    assert admin.post(change_url(record), inline(row)).status_code == 302
    assert rule.managed_by(Person(bob)).exists()


@pytest.mark.parametrize("both", [True, False])
def test_both_or_neither_recipient_is_an_error_of_the_form(
    admin: Client, alice: User, bob: User, both: bool
) -> None:
    record = filed(alice)
    team = Group.objects.create(name="Team")
    fields = {"user": bob.pk, "group": team.pk} if both else {"reason": "?"}
    row = {"file": record.pk, "level": "download", **fields}
    response = admin.post(change_url(record), inline(row))
    assert response.status_code == 200
    assert "Choose exactly one: a user or a group." in response.text
    response = admin.post(reverse("admin:files_grant_add"), row)
    assert response.status_code == 200
    assert "Choose exactly one: a user or a group." in response.text
    assert not Grant.objects.exists()


def test_a_grant_is_revoked_on_the_files_page(
    admin: Client, alice: User, bob: User, give: Give, events: Events
) -> None:
    record = filed(alice)
    grant = give(record, bob)
    row = {"id": grant.pk, "file": record.pk, "level": "download", "revoke": "on"}
    assert admin.post(change_url(record), inline(row)).status_code == 302
    assert Grant.objects.get().status == "revoked"
    assert len(events("grant_revoked")) == 1
    assert events("grant_changed") == []


def test_an_expiry_is_changed_on_the_files_page(
    admin: Client, alice: User, bob: User, give: Give, events: Events
) -> None:
    record = filed(alice)
    grant = give(record, bob)
    row = {
        "id": grant.pk,
        "file": record.pk,
        "level": "download",
        **moment("expires_at", timezone.now() - timedelta(minutes=1)),
    }
    assert admin.post(change_url(record), inline(row)).status_code == 302
    assert not rule.visible_to(Person(bob)).exists()
    assert len(events("grant_changed")) == 1


@pytest.mark.parametrize("own_page", [True, False])
def test_an_existing_grant_is_never_turned_to_another_person(
    admin: Client, alice: User, bob: User, root: User, give: Give, events: Events, own_page: bool
) -> None:
    record = filed(alice)
    grant = give(record, bob)
    row = {"file": record.pk, "user": root.pk, "group": "", "level": "manage"}
    if own_page:
        admin.post(reverse("admin:files_grant_change", args=[grant.pk]), row)
    else:
        admin.post(change_url(record), inline({"id": grant.pk, **row}))
    grant.refresh_from_db()
    assert (grant.user, grant.level) == (bob, "manage")
    assert not rule.visible_to(Person(root)).exists()


def test_saving_the_files_page_touches_nothing_but_grants(admin: Client, alice: User) -> None:
    record = filed(alice, name="kept.txt")
    before = FileRecord.objects.values().get()
    fields = {"name": "other", "size": 9, "owner": 1, "custody": "held", "content_type": "a/b"}
    response = admin.post(change_url(record), {**fields, **inline()})
    assert response.status_code == 302
    assert FileRecord.objects.values().get() == before


def test_what_a_file_is_made_of_is_shown_and_cannot_be_edited(admin: Client, alice: User) -> None:
    record = filed(alice)
    page = admin.get(change_url(record)).text
    assert record.current.object_name in page
    assert record.current.master_key_id in page
    for field in ("name", "size", "owner", "custody", "content_type", "current", "version"):
        assert f'name="{field}"' not in page


def test_no_page_of_the_admin_holds_content(
    admin: Client, record: FileRecord, give: Give, bob: User
) -> None:
    grant = give(record, bob)
    for address in (
        reverse(FILES),
        change_url(record),
        reverse(GRANTS),
        reverse("admin:files_grant_change", args=[grant.pk]),
        reverse("admin:files_filerecord_delete", args=[record.pk]),
    ):
        response = admin.get(address)
        assert response.status_code == 200
        assert CONTENT[:20] not in response.content
        assert "/download/" not in response.text


def test_no_file_is_added_in_the_admin(admin: Client) -> None:
    assert admin.get(reverse("admin:files_filerecord_add")).status_code == 403


def test_a_file_deleted_in_the_admin_is_gone_from_the_store(
    admin: Client,
    record: FileRecord,
    bob: User,
    give: Give,
    nothing_left: Callable[[], bool],
    events: Events,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    give(record, bob)
    address = reverse("admin:files_filerecord_delete", args=[record.pk])
    with django_capture_on_commit_callbacks(execute=True):
        response = admin.post(address, {"post": "yes"})
    assert response.status_code == 302
    assert nothing_left()
    assert [event["actor"] for event in events("file_deleted")] == ["root"]


def test_files_deleted_by_the_action_are_gone_from_the_store(
    admin: Client,
    store: Callable[..., FileRecord],
    alice: User,
    nothing_left: Callable[[], bool],
    events: Events,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    records = [store(alice), store(alice)]
    data = {
        "action": "delete_selected",
        "_selected_action": [record.pk for record in records],
        "post": "yes",
    }
    with django_capture_on_commit_callbacks(execute=True):
        assert admin.post(reverse(FILES), data).status_code == 302
    assert nothing_left()
    assert len(events("file_deleted")) == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "plan"}, ["Plan.pdf"]),
        ({"q": "PLAN"}, ["Plan.pdf"]),
        ({"q": "\u00e4rger"}, ["\u00c4RGER.txt"]),
        ({"q": "\u00c4rger"}, ["\u00c4RGER.txt"]),
        ({"q": "bob@"}, ["\u00c4RGER.txt"]),
        ({"q": "absent"}, []),
        ({"state": "damaged"}, ["\u00c4RGER.txt"]),
        ({"state": "live"}, ["Plan.pdf"]),
        ({"custody__exact": "held"}, []),
        ({"custody__exact": "managed"}, ["Plan.pdf", "\u00c4RGER.txt"]),
    ],
)
def test_files_are_searched_and_filtered(
    admin: Client, alice: User, bob: User, query: dict[str, str], found: list[str]
) -> None:
    filed(alice, name="Plan.pdf")
    filed(bob, name="\u00c4RGER.txt", current=stored(state=StoredObject.State.DAMAGED))
    assert sorted(record.name for record in listed(admin, FILES, **query)) == found


@pytest.mark.parametrize("dashes", [True, False])
def test_a_file_is_found_by_its_id_and_by_its_owner(
    admin: Client, alice: User, bob: User, dashes: bool
) -> None:
    record = filed(alice)
    filed(bob)
    assert listed(admin, FILES, q=str(record.id) if dashes else record.id.hex) == [record]
    assert listed(admin, FILES, owner__id__exact=str(alice.pk)) == [record]


def test_the_list_of_files_takes_as_many_queries_whatever_their_number(
    admin: Client, alice: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    filed(alice)
    filed(bob)
    count = queries(admin, reverse(FILES))
    for number in range(30):
        filed((alice, bob)[number % 2])
    with django_assert_num_queries(count):
        assert len(listed(admin, FILES)) == 32


def test_a_files_page_takes_as_many_queries_whatever_the_number_of_its_grants(
    admin: Client,
    alice: User,
    bob: User,
    give: Give,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    record = filed(alice)
    give(record, bob, granted_by=alice)
    give(record, Group.objects.create(name="Team"))
    count = queries(admin, change_url(record))
    for number in range(5):
        give(record, Group.objects.create(name=f"Team {number}"), granted_by=bob)
        give(record, bob, granted_by=alice)
    with django_assert_num_queries(count):
        admin.get(change_url(record))


def test_a_files_page_holds_the_newest_grants_and_leads_to_all(
    admin: Client, alice: User, bob: User, give: Give
) -> None:
    record = filed(alice)
    Grant.objects.bulk_create([Grant(file=record, user=bob) for _ in range(120)])
    give(filed(alice), bob)
    page = admin.get(change_url(record))
    formset = page.context["inline_admin_formsets"][0].formset
    newest = list(record.grants.order_by("-pk")[:50])
    assert {form.instance for form in formset.initial_forms} == set(newest)
    assert f"?file__id__exact={record.pk}" in page.text
    assert len(listed(admin, GRANTS, file__id__exact=str(record.pk))) == 100  # A page of them.
    rows = [{"id": g.pk, "file": record.pk, "level": "download"} for g in newest]
    saved = admin.post(change_url(record), inline({**rows[0], "revoke": "on"}, *rows[1:]))
    assert saved.status_code == 302
    assert record.grants.filter(revoked_at=None).count() == 119


def queries(client: Client, address: str) -> int:
    """How many queries a page takes, once everything is warm."""
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


# --- Grants -----------------------------------------------------------------------------------


def test_a_grant_is_made_on_its_own_page(
    admin: Client, alice: User, bob: User, root: User, events: Events
) -> None:
    record = filed(alice)
    start = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    data = {
        "file": record.pk,
        "user": bob.pk,
        "level": "download",
        "reason": "audit",
        **moment("starts_at", start),
        **moment("expires_at", start + timedelta(days=1)),
    }
    assert admin.post(reverse("admin:files_grant_add"), data).status_code == 302
    grant = Grant.objects.get()
    assert (grant.status, grant.starts_at, grant.granted_by) == ("scheduled", start, root)
    assert len(events("grant_created")) == 1


@pytest.mark.parametrize("nonsense", ["x", "9" * 30, "\0"])
@pytest.mark.parametrize("field", ["file", "user", "group"])
def test_a_grant_to_no_id_is_an_error_of_the_form(
    admin: Client, alice: User, bob: User, field: str, nonsense: str
) -> None:
    data = {"file": filed(alice).pk, "user": bob.pk, "level": "download", field: nonsense}
    answer = admin.post(reverse("admin:files_grant_add"), data)
    assert answer.status_code == 200
    assert f"errors field-{field}" in answer.text
    assert admin.get(reverse("admin:files_grant_add"), {field: nonsense}).status_code == 200
    assert not Grant.objects.exists()


def test_a_share_that_is_made_has_no_past(admin: Client, alice: User, bob: User) -> None:
    grant = Grant.objects.create(file=filed(alice), user=bob)
    new = admin.get(reverse("admin:files_grant_add")).text
    there = admin.get(reverse("admin:files_grant_change", args=[grant.pk])).text
    for field in ("field-created_at", "field-revoked_by", "field-revoke"):
        assert field not in new
        assert field in there


@pytest.mark.parametrize(
    "query", ["created_at__year=99999", "expires_at__year=0", "id=" + "9" * 30]
)
def test_a_filter_that_makes_no_sense_leads_back_to_the_list(admin: Client, query: str) -> None:
    answer = admin.get(f"{reverse(GRANTS)}?{query}", follow=True)
    assert answer.status_code == 200


def test_a_grant_to_oneself_is_allowed_and_audited_as_such(
    admin: Client, alice: User, root: User, events: Events
) -> None:
    record = filed(alice)
    data = {"file": record.pk, "user": root.pk, "level": "download"}
    admin.post(reverse("admin:files_grant_add"), data)
    assert [event["actor"] for event in events("self_granted")] == ["root"]


def test_a_grant_that_would_end_before_it_starts_is_an_error_of_the_form(
    admin: Client, alice: User, bob: User
) -> None:
    now = timezone.now()
    data = {
        "file": filed(alice).pk,
        "user": bob.pk,
        "level": "download",
        **moment("starts_at", now),
        **moment("expires_at", now - timedelta(days=1)),
    }
    response = admin.post(reverse("admin:files_grant_add"), data)
    assert "The grant must start before it expires." in response.text


def test_the_form_is_filled_in_from_the_files_page(admin: Client, alice: User) -> None:
    record = filed(alice, name="plan.pdf")
    response = admin.get(reverse("admin:files_grant_add"), {"file": str(record.pk)})
    assert response.status_code == 200
    assert "plan.pdf" in response.text


def test_selected_grants_are_revoked_at_once_and_once(
    admin: Client, alice: User, bob: User, give: Give, events: Events
) -> None:
    record = filed(alice)
    grants = [give(record, bob), give(record, bob), give(record, bob, revoked_at=timezone.now())]
    data = {"action": "revoke_selected", "_selected_action": [grant.pk for grant in grants]}
    response = admin.post(reverse(GRANTS), data, follow=True)
    assert "2 shares revoked." in response.text
    assert {grant.status for grant in Grant.objects.all()} == {"revoked"}
    assert len(events("grant_revoked")) == 2


def test_a_grant_is_revoked_on_its_own_page(
    admin: Client, alice: User, bob: User, root: User, give: Give
) -> None:
    grant = give(filed(alice), bob)
    address = reverse("admin:files_grant_change", args=[grant.pk])
    admin.post(address, {"level": "download", "revoke": "on"})
    grant.refresh_from_db()
    assert (grant.status, grant.revoked_by) == ("revoked", root)


def test_a_grant_is_history_and_cannot_be_deleted(
    admin: Client, alice: User, bob: User, give: Give
) -> None:
    grant = give(filed(alice), bob)
    assert admin.post(reverse("admin:files_grant_delete", args=[grant.pk])).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [grant.pk], "post": "yes"}
    admin.post(reverse(GRANTS), data)
    assert Grant.objects.exists()


@pytest.mark.parametrize("status", ["live", "scheduled", "expired", "revoked"])
def test_grants_are_filtered_by_status_and_searched(
    admin: Client, alice: User, bob: User, give: Give, status: str
) -> None:
    record, now = filed(alice, name="plan.pdf"), timezone.now()
    give(record, bob)
    give(record, bob, starts_at=now + timedelta(1))
    give(record, bob, expires_at=now)
    give(record, bob, revoked_at=now, expires_at=now, starts_at=None)
    assert [grant.status for grant in listed(admin, GRANTS, status=status)] == [status]
    assert len(listed(admin, GRANTS, q="plan")) == 4
    assert len(listed(admin, GRANTS, q="bob")) == 4
    assert listed(admin, GRANTS, q="mallory") == []


def test_the_list_of_grants_takes_as_many_queries_whatever_their_number(
    admin: Client,
    alice: User,
    bob: User,
    give: Give,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    give(filed(alice), bob)
    count = queries(admin, reverse(GRANTS))
    for number in range(20):
        give(filed(alice), Group.objects.create(name=f"Team {number}"), granted_by=bob)
    with django_assert_num_queries(count):
        assert len(listed(admin, GRANTS)) == 21


@pytest.mark.parametrize(
    ("model", "field", "term", "found"),
    [
        ("grant", "file", "PLAN", "plan.pdf"),
        ("grant", "user", "bo", "bob"),
        ("grant", "group", "mem", "Members"),
    ],
)
def test_autocompletion_answers(
    admin: Client, alice: User, bob: User, model: str, field: str, term: str, found: str
) -> None:
    filed(alice, name="plan.pdf")
    query = {"app_label": "files", "model_name": model, "field_name": field, "term": term}
    answer = admin.get(reverse("admin:autocomplete"), query).json()
    assert [result["text"] for result in answer["results"]] == [found]


# --- Who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [FILES, GRANTS, "admin:files_grant_add"])
def test_members_and_strangers_are_sent_away(client: Client, bob: User, page: str) -> None:
    assert client.get(reverse(page)).status_code == 302
    client.force_login(bob)
    assert client.get(reverse(page)).status_code == 302


def test_staff_without_a_permission_are_refused(
    staff: Callable[..., Client], alice: User, bob: User, give: Give
) -> None:
    record = filed(alice)
    grant = give(record, bob)
    client = staff()
    for address in (
        reverse(FILES),
        change_url(record),
        reverse("admin:files_filerecord_delete", args=[record.pk]),
        reverse(GRANTS),
        reverse("admin:files_grant_add"),
        reverse("admin:files_grant_change", args=[grant.pk]),
    ):
        assert client.get(address).status_code == 403
        assert client.post(address, {"post": "yes"}).status_code == 403
    assert FileRecord.objects.exists()


def test_staff_who_may_look_may_not_change(
    staff: Callable[..., Client], alice: User, bob: User, give: Give
) -> None:
    record = filed(alice)
    grant = give(record, bob)
    client = staff("view_filerecord", "view_grant")
    assert client.get(change_url(record)).status_code == 200
    assert client.post(change_url(record), inline()).status_code == 403
    data = {"action": "revoke_selected", "_selected_action": [grant.pk]}
    client.post(reverse(GRANTS), data)
    assert Grant.objects.get().status == "live"


def test_staff_who_may_change_files_only_make_no_grants(
    staff: Callable[..., Client], alice: User, bob: User
) -> None:
    record = filed(alice)
    client = staff("view_filerecord", "change_filerecord", "view_grant")
    row = {"file": record.pk, "user": bob.pk, "level": "manage"}
    client.post(change_url(record), inline(row))
    assert not Grant.objects.exists()


def test_a_list_is_not_counted_to_its_end(
    admin: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.administration.MOST_COUNTED", 2)
    for _ in range(3):
        filed(alice)
    with CaptureQueriesContext(connection) as captured:
        page = admin.get(reverse(FILES))
    assert page.context["cl"].result_count == 2
    counts = [q["sql"] for q in captured.captured_queries if "COUNT(" in q["sql"]]
    assert counts
    assert all("LIMIT 2" in sql for sql in counts)


def test_a_search_for_a_word_reads_the_index_and_not_every_name(admin: Client, alice: User) -> None:
    record = filed(alice, name="Invoice 7")
    with CaptureQueriesContext(connection) as captured:
        assert listed(admin, FILES, q="VOICE 7") == [record]
        assert listed(admin, FILES, q="invoice") == [record]
    by_name = [q["sql"] for q in captured.captured_queries if "files_name_index" in q["sql"]]
    assert bool(by_name) == (connection.vendor == "sqlite")
