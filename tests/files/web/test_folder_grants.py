"""Grants of a folder on its page, and what a file inherits from the folders above it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from files.models import FileRecord, Folder, Grant
from files.tree import placing
from tests.files import trees
from tests.files.conftest import give
from tests.files.test_models import placed
from tests.files.web.conftest import may_share


@pytest.fixture
def case(alice: User) -> Folder:
    """Alice's folder Case 12, in Cases."""
    return trees.folder(alice, "Cases", "Case 12")


def url(item: FileRecord | Folder) -> str:
    kind = "folders" if isinstance(item, Folder) else "files"
    return f"/{kind}/{item.pk}/grants/"


def order(**fields: Any) -> dict[str, Any]:
    return {"to": "bob", "level": "add", "until": "7", **fields}


@pytest.mark.parametrize("level", ["download", "add", "manage"])
def test_a_folder_is_shared_with_any_level(
    sharer: Client, bob: User, case: Folder, level: str
) -> None:
    assert sharer.get(url(case)).status_code == 200
    answer = sharer.post(url(case), order(level=level))
    assert (answer.status_code, answer["Location"]) == (302, f"{url(case)}?shared=1")
    given = Grant.objects.get()
    assert (given.folder, given.file, given.user, given.level) == (case, None, bob, level)


def test_nothing_can_be_put_into_a_file(sharer: Client, alice: User, bob: User) -> None:
    record = placed(alice)
    assert 'value="add"' not in sharer.get(url(record)).text
    answer = sharer.post(url(record), order())
    assert answer.status_code == 400
    assert not Grant.objects.exists()


def test_a_grant_is_revoked_on_the_page_of_its_folder(
    sharer: Client, bob: User, case: Folder
) -> None:
    given = give(case, bob, level="manage")
    answer = sharer.post(url(case), {"revoke": given.pk})
    assert answer["Location"] == f"{url(case)}?ended={given.pk}"
    given.refresh_from_db()
    assert given.revoked_at is not None


def test_what_is_inherited_is_shown_with_its_folder_and_not_revoked_here(
    sharer: Client, alice: User, bob: User, case: Folder
) -> None:
    inherited = give(case, bob, level="add", granted_by=alice)
    deep = trees.folder(alice, "Cases", "Case 12", "Deep")
    record = placed(alice, deep)
    for item in (record, deep):
        page = sharer.get(url(item)).text
        assert "Who can read it through a folder" in page
        assert "Case 12" in page
        assert f'name="revoke" value="{inherited.pk}"' not in page
        assert sharer.post(url(item), {"revoke": inherited.pk}).status_code == 404
    assert "Through the folder “" in sharer.get(record.get_absolute_url()).text
    Grant.objects.update(revoked_at=case.created_at)
    assert "through a folder" not in sharer.get(url(record)).text


def test_a_folder_above_what_one_sees_is_not_named(
    client: Client, alice: User, bob: User, mallory: User, case: Folder
) -> None:
    give(trees.folder(alice, "Cases"), mallory)
    give(case, bob, level="manage")
    record = placed(alice, case)
    client.force_login(may_share(bob))
    for address in (url(record), record.get_absolute_url(), url(case)):
        page = client.get(address).text
        assert "mallory" in page
        assert "Through a folder above" in page
        assert "Cases" not in page


def test_who_still_reads_by_a_folder_above_is_said_when_a_grant_is_revoked(
    sharer: Client, alice: User, bob: User, case: Folder
) -> None:
    give(trees.folder(alice, "Cases"), bob)
    own = give(placed(alice, case), bob)
    assert own.file is not None
    page = sharer.post(url(own.file), {"revoke": own.pk}, follow=True).text
    assert "can still read it" in page
    assert "Cases" in page
    assert "stopped on the page of its folder" in page


def test_a_manager_by_grant_reaches_no_further_than_it(
    client: Client, alice: User, bob: User, mallory: User, case: Folder
) -> None:
    team = Group.objects.create(name="Team")
    bob.groups.add(team)
    give(case, team, level="manage")
    client.force_login(may_share(bob))
    inside = trees.folder(alice, "Cases", "Case 12", "Inside")
    assert client.post(url(inside), order(to="mallory")).status_code == 302
    answer = client.post(url(inside), order(to="Team"))
    assert (answer.status_code, "You are in the group" in answer.text) == (400, True)
    assert client.get(url(trees.folder(alice, "Cases"))).status_code == 404


def test_the_pages_cost_the_same_however_many_grants_there_are(
    sharer: Client,
    alice: User,
    bob: User,
    case: Folder,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    record = placed(alice, case)
    for count in (1, 40):
        for number in range(count):
            group = Group.objects.create(name=f"{count} {number}")
            bob.groups.add(group)
            for item in (record, case):
                give(item, group, granted_by=bob)
        for item in (record, case):
            with django_assert_max_num_queries(16):
                sharer.get(url(item))


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(sharer: Client, case: Folder, method: str) -> None:
    assert getattr(sharer, method)(url(case)).status_code == 405


def test_the_root_is_never_shared(sharer: Client, alice: User, bob: User) -> None:
    root = placing.root_of(alice)
    assert sharer.post(url(root), order()).status_code == 403
    assert not Grant.objects.exists()


def test_who_manages_and_may_not_share_sees_who_can_read_it_page_by_page(
    client: Client, case: Folder, bob: User, settings: Settings
) -> None:
    settings.GRANTS_PER_PAGE = 2
    give(case, bob, level="manage")
    for number in range(3):
        give(case, User.objects.create(username=f"reader{number}"))
    client.force_login(bob)
    assert f'href="{url(case)}"' in client.get(case.get_absolute_url()).text
    first, second = (client.get(url(case), {"page": page}) for page in ("1", "2"))
    assert first.status_code == second.status_code == 403
    texts = first.text, second.text
    assert [len({*re.findall(r"reader\d", text)}) for text in texts] == [2, 1]
    assert 'href="?page=2"' in first.text
    assert "revoke" not in first.text + second.text
