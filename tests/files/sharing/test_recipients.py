"""Finding people and groups to share with: enough to find somebody, not to list everybody."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.sharing.recipients import AT_MOST, describe, find, key_of


def person(name: str, first: str = "", last: str = "", *, is_active: bool = True) -> User:
    return User.objects.create_user(
        name, f"{name}@example.org", first_name=first, last_name=last, is_active=is_active
    )


@pytest.mark.parametrize("text", ["bob", "BOB", "bob@example.org", "Bob@Example.org"])
def test_a_name_or_an_address_in_full_is_exact(bob: User, text: str) -> None:
    assert find(text).exact == [bob]


@pytest.mark.parametrize(
    "text", ["bo", "OB", "Bob S", "smith", "smith bo", "\u00e4rger", "\u00c4RG"]
)
def test_parts_of_names_are_similar(db: None, text: str) -> None:
    bob = person("bob", "Bob", "Smith-\u00c4rger")
    person("carol", "Carol", "Jones")
    found = find(text)
    assert (found.exact, found.similar, found.are_more) == ([], [bob], False)


@pytest.mark.parametrize("text", ["bob@", "example.org", "@", "b", "%", "__", "bob smithers", ""])
def test_addresses_are_not_completed_and_little_lists_nobody(db: None, text: str) -> None:
    person("bob", "Bob", "Smith")
    found = find(text)
    assert (found.exact, found.similar) == ([], [])


@pytest.mark.parametrize("text", ["eve", "ev", "eve@example.org"])
def test_deactivated_accounts_are_never_found(db: None, text: str) -> None:
    person("eve", is_active=False)
    assert find(text).similar == []


def test_groups_are_found_beside_people(bob: User) -> None:
    audit, bobs = Group.objects.create(name="Audit"), Group.objects.create(name="Bobs")
    assert find("Audit").exact == [audit]
    assert find("audi").similar == [audit]
    assert find("bob").exact == [bob]
    assert find("bob").similar == [bob, bobs]


def test_a_text_that_names_two_names_both(bob: User) -> None:
    other = User.objects.create_user("bob@example.org", "other@example.org")
    assert find("bob@example.org").exact == [bob, other]


def test_at_most_ten_are_named(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(AT_MOST + 5):
        person(f"user{number:02}")
        Group.objects.create(name=f"Users {number:02}")
    with django_assert_max_num_queries(5):
        found = find("user")
    assert (len(found.similar), found.are_more) == (AT_MOST, True)
    assert not find("user01").are_more


def test_people_are_described_without_their_address(db: None) -> None:
    group = Group.objects.create(name="Audit")
    bob, carol = person("bob", "Bob", "Smith"), person("carol")
    assert [describe(one) for one in (bob, carol, group)] == [
        "Bob Smith (bob)",
        "carol",
        "group \u201cAudit\u201d",
    ]
    assert len({key_of(one) for one in (bob, carol, group)}) == 3
