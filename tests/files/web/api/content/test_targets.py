"""Where a file goes and what it may replace, before its first byte and at its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.models import User
from audit.models import AuditEvent
from files.models import FileRecord, Folder, StoredObject
from files.vault import storing
from tests.files.conftest import give
from tests.files.web.api.callers import Caller, problem, whole

pytestmark = pytest.mark.usefixtures("s3")


def test_a_condition_without_an_etag_is_refused(caller: Caller, cases: Folder) -> None:
    assert caller.put("/content/Cases/a", b"one").status_code == 201
    for wrong in ("a", "", "W/", '"'):
        refused = caller.put("/content/Cases/a", b"two", If_None_Match=wrong)
        assert refused.status_code in {400, 412}
    assert whole(caller.get("/content/Cases/a")) == b"one"


def test_only_where_nothing_is_there(caller: Caller) -> None:
    assert caller.put("/content/a", b"1", If_None_Match="*").status_code == 201
    assert problem(caller.put("/content/A", b"2", If_None_Match="*")) == (
        412,
        "precondition_failed",
    )
    assert whole(caller.get("/content/a")) == b"1"


def test_not_in_the_place_of_what_one_names(caller: Caller) -> None:
    """RFC 9110, 13.1.2, with tags: only where what is there is another one, or nothing."""
    etag = caller.put("/content/a", b"1", If_None_Match='"x"')["ETag"]
    for condition in (etag, f'"x", {etag}'):
        refused = caller.put("/content/a", b"2", If_None_Match=condition)
        assert problem(refused) == (412, "precondition_failed")
    assert caller.put("/content/a", b"2", If_None_Match='"x"').status_code == 200
    assert whole(caller.get("/content/a")) == b"2"


def test_only_in_the_place_of_what_one_knows(caller: Caller) -> None:
    etag = caller.put("/content/a", b"1")["ETag"]
    assert problem(caller.put("/content/b", b"2", If_Match=etag)) == (412, "precondition_failed")
    assert caller.put("/content/a", b"2", If_Match=etag).status_code == 200
    assert problem(caller.put("/content/a", b"3", If_Match=etag)) == (412, "precondition_failed")
    assert caller.put("/content/a", b"3", If_Match="*").status_code == 200
    assert whole(caller.get("/content/a")) == b"3"


def while_it_comes(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do that when all bytes have come, and before the file is one."""
    finish = storing.Upload.finish

    def finished(upload: storing.Upload) -> None:
        finish(upload)
        monkeypatch.setattr(storing.Upload, "finish", finish)
        act()

    monkeypatch.setattr(storing.Upload, "finish", finished)


def test_a_condition_holds_to_the_end(
    caller: Caller, alice: User, monkeypatch: pytest.MonkeyPatch, store_is_empty: Callable[[], bool]
) -> None:
    etag = caller.put("/content/a", b"1")["ETag"]
    while_it_comes(monkeypatch, lambda: caller.put("/content/a", b"between"))
    assert problem(caller.put("/content/a", b"2", If_Match=etag))[0] == 412
    assert whole(caller.get("/content/a")) == b"between"
    while_it_comes(monkeypatch, lambda: caller.put("/content/new", b"between"))
    assert problem(caller.put("/content/new", b"mine", If_None_Match="*"))[0] == 412
    assert whole(caller.get("/content/new")) == b"between"
    assert FileRecord.objects.count() == 2
    assert not StoredObject.objects.filter(state=StoredObject.State.WRITING).exists()


def test_a_name_that_is_taken_meanwhile_costs_no_bytes(
    alice: User, bob: User, cases: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(cases, bob, level="add")
    his, hers = Caller(bob, "add"), Caller(alice)
    path = f"/folders/{cases.pk}/content/a.txt"
    while_it_comes(monkeypatch, lambda: hers.put(path, b"hers"))
    stored = his.put(path, b"his")
    assert stored.status_code == 201
    assert stored.json()["file"]["name"] == "a (2).txt"


def test_who_sees_a_folder_and_may_not_add(bob: User, cases: Folder) -> None:
    give(cases, bob)
    his = Caller(bob)
    assert problem(his.put(f"/folders/{cases.pk}/content/a", b"x")) == (403, "may_not_add")
    [event] = AuditEvent.objects.filter(event__contains="denied")
    assert event.data["by_token"] == "nightly"
