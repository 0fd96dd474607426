"""The pages of the links to something: made, shown once, ended; and the same by the API."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import User
from files.models import KeptAnswer, Link
from files.sharing import links
from tests.files.sharing.test_links import may_link
from tests.files.test_models import placed

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
    assert links.find(told["url"].split("/")[-2]) is not None
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
