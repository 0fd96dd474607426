"""Requests by the API: made with the address once, listed, ended; replayed without a secret."""

from __future__ import annotations

import pytest

from accounts.models import User
from files.models import FileRequest, KeptAnswer
from files.sharing import senders
from tests.files.asked import folder_of, may_ask
from tests.files.conftest import give
from tests.files.web.api.callers import Caller, problem

pytestmark = pytest.mark.django_db


def test_made_listed_and_ended(alice: User) -> None:
    folder = folder_of(alice)
    caller = Caller(may_ask(alice), "share")
    path = f"/folders/{folder.pk}/requests"
    asked = {"title": "Papers", "most_bytes": 5_000, "accept_first": True}
    made = caller.ask("POST", path, asked, Idempotency_Key="1")
    assert made.status_code == 201, made.content
    address, number = made.json()["address"], made.json()["id"]
    token = address.rstrip("/").rpartition("/")[2]
    assert senders.open_by(token) == FileRequest.objects.get(pk=number)
    again = caller.ask("POST", path, asked, Idempotency_Key="1")
    assert (again.status_code, again.json()) == (201, {"id": number})
    assert token not in str(KeptAnswer.objects.values_list("body", flat=True))
    [listed] = caller.get(path).json()["requests"]
    assert listed == {key: value for key, value in made.json().items() if key != "address"}
    assert caller.get(f"/requests/{number}").json() == listed
    for wrong in (
        {"most_bytes": 2**60},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"identify": "code"},
    ):
        assert problem(caller.ask("POST", path, {**asked, **wrong}))[0] == 400
    assert caller.ask("DELETE", f"/requests/{number}").status_code == 204
    assert caller.ask("DELETE", f"/requests/{number}").status_code == 204
    assert senders.open_by(token) is None


def test_it_reaches_no_further_than_its_token(alice: User, bob: User) -> None:
    alice = may_ask(alice)
    folder, elsewhere = folder_of(alice), folder_of(alice, "Other")
    made = Caller(alice).ask("POST", f"/folders/{folder.pk}/requests", {"title": "Papers"}).json()
    number = made["id"]
    assert problem(Caller(alice, "read").get(f"/requests/{number}")) == (403, "scope_missing")
    bound = Caller(alice, folder_id=elsewhere.pk)
    for stranger in (bound, Caller(may_ask(bob))):
        assert problem(stranger.get(f"/requests/{number}"))[0] == 404
        assert problem(stranger.ask("DELETE", f"/requests/{number}"))[0] == 404
        path = f"/folders/{folder.pk}/requests"
        assert problem(stranger.ask("POST", path, {"title": "x"}))[0] == 404
    assert FileRequest.objects.lasting().count() == 1


def test_all_that_one_made_for_whichever_folders(alice: User, bob: User) -> None:
    bob = may_ask(bob)
    folder = folder_of(alice)
    grant = give(folder, bob, level="manage")
    Caller(may_ask(alice)).ask("POST", f"/folders/{folder.pk}/requests", {"title": "Hers"})
    caller, numbers = Caller(bob, "share"), []
    for number, where in enumerate((folder, folder_of(bob))):
        path = f"/folders/{where.pk}/requests"
        made = caller.ask("POST", path, {"title": f"His {number}"})
        assert made.status_code == 201, made.content
        numbers.append(made.json()["id"])

    def listed() -> dict[int, str | None]:
        return {one["id"]: one["ended_at"] for one in caller.get("/requests").json()["requests"]}

    assert listed() == dict.fromkeys(numbers)
    assert list(caller.get(f"/requests?after={numbers[0]}").json()["requests"]) == [
        caller.get(f"/requests/{numbers[1]}").json()
    ]
    # Who lost the folder ends what they had asked for in it.
    grant.delete()
    assert listed().keys() == set(numbers)
    assert caller.get(f"/requests/{numbers[0]}").json()["title"] == "His 0"
    assert caller.ask("DELETE", f"/requests/{numbers[0]}").status_code == 204
    assert listed()[numbers[0]] is not None
    assert problem(Caller(bob, "read").get("/requests")) == (403, "scope_missing")
    own = folder_of(bob, "Bound")
    bound = Caller(bob, folder_id=own.pk)
    assert problem(bound.get("/requests")) == (403, "may_not")
    for number in numbers:
        assert problem(bound.get(f"/requests/{number}"))[0] == 404
        assert problem(bound.ask("DELETE", f"/requests/{number}"))[0] == 404
