"""The filter of every list: a form that works by itself, kept from page to page, and taken off."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import QueryDict
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.lists import contents
from files.lists.filters import KINDS as ALL_KINDS
from files.models import Folder, Grant
from files.models.stored_objects import Custody
from files.vault import recent
from files.web import filtering
from tests.files import trees
from tests.files.test_models import placed

PDF, OFF = "application/pdf", "Take the filter off"
HERE = {"files": "/files/", "search": "/files/?q=a", "shared": "/shared/", "recent": "/recent/"}


@pytest.fixture
def session(
    client: Client, alice: User, bob: User, give: Callable[..., Grant], settings: LazySettings
) -> Client:
    """Alice's, with three PDF files of four in every list, two to a page."""
    settings.FILES_PER_PAGE = 2
    for owner in (alice, bob):
        for name, kind in (("a1", PDF), ("a2", PDF), ("a3", "text/plain"), ("a4", PDF)):
            record = placed(owner, name=f"{name} of {owner}", content_type=kind)
            recent.note(alice.pk, [record.pk], recent.Way.OPENED)
            if owner == bob:
                give(record, alice)
    client.force_login(alice)
    return client


def with_filter(address: str, query: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{query}"


def shown(response: Any) -> list[str]:
    assert response.status_code == 200
    return [row.item.name for row in response.context["rows"]]


def test_every_kind_has_words() -> None:
    assert {value for value, _ in filtering.KINDS} == {"", *ALL_KINDS}


@pytest.mark.parametrize("where", HERE)
def test_the_pages_of_a_list_keep_the_filter_and_so_does_every_act(
    session: Client, where: str
) -> None:
    base = HERE[where].partition("?")[0]
    address, found = with_filter(HERE[where], "kind=pdf"), []
    while address:
        page = session.get(address)
        found += shown(page)
        assert "Shown here: <strong>PDF</strong>" in re.sub(r"\s+", " ", page.text)
        # Whatever is done with what was chosen, one comes back here.
        back = re.search(r'name="back" value="([^"]*)"', page.text)
        assert back is not None
        assert unescape(back[1]) == address
        address = base + page.context["next_url"] if page.context["next_url"] else ""
    of = {"files": ["alice"], "shared": ["bob"]}.get(where, ["alice", "bob"])
    assert sorted(found) == sorted(f"{name} of {one}" for one in of for name in ("a1", "a2", "a4"))


@pytest.mark.parametrize("where", HERE)
def test_the_form_sends_what_the_list_is_sorted_and_searched_by(
    session: Client, where: str
) -> None:
    address = with_filter(HERE[where], "sort=time&kind=pdf&locked=0")
    page = session.get(address)
    form = page.text[page.text.index('<details class="menu">') :]
    form = form[: form.index("</form>")]
    assert ('name="sort" value="time"' in form) is (where != "search")
    assert ('name="q" value="a"' in form) is (where == "search")
    assert '<option value="pdf" selected>' in form
    assert "checked" not in form
    assert "after" not in form
    off = QueryDict(page.context["filter"].off_url.removeprefix("?"))
    assert "kind" not in off
    assert page.text.count(OFF) == 1


def test_other_orders_and_a_search_keep_the_filter(session: Client) -> None:
    page = session.get("/files/?kind=pdf")
    for order in page.context["orders"].values():
        assert "kind=pdf" in order["url"]
    search = page.text[page.text.index('<form class="search"') :]
    assert '<input type="hidden" name="kind" value="pdf">' in search[: search.index("</form>")]
    by_time = session.get("/shared/?kind=pdf").text
    assert '<a href="?sort=time&amp;kind=pdf">Oldest first</a>' in by_time


@pytest.mark.parametrize("where", HERE)
def test_a_list_of_which_nothing_is_left_says_how_to_see_it_again(
    session: Client, where: str
) -> None:
    page = session.get(with_filter(HERE[where], "kind=video&locked=1"))
    assert shown(page) == []
    assert "Nothing here is like that" in page.text
    assert page.text.count(OFF) == 2
    base = HERE[where].partition("?")[0]
    assert shown(session.get(base + page.context["filter"].off_url))


def test_a_list_that_goes_on_after_its_bound_says_so(
    session: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "LOOKED_AT", 2)
    page = session.get("/files/?kind=text")
    assert "Nothing like that so far" in page.text
    assert "Look further" in page.text
    assert shown(session.get("/files/" + page.context["next_url"])) == ["a3 of alice"]


def test_what_is_shared_and_what_is_ones_own_are_lists_of_their_own(session: Client) -> None:
    there = session.get("/files/?whose=shared&kind=pdf&locked=1&after=x")
    assert (there.status_code, there["Location"]) == (302, "/shared/?kind=pdf&locked=1")
    assert session.get("/shared/?whose=mine")["Location"] == "/files/"
    assert len(shown(session.get("/files/?whose=mine"))) == 2
    assert len(shown(session.get("/shared/?whose=shared"))) == 2
    mine = session.get("/files/?q=a1&whose=mine")
    assert shown(mine) == ["a1 of alice"]
    assert shown(session.get("/recent/?kind=text&whose=shared")) == ["a3 of bob"]


def test_a_folder_tells_what_one_added_oneself_from_the_rest(
    client: Client, alice: User, bob: User, give: Callable[..., Grant]
) -> None:
    case = trees.folder(alice, "Case")
    give(case, bob, level="add")
    placed(alice, case, name="hers")
    placed(bob, case, name="his", custody=Custody.HELD)
    client.force_login(bob)
    address = case.get_absolute_url()
    assert shown(client.get(address, {"whose": "mine"})) == ["his"]
    assert shown(client.get(address, {"whose": "shared"})) == ["hers"]
    assert shown(client.get(address, {"locked": "1"})) == ["his"]
    assert shown(client.get(address, {"q": "h", "locked": "1"})) == ["his"]
    assert "Added by others" in client.get(address).text


def test_a_list_without_anything_has_no_filter(client: Client, alice: User) -> None:
    client.force_login(alice)
    for address in ("/files/", "/shared/", "/recent/"):
        assert '<details class="menu">' not in client.get(address).text
    assert "Filter" not in client.get("/trash/").text
    assert OFF in client.get("/files/?kind=pdf").text


@pytest.mark.parametrize("query", ["kind=x&whose=y&locked=z", "kind=&whose=&locked="])
def test_a_filter_without_meaning_leaves_nothing_out(session: Client, query: str) -> None:
    page = session.get(f"/files/?{query}")
    assert len(shown(page)) == 2
    assert OFF not in page.text


def test_the_number_of_queries_does_not_depend_on_what_there_is(
    client: Client,
    alice: User,
    bob: User,
    give: Callable[..., Grant],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    case = Folder.objects.get(pk=trees.folder(alice, "Case").pk)
    give(case, bob, level="manage")
    client.force_login(bob)
    for number in range(40):
        record = placed(alice, case, name=f"a{number}", content_type=PDF)
        give(record, bob)
    for address in (f"/folders/{case.pk}/", "/shared/", "/files/?q=a", "/recent/"):
        with django_assert_max_num_queries(18):
            assert shown(client.get(with_filter(address, "kind=pdf"))) or address == "/recent/"
