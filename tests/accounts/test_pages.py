"""allauth's pages keep to the site's Content-Security-Policy: no script or style of their own."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User

ANONYMOUS = ["account_login", "account_signup", "account_reset_password"]
ANONYMOUS += ["account_reset_password_done", "account_inactive"]
SIGNED_IN = ["account_logout", "account_change_password", "account_email", "account_reauthenticate"]


class Inline(HTMLParser):
    """Collects whatever the policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(tag)
        for name, value in given.items():
            hosted = name in {"src", "href", "action"} and "//" in (value or "")
            if name == "style" or name.startswith("on") or hosted:
                self.found.append(f"{tag} {name}={value}")


def assert_clean(client: Client, name: str) -> None:
    response = client.get(reverse(name))
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = Inline()
    page.feed(response.content.decode())
    assert page.found == []


@pytest.mark.parametrize("name", ANONYMOUS)
def test_pages_for_everybody(client: Client, db: None, name: str) -> None:
    assert_clean(client, name)


@pytest.mark.parametrize("name", SIGNED_IN)
def test_pages_for_people_who_are_signed_in(client: Client, alice: User, name: str) -> None:
    client.force_login(alice)
    assert_clean(client, name)


def test_the_way_back_is_kept_and_stays_on_this_site(
    client: Client, alice: User, password: str
) -> None:
    form = {"login": "alice", "password": password}
    for wanted, given in (("/admin/", "/admin/"), ("https://evil.example/", reverse("files:list"))):
        answer = client.post(reverse("account_login", query={"next": wanted}), form)
        assert answer["Location"] == given
        client.post(reverse("account_logout"))


def test_signing_out_takes_a_post(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.get(reverse("account_logout"))
    assert "_auth_user_id" in client.session
    client.post(reverse("account_logout"))
    assert "_auth_user_id" not in client.session
