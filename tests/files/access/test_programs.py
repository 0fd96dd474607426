"""Programs: a token takes away from what its person may, by its scopes and its folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Token, User
from files.access import explaining, rule
from files.access.principals import Person, Program
from files.models import FileRecord, Folder
from files.tree import placing
from tests.files.conftest import give
from tests.files.test_models import placed

ALL = frozenset(Token.Scope.values)

RULES: dict[str, tuple[Callable[..., Any], set[str]]] = {
    "visible_to": (rule.visible_to, {"read", "share", "manage"}),
    "managed_by": (rule.managed_by, {"share", "manage"}),
    "former_visible_to": (rule.former_visible_to, {"read", "manage"}),
    "removable_by": (rule.removable_by, {"add", "manage"}),
    "replaceable_by": (rule.replaceable_by, {"add", "manage"}),
    "folders_visible_to": (rule.folders_visible_to, {"read", "add", "share", "manage"}),
    "addable_by": (rule.addable_by, {"add", "manage"}),
    "folders_managed_by": (rule.folders_managed_by, {"share", "manage"}),
    "folders_accounted_to": (rule.folders_accounted_to, {"read", "manage"}),
    "folders_removable_by": (rule.folders_removable_by, {"manage"}),
    "trashed_files_of": (rule.trashed_files_of, {"read", "manage"}),
    "trashed_folders_of": (rule.trashed_folders_of, {"read", "manage"}),
}


def folder(owner: User, name: str, parent: Folder | None = None) -> Folder:
    return placing.add_folder(parent or placing.root_of(owner), name, added_by=owner)


@pytest.fixture
def tree(alice: User) -> dict[str, Any]:
    """Two folders with a file in each, one of them below the other's neighbour."""
    cases, other = folder(alice, "cases"), folder(alice, "other")
    below = folder(alice, "below", cases)
    return {
        "cases": cases,
        "other": other,
        "below": below,
        "inside": placed(alice, below, name="inside"),
        "outside": placed(alice, other, name="outside"),
    }


def trash(rows: Any) -> None:
    rows.update(trashed_at=timezone.now())


@pytest.mark.parametrize("name", RULES)
def test_each_part_of_the_rule_takes_a_scope(alice: User, tree: dict[str, Any], name: str) -> None:
    rule, scopes = RULES[name]
    if name == "trashed_files_of":
        trash(FileRecord.objects.filter(pk=tree["inside"].pk))
    if name == "trashed_folders_of":
        trash(Folder.objects.filter(pk=tree["below"].pk))
    assert rule(Person(alice)).exists()
    for scope in ALL:
        found = set(rule(Program(alice, frozenset({scope}))))
        assert bool(found) == (scope in scopes), scope
    assert set(rule(Program(alice, ALL))) == set(rule(Person(alice)))
    assert not rule(Program(alice, frozenset())).exists()


@pytest.mark.parametrize("name", RULES)
def test_one_folder_is_that_and_all_below(alice: User, tree: dict[str, Any], name: str) -> None:
    rule, _ = RULES[name]
    if name == "trashed_files_of":
        trash(FileRecord.objects.all())
    if name == "trashed_folders_of":
        trash(Folder.objects.filter(pk__in=[tree["below"].pk, tree["other"].pk]))
    found = {one.pk for one in rule(Program(alice, ALL, tree["cases"].pk))}
    inside = {tree["inside"].pk, tree["cases"].pk, tree["below"].pk}
    assert found
    assert found <= inside
    assert not rule(Program(alice, ALL, tree["inside"].pk)).exists()


def test_a_token_never_reaches_further_than_its_person(
    alice: User, bob: User, tree: dict[str, Any]
) -> None:
    who = Program(bob, ALL, tree["cases"].pk)
    assert not rule.visible_to(who).exists()
    give(tree["below"], bob)
    assert set(rule.visible_to(who)) == {tree["inside"]}
    assert not rule.managed_by(who).exists()
    User.objects.filter(pk=bob.pk).update(is_active=False)
    bob.refresh_from_db()
    assert not rule.visible_to(who).exists()


def test_to_add_replaces_ones_own_uploads_alone(alice: User, tree: dict[str, Any]) -> None:
    adds, manages = Program(alice, frozenset({"add"})), Program(alice, frozenset({"manage"}))
    FileRecord.objects.filter(pk=tree["outside"].pk).update(uploaded_by=None)
    assert set(rule.replaceable_by(adds)) == {tree["inside"]}
    assert set(rule.replaceable_by(manages)) == {tree["inside"], tree["outside"]}


def test_why_is_told_within_the_folder_alone(alice: User, tree: dict[str, Any]) -> None:
    who = Program(alice, ALL, tree["cases"].pk)
    assert explaining.access_of(who, tree["inside"]) is not None
    assert explaining.access_of(who, tree["cases"]) is not None
    assert explaining.access_of(who, tree["outside"]) is None
    assert explaining.access_of(Program(alice, frozenset({"audit"})), tree["inside"]) is None


def test_one_grant_covers_no_more_than_the_token(
    alice: User, bob: User, tree: dict[str, Any]
) -> None:
    give(tree["cases"], bob, level="manage")
    ends = tree["cases"], tree["below"]
    assert rule.covered_by_one_grant(Person(bob), *ends)
    assert rule.covered_by_one_grant(Program(bob, ALL, tree["cases"].pk), *ends)
    assert not rule.covered_by_one_grant(Program(bob, ALL, tree["below"].pk), *ends)
    assert not rule.covered_by_one_grant(Program(bob, frozenset({"share"})), *ends)
