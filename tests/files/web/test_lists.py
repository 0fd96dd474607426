"""The list: own and granted files, newest first, found by name, page by page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.models import FileRecord, Grant, StoredObject
from tests.files.test_models import filed, stored

LIST = "/files/"


@pytest.fixture
def session(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def names(response: Any) -> list[str]:
    assert response.status_code == 200
    return [record.name for record in response.context["records"]]


def test_an_anonymous_visitor_is_sent_to_sign_in(client: Client, db: None) -> None:
    assert client.get(LIST)["Location"] == "/accounts/login/?next=/files/"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_refused(session: Client, method: str) -> None:
    assert getattr(session, method)(LIST).status_code == 405


def test_an_empty_list_says_what_to_do_next(session: Client, alice: User) -> None:
    assert "Upload your first files" in session.get(LIST).text
    alice.groups.clear()
    page = session.get(LIST).text
    assert "Upload" not in page
    assert "Files appear here once you have been granted access" in page


def test_own_and_granted_files_are_listed_newest_first_and_no_others(
    session: Client, alice: User, bob: User, give: Callable[..., Grant]
) -> None:
    now = timezone.now()
    filed(alice, name="older", created_at=now - timedelta(hours=2))
    granted = filed(bob, name="granted", created_at=now - timedelta(hours=1))
    filed(alice, name="newer", created_at=now)
    filed(bob, name="secret")
    ended = filed(bob, name="ended")
    give(granted, alice)
    give(ended, alice, expires_at=now)
    response = session.get(LIST)
    assert names(response) == ["newer", "granted", "older"]
    assert "secret" not in response.text
    assert "ended" not in response.text


def test_a_superuser_sees_own_and_granted_files_only(
    client: Client, root: User, alice: User
) -> None:
    filed(alice, name="secret")
    client.force_login(root)
    assert names(client.get(LIST)) == []


def test_a_damaged_file_is_shown_so_and_not_offered(session: Client, alice: User) -> None:
    record = filed(alice, current=stored(state=StoredObject.State.DAMAGED))
    page = session.get(LIST).text
    assert "damaged" in page
    assert f"/files/{record.id}/download/" not in page
    assert f"/files/{record.id}/" in page


def test_who_may_not_download_is_not_offered_it(session: Client, alice: User) -> None:
    record = filed(alice)
    assert f"/files/{record.id}/download/" in session.get(LIST).text
    alice.groups.clear()
    assert f"/files/{record.id}/download/" not in session.get(LIST).text


def test_names_are_escaped(session: Client, alice: User) -> None:
    filed(alice, name="<script>alert(1)</script>.txt")
    page = session.get(LIST).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("report", ["Annual Report.pdf"]),
        ("REPORT annual", ["Annual Report.pdf"]),
        ("\u00c4RGER", ["\u00c4rger.txt"]),
        ("a\u0308rger", ["\u00c4rger.txt"]),
        ("strasse", ["Stra\u00dfe.txt"]),
        ("100%", ["100%_sure.txt"]),
        ("%", ["100%_sure.txt"]),
        ("_", ["100%_sure.txt"]),
        ("absent", []),
        ("\x00", None),
        ("   ", None),
        ("x" * 5000, []),
    ],
)
def test_a_search_finds_every_word_whatever_its_case(
    session: Client, alice: User, query: str, found: list[str] | None
) -> None:
    everything = ["Annual Report.pdf", "\u00c4rger.txt", "Stra\u00dfe.txt", "100%_sure.txt"]
    for name in everything:
        filed(alice, name=name)
    expected = everything if found is None else found
    assert sorted(names(session.get(LIST, {"q": query}))) == sorted(expected)


def test_a_search_without_a_match_says_so(session: Client) -> None:
    page = session.get(LIST, {"q": "<b>"}).text
    assert "No name matches" in page
    assert "<b>" not in page


def test_a_search_that_is_not_at_its_end_says_so_and_leads_on(
    session: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("files.lists.paging.WALKED", 2)
    filed(alice, name="az")
    for number in range(3):
        filed(alice, name=str(number))
    response = session.get(LIST, {"q": "az"})
    assert names(response) == []
    assert "No name matches so far" in response.text
    assert "Search on in older files" in response.text
    response = session.get(LIST + response.context["next_url"])
    assert names(response) == ["az"]


def test_a_search_finds_nobody_elses_files(session: Client, bob: User) -> None:
    filed(bob, name="secret")
    assert names(session.get(LIST, {"q": "secret"})) == []


def test_pages_follow_each_other_without_loss_or_repetition(
    session: Client, alice: User, settings: LazySettings
) -> None:
    settings.FILES_PER_PAGE = 3
    at = timezone.now()
    # Some of the same microsecond: the id decides.
    for number in range(8):
        filed(alice, name=f"a{number}", created_at=at - timedelta(number // 4))
    for noise in ("b0", "b1"):
        filed(alice, name=noise)
    seen: list[str] = []
    address, pages = f"{LIST}?q=a", 0
    while address and pages <= 3:
        response = session.get(address)
        seen += names(response)
        pages += 1
        following = response.context["next_url"]
        assert bool(response.context["first_url"]) == (pages > 1)
        address = LIST + following if following else ""
    assert pages == 3
    assert sorted(seen) == [f"a{number}" for number in range(8)]


def test_a_file_that_comes_meanwhile_shifts_no_page(
    session: Client, alice: User, settings: LazySettings
) -> None:
    settings.FILES_PER_PAGE = 2
    now = timezone.now()
    for number in range(4):
        filed(alice, name=str(number), created_at=now - timedelta(hours=number))
    first = session.get(LIST)
    filed(alice, name="new", created_at=now + timedelta(hours=1))
    second = session.get(LIST + first.context["next_url"])
    assert names(first) + names(second) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "cursor", ["x", "\u00e4", "AAAA", "A" * 32, "/" * 32, "_" * 32, "-" * 32, "A" * 5000, "%00"]
)
def test_a_cursor_without_meaning_is_answered_all_the_same(
    session: Client, alice: User, cursor: str
) -> None:
    filed(alice)
    assert session.get(LIST, {"after": cursor}).status_code == 200


@pytest.mark.parametrize(("query", "few", "many"), [("", 8, 8), ("a", 8, 7), ("txt", 8, 8)])
def test_the_number_of_queries_does_not_depend_on_the_number_of_files(
    session: Client,
    alice: User,
    bob: User,
    give: Callable[..., Grant],
    django_assert_num_queries: DjangoAssertNumQueries,
    query: str,
    few: int,
    many: int,
) -> None:
    filed(alice)
    session.get(LIST)
    # Session, user, groups, files, the permissions of the user and of the groups, what is proposed
    # or where the search came to its end.
    with django_assert_num_queries(few):
        session.get(LIST, {"q": query})
    for number in range(60):
        record = filed(bob if number % 2 else alice, name=f"a{number}")
        give(record, alice)
    with django_assert_num_queries(many):
        assert len(names(session.get(LIST, {"q": query}))) == (1 if query == "txt" else 50)
    assert FileRecord.objects.count() == 61
