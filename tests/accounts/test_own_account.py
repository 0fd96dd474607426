"""The page of one's own account."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User

PAGE = "/accounts/"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"


@pytest.fixture
def session(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_all_of_the_account_is_on_one_page(
    client: Client, alice: User, password: str, real_sign_in: object
) -> None:
    EmailAddress.objects.create(user=alice, email="alice@example.org", verified=True, primary=True)
    client.post(
        "/accounts/login/", {"login": "alice", "password": password}, headers={"User-Agent": CHROME}
    )
    page = client.get(PAGE).text
    for words in ("Full name", "Language", "Time zone", "Change password", "Second factor"):
        assert words in page
    assert "alice@example.org" in page
    assert "Chrome" in page
    assert "this one" in page


def test_the_profile_is_saved_and_the_page_speaks_it(session: Client, alice: User) -> None:
    form = {"full_name": "  Alice   Müller ", "language": "de", "time_zone": "Europe/Berlin"}
    response = session.post(PAGE, form)
    assert (response.status_code, response["Location"]) == (302, PAGE)
    alice.refresh_from_db()
    assert alice.get_full_name() == "Alice Müller"
    page = session.get(PAGE)
    assert '<html lang="de">' in page.text
    assert '<option value="Europe/Berlin" selected>' in page.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"language": "tlh"},
        {"time_zone": "No/Where"},
        {"full_name": "x" * 151},
    ],
)
def test_what_makes_no_sense_is_refused_and_what_was_typed_stays(
    session: Client, alice: User, wrong: dict[str, str]
) -> None:
    response = session.post(PAGE, {"full_name": "typed", **wrong})
    assert response.status_code == 400
    alice.refresh_from_db()
    assert alice.first_name == ""
    assert wrong.get("full_name", "typed") in response.text


def test_however_many_sessions_there_are_it_costs_the_same(
    session: Client, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(8):
        Client().force_login(alice)
    with django_assert_max_num_queries(14):
        page = session.get(PAGE).text
    assert "And 4 more." in page


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(session: Client, method: str) -> None:
    assert getattr(session, method)(PAGE).status_code == 405


def test_an_anonymous_visitor_is_sent_to_sign_in(client: Client, db: None) -> None:
    assert client.get(PAGE)["Location"] == "/accounts/login/?next=/accounts/"
