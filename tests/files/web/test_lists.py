"""The lists of files: one's own, what was shared, what is recent; the search, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.access.principals import Person
from files.folders import making
from files.models import FileRecord, Grant, StoredObject
from files.tree.placing import root_of
from files.web import lists
from tests.files.test_models import filed, placed, stored

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
    assert "Your account may not upload" in page


def test_own_files_are_listed_by_name_and_beside_them_what_was_shared_lately(
    session: Client, alice: User, bob: User, give: Callable[..., Grant]
) -> None:
    now = timezone.now()
    for name in ("zebra", "Alpha", "beta"):
        placed(alice, name=name)
    granted = placed(bob, name="granted")
    placed(bob, name="hushed")
    ended = placed(bob, name="ended")
    give(granted, alice, granted_by=bob)
    give(ended, alice, expires_at=now)
    response = session.get(LIST)
    assert names(response) == ["Alpha", "beta", "zebra"]
    assert [row.item for row in response.context["newest_shared"]] == [granted]
    assert "hushed" not in response.text
    assert "ended" not in response.text


def test_a_superuser_sees_own_and_granted_files_only(
    client: Client, root: User, alice: User
) -> None:
    filed(alice, name="secret")
    client.force_login(root)
    assert names(client.get(LIST)) == []


def test_a_damaged_file_is_shown_so_and_not_offered(session: Client, alice: User) -> None:
    record = placed(alice, current=stored(state=StoredObject.State.DAMAGED))
    page = session.get(LIST).text
    assert "damaged" in page
    assert f"/files/{record.id}/download/" not in page
    assert f"/files/{record.id}/" in page


def test_who_may_not_download_is_not_offered_it(session: Client, alice: User) -> None:
    record = placed(alice)
    assert f"/files/{record.id}/download/" in session.get(LIST).text
    alice.groups.clear()
    assert f"/files/{record.id}/download/" not in session.get(LIST).text


def test_names_are_escaped(session: Client, alice: User) -> None:
    placed(alice, name="<script>alert(1)</script>.txt")
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
        placed(alice, name=name)
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


def test_what_is_dropped_on_what_was_found_is_uploaded_where_one_may(
    session: Client, alice: User, bob: User
) -> None:
    """Elsewhere a browser would leave the page, and show what was dropped."""
    mine, given = (
        making.create_folder(root_of(owner), "Cases", by=Person(owner), actor=owner)
        for owner in (alice, bob)
    )
    Grant.objects.create(folder=given, user=alice)
    found = f"/folders/{mine.pk}/?q=x"
    for address, into in ((f"{LIST}?q=x", ""), ("/recent/", ""), (found, mine.pk)):
        assert f'data-folder="{into}"' in session.get(address).text
    assert "data-uploads" not in session.get(f"/folders/{given.pk}/?q=x").text


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


@pytest.mark.parametrize("sort", ["name", "-name", "size", "-size", "time", "-time"])
def test_a_file_that_comes_meanwhile_shifts_no_page(
    session: Client, alice: User, settings: LazySettings, sort: str
) -> None:
    settings.FILES_PER_PAGE = 2
    for number in range(4):
        placed(alice, name=str(number), size=number)
    first = session.get(LIST, {"sort": sort})
    placed(alice, name="/" if sort == "name" else "~" if sort == "-name" else "new", size=1)
    second = session.get(LIST + first.context["next_url"])
    expected = [*"3210"] if sort.startswith("-") else [*"0123"]
    seen = [name for name in names(first) + names(second) if name != "new"]
    assert seen == expected[: len(seen)]
    assert len(seen) >= 3


@pytest.mark.parametrize(
    "cursor", ["x", "\u00e4", "AAAA", "A" * 32, "/" * 32, "_" * 32, "-" * 32, "A" * 5000, "%00"]
)
def test_a_cursor_without_meaning_is_answered_all_the_same(
    session: Client, alice: User, cursor: str
) -> None:
    filed(alice)
    assert session.get(LIST, {"after": cursor}).status_code == 200


@pytest.mark.parametrize("query", ["", "a", "txt"])
def test_the_number_of_queries_does_not_depend_on_the_number_of_files(
    session: Client,
    alice: User,
    bob: User,
    give: Callable[..., Grant],
    django_assert_max_num_queries: DjangoAssertNumQueries,
    query: str,
) -> None:
    placed(alice)
    session.get(LIST)
    # Session, user, groups, the permissions of the user and of the groups; the root, what is in it,
    # what of it may be seen; what was shared. Of a search: what is below shared folders, what is
    # proposed or where the search came to its end, and folders of that name.
    most = 16
    with django_assert_max_num_queries(most):
        session.get(LIST, {"q": query})
    for number in range(60):
        record = placed(bob if number % 2 else alice, name=f"a{number}")
        give(record, alice)
    with django_assert_max_num_queries(most):
        assert len(names(session.get(LIST, {"q": query}))) == {"": 31, "a": 50, "txt": 1}[query]
    assert FileRecord.objects.count() == 61


# --- From page to page ----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["/files/?sort=-size", "/files/?q=file", "/shared/", "/trash/"])
def test_one_goes_on_and_back_page_by_page(
    session: Client,
    alice: User,
    bob: User,
    settings: LazySettings,
    give: Callable[..., Grant],
    where: str,
) -> None:
    settings.FILES_PER_PAGE = 3
    shared = where == "/shared/"
    for number in range(8):
        record = placed(bob if shared else alice, name=f"file {number}", size=number)
        if shared:
            give(record, alice)
        if where == "/trash/":
            FileRecord.objects.filter(pk=record.pk).update(trashed_at=timezone.now())
    base = where.partition("?")[0]
    pages, address = [], where
    while address:
        page = session.get(address)
        pages.append([row.item.pk for row in page.context["rows"]])
        at, address = address, base + page.context["next_url"] if page.context["next_url"] else ""
    assert [len(page) for page in pages] == [3, 3, 2]
    assert len({pk for page in pages for pk in page}) == 8
    for expected in pages[-2::-1]:
        at = base + session.get(at).context["previous_url"]
        assert [row.item.pk for row in session.get(at).context["rows"]] == expected
    assert not session.get(at).context["previous_url"]
    assert "after" not in at


def test_an_address_without_the_way_back_leads_to_the_first_page(
    session: Client, alice: User, settings: LazySettings
) -> None:
    settings.FILES_PER_PAGE = 1
    for number in range(lists.TRAIL + 3):
        placed(alice, name=f"{number:02}")
    address, longest = "/files/", 0
    for _ in range(lists.TRAIL + 2):
        address = "/files/" + session.get(address).context["next_url"]
        longest = max(longest, len(address))
    assert longest < 2_000
    page = session.get(address)
    assert page.context["previous_url"]
    bare = re.sub("&before=.*", "", address)
    page = session.get(bare)
    assert not page.context["previous_url"]
    assert "Back to the first page" in page.text


# --- What one's files take ------------------------------------------------------------------------


def test_what_ones_files_take_is_shown(session: Client, alice: User) -> None:
    placed(alice, size=2_000)
    page = session.get(LIST).text
    assert "Your files take <data" in page or "Your files take 2" in page
    assert "<meter" not in page
    User.objects.filter(pk=alice.pk).update(quota=10_000)
    page = session.get(LIST).text
    assert '<meter min="0" max="10000" value="2000"' in page
    assert session.get("/files/?after=x").status_code == 200
