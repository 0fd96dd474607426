"""Renaming and moving, on pages: what is done, and every refusal in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from files.models import FileRecord, Folder, Grant
from files.tree import placing
from tests.files.test_models import placed

Give = Callable[..., Grant]
Item = FileRecord | Folder


@pytest.fixture
def session(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def case(alice: User) -> Folder:
    """Alice's folder Case."""
    return placing.add_folder(placing.root_of(alice), "Case", added_by=alice)


@pytest.fixture
def archive(alice: User) -> Folder:
    """Alice's folder Archive."""
    return placing.add_folder(placing.root_of(alice), "Archive", added_by=alice)


def page(item: Item, name: str) -> str:
    kind = "folders" if isinstance(item, Folder) else "files"
    return f"/{kind}/{item.pk}/{name}/"


# --- Names --------------------------------------------------------------------------------------


def test_a_file_and_a_folder_get_other_names(session: Client, alice: User, case: Folder) -> None:
    record = placed(alice, case, name="a.txt")
    items: tuple[Item, ...] = (record, case)
    for item in items:
        assert f'value="{item.name}"' in session.get(page(item, "rename")).text
        response = session.post(page(item, "rename"), {"name": "Ünïcödé.txt"})
        assert (response.status_code, response["Location"]) == (302, item.get_absolute_url())
        item.refresh_from_db()
        assert item.name == "Ünïcödé.txt"


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("", 400, "Type a name."),
        (".", 400, "name"),
        ("x" * 300, 400, "longer than 255 bytes"),
        ("AC/DC.mp3", 400, "cannot contain"),
        ("B.TXT", 409, "“B.TXT” exists in that folder already"),
    ],
)
def test_a_name_that_cannot_be_is_said(
    session: Client, alice: User, case: Folder, name: str, status: int, words: str
) -> None:
    record = placed(alice, case, name="a.txt")
    placed(alice, case, name="b.txt")
    response = session.post(page(record, "rename"), {"name": name})
    assert (response.status_code, words in response.text) == (status, True)
    record.refresh_from_db()
    assert record.name == "a.txt"


def test_a_file_that_is_gone_meanwhile_is_said(
    session: Client, alice: User, case: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from files.errors import NoSuchFolder
    from files.folders import making

    def gone(*_: object, **__: object) -> None:
        raise NoSuchFolder

    monkeypatch.setattr(making, "rename", gone)
    response = session.post(page(placed(alice, case), "rename"), {"name": "b"})
    assert (response.status_code, "does not exist any more" in response.text) == (404, True)


@pytest.mark.parametrize("name", ["rename", "move"])
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(
    session: Client, alice: User, case: Folder, name: str, method: str
) -> None:
    for item in (placed(alice, case), case):
        assert getattr(session, method)(page(item, name)).status_code == 405


# --- Moves --------------------------------------------------------------------------------------


def test_one_goes_down_to_a_folder_and_moves_it_there(
    session: Client, alice: User, case: Folder, archive: Folder
) -> None:
    record = placed(alice, case, name="a.txt")
    response = session.get(page(record, "move"))
    assert "It is here now" in response.text
    root = placing.root_of(alice)
    response = session.get(page(record, "move"), {"in": str(root.pk)})
    assert [one.name for one in response.context["folders"]] == ["Archive", "Case"]
    assert "Move it here" in response.text
    response = session.post(page(record, "move"), {"to": archive.pk})
    assert (response.status_code, response["Location"]) == (302, archive.get_absolute_url())
    record.refresh_from_db()
    assert record.folder == archive
    session.post(page(case, "move"), {"to": archive.pk})
    case.refresh_from_db()
    assert case.parent == archive


def test_folders_to_choose_from_are_found_by_name(
    session: Client, alice: User, case: Folder, archive: Folder, bob: User
) -> None:
    placing.add_folder(placing.root_of(bob), "Archive of Bob", added_by=bob)
    response = session.get(page(placed(alice, case), "move"), {"q": "arch"})
    assert [one.name for one in response.context["folders"]] == ["Archive"]
    assert "There is none" in session.get(page(case, "move"), {"q": "none"}).text


def test_a_taken_name_is_a_choice(
    session: Client, alice: User, case: Folder, archive: Folder
) -> None:
    record = placed(alice, case, name="a.txt")
    placed(alice, archive, name="A.txt")
    response = session.post(page(record, "move"), {"to": archive.pk})
    assert response.status_code == 409
    assert "Move it under another name" in response.text
    response = session.post(
        page(record, "move"), {"to": archive.pk, "conflict": "rename"}, follow=True
    )
    assert "It is called “a (2).txt” there" in response.text
    record.refresh_from_db()
    assert (record.folder, record.name) == (archive, "a (2).txt")


@pytest.mark.parametrize(
    ("to", "status", "words"),
    [
        ("", 400, "Choose a folder"),
        ("no id", 404, "does not exist any more"),
        ("itself", 400, "cannot be moved into itself"),
        ("below", 400, "cannot be moved into itself"),
        ("hidden", 404, "does not exist any more"),
        ("readable", 403, "You may not add anything to that folder"),
    ],
)
def test_a_move_that_cannot_be_is_said(
    session: Client,
    alice: User,
    bob: User,
    case: Folder,
    give: Give,
    to: str,
    status: int,
    words: str,
) -> None:
    below = placing.add_folder(case, "Below", added_by=alice)
    hidden = placing.add_folder(placing.root_of(bob), "Hidden", added_by=bob)
    readable = placing.add_folder(placing.root_of(bob), "Readable", added_by=bob)
    give(readable, alice)
    targets = {"itself": case, "below": below, "hidden": hidden, "readable": readable}
    value: Any = targets[to].pk if to in targets else to
    response = session.post(page(case, "move"), {"to": value})
    assert (response.status_code, words in response.text) == (status, True)
    assert "Hidden" not in response.text
    case.refresh_from_db()
    assert case.parent == placing.root_of(alice)


def test_a_manager_moves_within_and_not_to_themselves(
    client: Client, alice: User, bob: User, case: Folder, give: Give
) -> None:
    below = placing.add_folder(case, "Below", added_by=alice)
    record = placed(alice, case, name="a.txt")
    own = placing.add_folder(placing.root_of(bob), "Of Bob", added_by=bob)
    give(case, bob, level="manage")
    client.force_login(bob)
    response = client.post(page(record, "move"), {"to": own.pk})
    assert (response.status_code, "only within the folder" in response.text) == (403, True)
    assert client.post(page(record, "move"), {"to": below.pk}).status_code == 302
    record.refresh_from_db()
    assert (record.folder, record.owner) == (below, alice)


def test_a_move_that_changes_hands_asks_for_the_password(
    session: Client, alice: User, bob: User, case: Folder, give: Give, settings: Any
) -> None:
    record = placed(alice, case, name="a.txt")
    target = placing.add_folder(placing.root_of(bob), "Inbox", added_by=bob)
    give(target, alice, level="add")
    response = session.get(page(record, "move"), {"in": str(target.pk)})
    assert "what you move here is theirs from then on" in response.text
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    response = session.post(page(record, "move"), {"to": target.pk})
    assert response["Location"].startswith("/accounts/reauthenticate/")
    record.refresh_from_db()
    assert record.owner == alice
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    response = session.post(page(record, "move"), {"to": target.pk}, follow=True)
    assert "It belongs to bob now" in response.text
    record.refresh_from_db()
    assert record.owner == bob


def test_a_full_quota_of_the_new_owner_is_said(
    session: Client, alice: User, bob: User, case: Folder, give: Give
) -> None:
    record = placed(alice, case, size=100)
    target = placing.add_folder(placing.root_of(bob), "Inbox", added_by=bob)
    give(target, alice, level="add")
    User.objects.filter(pk=bob.pk).update(quota=10)
    response = session.post(page(record, "move"), {"to": target.pk})
    assert response.status_code == 409
    assert "What you move takes 100 bytes" in response.text


def test_of_many_folders_a_page_shows_some_and_leads_on(
    session: Client, alice: User, case: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from files.lists import places

    monkeypatch.setattr(places, "AT_MOST", 2)
    for name in "abc":
        placing.add_folder(case, name, added_by=alice)
    first = session.get(page(placed(alice, case), "move"))
    assert [one.name for one in first.context["folders"]] == ["a", "b"]
    second = session.get(page(placed(alice, case), "move"), {"after": first.context["more"]})
    assert [one.name for one in second.context["folders"]] == ["c"]
    assert "More folders" not in second.text
