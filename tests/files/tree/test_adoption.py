"""Files without a folder get their place: every one of them, once, under a name of its own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import User
from files.models import Entry, FileRecord
from files.records import derived
from files.records.names import entry_key
from files.tree import adoption, placing
from tests.files.test_models import filed


@pytest.mark.django_db
def test_the_oldest_keeps_its_name_and_who_uploaded_it_is_known(alice: User, bob: User) -> None:
    old, new = filed(alice, name="A.txt"), filed(alice, name="a.txt")
    old.current.creator = bob
    old.current.save()
    of_bob = filed(bob, name="a.txt")
    told: list[int] = []
    assert adoption.adopt(told=told.append) == 3
    assert told == [3]
    names = [FileRecord.objects.get(pk=one.pk).name for one in (old, new, of_bob)]
    assert names == ["A.txt", "a (2).txt", "a.txt"]
    found = FileRecord.objects.get(pk=old.pk)
    assert (found.folder, found.uploaded_by) == (placing.root_of(alice), bob)
    assert adoption.adopt() == 0


class Adopting(TestCase):
    @settings(max_examples=20)
    @given(
        there=st.lists(st.sampled_from(["a", "A", "a (2)", "b", "a (3)"]), unique_by=str.lower),
        names=st.lists(st.sampled_from(["a", "A", "a (2)", "b", "B (2)"]), max_size=8),
        at_once=st.integers(1, 3),
    )
    def test_every_name_is_its_own_afterwards(
        self, there: list[str], names: list[str], at_once: int
    ) -> None:
        owner = User.objects.create(username="adopting")
        root = placing.root_of(owner)
        for name in there:
            placing.enter(filed(owner, name=name, folder=root), root)
        for name in names:
            filed(owner, name=name)
        before, adoption.AT_ONCE = adoption.AT_ONCE, at_once
        try:
            assert adoption.adopt() == len(names)
        finally:
            adoption.AT_ONCE = before
        files = FileRecord.objects.filter(owner=owner)
        keys = {entry_key(name) for name in files.values_list("name", flat=True)}
        assert len(keys) == files.count() == len(there) + len(names)
        assert keys == set(Entry.objects.filter(parent=root).values_list("key", flat=True))
        assert not files.filter(folder=None).exists()
        assert list(derived.out_of_step()) == []
        owner.owned_files.all().delete()
        owner.delete()
