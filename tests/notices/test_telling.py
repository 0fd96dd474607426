"""Telling people: each as they chose, once, and with what they were told of or not at all."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from notices import Kind, notify
from notices.kinds import MANNERS
from notices.models import Choice, Notice

pytestmark = pytest.mark.django_db


def test_every_kind_has_its_manner() -> None:
    assert set(MANNERS) == set(Kind)


def test_many_are_told_by_two_queries(
    alice: User, bob: User, root: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    file = uuid4()
    with django_assert_num_queries(2):
        told = notify(Kind.SHARED_WITH_YOU, [alice.pk, bob.pk, root.pk, bob.pk], file_id=file)
    assert told == 3
    assert set(Notice.objects.values_list("user", "file_id")) == {
        (person.pk, file) for person in (alice, bob, root)
    }


def test_what_somebody_chose_holds_and_what_they_must_hear_of_comes_all_the_same(
    alice: User, bob: User
) -> None:
    for kind in (Kind.SHARED_WITH_YOU, Kind.FACTOR_CHANGED):
        Choice.objects.create(user=alice, kind=kind, in_app=False, by_mail=False)
        notify(kind, [alice.pk, bob.pk])
    Choice.objects.create(user=bob, kind=Kind.FILE_DOWNLOADED, by_mail=True)
    notify(Kind.FILE_DOWNLOADED, [alice.pk, bob.pk])
    found = Notice.objects.values_list("user", "kind", "in_app", "by_mail")
    assert set(found) == {
        (bob.pk, "shared_with_you", True, True),
        (alice.pk, "factor_changed", False, True),
        (bob.pk, "factor_changed", True, True),
        (bob.pk, "file_downloaded", False, True),
    }


def test_what_is_told_once_is_told_once_to_each(alice: User, bob: User) -> None:
    notify(Kind.GRANT_ENDS, [alice.pk], once="grant 7 ends")
    notify(Kind.GRANT_ENDS, [alice.pk, bob.pk], once="grant 7 ends")
    assert set(Notice.objects.values_list("user", flat=True)) == {alice.pk, bob.pk}
    assert Notice.objects.count() == 2


def test_what_is_rolled_back_tells_nobody(alice: User) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        notify(Kind.SHARED_WITH_YOU, [alice.pk])
        raise ZeroDivisionError
    assert not Notice.objects.exists()


def test_details_are_no_place_for_names(alice: User) -> None:
    with pytest.raises(ValueError, match="too long"):
        notify(Kind.LINK_OPENED, [alice.pk], details={"name": "x" * 61})
