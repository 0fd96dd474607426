"""Names that mean exactly one person or group: never a guess, and nobody that may not be found."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.sharing.named import AT_MOST, named, named_each, written
from files.sharing.recipients import describe


def person(name: str, first: str = "", last: str = "", **fields: Any) -> User:
    return User.objects.create_user(
        name, f"{name}@example.org", first_name=first, last_name=last, **fields
    )


@pytest.mark.parametrize(
    "text",
    [
        *("bob", "BOB", " bob \n", "bob@example.org", "Bob@Example.ORG", "user:bob", "User: Bob"),
        *(
            "Bob \u00c4rger",
            "bob \u00c4RGER",
            "bob \u00e4rger",
            "Bob \u00c4rger (bob)",
            "bob,,bob;\n",
        ),
    ],
)
def test_a_person_is_meant_by_any_name_in_full(db: None, text: str) -> None:
    bob = person("bob", "Bob", "\u00c4rger")
    person("carol", "Carol", "Jones")
    told = named(text)
    assert (told.recipients, told.problems) == ([bob], [])


@pytest.mark.parametrize("text", ["Carol", "jones", "CAROL"])
def test_who_has_one_name_alone_is_meant_by_it(db: None, text: str) -> None:
    one = person("x1", "Carol") if text != "jones" else person("x1", "", "Jones")
    assert named(text).recipients == [one]


@pytest.mark.parametrize("text", ["Audit", "audit", "group:Audit", "Group: audit", "group “Audit”"])
def test_a_group_is_meant_by_its_name(db: None, text: str) -> None:
    group = Group.objects.create(name="Audit")
    assert named(text).recipients == [group]


def test_a_group_is_meant_by_what_pages_of_that_language_call_it(db: None) -> None:
    group = Group.objects.create(name="Audit")
    with override("fr"):
        assert describe(group) == "groupe «\u00a0Audit\u00a0»"
        assert named(describe(group)).recipients == [group]
        assert named("groupe « Audit »").recipients == [group]
        assert named("groupe «  »").recipients == []


def test_of_groups_that_differ_by_case_the_one_that_was_written(db: None) -> None:
    small, large = Group.objects.create(name="audit"), Group.objects.create(name="Audit")
    assert named("Audit").recipients == [large]
    assert named("audit").recipients == [small]
    assert "can mean several" in named("AUDIT").problems[0]


@pytest.mark.parametrize("text", ["Bob Arger", "bob  arger", "BOB \u00c4RGER", "Bob A\u0308rger"])
def test_a_full_name_is_found_without_its_accents(db: None, text: str) -> None:
    bob = person("x1", "Bob", "\u00c4rger")
    person("x2", "Bob", "Larger")
    person("x3", "Bob \u00c4rger", "Junior")
    person("x4", "\u00c4rger", "Bob")
    assert named(text).recipients == [bob]


@pytest.mark.parametrize("text", ["Grosse Loge", "gro\u00dfe loge", "group:grosse L\u00f6ge"])
def test_a_group_is_found_without_its_accents(db: None, text: str) -> None:
    group = Group.objects.create(name="Gro\u00dfe L\u00f6ge")
    assert named(text).recipients == [group]


def test_who_is_called_just_so_comes_before_who_differs_by_accents(db: None) -> None:
    plain, marked = person("x1", "Ann", "Muller"), person("x2", "Ann", "M\u00fcller")
    assert named("ann muller").recipients == [plain]
    assert named("ann m\u00fcller").recipients == [marked]
    assert "can mean several" in named("Ann M\u016bller").problems[0]


def test_a_name_of_a_group_means_no_person(db: None) -> None:
    person("x1", "", "Mueller")
    person("x2", "", "M\u00fcller")
    for text in ("group:muller", "group:M\u00fcller"):
        assert "There is no person and no group" in named(text).problems[0]


def test_several_are_found_in_their_order_and_each_once(db: None) -> None:
    bob, carol = person("bob"), person("carol")
    team = Group.objects.create(name="Team, internal")
    told = named("carol, bob; carol\nTeam, internal\nbob@example.org")
    assert told.recipients == [carol, bob, team]
    assert told.problems == []


@pytest.mark.parametrize("text", ["same", "Sam Same", "sam same"])
def test_what_may_mean_several_is_never_guessed(db: None, text: str) -> None:
    first, second = person("s1", "Sam", "Same"), person("s2", "Sam", "Same")
    person("other", "", "same")
    Group.objects.create(name="same")
    told = named(text)
    assert told.recipients == []
    assert "can mean several. Write one of:" in told.problems[0]
    for one in (first, second):
        assert named(written(one)).recipients == [one]
        assert named(describe(one)).recipients == [one]


def test_a_user_name_that_is_anothers_address_means_neither(bob: User) -> None:
    other = User.objects.create_user("bob@example.org", "other@example.org")
    assert named("bob@example.org").recipients == []
    assert named("user:bob@example.org").recipients == [other]
    assert named("user:bob").recipients == [bob]


def test_deactivated_accounts_are_never_found(db: None) -> None:
    person("eve", "Eve", "Gone", is_active=False)
    for text in ("eve", "user:eve", "eve@example.org", "Eve Gone", "ev"):
        assert named(text).recipients == []
        assert "There is no person and no group" in named(text).problems[0]


@pytest.mark.parametrize("text", ["", "\n", " , ;\n,"])
def test_nothing_names_nobody(db: None, text: str) -> None:
    assert (list(named(text).recipients), list(named(text).problems)) == ([], [])


def test_a_part_of_a_name_is_told_with_the_whole_and_without_addresses(bob: User) -> None:
    told = named("bo")
    assert told.recipients == []
    assert told.problems == [
        "“bo” is only a part of a name. Did you mean user:bob (bob)? Write it in full."
    ]
    assert "There is no person" in named("@example.org").problems[0]


def test_however_many_are_named_the_queries_are_few(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    people = [person(f"person{number}", "P", f"{number}") for number in range(AT_MOST)]
    with django_assert_max_num_queries(3):
        told = named("\n".join(one.get_full_name() for one in people))
    assert told.recipients == people
    # Only of the first few that mean nobody similar ones are looked for.
    with django_assert_max_num_queries(2 + 5 * 5):
        told = named("\n".join(f"nobody{number}" for number in range(AT_MOST)))
    assert len(told.problems) == AT_MOST
    with django_assert_max_num_queries(0):
        told = named("a," * (AT_MOST + 1))
    assert told.problems[0].startswith(f"You named {AT_MOST + 1} people and groups")


def test_names_that_are_told_apart_already_may_have_commas_and_are_so_many(bob: User) -> None:
    group = Group.objects.create(name="Law, tax")
    assert named_each([" bob ", "", "Law, tax"]).recipients == [bob, group]
    assert named_each([" ", "\0"]).problems == ["Name somebody."]
    assert named_each(["bob"] * AT_MOST).recipients == [bob]
    [said] = named_each(["bob"] * (AT_MOST + 1)).problems
    assert said.startswith(f"You named {AT_MOST + 1} people and groups")


NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters=",;"), min_size=1
)


class Anything(TestCase):
    @given(st.text(max_size=300))
    def test_whatever_is_typed_is_answered(self, text: str) -> None:
        told = named(text)
        assert not told.recipients
        assert bool(told.problems) == any(
            part.strip() for part in text.replace(";", ",").split(",")
        )
