"""The words by which people and groups are found follow their names, whoever writes these."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from accounts import finding
from accounts.models import NameWord, User
from accounts.models.names import LONGEST_WORD
from files.crypto.portable import plain

pytestmark = pytest.mark.django_db


def words_about(**who: object) -> set[str]:
    return set(NameWord.objects.filter(**who).values_list("word", flat=True))


def test_the_words_of_a_name_and_their_pieces_are_kept(alice: User) -> None:
    alice.username, alice.first_name, alice.last_name = (
        "al.m",
        "\u0130pek",
        "M\u00fcller-Stra\u00dfe",
    )
    alice.save()
    assert words_about(user=alice) == {
        *("al.m", "al", "m", "ipek", "muller-strasse", "muller", "strasse")
    }
    group = Group.objects.create(name="\u0141\u00f3d\u017a  Office")
    assert words_about(group=group) == {"lodz", "office"}
    group.delete()
    assert not NameWord.objects.filter(group__isnull=False).exists()


def test_what_is_saved_beside_a_name_costs_nothing(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        User.objects.filter(pk=alice.pk).first()
    alice.save()
    before = words_about(user=alice)
    assert before
    NameWord.objects.all().delete()
    alice.save(update_fields=["last_login"])
    assert words_about(user=alice) == set()
    alice.save(update_fields=["first_name"])
    assert words_about(user=alice) == before


def test_what_was_written_past_it_is_followed_by_a_sweep(alice: User, bob: User) -> None:
    group = Group.objects.create(name="Old")
    finding.refresh()
    assert (finding.refresh(), finding.out_of_step()) == (0, 0)
    User.objects.filter(pk=alice.pk).update(last_name="\u00c4rger")
    Group.objects.filter(pk=group.pk).update(name="New")
    User.objects.bulk_create([User(username="carol")])
    assert finding.out_of_step() == 3
    assert finding.refresh() == 3
    assert (finding.refresh(), finding.out_of_step()) == (0, 0)
    assert "arger" in words_about(user=alice)
    assert words_about(group=group) == {"new"}
    assert words_about(user__username="carol") == {"carol"}


@given(st.lists(st.text(max_size=150), max_size=3), st.integers(0, 150), st.integers(1, 5))
def test_every_part_of_a_word_is_in_one_of_them(names: list[str], at: int, length: int) -> None:
    words = finding.words_of(*names)
    assert all(word and len(word) <= LONGEST_WORD and not word.isspace() for word in words)
    for name in names:
        for typed in finding.words_typed(name[at : at + length]):
            if len(plain(name)) <= LONGEST_WORD:
                assert any(typed in word for word in words)


def test_words_of_who_is_gone_are_nobodys_and_go(alice: User, bob: User) -> None:
    """The release before deletes people and groups without a look at their words."""
    bob.groups.clear()
    group = Group.objects.create(name="Bobs")
    User.objects.filter(pk=bob.pk)._raw_delete("default")
    Group.objects.filter(pk=group.pk)._raw_delete("default")
    assert words_about(user=bob.pk) == {"bob"}
    assert finding.beginning("bo", but=alice) == ([], [group.pk])
    finding.refresh()
    assert words_about(user=bob.pk) == words_about(group=group.pk) == set()
    assert finding.beginning("al", but=bob) == ([alice.pk], [])
