"""Undo: what was put away or moved last goes back, once, and only by who may do that now."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from files.models import FileRecord, Folder, Grant
from files.tree import placing
from files.web import undoing
from tests.files.folders.test_moving import file, folder

UNDO = "/files/undo/"


@pytest.fixture
def session(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def case(alice: User) -> Folder:
    return folder(alice, "case")


def offered(page: Any) -> str:
    """The act that a page offers to take back."""
    found = re.search(r'name="act" value="(\w+)"', page.text)
    assert found, "no Undo on this page"
    return found[1]


def test_what_was_deleted_together_is_brought_back_together(session: Client, case: Folder) -> None:
    records = [file(case, f"{n}.txt") for n in range(3)]
    inner = folder(case, "inner")
    back = f"/folders/{case.pk}/?sort=-size"
    answer = session.post(
        "/files/delete/", {"file": [r.pk for r in records], "folder": inner.pk, "back": back}
    )
    assert (answer.status_code, answer["Location"]) == (302, back)
    page = session.get(back)
    assert "4 things are in the" in page.text
    assert not page.context["rows"]
    answer = session.post(UNDO, {"act": offered(page), "back": back})
    assert answer["Location"] == back
    page = session.get(back)
    assert "4 things are back where they were." in page.text
    assert len(page.context["rows"]) == 4
    assert 'name="act"' not in page.text


def test_what_was_moved_together_goes_back(session: Client, case: Folder, alice: User) -> None:
    target = folder(alice, "target")
    records = [file(case, f"{n}.txt") for n in range(2)]
    form = {"file": [r.pk for r in records], "back": "/files/"}
    answer = session.post("/files/move/", form)
    chooser = session.get(answer["Location"])
    assert "Move 2 things" in chooser.text
    answer = session.post("/files/move/", {**form, "to": target.pk})
    page = session.get(answer["Location"])
    assert "2 things were moved to “target”." in page.text
    session.post(UNDO, {"act": offered(page)})
    assert set(FileRecord.objects.values_list("folder", flat=True)) == {case.pk}


def test_it_is_offered_after_one_thing_was_deleted_or_moved(
    session: Client, case: Folder, alice: User
) -> None:
    record, target = file(case), folder(alice, "target")
    session.post(f"/files/{record.pk}/move/", {"to": target.pk})
    session.post(UNDO, {"act": offered(session.get("/files/"))})
    record.refresh_from_db()
    assert record.folder == case
    session.post(f"/files/{record.pk}/delete/")
    session.post(UNDO, {"act": offered(session.get("/files/"))})
    record.refresh_from_db()
    assert record.trashed_at is None


def test_it_is_done_once_and_not_after_something_else(session: Client, case: Folder) -> None:
    first, second = file(case), file(case, "b.txt")
    session.post(f"/files/{first.pk}/delete/")
    earlier = offered(session.get("/files/"))
    session.post(f"/files/{second.pk}/delete/")
    session.post(UNDO, {"act": earlier})
    page = session.get("/files/")
    assert "cannot be taken back any more" in page.text
    assert FileRecord.objects.filter(trashed_at=None).count() == 0
    session.post(UNDO, {"act": session.session[undoing.KEPT]["id"]})
    session.post(UNDO, {"act": "x"})
    assert FileRecord.objects.filter(trashed_at=None).count() == 1


def test_whoever_lost_access_meanwhile_takes_nothing_back(
    session: Client, alice: User, bob: User, give: Callable[..., Grant]
) -> None:
    case = folder(bob, "theirs")
    grant = give(case, alice, level="manage")
    record = file(case)
    session.post(f"/files/{record.pk}/delete/")
    act = offered(session.get("/files/"))
    Grant.objects.filter(pk=grant.pk).update(level="download")
    answer = session.post(UNDO, {"act": act})
    record.refresh_from_db()
    # Whoever put it away may look for it in the trash, and bring it back only while that is theirs.
    assert (answer.status_code, record.trashed_at is None) in {(404, False), (302, True)}


def test_it_is_not_offered_where_things_changed_hands(
    session: Client, alice: User, bob: User, give: Callable[..., Grant]
) -> None:
    theirs = placing.add_folder(placing.root_of(bob), "theirs", added_by=bob)
    give(theirs, alice, level="add")
    record = file(folder(alice, "case"))
    session.post(f"/files/{record.pk}/move/", {"to": theirs.pk})
    record.refresh_from_db()
    assert record.owner == bob
    assert 'name="act"' not in session.get("/files/").text


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_other_methods_are_refused(session: Client, method: str) -> None:
    assert getattr(session, method)(UNDO).status_code == 405


def test_an_anonymous_visitor_is_sent_to_sign_in(client: Client, db: None) -> None:
    assert client.post(UNDO)["Location"].startswith("/accounts/login/")
