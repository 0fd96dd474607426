"""Once: a change that is asked for again is answered as before, and done no second time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from audit.models import AuditEvent
from files.models import FileRecord, Folder, KeptAnswer, KeptVersion
from files.tree import placing
from files.web.api import answers
from tests.files.conftest import Store, give
from tests.files.web.api.callers import Caller, problem


@pytest.fixture
def caller(alice: User) -> Caller:
    return Caller(alice)


@pytest.fixture
def cases(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)


Changes = list[tuple[str, str, Any, int]]


def of_a_file(record: FileRecord, cases: Folder) -> Changes:
    path = f"/files/{record.pk}"
    return [
        ("PATCH", path, {"name": "dog.txt"}, 200),
        ("POST", f"{path}/move", {"to": str(cases.pk)}, 200),
        ("DELETE", path, None, 204),
        ("POST", f"{path}/restore", None, 200),
    ]


def of_a_folder(record: FileRecord, cases: Folder) -> Changes:
    inner = placing.add_folder(placing.root_of(cases.owner), "Inner", added_by=cases.owner)
    path = f"/folders/{inner.pk}"
    return [
        ("PATCH", path, {"name": "In"}, 200),
        ("POST", f"{path}/move", {"to": str(cases.pk)}, 200),
        ("DELETE", path, None, 204),
        ("POST", f"{path}/restore", None, 200),
    ]


@pytest.mark.parametrize("changes_of", [of_a_file, of_a_folder])
def test_names_places_and_the_trash(
    caller: Caller,
    record: FileRecord,
    cases: Folder,
    changes_of: Callable[[FileRecord, Folder], Changes],
) -> None:
    """Each is asked for again after it was done: a thing in the trash would not be found there."""
    for number, (method, path, body, status) in enumerate(changes_of(record, cases)):
        first = caller.ask(method, path, body, Idempotency_Key=f"k-{number}")
        assert first.status_code == status, first.content
        before = AuditEvent.objects.count()
        again = caller.ask(method, path, body, Idempotency_Key=f"k-{number}")
        assert again.status_code == first.status_code
        assert status == 204 or again.json() == first.json()
        assert again["Idempotent-Replay"] == "true"
        assert "Idempotent-Replay" not in first
        assert AuditEvent.objects.count() == before, "nothing was done, and nothing refused"
        if status == 204:
            assert again.content == b""
            assert problem(caller.ask(method, path, body))[0] == 404, "without the key"


def test_another_change_with_the_same_key_is_refused(
    caller: Caller, record: FileRecord, cases: Folder
) -> None:
    caller.ask("PATCH", f"/files/{record.pk}", {"name": "a.txt"}, Idempotency_Key="k")
    refused = caller.ask("PATCH", f"/files/{record.pk}", {"name": "b.txt"}, Idempotency_Key="k")
    assert problem(refused) == (422, "idempotency_key_reused")
    refused = caller.ask("DELETE", f"/files/{record.pk}", Idempotency_Key="k")
    assert problem(refused) == (422, "idempotency_key_reused")
    record.refresh_from_db()
    assert (record.name, record.trashed_at) == ("a.txt", None)


def test_a_version_becomes_current_once(caller: Caller, store: Store) -> None:
    caller.put("/content/a", b"1")
    made = caller.put("/content/a", b"22").json()["file"]
    former = KeptVersion.objects.get().version
    path = f"/files/{made['id']}/versions/{former}/restore"
    first = caller.ask("POST", path, Idempotency_Key="k")
    again = caller.ask("POST", path, Idempotency_Key="k")
    assert (again.status_code, again.json()) == (200, first.json())
    assert KeptVersion.objects.get().version.hex == made["etag"].strip('"')
    assert problem(caller.ask("POST", path))[0] == 404
    assert AuditEvent.objects.filter(event="version_restored").count() == 1


def test_a_refusal_is_in_the_log_and_is_not_kept(
    caller: Caller, record: FileRecord, cases: Folder, bob: User
) -> None:
    """It is found out before the transaction that keeps answers: nothing takes it back."""
    his = Caller(bob)
    give(cases, bob)
    for method, path in (("DELETE", f"/folders/{cases.pk}"), ("PATCH", f"/folders/{cases.pk}")):
        body = {"name": "x"} if method == "PATCH" else None
        before = AuditEvent.objects.filter(event="access_denied").count()
        refused = his.ask(method, path, body, Idempotency_Key=f"k-{method}")
        assert problem(refused) == (403, "may_not")
        assert AuditEvent.objects.filter(event="access_denied").count() == before + 1
    assert not KeptAnswer.objects.exists()


def test_two_at_once_are_answered_alike(
    caller: Caller, record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one found no answer yet, and then no file: the first was done meanwhile."""
    path = f"/files/{record.pk}"
    asked: list[Any] = []
    before = answers.replay

    def replay(request: Any, found: Any) -> Any:
        if not asked:
            asked.append(None)
            asked.append(caller.ask("DELETE", path, Idempotency_Key="k"))
            return None
        return before(request, found)

    monkeypatch.setattr(answers, "replay", replay)
    second = caller.ask("DELETE", path, Idempotency_Key="k")
    assert (asked[1].status_code, second.status_code) == (204, 204)
    assert second["Idempotent-Replay"] == "true"
    assert AuditEvent.objects.filter(event="put_away").count() == 1


def test_what_ends_by_itself_ends_once(alice: User, record: FileRecord, bob: User) -> None:
    """The same twice, without a key: one event, and both answers alike."""
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    caller = Caller(User.objects.get(pk=alice.pk))
    cases = placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)
    files, folders = f"/files/{record.pk}", f"/folders/{cases.pk}"
    [shared] = caller.ask("POST", f"{files}/grants", {"to": ["bob"]}).json()["outcomes"]
    link = caller.ask("POST", f"{files}/links", {}).json()["id"]
    wanted = caller.ask("POST", f"{folders}/requests", {"title": "Papers"}).json()["id"]
    for path, event in (
        (f"{files}/grants/{shared['grant']['id']}", "grant_revoked"),
        (f"/links/{link}", "link_revoked"),
        (f"/requests/{wanted}", "request_ended"),
    ):
        first, again = (caller.ask("DELETE", path) for _ in range(2))
        assert (first.status_code, again.status_code) == (204, 204), path
        name = "Securestore-Remaining"
        assert first.get(name) == again.get(name) == ("0" if "grants" in path else None)
        assert AuditEvent.objects.filter(event=event).count() == 1, path
