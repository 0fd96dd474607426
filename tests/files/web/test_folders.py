"""The page of a folder, its search, and making folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from audit.models import AuditEvent
from files.models import Folder, Grant
from files.models.folders import DEEPEST
from files.tree import placing
from tests.files.test_models import placed

Give = Callable[..., Grant]


@pytest.fixture
def session(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def folder(alice: User) -> Folder:
    """Alice's folder Case 12, in Cases."""
    cases = placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)
    return placing.add_folder(cases, "Case 12", added_by=alice)


def shown(response: Any) -> list[str]:
    assert response.status_code == 200
    return [row.item.name for row in response.context["rows"]]


def test_a_folder_shows_folders_then_files_and_the_way_to_it(
    session: Client, alice: User, folder: Folder
) -> None:
    placed(alice, folder, name="a.txt")
    placing.add_folder(folder, "z", added_by=alice)
    response = session.get(folder.get_absolute_url())
    assert shown(response) == ["z", "a.txt"]
    assert [one.name for one in response.context["way"]] == ["", "Cases"]
    assert session.get(folder.get_absolute_url(), {"sort": "-size"}).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_refused(session: Client, folder: Folder, method: str) -> None:
    assert getattr(session, method)(folder.get_absolute_url()).status_code == 405


def test_the_root_is_the_page_of_files_and_nobody_elses(
    session: Client, alice: User, bob: User
) -> None:
    root, other = placing.root_of(alice), placing.root_of(bob)
    assert session.get(f"/folders/{root.pk}/")["Location"] == "/files/"
    assert session.get(f"/folders/{other.pk}/").status_code == 404
    for page in ("rename", "move", "delete", "grants"):
        response = session.get(f"/folders/{root.pk}/{page}/")
        assert response.status_code == 403
        assert "the top of your own files" in response.text


def test_the_way_begins_at_what_one_may_see_and_names_nothing_above(
    client: Client, alice: User, bob: User, folder: Folder, give: Give
) -> None:
    inside = placing.add_folder(folder, "Inside", added_by=alice)
    record = placed(alice, inside)
    give(folder, bob)
    client.force_login(bob)
    for item in (inside, record):
        response = client.get(item.get_absolute_url())
        assert "Case 12" in response.text
        assert "Cases" not in response.text
        assert "Shared with me" in response.text
        assert "hrough the folder “" in response.text


@pytest.mark.parametrize(
    ("level", "offered", "hidden"),
    [
        ("download", [], ["New folder", "Upload files", "Rename", "Move", "Delete this folder"]),
        ("add", ["New folder", "Upload files"], ["Rename", "Move", "Delete this folder"]),
        ("manage", ["New folder", "Upload files", "Rename", "Move", "Delete this folder"], []),
    ],
)
def test_only_what_one_may_do_is_offered(
    client: Client,
    bob: User,
    folder: Folder,
    give: Give,
    level: str,
    offered: list[str],
    hidden: list[str],
) -> None:
    give(folder, bob, level=level)
    client.force_login(bob)
    page = client.get(folder.get_absolute_url()).text
    assert all(f">{text}</a>" in page for text in offered)
    assert not any(f">{text}</a>" in page for text in hidden)


def test_a_refusal_is_on_record_whether_the_folder_exists_or_not(
    client: Client, mallory: User, bob: User, folder: Folder, give: Give
) -> None:
    client.force_login(mallory)
    client.get(folder.get_absolute_url())
    client.post(f"/folders/{folder.pk}/zip/")
    give(folder, bob)
    client.force_login(bob)
    client.post(f"/folders/{folder.pk}/rename/", {"name": "mine"})
    seen = [
        (event.event, event.data["folder_id"], event.data["reason"])
        for event in AuditEvent.objects.filter(event__in=["access_denied", "download_denied"])
    ]
    assert sorted(seen) == [
        ("access_denied", str(folder.pk), "no permission"),
        ("access_denied", str(folder.pk), "not visible"),
        ("download_denied", str(folder.pk), "not visible"),
    ]


def test_a_search_in_a_folder_is_of_it_and_below(
    session: Client, alice: User, folder: Folder
) -> None:
    deep = placing.add_folder(
        placing.add_folder(folder, "x", added_by=alice), "Reports", added_by=alice
    )
    placed(alice, deep, name="report deep")
    placed(alice, folder, name="report here")
    placed(alice, name="report elsewhere")
    address = folder.get_absolute_url()
    assert shown(session.get(address, {"q": "report"})) == ["Reports", "report here", "report deep"]
    assert shown(session.get("/files/", {"q": "report"})) == [
        *("Reports", "report elsewhere", "report here", "report deep")
    ]
    response = session.get(address, {"q": "nothing"})
    assert "Nothing in this folder or below has" in response.text


def test_a_search_finds_what_is_below_shared_folders_and_no_more(
    client: Client, alice: User, bob: User, folder: Folder, give: Give
) -> None:
    deep = placing.add_folder(folder, "Report folder", added_by=alice)
    placed(alice, deep, name="report 1")
    placed(alice, name="report hidden")
    placing.add_folder(placing.root_of(alice), "Report hidden, too", added_by=alice)
    give(folder, bob)
    client.force_login(bob)
    assert shown(client.get("/files/", {"q": "report"})) == ["Report folder", "report 1"]
    Grant.objects.update(revoked_at=folder.created_at)
    assert shown(client.get("/files/", {"q": "report"})) == []


def test_a_folder_is_made_where_one_is(session: Client, alice: User, folder: Folder) -> None:
    for parent, page in ((folder, f"/folders/{folder.pk}/new/"), (None, "/folders/new/")):
        assert session.get(page).status_code == 200
        response = session.post(page, {"name": "  New\tone "})
        back = parent.get_absolute_url() if parent else "/files/"
        assert (response.status_code, response["Location"]) == (302, back)
        made = Folder.objects.get(name="New one", parent=parent or placing.root_of(alice))
        assert (made.owner, made.added_by) == (alice, alice)


def test_the_first_folder_of_somebody_makes_their_root(client: Client, bob: User) -> None:
    client.force_login(bob)
    assert client.get("/files/").status_code == 200
    assert not Folder.objects.filter(owner=bob).exists()
    client.post("/folders/new/", {"name": "First"})
    assert shown(client.get("/files/")) == ["First"]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("", 400, "Type a name."),
        ("\u200b\u202e", 400, "needs a name"),
        ("a/b", 400, "cannot contain"),
        ("x" * 256, 400, "It has 256."),
        ("CASE 12", 409, "exists in that folder already"),
    ],
)
def test_a_bad_name_is_said_and_kept_in_the_form(
    session: Client, folder: Folder, name: str, status: int, words: str
) -> None:
    before = Folder.objects.count()
    response = session.post(f"/folders/{folder.parent_id}/new/", {"name": name})
    assert response.status_code == status
    assert words in response.text
    assert Folder.objects.count() == before


def test_too_deep_is_said(session: Client, alice: User, folder: Folder) -> None:
    for number in range(DEEPEST - 2):
        folder = placing.add_folder(folder, str(number), added_by=alice)
    response = session.post(f"/folders/{folder.pk}/new/", {"name": "deeper"})
    assert response.status_code == 400
    assert f"Folders can stand {DEEPEST} deep" in response.text


def test_who_may_only_download_is_told_who_can_help(
    client: Client, bob: User, folder: Folder, give: Give
) -> None:
    give(folder, bob)
    client.force_login(bob)
    response = client.post(f"/folders/{folder.pk}/new/", {"name": "x"})
    assert response.status_code == 403
    assert "Ask its owner" in response.text


def test_without_the_token_nothing_is_made(alice: User, folder: Folder) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    before = Folder.objects.count()
    assert client.post(f"/folders/{folder.pk}/new/", {"name": "x"}).status_code == 403
    assert Folder.objects.count() == before


def test_the_number_of_queries_does_not_depend_on_what_is_in_it(
    client: Client,
    alice: User,
    bob: User,
    folder: Folder,
    give: Give,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    give(folder, bob, level="manage")
    client.force_login(bob)
    most = 15
    with django_assert_max_num_queries(most):
        client.get(folder.get_absolute_url())
    for number in range(40):
        placed(alice, folder, name=f"file {number}")
        placing.add_folder(folder, f"folder {number}", added_by=alice)
    with django_assert_max_num_queries(most):
        assert len(shown(client.get(folder.get_absolute_url()))) == 50
