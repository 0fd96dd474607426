"""The master keys that wrapped before: each once, in order, and found by the whole id alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from files.keys.wrapping_history import ids_in, was_under, with_past
from files.models import StoredObject
from tests.files.conftest import Store

key_ids = st.text("abAB01:/-_%", min_size=1, max_size=4)


@given(st.lists(key_ids))
def test_each_is_remembered_once_the_oldest_first(given_ids: list[str]) -> None:
    past = ""
    for key_id in given_ids:
        past = with_past(past, key_id)
    assert ids_in(past) == list(dict.fromkeys(given_ids))


@pytest.mark.parametrize("looks_like", ["ke", "ey", "KEY", "k_y", "%", ""])
def test_only_the_whole_id_is_found(store: Store, alice: User, looks_like: str) -> None:
    store(alice)
    past = with_past(with_past("", "key"), "other")
    StoredObject.objects.update(past_master_key_ids=past)
    assert StoredObject.objects.filter(was_under("key")).count() == 1
    assert StoredObject.objects.filter(was_under("other")).count() == 1
    assert not StoredObject.objects.filter(was_under(looks_like)).exists()
