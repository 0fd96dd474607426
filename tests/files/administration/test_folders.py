"""Folders in the admin: numbers, grants, another owner; never a name changed, never content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.administration import bulk_actions
from files.models import FileRecord, Folder, Grant
from files.records import derived
from files.tree import placing
from tests.files import trees
from tests.files.conftest import give
from tests.files.test_admin import inline, queries
from tests.files.test_models import filed

LIST = "admin:files_folder_changelist"
Events = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def page(folder: Folder, name: str = "change") -> str:
    return reverse(f"admin:files_folder_{name}", args=[folder.pk])


def text(client: Client, address: str, **query: str) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return " ".join(strip_tags(response.text).split())


@pytest.fixture
def cases(alice: User) -> Folder:
    """Alice's folder, with a file of 1 KiB below it, and one that was put away."""
    cases = trees.folder(alice, "Cases")
    inner = trees.folder(alice, "Cases", "<i>12</i>")
    for _ in range(2):
        record = trees.put(filed(alice), inner)
        FileRecord.objects.filter(pk=record.pk).update(size=1024)
    placing.leave(record)
    FileRecord.objects.filter(pk=record.pk).update(trashed_at=timezone.now())
    return cases


def test_the_list_says_how_much_is_below_each(admin: Client, cases: Folder, alice: User) -> None:
    shown = text(admin, reverse(LIST))
    assert "2 folders" in shown
    assert "Casesin usealicetop level212.0 KB" in shown.replace("\xa0", " ")
    assert "12</i>" not in admin.get(reverse(LIST)).text.replace("&lt;/i&gt;", "")
    assert "0 folders" in text(admin, reverse(LIST), q="nothing")
    assert "2 folders" in text(admin, reverse(LIST), q="alice")
    assert "1 folder" in text(admin, reverse(LIST), q="cas")
    assert "0 folders" in text(admin, reverse(LIST), away="yes")


def test_a_page_shows_the_tree_and_no_content(
    admin: Client, cases: Folder, alice: User, settings: Any
) -> None:
    trees.folder(alice, "Cases", "13")
    shown = text(admin, page(cases))
    assert "&lt;i&gt;12&lt;/i&gt;: 2 files, 0 folders" in shown
    assert "13: 0 files, 0 folders" in shown
    assert "fox.txt" not in shown
    assert f"?folder__id__exact={cases.pk}" in admin.get(page(cases)).text
    inner = trees.folder(alice, "Cases", "13")
    Folder.objects.filter(pk=cases.pk).update(trashed_at=timezone.now())
    assert "with a folder above it" in text(admin, page(inner))
    assert "since " in text(admin, page(cases))
    files = reverse("admin:files_filerecord_changelist")
    inner = trees.folder(alice, "Cases", "<i>12</i>")
    assert "2 files" in text(admin, files, folder__id__exact=str(inner.pk))


def test_a_root_has_no_page(admin: Client, alice: User, cases: Folder) -> None:
    root = placing.root_of(alice)
    for name in ("change", "access", "transfer"):
        assert admin.get(page(root, name)).status_code in {302, 404}


@pytest.mark.parametrize("name", ["add", "delete"])
def test_none_is_made_or_deleted_here(admin: Client, cases: Folder, name: str) -> None:
    address = page(cases, name) if name == "delete" else reverse("admin:files_folder_add")
    assert admin.get(address).status_code == 403


def test_names_and_places_do_not_change_here(
    admin: Client, cases: Folder, bob: User, events: Events
) -> None:
    data = {**inline({"user": str(bob.pk), "level": "add"}), "name": "other", "owner": str(bob.pk)}
    assert admin.post(page(cases), data).status_code == 302
    before = Folder.objects.values().get(pk=cases.pk)
    assert (before["name"], before["owner_id"]) == ("Cases", cases.owner_id)
    grant = Grant.objects.get()
    assert (grant.folder, grant.user, grant.level) == (cases, bob, "add")
    assert events("grant_created")[0]["folder_id"] == str(cases.pk)
    assert rule.addable_by(Person(bob)).filter(pk=cases.pk).exists()


def test_a_grant_on_a_folder_has_its_own_page(admin: Client, cases: Folder, bob: User) -> None:
    address = reverse("admin:files_grant_add")
    given = {"folder": cases.pk, "user": bob.pk, "level": "manage"}
    assert admin.post(address, given).status_code == 302
    grant = Grant.objects.get()
    assert grant.folder == cases
    listed = text(admin, reverse("admin:files_grant_changelist"))
    assert "the folder \u201cCases\u201dbobactiveno endManage" in listed
    for name, number in (("file", 0), ("folder", 1)):
        found = text(admin, reverse("admin:files_grant_changelist"), **{"for": name})
        assert f"{number} share" in found
    assert "bob" in text(admin, reverse("admin:files_grant_changelist"), q="Cas")
    change = reverse("admin:files_grant_change", args=[grant.pk])
    admin.post(change, {"level": "manage", "revoke": "on"})
    assert Grant.objects.get().revoked_at is not None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Choose exactly one: a file or a folder."),
        ({"folder": "{root}"}, "All of a person"),
        ({"folder": "{cases}", "file": "{file}"}, "Choose exactly one: a file or a folder."),
        ({"file": "{file}", "level": "add"}, "A grant to add is for a folder"),
        ({"folder": "x"}, "is not a valid"),
    ],
)
def test_what_no_grant_can_be_is_told(
    admin: Client, cases: Folder, alice: User, bob: User, more: dict[str, str], said: str
) -> None:
    known = {"root": placing.root_of(alice).pk, "cases": cases.pk, "file": filed(alice).pk}
    data = {"user": bob.pk, "level": "download"}
    data |= {name: value.format(**known) for name, value in more.items()}
    answer = admin.post(reverse("admin:files_grant_add"), data)
    assert answer.status_code == 200
    assert said in answer.text.replace("&#x27;", "'") or "Select a valid choice" in answer.text
    assert not Grant.objects.exists()


def test_nothing_can_be_added_to_a_file(admin: Client, alice: User, bob: User) -> None:
    record = filed(alice)
    address = reverse("admin:files_filerecord_change", args=[record.pk])
    answer = admin.post(address, inline({"user": str(bob.pk), "level": "add"}))
    assert answer.status_code == 200
    assert "Select a valid choice" in answer.text
    assert not Grant.objects.exists()


def act(client: Client, action: str, folders: list[Folder], /, **fields: Any) -> Any:
    chosen = {"action": action, "_selected_action": [one.pk for one in folders]}
    confirmed = {"confirmed": "yes", **fields} if fields else {}
    return client.post(reverse(LIST), {**chosen, **confirmed}, follow=True)


def test_several_are_granted_in_one_step(
    admin: Client, alice: User, bob: User, root: User, events: Events
) -> None:
    folders = [trees.folder(alice, name) for name in ("a", "b")]
    team = Group.objects.create(name="Team")
    give(folders[0], bob, level="add")
    asked = act(admin, "grant_many", folders)
    assert "2 folders" in asked.text
    answer = act(admin, "grant_many", folders, users=[bob.pk], groups=[team.pk], level="add")
    assert "3 shares made. 1 skipped" in answer.text
    assert set(rule.addable_by(Person(bob)).filter(owner=alice)) == set(folders)
    assert {event["folder_id"] for event in events("grant_created")} == {
        str(one.pk) for one in folders
    }
    Folder.objects.filter(pk=folders[1].pk).delete()
    gone = act(admin, "grant_many", folders, users=[root.pk], level="add")
    assert "Some of what was selected is gone: nothing was done." in gone.text


def test_a_tree_is_handed_over(
    admin: Client, cases: Folder, alice: User, bob: User, events: Events
) -> None:
    asked = text(admin, page(cases, "transfer"))
    assert "the folder Cases (2 files and 1 folder below" in asked
    answer = admin.post(page(cases, "transfer"), {"new_owner": bob.pk}, follow=True)
    assert "1 folder handed over to bob, with all that is below." in answer.text
    assert set(FileRecord.objects.values_list("owner", flat=True)) == {bob.pk}
    [event] = events("ownership_transferred")
    assert (event["folder_id"], event["files"], event["folders"]) == (str(cases.pk), 2, 2)
    assert list(derived.out_of_step()) == []
    again = admin.post(page(cases, "transfer"), {"new_owner": bob.pk}, follow=True)
    assert "0 files handed over to bob, with all that is below. 1 left out" in again.text


def test_what_does_not_fit_stays(admin: Client, cases: Folder, alice: User, bob: User) -> None:
    bob.quota = 10
    bob.save()
    answer = admin.post(page(cases, "transfer"), {"new_owner": bob.pk})
    assert "raise the quota" in answer.text
    cases.refresh_from_db()
    assert cases.owner == alice


def test_all_of_a_person_goes_trees_and_files(
    admin: Client, cases: Folder, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "TREES_AT_ONCE", 1)
    trees.folder(alice, "Other")
    loose = trees.put(filed(alice), placing.root_of(alice), name="loose.txt")
    address = reverse("admin:accounts_user_transfer", args=[alice.pk])
    assert "Cases" in text(admin, address)
    said = admin.post(address, {"new_owner": bob.pk}, follow=True).text
    assert "Not everything yet: alice still owns 1 folder and 1 file." in said
    admin.post(address, {"new_owner": bob.pk}, follow=True)
    admin.post(address, {"new_owner": bob.pk}, follow=True)
    loose.refresh_from_db()
    assert loose.owner == bob
    assert not Folder.objects.filter(owner=alice, parent__isnull=False).exists()
    assert list(derived.out_of_step()) == []
    # Nothing but an empty root is left: the account can go, and the root with it.
    deletion = reverse("admin:accounts_user_delete", args=[alice.pk])
    assert admin.post(deletion, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=alice.pk).exists()
    assert not Folder.objects.filter(parent=None, owner_id=alice.pk).exists()


def test_who_owns_folders_is_not_deleted(admin: Client, bob: User) -> None:
    trees.folder(bob, "Cases", "12")
    address = reverse("admin:accounts_user_delete", args=[bob.pk])
    answer = admin.post(address, {"post": "yes"})
    assert "bob owns 2 folders: transfer what it owns to somebody else" in answer.text
    assert User.objects.filter(pk=bob.pk).exists()


def test_effective_access_of_a_folder(admin: Client, cases: Folder, bob: User) -> None:
    inner = Folder.objects.get(parent=cases)
    grant = give(cases, bob, level="add")
    shown = text(admin, page(inner, "access"))
    assert f"bob grant {grant.pk} on the folder \u201cCases\u201d, add, no end" in shown
    Folder.objects.filter(pk=cases.pk).update(trashed_at=timezone.now())
    shut = text(admin, page(inner, "access"), show="not")
    assert "alice owner, put away" in shut
    assert "put away" in shut.split("bob")[1]


@pytest.mark.parametrize("name", ["change", "access", "transfer"])
def test_others_are_refused(client: Client, cases: Folder, alice: User, name: str) -> None:
    client.force_login(alice)
    assert client.get(page(cases, name)).status_code == 302
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    assert client.get(page(cases, name)).status_code == 403
    assert client.get(reverse(LIST)).status_code == 403
    alice.user_permissions.add(*Permission.objects.filter(codename="view_folder"))
    assert client.get(page(cases)).status_code == 200


def test_pages_take_as_many_queries_whatever_is_below(
    admin: Client, cases: Folder, alice: User, bob: User
) -> None:
    def counted() -> list[int]:
        return [queries(admin, reverse(LIST)), queries(admin, page(cases))]

    give(cases, bob)
    before = counted()
    for number in range(5):
        trees.put(filed(alice), trees.folder(alice, "Cases", f"{number}"))
        give(cases, Group.objects.create(name=f"{number}"))
    assert counted() == before
