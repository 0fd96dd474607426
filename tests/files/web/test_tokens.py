"""The pages of one's own tokens, and of the administration's."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import reauthentication
from accounts.models import Token, User
from files.tree import placing
from tests.accounts.test_tokens import made

FORM: dict[str, Any] = {"name": "nightly backup", "scopes": ["add", "read"]}


def form(**fields: Any) -> dict[str, Any]:
    until = (timezone.localdate() + timedelta(days=30)).isoformat()
    return {**FORM, "until": until, **fields}


@pytest.fixture
def session(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_a_token_is_shown_once(session: Client, alice: User) -> None:
    answer = session.post("/accounts/tokens/new/", form())
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    [text] = set(re.findall(r"ssv_[0-9A-Za-z]{36}", answer.text))
    page = session.get("/accounts/tokens/").text
    assert "nightly backup" in page
    assert text not in page
    assert Token.objects.get().scopes == "add read"
    assert text not in repr(list(session.session.items()))


def test_who_did_not_confirm_lately_is_asked_first(
    session: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reauthentication, "is_recent", lambda request: False)
    for method in ("get", "post"):
        answer = getattr(session, method)("/accounts/tokens/new/", form())
        assert answer.status_code == 302
        assert "reauthenticate" in answer["Location"]
    assert not Token.objects.exists()
    assert session.get("/accounts/tokens/").status_code == 200


def test_who_must_have_a_second_factor_makes_none_without(session: Client, settings: Any) -> None:
    settings.REQUIRE_MFA = "all"
    answer = session.post("/accounts/tokens/new/", form())
    assert answer.status_code == 302
    assert answer["Location"] == reverse("mfa_index")
    assert not Token.objects.exists()


def test_it_is_for_a_folder_that_one_sees(session: Client, alice: User, bob: User) -> None:
    mine = placing.add_folder(placing.root_of(alice), "Cases", added_by=None)
    his = placing.add_folder(placing.root_of(bob), "Cases", added_by=None)
    for text in (str(his.pk), "Cases", "https://example.org/folders/"):
        answer = session.post("/accounts/tokens/new/", form(folder=text))
        assert answer.status_code == 400
        assert "You see no such folder" in answer.text
    address = f"http://testserver/folders/{mine.pk}/"
    assert session.post("/accounts/tokens/new/", form(folder=address)).status_code == 200
    assert Token.objects.get().folder_id == mine.pk
    assert f"/folders/{mine.pk}/" in session.get("/accounts/tokens/").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["root"]},
        {"until": "2020-01-01"},
        {"until": "2099-01-01"},
        {"networks": "nowhere"},
        {"name": ""},
    ],
)
def test_what_makes_no_sense_is_said_at_its_field(session: Client, wrong: dict[str, Any]) -> None:
    answer = session.post("/accounts/tokens/new/", form(**wrong))
    assert answer.status_code == 400
    [field] = wrong
    assert field in answer.context["form"].errors
    assert not Token.objects.exists()


def test_one_revokes_ones_own_and_nobody_elses(session: Client, alice: User, bob: User) -> None:
    mine, his = made(alice).token, made(bob).token
    url = "/accounts/tokens/revoke/"
    for wrong in (str(his.pk), "0", "x", ""):
        assert session.post(url, {"token": wrong}).status_code == 404
    assert session.post(url, {"token": mine.pk}).status_code == 302
    assert Token.objects.get(pk=mine.pk).state == "revoked"
    assert Token.objects.get(pk=his.pk).state == "live"
    made(alice)
    session.post(url, {"token": "all"})
    assert not Token.objects.live().filter(user=alice).exists()
    assert session.get(url).status_code == 405


def test_the_page_takes_a_constant_number_of_queries(
    session: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    folder = placing.add_folder(placing.root_of(alice), "Cases", added_by=None)
    made(alice, folder_id=folder.pk)
    session.get("/accounts/tokens/")
    with django_assert_num_queries(8):
        session.get("/accounts/tokens/")
    for _ in range(5):
        made(alice, folder_id=folder.pk)
    with django_assert_num_queries(8):
        session.get("/accounts/tokens/")


# --- The administration -------------------------------------------------------------------------


def test_an_administrator_sees_and_revokes(client: Client, root: User, alice: User) -> None:
    token = made(alice)
    client.force_login(root)
    listed = reverse("admin:accounts_token_changelist")
    page = client.get(listed)
    assert "nightly" in page.text
    assert token.text not in page.text
    assert (
        client.get(reverse("admin:accounts_token_change", args=[token.token.pk])).status_code == 200
    )
    chosen = {"action": "revoke", "_selected_action": [token.token.pk]}
    assert client.post(listed, chosen).status_code == 302
    ended = Token.objects.get()
    assert (ended.state, ended.revoked_by) == ("revoked", root)


def test_staff_end_none_of_who_has_more_power(client: Client, root: User, bob: User) -> None:
    token = made(root).token
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename__in=["view_token", "change_token"]))
    client.force_login(bob)
    listed = reverse("admin:accounts_token_changelist")
    client.post(listed, {"action": "revoke", "_selected_action": [token.pk]})
    assert Token.objects.get().state == "live"
