"""Every operation with a schema: what it answers, what it takes, and that it calls the use case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import token_text, tokens
from accounts.limits import Limit
from accounts.models import Token, User
from audit.models import AuditEvent
from files.keys.custody import UserKey
from files.models import FileRecord, Folder, Grant, KeptAnswer
from files.tree import placing
from files.vault import storing
from tests.files.conftest import KEY, give
from tests.files.test_models import placed
from tests.files.web.api.callers import Caller, problem, whole


@pytest.fixture
def caller(alice: User) -> Caller:
    return Caller(alice)


@pytest.fixture
def cases(alice: User) -> Folder:
    return placing.add_folder(placing.root_of(alice), "Cases", added_by=alice)


# --- Who asks -----------------------------------------------------------------------------------


def test_who_asks(alice: User, cases: Folder) -> None:
    whole_tree = Caller(alice, "read").get("/me").json()
    assert (whole_tree["username"], whole_tree["token"]["scopes"]) == ("alice", ["read"])
    assert whole_tree["root_id"] == str(placing.root_of(alice).pk)
    bound = Caller(alice, "read", folder_id=cases.pk, networks="127.0.0.0/8").get("/me").json()
    assert (bound["root_id"], bound["token"]["folder_id"]) == (None, str(cases.pk))
    assert bound["token"]["networks"] == ["127.0.0.0/8"]


def test_a_token_ends_itself(alice: User) -> None:
    caller, other = Caller(alice, "read"), Caller(alice)
    assert caller.ask("DELETE", "/me/token").status_code == 204
    assert problem(caller.get("/me")) == (401, "token_invalid")
    assert other.get("/me").status_code == 200
    assert AuditEvent.objects.filter(event="token_revoked", actor_id=alice.pk).count() == 1


def test_what_is_at_the_end_of_a_path(
    caller: Caller, alice: User, cases: Folder, record: FileRecord
) -> None:
    root = placing.root_of(alice).pk
    inner = placing.add_folder(cases, "12", added_by=alice)
    found = caller.get(f"/folders/{root}/item?path=CASES/12").json()
    assert (found["kind"], found["id"], found["name"]) == ("folder", str(inner.pk), "12")
    found = caller.get(f"/folders/{root}/item?path={quote(record.name)}").json()
    assert (found["kind"], found["id"]) == ("file", str(record.pk))
    assert caller.get(f"/folders/{cases.pk}/item?path=12").json()["id"] == str(inner.pk)
    assert caller.get(f"/folders/{cases.pk}/item").json()["id"] == str(cases.pk)
    for nothing in ("none", "Cases/none", "Cases/12/none", f"{quote(record.name)}/x"):
        assert problem(caller.get(f"/folders/{root}/item?path={nothing}")) == (404, "not_found")
    assert problem(caller.get(f"/folders/{root}/item?path=Cases//12")) == (400, "path_not_usable")
    bound = Caller(alice, "read", folder_id=cases.pk)
    assert problem(bound.get(f"/folders/{root}/item?path=Cases")) == (404, "not_found")


def test_unknown_and_ended_are_one_answer(client: Client, alice: User) -> None:
    ended = Caller(alice)
    tokens.revoke(ended.made.token, actor=alice)
    unknown = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token_text.generate()}"})
    answers = [
        ended.get("/me"),
        unknown,
        client.get("/api/v1/me", headers={"Authorization": "Bearer x"}),
    ]
    assert {problem(one) for one in answers} == {(401, "token_invalid")}
    assert len({one.content for one in answers}) == 1
    reasons = AuditEvent.objects.filter(event="token_refused").values_list(
        "data__reason", flat=True
    )
    assert sorted(reasons) == ["malformed", "revoked", "unknown"]


def test_guesses_are_slowed(client: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = Limit("token", {"address": "1/5m"})
    monkeypatch.setattr(tokens, "GUESSES", limit)
    wrong = {"Authorization": "Bearer x"}
    assert problem(client.get("/api/v1/me", headers=wrong))[0] == 401
    refused = client.get("/api/v1/me", headers=wrong)
    assert problem(refused) == (429, "too_many_attempts")
    assert int(refused["Retry-After"]) > 0
    assert Caller(alice).get("/me").status_code == 200


def test_a_second_factor_that_is_asked_for(caller: Caller, settings: Any) -> None:
    settings.REQUIRE_MFA = "all"
    assert problem(caller.get("/me")) == (403, "second_factor_missing")


def test_whatever_refuses_is_a_problem(client: Client, caller: Caller) -> None:
    assert problem(client.get("/api/v1/nowhere")) == (404, "not_found")
    assert problem(caller.ask("PUT", "/me", b"x")) == (405, "method_not_allowed")
    assert problem(caller.get("/files/no-id")) == (404, "not_found")
    big = caller.client.generic(
        "POST", "/api/v1/digests", headers=caller.headers, CONTENT_LENGTH="9999999"
    )
    assert problem(big) == (413, "too_large")
    assert problem(client.get("/api/v1/me", HTTP_EXPECT="x")) == (417, "expectation_failed")


def test_a_scope_that_is_missing_is_named_for_each_operation(alice: User) -> None:
    nothing = Caller(alice, "audit")
    refused = nothing.get("/folders/root")
    assert problem(refused) == (403, "scope_missing")
    assert refused.json()["scope"] == "read"
    assert 'scope="read"' in refused["WWW-Authenticate"]


# --- Folders ------------------------------------------------------------------------------------


def test_folders_are_made_listed_renamed_moved_put_away_and_brought_back(caller: Caller) -> None:
    root = caller.get("/folders/root").json()
    assert (root["kind"], root["name"], root["parent_id"]) == ("folder", "", None)
    made = caller.ask("POST", f"/folders/{root['id']}/folders", {"name": "a"})
    assert (made.status_code, made.json()["parent_id"]) == (201, root["id"])
    assert made.json()["access"] == {"level": "owner", "until": None}
    path = caller.ask("POST", f"/folders/{root['id']}/paths", {"path": "b/c"})
    assert (path.status_code, path.json()["name"]) == (201, "c")
    again = caller.ask("POST", f"/folders/{root['id']}/paths", {"path": "B/C"})
    assert again.json()["id"] == path.json()["id"]
    taken = caller.ask("POST", f"/folders/{root['id']}/folders", {"name": "A"})
    assert problem(taken) == (409, "name_taken")
    assert taken.json()["name"] == "A"
    folder = f"/folders/{made.json()['id']}"
    assert caller.ask("PATCH", folder, {"name": "d"}).json()["name"] == "d"
    moved = caller.ask("POST", f"{folder}/move", {"to": path.json()["id"]})
    assert moved.json()["parent_id"] == path.json()["id"]
    itself = caller.ask("POST", f"/folders/{path.json()['id']}/move", {"to": made.json()["id"]})
    assert problem(itself) == (400, "into_itself")
    assert caller.ask("DELETE", folder).status_code == 204
    assert problem(caller.get(folder)) == (404, "not_found")
    [put_away] = caller.get("/trash").json()["items"]
    assert (put_away["id"], put_away["access"]) == (made.json()["id"], None)
    assert put_away["trashed_at"]
    assert caller.ask("POST", f"{folder}/restore").json()["parent_id"] == path.json()["id"]
    names = [one["name"] for one in caller.get(f"/folders/{root['id']}/items").json()["items"]]
    assert names == ["b"]


@pytest.mark.parametrize(
    "body", [{}, {"name": 1}, {"name": "a", "more": 1}, [], "x", {"name": "x" * 1001}]
)
def test_a_body_that_does_not_fit_is_told_where(caller: Caller, cases: Folder, body: Any) -> None:
    refused = caller.ask("POST", f"/folders/{cases.pk}/folders", body)
    assert problem(refused) == (400, "invalid")
    assert refused.json()["errors"]


def test_a_body_that_is_no_json(caller: Caller, cases: Folder) -> None:
    for raw in (b"{", b"\xff", b"[" * 100_000):
        headers = {"Content-Type": "application/json"}
        refused = caller.ask("POST", f"/folders/{cases.pk}/folders", raw, **headers)
        assert problem(refused)[0] == 400


def test_a_bad_name_is_refused_in_words(caller: Caller, cases: Folder) -> None:
    refused = caller.ask("PATCH", f"/folders/{cases.pk}", {"name": ".."})
    assert problem(refused) == (400, "name_not_usable")


def test_pages_by_a_cursor_and_in_any_order(caller: Caller, alice: User, cases: Folder) -> None:
    for number in range(5):
        placed(alice, cases, name=f"{number}.txt", size=10 - number)
    for sort, names in (
        ("name", "01234"),
        ("-name", "43210"),
        ("size", "43210"),
        ("time", "01234"),
    ):
        found, after = "", ""
        while True:
            page = caller.get(f"/folders/{cases.pk}/items?sort={sort}&limit=2&after={after}").json()
            found += "".join(one["name"][0] for one in page["items"])
            if not (after := page["next"]):
                break
        assert found == names, sort
    for wrong in ("sort=colour", "limit=0", "limit=201", "limit=x"):
        assert problem(caller.get(f"/folders/{cases.pk}/items?{wrong}")) == (400, "invalid")


def test_a_list_takes_a_constant_number_of_queries(
    caller: Caller, alice: User, cases: Folder, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    placed(alice, cases)
    caller.get(f"/folders/{cases.pk}/items")
    with django_assert_num_queries(7):
        caller.get(f"/folders/{cases.pk}/items")
    for _ in range(10):
        placed(alice, cases)
    with django_assert_num_queries(7):
        caller.get(f"/folders/{cases.pk}/items")


def test_no_list_has_a_digest_or_a_key(caller: Caller, record: FileRecord) -> None:
    for path in ("/folders/root", "/recent", "/search?q=fox", f"/files/{record.pk}"):
        text = caller.get(path).content.decode()
        assert "digest" not in text
        assert "sha" not in text
    assert "Repr-Digest" not in caller.get(f"/files/{record.pk}")


# --- Files --------------------------------------------------------------------------------------


def test_files_are_renamed_moved_put_away_and_brought_back(
    caller: Caller, record: FileRecord, cases: Folder
) -> None:
    path = f"/files/{record.pk}"
    told = caller.get(path).json()
    assert (told["kind"], told["name"], told["size"], told["custody"]) == (
        "file",
        "fox.txt",
        record.size,
        "managed",
    )
    assert caller.ask("PATCH", path, {"name": "dog.txt"}).json()["name"] == "dog.txt"
    assert caller.ask("POST", f"{path}/move", {"to": str(cases.pk)}).json()["folder_id"] == str(
        cases.pk
    )
    assert problem(caller.ask("POST", f"{path}/move", {"to": str(uuid4())})) == (404, "not_found")
    assert caller.ask("DELETE", path).status_code == 204
    assert problem(caller.ask("DELETE", path)) == (404, "not_found")
    assert caller.ask("POST", f"{path}/restore").json()["folder_id"] == str(cases.pk)
    events = AuditEvent.objects.filter(event__in=["renamed", "moved", "put_away", "restored"])
    assert events.count() == 4
    assert {event.data["by_token"] for event in events} == {"nightly"}


def test_what_changes_hands_takes_a_person(caller: Caller, record: FileRecord, bob: User) -> None:
    his = placing.add_folder(placing.root_of(bob), "His", added_by=bob)
    give(his, User.objects.get(username="alice"), level="add")
    refused = caller.ask("POST", f"/files/{record.pk}/move", {"to": str(his.pk)})
    assert problem(refused) == (403, "person_needed")
    record.refresh_from_db()
    assert record.owner.username == "alice"


def test_history_says_what_happened_and_by_which_token(caller: Caller, record: FileRecord) -> None:
    caller.ask("PATCH", f"/files/{record.pk}", {"name": "dog.txt"})
    told = caller.get(f"/files/{record.pk}/history?limit=1").json()
    assert told["events"][0]["event"] == "renamed"
    assert told["events"][0]["token"] == "nightly"
    rest = caller.get(f"/files/{record.pk}/history?before={told['next']}").json()
    assert [one["event"] for one in rest["events"]] == ["file_uploaded"]
    assert rest["next"] is None


def test_who_has_read_it(
    alice: User, bob: User, caller: Caller, record: FileRecord, cases: Folder
) -> None:
    give(record, bob)
    give(cases, bob)
    Caller(bob).get(f"/files/{record.pk}/content").getvalue()
    told = caller.get(f"/files/{record.pk}/read-by?limit=1").json()
    assert (told["people"], told["have_read"], told["unnamed"]) == (2, 1, 0)
    assert [(one["username"], one["read"]) for one in told["readers"]] == [("alice", "no")]
    rest = caller.get(f"/files/{record.pk}/read-by?after={quote(told['next'])}").json()
    assert [(one["username"], one["read"]) for one in rest["readers"]] == [("bob", "whole")]
    assert rest["next"] is None
    of_folder = caller.get(f"/folders/{cases.pk}/read-by").json()
    assert (of_folder["files"], len(of_folder["readers"])) == (0, 2)
    assert problem(Caller(bob).get(f"/files/{record.pk}/read-by")) == (404, "not_found")
    assert problem(Caller(bob).get(f"/folders/{cases.pk}/read-by")) == (403, "may_not")
    assert problem(Caller(alice, "share").get(f"/files/{record.pk}/read-by"))[0] == 403


def test_digests_are_for_who_may_have_the_bytes(
    alice: User, bob: User, caller: Caller, record: FileRecord, s3: object
) -> None:
    locked = storing.store(alice, [b"x"], name="locked", key=UserKey(KEY))
    one = caller.get(f"/files/{record.pk}/digest").json()
    assert len(one["sha256"]) == 64
    assert one["repr_digest"].startswith("sha-256=:")
    wanted = {"files": [str(record.pk), str(locked.pk), str(uuid4())]}
    several = caller.ask("POST", "/digests", wanted).json()["digests"]
    assert [each["id"] for each in several] == [str(record.pk)]
    assert Caller(bob).ask("POST", "/digests", wanted).json() == {"digests": []}
    assert problem(caller.ask("POST", "/digests", {"files": [str(uuid4())] * 101})) == (
        400,
        "invalid",
    )
    bob.groups.clear()
    give(record, bob)
    assert problem(Caller(bob).get(f"/files/{record.pk}/digest")) == (403, "no_permission")


# --- Lists --------------------------------------------------------------------------------------


def test_shared_recent_and_search(
    alice: User, bob: User, record: FileRecord, cases: Folder
) -> None:
    give(cases, bob)
    his = Caller(bob)
    shared = his.get("/shared").json()["items"]
    assert [(one["name"], one["access"]["level"], one["parent_id"]) for one in shared] == [
        ("Cases", "download", None)
    ]
    hers = Caller(alice)
    assert [one["name"] for one in hers.get("/recent").json()["items"]] == ["fox.txt"]
    assert [one["name"] for one in hers.get("/search?q=FÓX").json()["items"]] == ["fox.txt"]
    assert hers.get(f"/search?q=fox&within={cases.pk}").json()["items"] == []
    assert problem(hers.get("/search")) == (400, "invalid")
    bound = Caller(alice, folder_id=cases.pk)
    assert bound.get("/search?q=fox").json()["items"] == []
    assert problem(bound.get(f"/search?q=fox&within={placing.root_of(alice).pk}"))[0] == 404


# --- Sharing ------------------------------------------------------------------------------------


@pytest.fixture
def sharer(alice: User) -> Caller:
    alice.user_permissions.add(Permission.objects.get(codename="share_filerecord"))
    return Caller(alice, "share")


def test_sharing_and_stopping(sharer: Caller, record: FileRecord, cases: Folder, bob: User) -> None:
    Group.objects.create(name="Team")
    end = (timezone.now() + timedelta(days=1)).isoformat()
    for path in (f"/files/{record.pk}/grants", f"/folders/{cases.pk}/grants"):
        new = {"to": ["bob", "group:Team"], "expires_at": end, "reason": "case 12"}
        told = sharer.ask("POST", path, new)
        assert told.status_code == 201, told.content
        assert [one["outcome"] for one in told.json()["outcomes"]] == ["made", "made"]
        assert {one["outcome"] for one in sharer.ask("POST", path, new).json()["outcomes"]} == {
            "same"
        }
        listed = sharer.get(path).json()["grants"]
        assert [one["recipient"] for one in listed] == [
            {"kind": "user", "name": "bob"},
            {"kind": "group", "name": "Team"},
        ]
        for one in listed:
            stopped = sharer.ask("DELETE", f"{path}/{one['id']}")
            assert (stopped.status_code, stopped["Securestore-Remaining"]) == (204, "0")
        assert sharer.get(path).json()["grants"] == []
        assert problem(sharer.ask("DELETE", f"{path}/999999"))[0] == 404
    assert not Grant.objects.filter(revoked_at=None).exists()
    assert AuditEvent.objects.filter(event="grant_created").count() == 4


def test_who_stops_sharing_is_told_who_reads_on(
    sharer: Caller, record: FileRecord, bob: User
) -> None:
    team = Group.objects.create(name="Team")
    team.user_set.add(bob)
    path = f"/files/{record.pk}/grants"
    made = sharer.ask("POST", path, {"to": ["bob", "group:Team"]}).json()["outcomes"]
    left = [
        sharer.ask("DELETE", f"{path}/{one['grant']['id']}")["Securestore-Remaining"]
        for one in made
    ]
    assert left == ["1", "0"]


def test_all_or_nobody(sharer: Caller, record: FileRecord, bob: User) -> None:
    path = f"/files/{record.pk}/grants"
    wrong: dict[str, Any]
    for wrong in (
        {"to": ["bob", "nobody"]},
        {"to": []},
        {"to": ["alice"]},
        {"to": ["bob"], "level": "add"},
        {"to": ["bob"], "expires_at": "2020-01-01T00:00:00Z"},
        {"to": ["bob"], "expires_at": "2099-01-01T00:00:00"},
    ):
        assert problem(sharer.ask("POST", path, wrong)) == (400, "invalid")
    assert not Grant.objects.exists()


def test_who_may_not_share_is_told_so(caller: Caller, record: FileRecord, bob: User) -> None:
    for method, body in (("GET", None), ("POST", {"to": ["bob"]})):
        answer = caller.ask(method, f"/files/{record.pk}/grants", body)
        assert problem(answer) == (403, "no_permission")


def test_grants_of_folders_above_are_told(
    sharer: Caller, alice: User, bob: User, cases: Folder
) -> None:
    record = placed(alice, cases)
    give(cases, bob, level="add")
    told = sharer.get(f"/files/{record.pk}/grants").json()
    assert told["grants"] == []
    [above] = told["inherited"]
    assert (above["level"], above["folder_id"]) == ("add", str(cases.pk))


def test_effective_access_is_for_administrators(
    alice: User, bob: User, root: User, record: FileRecord, cases: Folder
) -> None:
    group = Group.objects.create(name="Team")
    bob.groups.add(group)
    give(record, group)
    assert problem(Caller(alice).get(f"/files/{record.pk}/access")) == (403, "no_permission")
    told = Caller(root, "share").get(f"/files/{record.pk}/access").json()
    assert [one["username"] for one in told["readers"]] == ["alice", "bob"]
    assert told["readers"][1]["reasons"][0]["via_group"] == "Team"
    assert Caller(root, "share").get(f"/folders/{cases.pk}/access").status_code == 200
    bound = Caller(root, "share", folder_id=cases.pk)
    assert problem(bound.get(f"/files/{record.pk}/access")) == (403, "may_not")


# --- Reports ------------------------------------------------------------------------------------


def test_the_log_goes_on_where_it_ended(root: User, alice: User, record: FileRecord) -> None:
    reader = Caller(root, "audit")
    first = reader.get("/audit?limit=1").json()
    assert (len(first["events"]), first["more"]) == (1, True)
    rest = reader.get(f"/audit?after={first['next']}").json()
    numbers = [one["id"] for one in first["events"] + rest["events"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {"mac", "previous_mac", "data"} <= rest["events"][0].keys()
    assert (
        reader.get(f"/audit?event=file_uploaded&file={record.pk}").json()["events"][0]["actor_name"]
        == "alice"
    )
    assert AuditEvent.objects.filter(event="audit_exported").count() == 1
    assert problem(Caller(alice, "audit").get("/audit")) == (403, "no_permission")
    assert problem(Caller(root, "read").get("/audit")) == (403, "scope_missing")
    beyond = ("since=9999-12-31T23:59:59-23:59", "until=0001-01-01T00:00:00%2B23:59")
    wrongs = ("after=-1", "limit=9999", "since=x", "since=2026-01-01T00:00:00", "file=x", *beyond)
    for wrong in wrongs:
        assert problem(reader.get(f"/audit?{wrong}")) == (400, "invalid")


def test_the_report_of_master_keys(root: User, alice: User, record: FileRecord) -> None:
    [key] = Caller(root, "audit").get("/keys").json()["keys"]
    assert (key["is_primary"], key["live"]) == (True, 1)
    assert problem(Caller(alice, "audit").get("/keys")) == (403, "no_permission")
    bound = Caller(root, "audit", folder_id=uuid4())
    assert problem(bound.get("/keys")) == (403, "may_not")


# --- Once ---------------------------------------------------------------------------------------


def test_a_creation_that_is_asked_for_twice_is_done_once(
    caller: Caller, cases: Folder, bob: User
) -> None:
    path = f"/folders/{cases.pk}/folders"
    first = caller.ask("POST", path, {"name": "a"}, Idempotency_Key="1")
    again = caller.ask("POST", path, {"name": "a"}, Idempotency_Key="1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotent-Replay"] == "true"
    other = caller.ask("POST", path, {"name": "b"}, Idempotency_Key="1")
    assert problem(other) == (422, "idempotency_key_reused")
    assert problem(caller.ask("POST", path, {"name": "a"}, Idempotency_Key="2"))[0] == 409
    assert caller.ask("POST", path, {"name": "c"}, Idempotency_Key="2").status_code == 201
    assert problem(caller.ask("POST", path, {"name": "d"}, Idempotency_Key="")) == (400, "invalid")
    # Another token's keys are its own.
    assert (
        problem(Caller(cases.owner).ask("POST", path, {"name": "a"}, Idempotency_Key="1"))[0] == 409
    )


def test_it_is_kept_for_a_day(caller: Caller, cases: Folder) -> None:
    path = f"/folders/{cases.pk}/folders"
    caller.ask("POST", path, {"name": "a"}, Idempotency_Key="1")
    KeptAnswer.objects.update(made_at=timezone.now() - timedelta(days=1, seconds=1))
    assert problem(caller.ask("POST", path, {"name": "a"}, Idempotency_Key="1"))[0] == 409
    assert "1" not in {row.key for row in KeptAnswer.objects.all()}


# --- Ends ---------------------------------------------------------------------------------------


def test_what_ends_a_person_ends_the_token(caller: Caller, alice: User, record: FileRecord) -> None:
    answer = caller.get(f"/files/{record.pk}/content")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert problem(caller.get("/me")) == (401, "token_invalid")
    assert whole(answer)


def test_leaving_a_group_narrows_it(alice: User, bob: User, record: FileRecord) -> None:
    group = Group.objects.create(name="Team")
    bob.groups.add(group)
    give(record, group)
    his = Caller(bob)
    assert his.get(f"/files/{record.pk}").status_code == 200
    bob.groups.remove(group)
    assert problem(his.get(f"/files/{record.pk}")) == (404, "not_found")
    assert Token.objects.count() == 1


def test_what_makes_no_sense_is_named_as_it_was_sent(caller: Caller, cases: Folder) -> None:
    """Not after our own parameters, which nobody sends."""
    refused = caller.ask("POST", f"/folders/{cases.pk}/move", {"folder": "x"})
    assert [one["where"] for one in refused.json()["errors"]] == ["body.to", "body.folder"]
    refused = caller.get(f"/folders/{cases.pk}/items?limit=x")
    assert [one["where"] for one in refused.json()["errors"]] == ["query.limit"]


def test_numbers_truths_and_moments_are_what_the_schema_says(
    caller: Caller, record: FileRecord, cases: Folder
) -> None:
    """A number for a moment could be seconds or thousandths, and a text for a truth anything."""
    grants, links = f"/files/{record.pk}/grants", f"/files/{record.pk}/links"
    asked, ask = f"/folders/{cases.pk}/requests", {"title": "Papers"}
    wrong: list[tuple[str, dict[str, Any]]] = [
        (grants, {"to": ["bob"], "starts_at": 0}),
        (grants, {"to": ["bob"], "expires_at": 4_000_000_000}),
        (grants, {"to": ["bob"], "expires_at": "4000000000"}),
        (links, {"expires_at": 4_000_000_000}),
        (links, {"count": True}),
        (links, {"count": "5"}),
        (asked, {**ask, "expires_at": True}),
        (asked, {**ask, "most_files": "5"}),
        (asked, {**ask, "accept_first": "off"}),
        (asked, {**ask, "accept_first": 1}),
    ]
    for path, body in wrong:
        refused = caller.ask("POST", path, body)
        assert problem(refused) == (400, "invalid")
        [where] = [one["where"] for one in refused.json()["errors"]]
        assert where == f"body.{next(reversed(body))}"
    assert not Grant.objects.exists()


def test_a_body_that_is_no_json_is_called_so(caller: Caller, cases: Folder) -> None:
    path = f"/folders/{cases.pk}/folders"
    for body in (b"{", b"\xff", b'{"name": ' + b"[" * 100_000, b"name=x"):
        refused = caller.ask("POST", path, body, Content_Type="application/json")
        assert problem(refused) == (400, "not_understood")
        assert "is not JSON" in refused.json()["detail"]


@pytest.mark.parametrize("after", ["x", "WyIrIiwxLDFd", "9.nobody", "%2B"])
def test_what_is_no_cursor_of_a_list_is_refused_and_never_its_first_page(
    caller: Caller, cases: Folder, record: FileRecord, after: str
) -> None:
    """A program that mixes cursors up would begin anew, for ever."""
    asked = (
        *("/shared", "/recent", "/trash", "/search?q=a"),
        *(f"/folders/{cases.pk}/items", f"/folders/{cases.pk}/read-by"),
        f"/files/{record.pk}/read-by",
    )
    for path in asked:
        sign = "&" if "?" in path else "?"
        assert problem(caller.get(f"{path}{sign}after={after}")) == (400, "invalid"), path
        assert caller.get(f"{path}{sign}after=").status_code == 200, path


def test_a_cursor_is_of_the_order_that_it_came_with(
    caller: Caller, alice: User, cases: Folder
) -> None:
    for name in ("a", "b", "c"):
        placing.add_folder(cases, name, added_by=alice)
    path = f"/folders/{cases.pk}/items?limit=2"
    following = caller.get(f"{path}&sort=name").json()["next"]
    assert len(caller.get(f"{path}&sort=name&after={following}").json()["items"]) == 1
    assert problem(caller.get(f"{path}&sort=-name&after={following}")) == (400, "invalid")
