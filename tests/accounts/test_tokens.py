"""Tokens of programs: made, revoked, presented; what ends one, and what the log has of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts import token_text, tokens
from accounts.limits import Limit, LimitReached
from accounts.models import Token, User
from audit.models import AuditEvent

Events = Callable[..., list[dict[str, Any]]]


def made(user: User, **fields: Any) -> tokens.Made:
    fields = {
        "name": "nightly",
        "scopes": ["read", "add"],
        "expires_at": timezone.now() + timedelta(days=1),
        "actor": user,
        **fields,
    }
    return tokens.make(user, **fields)


def present(text: str, address: str = "192.0.2.7") -> Token:
    return tokens.authenticate(RequestFactory(REMOTE_ADDR=address).get("/api/v1/me"), text)


def reason_of(text: str, address: str = "192.0.2.7") -> str:
    with pytest.raises(tokens.Refused, match=r"^The token is not valid here\.$") as refused:
        present(text, address)
    return refused.value.reason


def test_one_is_made_and_opens_and_only_its_digest_is_kept(alice: User) -> None:
    one = made(alice)
    assert token_text.is_sound(one.text)
    assert present(one.text).user == alice
    row = Token.objects.values().get()
    assert one.text not in repr(row)
    assert row["digest"] == token_text.digest_of(one.text)
    assert one.token.scope_set == {"read", "add"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "\u200b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "expires_at"),
        ({"expires_at": timezone.now() + timedelta(days=400)}, "expires_at"),
        ({"networks": "192.0.2.7, elsewhere"}, "networks"),
    ],
)
def test_what_makes_no_sense_is_refused(alice: User, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        made(alice, **wrong)
    assert field in refused.value.message_dict
    assert not Token.objects.exists()


def test_so_many_and_no_more(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "AT_MOST", 2)
    first = made(alice)
    made(alice)
    with pytest.raises(ValidationError, match="as many as one person may have"):
        made(alice)
    made(bob)
    assert tokens.revoke(first.token, actor=alice)
    made(alice)


def test_the_log_has_who_made_it_and_what_it_may(alice: User, db: object) -> None:
    one = made(alice, networks="192.0.2.0/24")
    [event] = AuditEvent.objects.filter(event="token_created")
    assert event.actor_name == "alice"
    assert event.data["label"] == "nightly"
    assert event.data["scopes"] == "add read"
    assert event.data["networks"] == "192.0.2.0/24"
    assert one.text not in repr(event.data)


# --- What ends one ------------------------------------------------------------------------------


def test_unknown_and_ended_look_alike_and_the_log_knows(alice: User) -> None:
    one, other = made(alice), made(alice)
    tokens.revoke(one.token, actor=alice)
    Token.objects.filter(pk=other.token.pk).update(expires_at=timezone.now())
    reasons = ["malformed", "unknown", "revoked", "expired"]
    texts = ["ssv_x", token_text.generate(), one.text, other.text]
    assert [reason_of(text) for text in texts] == reasons
    told = AuditEvent.objects.filter(event="token_refused").order_by("id")
    assert [event.data["reason"] for event in told] == reasons
    assert [event.data.get("token_id") for event in told][2:] == [one.token.pk, other.token.pk]


def test_a_deactivated_account_has_none_that_works(alice: User) -> None:
    one = made(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert reason_of(one.text) == "account is not active"
    assert not tokens.is_live(one.token.pk)


def test_a_new_password_ends_all_of_them(alice: User, bob: User) -> None:
    one, other = made(alice), made(bob)
    alice.set_password("quite another staple")
    alice.save()
    assert reason_of(one.text) == "revoked"
    assert present(other.text).user == bob
    [event] = AuditEvent.objects.filter(event="token_revoked")
    assert event.data["reason"] == "password changed"


def test_a_hash_that_is_brought_up_to_date_ends_none(alice: User, password: str) -> None:
    one = made(alice)
    alice.last_name = "Miller"
    alice.save()
    assert present(one.text).user == alice


def test_revoking_is_once_and_only_ones_own_with_all(alice: User, bob: User) -> None:
    made(alice)
    made(alice)
    his = made(bob)
    assert tokens.revoke_all(alice, actor=alice) == 2
    assert tokens.revoke_all(alice, actor=alice) == 0
    assert not tokens.revoke(Token.objects.filter(user=alice)[0], actor=alice)
    assert tokens.is_live(his.token.pk)
    assert AuditEvent.objects.filter(event="token_revoked").count() == 2


@pytest.mark.parametrize(
    ("networks", "address", "opens"),
    [
        ("", "198.51.100.1", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.9/24 2001:db8::/32", "192.0.2.200", True),
        ("192.0.2.0/24 2001:db8::/32", "2001:db8:1::1", True),
        ("192.0.2.0/24", "2001:db8:1::1", False),
        ("192.0.2.0/24", "", False),
    ],
)
def test_only_from_its_addresses(alice: User, networks: str, address: str, opens: bool) -> None:
    one = made(alice, networks=networks)
    if opens:
        assert present(one.text, address).user == alice
    else:
        assert reason_of(one.text, address) == "address"


# --- Its use ------------------------------------------------------------------------------------


def test_its_use_is_noted_at_most_once_a_minute(alice: User) -> None:
    one = made(alice)
    present(one.text)
    first = Token.objects.get().last_used_at
    assert first is not None
    assert Token.objects.get().last_used_from == "192.0.2.7"
    present(one.text, "192.0.2.8")
    assert Token.objects.get().last_used_at == first
    # A request that looked before the other one had noted it writes nothing either.
    one.token.last_used_at = None
    tokens.note_use(one.token, "192.0.2.9")
    assert Token.objects.get().last_used_from == "192.0.2.7"
    Token.objects.update(last_used_at=first - timedelta(minutes=1))
    present(one.text, "192.0.2.8")
    assert Token.objects.get().last_used_from == "192.0.2.8"


def test_guesses_are_limited_and_keep_no_right_one_out(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = made(alice)
    monkeypatch.setattr(tokens, "GUESSES", Limit("token", {"address": "3/5m"}))
    for _ in range(3):
        reason_of(token_text.generate())
    with pytest.raises(LimitReached):
        present(token_text.generate())
    assert present(one.text).user == alice
    assert AuditEvent.objects.filter(event="token_refused").count() == 3
    assert AuditEvent.objects.filter(event="locked_out").count() == 1


def test_one_event_an_hour_tells_of_a_program_that_goes_on_trying(alice: User) -> None:
    one = made(alice)
    tokens.revoke(one.token, actor=alice)
    for _ in range(3):
        assert reason_of(one.text) == "revoked"
    assert AuditEvent.objects.filter(event="token_refused").count() == 1


# --- At the doors -------------------------------------------------------------------------------

TUS = {"Tus-Resumable": "1.0.0"}


def bearer(text: str) -> dict[str, str]:
    return {**TUS, "Authorization": f"Bearer {text}"}


def test_a_token_uploads_and_each_event_names_it(client: Client, alice: User, s3: object) -> None:
    one = made(alice)
    headers = {**bearer(one.text), "Upload-Length": "3", "Upload-Metadata": "filename YQ=="}
    answer = client.generic(
        "POST", "/uploads/", b"abc", "application/offset+octet-stream", headers=headers
    )
    assert answer.status_code == 201
    [event] = AuditEvent.objects.filter(event="file_uploaded")
    assert event.actor_name == "alice"
    assert (event.data["by_token_id"], event.data["by_token"]) == (one.token.pk, "nightly")


def test_no_cookie_is_looked_at_beside_a_token(client: Client, alice: User, bob: User) -> None:
    client.force_login(bob)
    answer = client.head("/uploads/", headers=bearer(token_text.generate()))
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_a_scope_that_is_missing_is_named(client: Client, alice: User) -> None:
    one = made(alice, scopes=["read"])
    answer = client.post("/uploads/", headers={**bearer(one.text), "Upload-Length": "3"})
    assert answer.status_code == 403
    assert 'scope="add"' in answer["WWW-Authenticate"]
    assert "“add”" in answer.text


def test_a_token_opens_no_page(client: Client, root: User) -> None:
    one = made(root, scopes=list(Token.Scope.values))
    for page in ("/files/", "/accounts/", "/accounts/tokens/new/", "/admin/", "/trash/"):
        answer = client.get(page, headers={"Authorization": f"Bearer {one.text}"})
        assert answer.status_code == 302, page
        assert "login" in answer["Location"]


def test_who_needs_a_second_factor_has_no_token_that_opens(
    client: Client, alice: User, settings: Any
) -> None:
    one = made(alice)
    settings.REQUIRE_MFA = "all"
    answer = client.post("/uploads/", headers={**bearer(one.text), "Upload-Length": "3"})
    assert answer.status_code == 403
    assert "second factor" in answer.text
