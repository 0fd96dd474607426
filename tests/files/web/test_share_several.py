"""Sharing several files and folders in one step: all of them with everybody, or nothing."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from audit.models import AuditEvent
from files.models import FileRecord, Folder, Grant
from files.web import share_several
from tests.files import trees
from tests.files.conftest import give
from tests.files.test_models import filed, placed
from tests.files.web.conftest import may_share

URL = "/files/share/"


@pytest.fixture
def chosen(alice: User) -> tuple[FileRecord, FileRecord, Folder]:
    """Two files and a folder of Alice's."""
    return placed(alice, name="one.txt"), placed(alice, name="two.txt"), trees.folder(alice, "Case")


def ids(*items: FileRecord | Folder, **fields: Any) -> dict[str, Any]:
    """What a list posts of its choice."""
    found: dict[str, Any] = {"file": [], "folder": [], **fields}
    for item in items:
        found[item.kind].append(str(item.pk))
    return found


def order(*items: FileRecord | Folder, **fields: Any) -> dict[str, Any]:
    return ids(*items, **{"to": "bob", "level": "download", "until": "7", **fields})


Chosen = tuple[FileRecord, FileRecord, Folder]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_choice_alone_shows_the_form(sharer: Client, chosen: Chosen, method: str) -> None:
    answer = getattr(sharer, method)(URL, ids(*chosen, back="/recent/"))
    assert answer.status_code == 200
    assert "Share 3 files and folders" in answer.text
    for item in chosen:
        assert f'<input type="hidden" name="{item.kind}" value="{item.pk}">' in answer.text
        assert item.name in answer.text
    assert '<input type="hidden" name="back" value="/recent/">' in answer.text
    assert "required" not in answer.text[answer.text.index("<h1>") :].split("<textarea")[0]
    assert not Grant.objects.exists()


def test_all_are_shared_with_everybody_and_one_goes_back(
    sharer: Client, chosen: Chosen, bob: User, mallory: User
) -> None:
    answer = sharer.post(URL, order(*chosen, to="bob\nmallory", back="/recent/"))
    assert (answer.status_code, answer["Location"]) == (302, "/recent/")
    given = {(one.target, one.user) for one in Grant.objects.all()}
    assert given == {(item, to) for item in chosen for to in (bob, mallory)}
    assert AuditEvent.objects.filter(event="grant_created").count() == 6
    assert "3 of them were shared with bob, mallory." in sharer.get("/recent/").text


def test_nothing_is_shared_by_an_address(sharer: Client, chosen: Chosen, bob: User) -> None:
    assert sharer.get(URL, order(*chosen)).status_code == 200
    assert not Grant.objects.exists()


def test_what_is_wrong_is_said_and_the_choice_stays(sharer: Client, chosen: Chosen) -> None:
    answer = sharer.post(URL, order(*chosen, to="nobody at all"))
    assert answer.status_code == 400
    assert "There is no person and no group “nobody at all”" in answer.text
    assert f'name="folder" value="{chosen[2].pk}"' in answer.text
    answer = sharer.post(URL, order(*chosen, to=""))
    assert "Name at least one person or group." in answer.text
    assert not Grant.objects.exists()


def test_only_folders_can_be_added_to(sharer: Client, chosen: Chosen, bob: User) -> None:
    assert 'value="add"' not in sharer.get(URL, ids(*chosen)).text
    assert 'value="add"' in sharer.get(URL, ids(chosen[2])).text
    assert sharer.post(URL, order(*chosen, level="add")).status_code == 400
    assert sharer.post(URL, order(chosen[2], level="add")).status_code == 302
    assert Grant.objects.get().level == "add"


def test_one_that_is_not_visible_makes_it_a_404(
    sharer: Client, chosen: Chosen, bob: User, alice: User
) -> None:
    hidden: list[FileRecord | Folder] = [filed(bob), trees.folder(bob, "Secret")]
    for one in hidden:
        assert sharer.post(URL, order(*chosen, one)).status_code == 404
    assert sharer.post(URL, {**order(*chosen), "file": [str(uuid.uuid4())]}).status_code == 404
    assert sharer.post(URL, {**order(*chosen), "file": ["x"]}).status_code == 404
    assert not Grant.objects.exists()
    events = AuditEvent.objects.filter(event="access_denied", actor_id=alice.pk)
    assert [event.data["door"] for event in events] == ["files:share_several"] * 3


def test_those_that_one_may_not_manage_are_named(
    sharer: Client, chosen: Chosen, alice: User, bob: User
) -> None:
    seen = filed(bob, name="of bob.txt")
    give(seen, alice)
    answer = sharer.post(URL, order(*chosen, seen, back="/shared/"))
    assert answer.status_code == 403
    assert "of bob.txt" in answer.text
    assert "one.txt" not in answer.text
    assert 'href="/shared/"' in answer.text
    assert not Grant.objects.filter(user=bob).exists()


def test_who_may_share_nothing_is_told_who_decides(
    client: Client, chosen: Chosen, alice: User
) -> None:
    client.force_login(alice)
    answer = client.post(URL, ids(*chosen))
    assert answer.status_code == 403
    assert "administrators share files" in answer.text
    assert "two.txt" in answer.text


def test_a_choice_of_nothing_says_what_to_do(sharer: Client) -> None:
    answer = sharer.post(URL, {"back": "/recent/"}, follow=True)
    assert answer.redirect_chain == [("/recent/", 302)]
    assert "Choose files or folders first" in answer.text


def test_too_many_are_refused_with_the_numbers(
    sharer: Client, chosen: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share_several, "ITEMS_AT_ONCE", 2)
    answer = sharer.post(URL, ids(*chosen), follow=True)
    assert "You chose 3, and at most 2 can be shared at once" in answer.text


@pytest.mark.parametrize(
    "back", ["https://example.org/", "//example.org", "javascript:alert(1)", "x", "/\\example.org"]
)
def test_one_goes_back_to_this_site_alone(
    sharer: Client, chosen: Chosen, bob: User, back: str
) -> None:
    assert sharer.post(URL, order(*chosen, back=back))["Location"] == "/files/"


def test_the_earliest_end_of_ones_own_access_counts(
    client: Client, alice: User, bob: User, mallory: User
) -> None:
    sooner, later = filed(alice), filed(alice)
    end = timezone.now() + timedelta(days=2)
    give(sooner, bob, level="manage", expires_at=end)
    give(later, bob, level="manage", expires_at=end + timedelta(days=9))
    client.force_login(may_share(bob))
    assert '<option value="own" selected>' in client.get(URL, ids(sooner, later)).text
    answer = client.post(URL, order(sooner, later, to="mallory", until="7"))
    assert answer.status_code == 400
    assert f"“{sooner.name}”: Your own access ends" in answer.text
    client.post(URL, order(sooner, later, to="mallory", until="own"))
    assert {one.expires_at for one in Grant.objects.filter(user=mallory)} == {end}


def test_locked_files_are_named_with_what_to_do(
    sharer: Client, held_record: FileRecord, bob: User
) -> None:
    assert "Some of these files are locked" in sharer.get(URL, ids(held_record)).text
    answer = sharer.post(URL, order(held_record), follow=True)
    assert "“secret.txt” is locked: whoever is to open it needs its key, too." in answer.text


def test_the_number_of_queries_does_not_depend_on_how_many_were_chosen(
    client: Client, alice: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    team = Group.objects.create(name="Team")
    bob.groups.add(team)
    client.force_login(may_share(bob))
    items: list[FileRecord | Folder] = []
    for count in (1, 12):
        for number in range(count):
            record = placed(alice, name=f"{count} {number}")
            folder = trees.folder(alice, f"{count}.{number}")
            give(record, bob, level="manage")
            give(folder, team, level="manage")
            items += [record, folder]
        client.get(URL, ids(*items))
        # Session, user, where they are signed in, files, folders, permissions of the user and of
        # groups; folders above, groups, grants.
        with django_assert_num_queries(11):
            client.get(URL, ids(*items))


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(sharer: Client, method: str) -> None:
    assert getattr(sharer, method)(URL).status_code == 405
