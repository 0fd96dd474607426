"""Which links work now, found at once as each is found by itself."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.models import Folder, Grant, Link
from files.sharing.links import ending, listing
from files.sharing.links.making import Terms, make
from files.sharing.links.visiting import find
from files.tree import placing
from tests.files.sharing.links.makers import may_link
from tests.files.sharing.links.test_visiting import SLEEPS
from tests.files.test_models import placed


def test_beyond_todays_bounds_are_those_that_work_and_could_not_be_made(
    maker: User, settings: Settings
) -> None:
    record, now = placed(maker), timezone.now()
    long = make(record, Terms(expires_at=now + timedelta(days=40), password="sesame"), actor=maker)
    bare = make(record, Terms(expires_at=now + timedelta(days=7)), actor=maker)
    over = make(record, Terms(expires_at=now + timedelta(days=40)), actor=maker)
    ending.revoke(over.link, actor=maker)

    def beyond() -> set[Link]:
        return {*listing.beyond_bounds(Link.objects.all())}

    assert beyond() == set()
    settings.LINK_MAX_DAYS = 7
    assert beyond() == {long.link}
    settings.LINK_NEEDS_PASSWORD = True
    assert beyond() == {long.link, bare.link}


def test_ones_own_are_awake_by_what_one_manages_while_one_may_make_them(
    maker: User, settings: Settings
) -> None:
    kept, lost = (make(placed(maker, name=name), Terms(), actor=maker).link for name in "ab")
    assert kept.file_id is not None
    managed = {kept.file_id}
    assert listing.awake_by(maker, [kept, lost], managed) == {kept.pk}
    settings.LINKS = False
    assert listing.awake_by(maker, [kept, lost], managed) == set()
    settings.LINKS = True
    maker.user_permissions.clear()
    assert listing.awake_by(User.objects.get(pk=maker.pk), [kept, lost], managed) == set()


def test_which_are_awake_is_found_at_once_as_each_is_by_itself(alice: User, bob: User) -> None:
    """Of those that lead to a file, by whoever, at any height: four queries, however many."""
    bob = may_link(bob)
    alice = may_link(alice)
    upper = placing.add_folder(placing.root_of(alice), "Upper", added_by=alice)
    lower = placing.add_folder(upper, "Lower", added_by=alice)
    record = placed(alice, lower, name="Plan")
    Grant.objects.create(folder=upper, user=bob, level="manage")
    made = [
        make(item, Terms(), actor=actor)
        for item in (upper, lower, record)
        for actor in (alice, bob)
    ]
    texts = {one.link.pk: one.text for one in made}

    def agree() -> set[int]:
        found = listing.links_reaching(record)
        assert {one.pk for one in found} == set(texts)
        with CaptureQueriesContext(connection) as queries:
            awake = listing.awake(record, found)
        assert len(queries) <= 4
        assert awake == {pk for pk, text in texts.items() if find(text) is not None}
        return awake

    assert len(agree()) == 6
    Grant.objects.update(folder=lower)
    assert len(agree()) == 5
    for name, (lose, regain) in SLEEPS.items():
        if name != "put away":
            lose(made[3].link)
            assert len(agree()) == 3, name
            regain(made[3].link)
    Folder.objects.filter(pk=upper.pk).update(trashed_at=timezone.now())
    record.refresh_from_db()
    assert not agree()
