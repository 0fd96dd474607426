"""A token that an administrator makes for somebody: who may, for whom, and who hears of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import reauthentication
from accounts.models import Token, User
from audit.models import AuditEvent
from files.tree import placing

TEXT = re.compile(r"ssv_[0-9A-Za-z]{36}")


def form(user: User, **fields: Any) -> dict[str, Any]:
    until = (timezone.localdate() + timedelta(days=30)).isoformat()
    return {"user": user.pk, "name": "scanner", "scopes": ["add", "read"], "until": until, **fields}


def asked(client: Client, **form: Any) -> Any:
    return client.post(reverse("admin:accounts_token_add"), form)


@pytest.fixture
def desk(client: Client, bob: User) -> User:
    """Staff who may make tokens for others, and are no superusers. Signed in."""
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    may = ["add_token", "view_token", "change_token"]
    bob.user_permissions.set(Permission.objects.filter(codename__in=may))
    client.force_login(bob)
    return bob


def test_it_is_shown_once_and_acts_for_the_person(client: Client, desk: User, alice: User) -> None:
    page = client.get(reverse("admin:accounts_token_add"))
    assert page.status_code == 200
    made = asked(client, **form(alice))
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    assert "no-transform" in made["Cache-Control"]
    [text] = set(TEXT.findall(made.text))
    token = Token.objects.get()
    assert (token.user, token.made_by) == (alice, desk)
    for later in ("changelist", "change"):
        args = [token.pk] if later == "change" else []
        assert text not in client.get(reverse(f"admin:accounts_token_{later}", args=args)).text
    assert text not in repr(list(client.session.items()))
    me = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {text}"}).json()
    assert me["username"] == "alice"


def test_the_log_names_both_and_the_person_is_told(client: Client, desk: User, alice: User) -> None:
    asked(client, **form(alice))
    event = AuditEvent.objects.get(event="token_created")
    assert (event.actor_name, event.data["username"]) == (desk.username, "alice")
    hers = Client()
    hers.force_login(alice)
    for page in ("/accounts/", "/accounts/tokens/"):
        told = hers.get(page).text
        assert "scanner" in told
        assert desk.username in told
    hers.post("/accounts/tokens/revoke/", {"token": Token.objects.get().pk})
    assert Token.objects.get().state == "revoked"
    assert desk.username not in hers.get("/accounts/").text


def test_none_for_who_has_more_power(client: Client, desk: User, root: User) -> None:
    refused = asked(client, **form(root))
    assert refused.status_code == 400
    assert "powers that you do not have" in refused.text
    assert not TEXT.search(refused.text)
    assert not Token.objects.exists()


def test_none_without_the_permission_of_staff_and_without_confirming(
    client: Client, desk: User, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reauthentication, "is_recent", lambda request: False)
    for answer in (client.get(reverse("admin:accounts_token_add")), asked(client, **form(alice))):
        assert "reauthenticate" in answer["Location"]
    monkeypatch.undo()
    desk.user_permissions.remove(Permission.objects.get(codename="add_token"))
    assert asked(client, **form(alice)).status_code == 403
    assert not Token.objects.exists()


def test_no_further_than_the_person_sees(
    client: Client, desk: User, alice: User, mallory: User
) -> None:
    own = placing.add_folder(placing.root_of(desk), "Desk", added_by=desk)
    wrongs: list[dict[str, Any]] = [{"folder": str(own.pk)}, {"until": "2999-01-01"}]
    for wrong in [*wrongs, {"scopes": []}, {"user": "x"}]:
        assert asked(client, **{**form(alice), **wrong}).status_code == 400, wrong
    User.objects.filter(pk=mallory.pk).update(is_active=False)
    assert asked(client, **form(mallory)).status_code == 400
    assert not Token.objects.exists()
    hers = placing.add_folder(placing.root_of(alice), "Scans", added_by=alice)
    asked(client, **form(alice, folder=str(hers.pk)))
    assert Token.objects.get().folder_id == hers.pk
