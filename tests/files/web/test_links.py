"""The pages of the links to something: made, shown once, ended; and the same by the API."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import tokens
from accounts.models import User
from files.access.principals import Person
from files.models import Grant, KeptAnswer, Link
from files.sharing import requests
from files.sharing.links import ending, making, visiting
from files.tree import placing
from tests.files.conftest import give
from tests.files.sharing.links.makers import may_link
from tests.files.test_models import placed
from tests.files.web.api.callers import Caller

pytestmark = pytest.mark.django_db


def test_a_link_is_made_shown_once_and_ended(client: Client, alice: User) -> None:
    record = placed(alice)
    client.force_login(alice)
    page = f"/files/{record.pk}/links/"
    assert page not in client.get(record.get_absolute_url()).content.decode()
    assert b"Make the link" not in client.get(page).content
    may_link(alice)
    assert page in client.get(record.get_absolute_url()).content.decode()
    day = timezone.localdate() + timedelta(days=3)
    wrong = client.post(page, {"until": f"{day}", "addresses": "nobody"})
    assert wrong.status_code == 400
    assert b"nobody" in wrong.content
    made = client.post(page, {"until": f"{day}", "most": "2", "label": "For Ann"})
    assert {"no-store", "no-transform"} <= set(made["Cache-Control"].split(", "))
    path = re.findall(r'id="link"[^>]*>http://testserver(/l/\w{30}/)<', made.content.decode())[0]
    assert Client().get(path).status_code == 200
    listed = client.get(page).content.decode()
    assert "For Ann" in listed
    assert "0 of 2" in listed
    assert path not in listed
    link = Link.objects.get()
    ended = client.post(page, {"end": str(link.pk)}, follow=True)
    assert "The link is ended." in ended.content.decode()
    assert Client().get(path).status_code == 404


def test_the_api_makes_lists_and_ends_them(alice: User) -> None:
    record = placed(alice)
    until = timezone.now() + timedelta(days=1)
    made = tokens.make(alice, name="t", scopes=["share"], expires_at=until, actor=alice)
    headers = {"Authorization": f"Bearer {made.text}", "Idempotency-Key": "k"}
    client = Client(headers=headers)
    at = f"/api/v1/files/{record.pk}/links"
    new = {"password": "long enough", "count": 2, "label": "x"}
    refused = client.post(at, new, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "no_permission")
    may_link(alice)
    first = client.post(at, new, content_type="application/json")
    assert first.status_code == 201
    told = first.json()
    assert visiting.find(told["url"].split("/")[-2]) is not None
    assert (told["status"], told["left"], told["has_password"]) == ("live", 2, True)
    # Once more: its id and its status alone, for its URL was told.
    again = client.post(at, new, content_type="application/json")
    assert (again.status_code, again.json()) == (201, {"id": told["id"], "status": "live"})
    assert told["url"] not in str(KeptAnswer.objects.values())
    [listed] = client.get(at).json()["links"]
    assert "url" not in listed
    assert client.delete(f"/api/v1/links/{told['id']}").status_code == 204
    assert [one["status"] for one in client.get(at).json()["links"]] == ["revoked"]
    assert client.delete("/api/v1/links/999999").status_code == 404


def _numbers(page: str, name: str) -> list[int]:
    return [int(one) for one in re.findall(rf'name="{name}" value="(\d+)"', page)]


def test_nobody_waits_for_the_hash_of_a_links_password(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash waits for its slot: never within a transaction, which would hold up who writes."""
    may_link(alice)
    record = placed(alice)
    within: list[int] = []

    def hash_of(text: str) -> str:
        within.append(len(connection.savepoint_ids))
        return "hashed"

    monkeypatch.setattr("accounts.outside.passwords.hash_of", hash_of)
    caller = Caller(alice)
    key = {"Idempotency-Key": "one"}
    at, terms = f"/files/{record.pk}/links", {"password": "open sesame"}
    before = len(connection.savepoint_ids)
    assert caller.ask("POST", at, terms).status_code == 201
    assert caller.ask("POST", at, terms, **key).status_code == 201
    assert caller.ask("POST", at, {"password": "short"}, **key).status_code == 400
    assert within == [before, before]


def test_all_that_one_made_is_on_one_page_and_ended_there(
    client: Client, alice: User, bob: User
) -> None:
    """What lasts first; what one sees no more has no name, and ends all the same."""
    give_request = Permission.objects.get(codename="add_request")
    for user in (alice, bob):
        user.user_permissions.add(give_request)
    alice, bob = may_link(alice), may_link(bob)
    client.force_login(bob)
    record, folder = (
        placed(alice, name="Plan"),
        placing.add_folder(placing.root_of(bob), "Cases", added_by=bob),
    )
    give(record, bob, level="manage")
    theirs = making.make(record, making.Terms(), actor=alice).link
    over = making.make(folder, making.Terms(label="For nobody"), actor=bob).link
    ending.end(over, actor=bob)
    first = making.make(folder, making.Terms(), actor=bob).link
    second = making.make(record, making.Terms(), actor=bob).link
    asked, _ = requests.make(folder, requests.Terms("Papers"), by=Person(bob), actor=bob)
    listed = client.get("/links/").content.decode()
    assert _numbers(listed, "end") == [second.pk, first.pk]
    assert _numbers(listed, "end_request") == [asked.pk]
    assert listed.index("Plan") < listed.index("For nobody")
    assert ">asleep<" not in listed
    # Access goes, and the name with it.
    Grant.objects.update(revoked_at=timezone.now())
    listed = client.get("/links/").content.decode()
    assert "Plan" not in listed
    assert listed.count(">asleep<") == 1
    ended = client.post("/links/", {"end": str(second.pk)}, follow=True).content.decode()
    assert "The link is ended." in ended
    client.post("/links/", {"end_request": str(asked.pk)})
    asked.refresh_from_db()
    assert asked.ended_by == bob
    for wrong in ({"end": str(theirs.pk)}, {"end_request": "999"}, {"end": "x"}, {}):
        assert client.post("/links/", wrong).status_code == 404, wrong
    theirs.refresh_from_db()
    assert theirs.state == "live"


def test_the_page_of_all_asks_as_much_for_many(
    client: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    alice = may_link(alice)
    client.force_login(alice)

    def more() -> None:
        folder = placing.add_folder(placing.root_of(alice), secrets.token_hex(4), added_by=alice)
        for item in (folder, placed(alice, name=secrets.token_hex(4))):
            making.make(item, making.Terms(), actor=alice)

    more()
    with CaptureQueriesContext(connection) as queries:
        client.get("/links/")
    for _ in range(5):
        more()
    with django_assert_num_queries(len(queries)):
        client.get("/links/")


def test_who_manages_it_sees_the_links_that_lead_to_it(
    client: Client, alice: User, bob: User
) -> None:
    """Those to folders above, too; their notes are for who manages these."""
    alice = may_link(alice)
    folder = placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)
    record = placed(alice, folder, name="Plan")
    above = making.make(folder, making.Terms(label="Of the case"), actor=alice).link
    making.make(record, making.Terms(label="Of the plan"), actor=alice)
    give(record, bob, level="manage")
    client.force_login(bob)
    page = client.get(record.get_absolute_url()).content.decode()
    assert "Of the plan" in page
    assert f"link {above.pk}<" in page
    assert "Of the case" not in page
    assert f"/folders/{folder.pk}/" not in page
    assert ">asleep<" not in page
    client.force_login(alice)
    assert f"/folders/{folder.pk}/links/" in client.get(record.get_absolute_url()).content.decode()
    alice.user_permissions.clear()
    page = client.get(record.get_absolute_url()).content.decode()
    assert page.count(">asleep<") == 2
