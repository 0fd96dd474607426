"""Finding people and groups to share with: enough to find somebody, not to list everybody."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.contrib.auth.models import Permission as Power
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.access.permissions import Permission
from files.access.principals import Person
from files.sharing.recipients import AT_MOST, Suggestion, describe, find, key_of, suggest


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


@pytest.mark.parametrize(("number", "are_more"), [(AT_MOST, False), (AT_MOST + 1, True)])
@pytest.mark.parametrize("kind", ["people", "groups"])
def test_more_than_are_listed_are_told(db: None, kind: str, number: int, are_more: bool) -> None:
    for one in range(number):
        if kind == "people":
            person(f"team{one}")
        else:
            Group.objects.create(name=f"team{one}")
    found = find("team")
    assert (len(found.similar), found.are_more) == (AT_MOST, are_more)


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


@pytest.mark.parametrize(
    "text", ["muller", "M\u00dcLLER", "istanbullu", "\u0130STANBUL", "jose lod"]
)
def test_people_are_found_without_their_accents(db: None, text: str) -> None:
    anna = person("m\u00fcller", "Jos\u00e9", "\u0130stanbullu-\u0141\u00f3d\u017a")
    found = find(text)
    assert anna in found.similar
    assert find("Caf\u00e9").similar == []
    group = Group.objects.create(name="Caf\u00e9")
    assert find("CAFE").similar == [group]


# --- Suggestions ------------------------------------------------------------------------------


@pytest.fixture
def sharer(db: None) -> Person:
    user = person("sharer", "Mu", "Sharer")
    user.user_permissions.add(Power.objects.get(codename="share_filerecord"))
    return Person(User.objects.get(pk=user.pk))


def test_who_has_a_word_that_begins_so_is_suggested(sharer: Person) -> None:
    anna = person("anna.muster", "Anna", "M\u00fcller")
    murat = person("murat")
    person("smurf", "Smurf", "Amu")
    person("mumin", is_active=False)
    group = Group.objects.create(name="M\u00fcnchen")
    group.user_set.add(anna, murat, User.objects.get(username="mumin"))
    for text in ("mu", "M\u00dc", " mu "):
        assert suggest(sharer, text) == [
            Suggestion("group", group.pk, "M\u00fcnchen", "2 people"),
            Suggestion("user", murat.pk, "murat", ""),
            Suggestion("user", anna.pk, "Anna M\u00fcller", "anna.muster"),
        ]
    group.user_set.remove(anna)
    assert suggest(sharer, "munc")[0].detail == "1 person"
    assert [one.id for one in suggest(sharer, "mull an")] == [anna.pk]
    assert [one.id for one in suggest(sharer, "muster")] == [anna.pk]
    assert [one.kind for one in suggest(sharer, "mu", limit=1)] == ["group"]
    for nothing in ("m", "", "  m ", "mulx", "anna murat", "mu%", "\0\0", "example.org", "anna@"):
        assert suggest(sharer, nothing) == [], nothing


def test_whose_name_begins_with_the_longest_word_comes_first(sharer: Person) -> None:
    for name, first, last in (("Abe", "Anna", "Zimtig"), ("zoe", "Zimtig", "Anna")):
        person(name, first, last)
    assert [(one.label, one.detail) for one in suggest(sharer, "anna zimtig")] == [
        ("Zimtig Anna", "zoe"),
        ("Anna Zimtig", "Abe"),
    ]


def test_a_form_tells_people_from_groups(bob: User) -> None:
    group = Group.objects.create(name="Team")
    assert (key_of(bob), key_of(group)) == (f"user-{bob.pk}", f"group-{group.pk}")


def test_nobody_is_suggested_to_who_may_not_share(sharer: Person) -> None:
    person("murat")
    assert not sharer.user.has_perm(Permission.SHARE)
    other = person("other")
    assert suggest(Person(other), "mu") == []
    other.is_active = False
    assert suggest(Person(other), "mu") == []


def test_a_name_that_changes_is_followed(sharer: Person) -> None:
    anna = person("anna", "Anna", "Mu\u0308ller")
    group = Group.objects.create(name="Mumins")
    assert len(suggest(sharer, "mu")) == 2
    anna.last_name = "Schmidt"
    anna.save()
    group.name = "Trolls"
    group.save()
    assert suggest(sharer, "mu") == []
    assert [one.label for one in suggest(sharer, "schm")] == ["Anna Schmidt"]
    assert [one.label for one in suggest(sharer, "troll")] == ["Trolls"]


def test_suggestions_take_as_many_queries_however_many_there_are(
    sharer: Person, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(AT_MOST + 5):
        person(f"user{number:02}")
        Group.objects.create(name=f"Users {number:02}")
    suggest(sharer, "us")  # Permissions are kept.
    Group.objects.create(name="Us")
    with django_assert_num_queries(4):
        assert len(suggest(sharer, "us")) == AT_MOST
    with django_assert_num_queries(3):  # No person has both words.
        assert len(suggest(sharer, "us 03")) == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan of SQLite")
@pytest.mark.parametrize("text", ["mu", "mu sh"])
def test_suggestions_are_read_by_the_index_of_words(sharer: Person, text: str) -> None:
    person("murat", "Sharif")
    with CaptureQueriesContext(connection) as captured:
        assert suggest(sharer, text)
    [about_words] = [q["sql"] for q in captured.captured_queries if "nameword" in q["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {about_words}")
        plan = [detail for *_, detail in cursor.fetchall()]
    assert any("INDEX nameword_begins (word>? AND word<?)" in step for step in plan), plan
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan), plan
