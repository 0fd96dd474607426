"""Links by the API across the account: all that one made, and their end whatever became of it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from accounts.models import User
from files.models import Folder, Link
from files.sharing.links import making
from files.tree import placing
from files.web.api import links as module
from tests.files.conftest import give
from tests.files.web.api.callers import Caller, problem

pytestmark = pytest.mark.django_db


def may_link(user: User) -> User:
    user.user_permissions.add(Permission.objects.get(codename="add_link"))
    return User.objects.get(pk=user.pk)


@pytest.fixture
def cases(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)


def listed(caller: Caller, **query: int) -> dict[int, str]:
    """The status of each link, in their order."""
    rest = "&".join(f"{name}={value}" for name, value in query.items())
    return {one["id"]: one["status"] for one in caller.get(f"/links?{rest}").json()["links"]}


def test_all_that_one_made_and_nobody_elses(alice: User, bob: User, cases: Folder) -> None:
    alice, bob = may_link(alice), may_link(bob)
    grant = give(cases, bob, level="manage")
    own = placing.add_folder(placing.root_of(bob), "Own", added_by=bob)
    making.make(cases, making.Terms(), actor=alice)
    first = making.make(cases, making.Terms(label="one"), actor=bob).link
    second = making.make(own, making.Terms(), actor=bob).link
    caller = Caller(bob, "share")
    assert listed(caller) == {second.pk: "live", first.pk: "live"}
    [told, _] = reversed(caller.get("/links").json()["links"])
    assert (told["label"], told["folder_id"], told["made_by"]) == ("one", str(cases.pk), "bob")
    assert "url" not in told
    # Who lost the access sees that it sleeps, and ends it all the same.
    grant.delete()
    assert listed(caller) == {second.pk: "live", first.pk: "asleep"}
    assert caller.ask("DELETE", f"/links/{first.pk}").status_code == 204
    assert listed(caller) == {second.pk: "live", first.pk: "revoked"}
    bob.user_permissions.clear()
    assert listed(Caller(User.objects.get(pk=bob.pk))) == {second.pk: "asleep", first.pk: "revoked"}


def test_nobody_ends_what_another_made_of_what_is_not_theirs(
    alice: User, bob: User, mallory: User, cases: Folder
) -> None:
    give(cases, bob, level="download")
    made = making.make(cases, making.Terms(), actor=may_link(alice)).link
    for stranger in (bob, mallory):
        caller = Caller(stranger)
        assert listed(caller) == {}
        assert problem(caller.ask("DELETE", f"/links/{made.pk}")) == (404, "not_found")
    assert problem(Caller(alice, "read", "manage").get("/links")) == (403, "scope_missing")
    assert Link.objects.get().state == "live"


def test_a_token_of_one_folder_knows_no_others(alice: User, cases: Folder) -> None:
    alice = may_link(alice)
    other = placing.add_folder(placing.root_of(alice), "Other", added_by=alice)
    within, beyond = (making.make(one, making.Terms(), actor=alice).link for one in (cases, other))
    caller = Caller(alice, folder_id=cases.pk)
    assert problem(caller.get("/links")) == (403, "may_not")
    assert problem(caller.ask("DELETE", f"/links/{beyond.pk}")) == (404, "not_found")
    assert caller.ask("DELETE", f"/links/{within.pk}").status_code == 204


def test_they_come_by_pages(alice: User, cases: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    alice = may_link(alice)
    made = [making.make(cases, making.Terms(), actor=alice).link.pk for _ in range(5)]
    caller, found, after = Caller(alice), list[int](), 0
    while True:
        page = caller.get(f"/links?after={after}").json()
        found += [one["id"] for one in page["links"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == made[::-1]
