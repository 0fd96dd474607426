"""What a notice is about is named to who can see it now, and to nobody else."""

from __future__ import annotations

from uuid import uuid4

from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from files.models import Grant
from files.sharing.subjects import seen_by
from notices.subjects import Subject
from tests.files import trees
from tests.files.conftest import give
from tests.files.test_models import filed


def test_what_can_be_seen_is_named_and_leads_there(alice: User, bob: User) -> None:
    record, folder = filed(alice), trees.folder(alice, "Cases")
    hidden, closed = filed(alice), trees.folder(alice, "Closed")
    for thing in (record, folder):
        give(thing, bob)
    asked = [record.pk, hidden.pk, uuid4()], [folder.pk, closed.pk, uuid4()]
    assert seen_by(bob, *asked) == {
        record.pk: Subject(record.name, reverse("files:detail", args=[record.pk]), is_folder=False),
        folder.pk: Subject("Cases", folder.get_absolute_url(), is_folder=True),
    }
    assert seen_by(alice, *asked).keys() == {record.pk, hidden.pk, folder.pk, closed.pk}
    Grant.objects.update(revoked_at=timezone.now())
    assert seen_by(bob, *asked) == {}


def test_nothing_is_asked_of_what_it_is_not_about(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    record, folder = filed(alice), trees.folder(alice, "Cases")
    for files, folders, queries in (
        ([], [], 0),
        ([record.pk], [], 1),
        ([], [folder.pk], 1),
        ([record.pk], [folder.pk], 2),
    ):
        with django_assert_num_queries(queries):
            assert seen_by(alice, files, folders).keys() == {*files, *folders}
