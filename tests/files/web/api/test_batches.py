"""Several small files in one request: what is told, and what is refused with nothing stored."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from accounts.models import User
from files.models import FileRecord, Folder, KeptAnswer, StoredObject
from files.tree import placing
from files.vault import batches
from tests.files.conftest import give
from tests.files.vault.faults import read
from tests.files.web.api.callers import Caller, problem

pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture
def cases(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)


def small(name: str, content: bytes = b"x", **fields: Any) -> dict[str, Any]:
    return {"name": name, "content": base64.b64encode(content).decode(), **fields}


def send(caller: Caller, folder: Folder, *files: dict[str, Any], **headers: str) -> Any:
    return caller.ask("POST", f"/folders/{folder.pk}/files", {"files": files}, **headers)


def test_all_are_stored_and_told_in_their_order(alice: User, cases: Folder) -> None:
    digest = hashlib.sha256(b"one").hexdigest()
    answer = send(
        Caller(alice, "add"),
        cases,
        small("b.txt", b"one", sha256=digest, content_type="text/plain"),
        small("a.txt", b"", modified_at="2020-01-02T03:04:05Z"),
    )
    assert answer.status_code == 201, answer.content
    first, second = answer.json()["files"]
    assert (first["name"], first["size"], first["sha256"]) == ("b.txt", 3, digest)
    assert second["sha256"] == hashlib.sha256(b"").hexdigest()
    record = FileRecord.objects.select_related("current").get(pk=first["id"])
    assert (read(record), record.content_type) == (b"one", "text/plain")
    other = FileRecord.objects.get(pk=second["id"])
    assert other.modified_at is not None
    assert other.modified_at.isoformat() == "2020-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (small("b", b"x", sha256="0" * 64), (400, "digest_mismatch")),
        ({"name": "b", "content": "?"}, (400, "invalid")),
        ({"name": "b", "content": "eA=="[:3]}, (400, "invalid")),
        (small("b", key="x"), (400, "invalid")),
        (small(".."), (400, "name_not_usable")),
        # Kept as another name: nobody would find it again by what they called it.
        (small("x/c.txt"), (400, "name_not_usable")),
        (small("c.txt "), (400, "name_not_usable")),
        (small("A"), (409, "name_taken")),
    ],
)
def test_one_that_is_refused_stores_none(
    alice: User, cases: Folder, file: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert problem(send(Caller(alice), cases, small("a"), file)) == expected
    assert not FileRecord.objects.exists()
    assert not StoredObject.objects.exists()


def test_who_may_not_add_is_refused_as_everywhere(
    alice: User, bob: User, mallory: User, cases: Folder
) -> None:
    give(cases, bob, level="download")
    assert problem(send(Caller(bob), cases, small("a"))) == (403, "may_not_add")
    assert problem(send(Caller(mallory), cases, small("a"))) == (404, "not_found")
    assert problem(send(Caller(alice, "read"), cases, small("a"))) == (403, "scope_missing")
    bob.user_permissions.clear()
    bob.groups.clear()
    give(cases, bob, level="add")
    assert problem(send(Caller(bob), cases, small("a"))) == (403, "no_permission")
    assert not FileRecord.objects.exists()


def test_a_token_of_one_folder_adds_there_and_below(alice: User, cases: Folder) -> None:
    below = placing.add_folder(cases, "12", added_by=alice)
    caller = Caller(alice, "add", folder_id=cases.pk)
    assert send(caller, below, small("a")).status_code == 201
    assert problem(send(caller, placing.root_of(alice), small("a"))) == (404, "not_found")


def test_a_batch_has_a_bound(alice: User, cases: Folder) -> None:
    assert problem(send(Caller(alice), cases)) == (400, "invalid")
    many = [small(str(number)) for number in range(65)]
    assert problem(send(Caller(alice), cases, *many)) == (400, "invalid")
    assert problem(send(Caller(alice), cases, small("a", bytes(1_000_000))))[0] == 413


# --- Sent twice ---------------------------------------------------------------------------------

KEY = {"Idempotency_Key": "k-1"}


def test_sent_twice_with_a_key_it_is_stored_once_and_answered_alike(
    alice: User, cases: Folder
) -> None:
    caller, files = Caller(alice, "add"), [small("a", b"one"), small("b", b"")]
    first = send(caller, cases, *files, **KEY)
    again = send(caller, cases, *files, **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert ("Idempotent-Replay" in first, again["Idempotent-Replay"]) == (False, "true")
    assert FileRecord.objects.count() == StoredObject.objects.count() == 2
    # By itself it is another batch, whose names are taken.
    assert problem(send(caller, cases, *files)) == (409, "name_taken")
    assert problem(send(caller, cases, *files, Idempotency_Key="k-2")) == (409, "name_taken")


def test_the_key_is_that_of_one_body_one_folder_and_one_token(alice: User, cases: Folder) -> None:
    caller = Caller(alice)
    send(caller, cases, small("a", b"one"), **KEY)
    for other in ([small("a", b"two")], [small("b", b"one")], [small("a", b"one"), small("b")]):
        refused = send(caller, cases, *other, **KEY)
        assert problem(refused) == (422, "idempotency_key_reused")
    elsewhere = placing.add_folder(placing.root_of(alice), "Other", added_by=alice)
    refused = send(caller, elsewhere, small("a", b"one"), **KEY)
    assert problem(refused) == (422, "idempotency_key_reused")
    assert problem(send(Caller(alice), cases, small("a", b"one"), **KEY)) == (409, "name_taken")
    assert FileRecord.objects.count() == 1
    assert problem(send(caller, cases, small("a"), Idempotency_Key="")) == (400, "invalid")


def test_what_was_refused_is_kept_for_nobody(alice: User, cases: Folder) -> None:
    caller = Caller(alice)
    assert problem(send(caller, cases, small("a"), small("A"), **KEY)) == (409, "name_taken")
    assert not KeptAnswer.objects.exists()
    assert send(caller, cases, small("a"), **KEY).status_code == 201


def test_who_may_add_no_more_is_told_nothing_of_what_was_stored(
    alice: User, bob: User, cases: Folder
) -> None:
    grant = give(cases, bob, level="add")
    caller = Caller(bob)
    assert send(caller, cases, small("a"), **KEY).status_code == 201
    grant.delete()
    assert problem(send(caller, cases, small("a"), **KEY)) == (404, "not_found")


def test_an_answer_that_cannot_be_kept_stores_nothing(
    alice: User, cases: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both stand in one transaction: a kill leaves both, or neither."""

    def fails(*_args: object, **_fields: object) -> None:
        raise OSError("the process ends here")

    with monkeypatch.context() as patched:
        patched.setattr(KeptAnswer.objects, "create", fails)
        with pytest.raises(OSError, match="ends here"):
            send(Caller(alice), cases, small("a"), **KEY)
    assert not FileRecord.objects.exists()
    assert not StoredObject.objects.filter(state=StoredObject.State.LIVE).exists()


@pytest.mark.parametrize("stage", ["_begin", "_publish"])
def test_of_two_at_once_one_stores_and_both_are_answered_alike(
    alice: User, cases: Folder, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    caller, answered = Caller(alice), []
    real = getattr(batches, stage)

    def overtaken(*args: object) -> Any:
        monkeypatch.setattr(batches, stage, real)
        answered.append(send(caller, cases, small("a", b"one"), **KEY))
        return real(*args)

    monkeypatch.setattr(batches, stage, overtaken)
    second = send(caller, cases, small("a", b"one"), **KEY)
    assert (answered[0].status_code, second.status_code) == (201, 201)
    assert second.json() == answered[0].json()
    assert second["Idempotent-Replay"] == "true"
    assert FileRecord.objects.count() == StoredObject.objects.count() == 1
