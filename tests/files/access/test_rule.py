"""The access rule, stated once more in a few lines of plain Python, and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, product
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.members import ensure_members_group
from accounts.models import User
from files.access import explaining, principals, rule
from files.access.explaining import access_of
from files.access.permissions import Permission
from files.access.principals import Person
from files.lists import paging
from files.models import FileRecord, Folder, Grant
from files.sharing import requests
from files.sharing.delegating import share
from files.sharing.effective_access import (
    explain_files,
    explain_readers,
    readers,
    shut_out,
    withheld,
)
from files.sharing.granting import Terms
from files.tree import placing
from files.vault import storing
from files.vault.destinations import Destination
from tests.files import trees
from tests.files.asked import ask, sender_of
from tests.files.test_models import filed, placed

CONTENT = ("files.download_filerecord", "files.view_filerecord")
MANAGE = ("files.change_filerecord", "files.delete_filerecord", "files.add_grant")


@dataclass(frozen=True)
class Somebody:
    active: bool
    superuser: bool
    member: bool  # Of the group that may use the functions at all.
    groups: frozenset[int]


@dataclass(frozen=True)
class Given:
    file: int
    to_group: bool
    recipient: int
    level: str
    starts: int | None  # Microseconds from a fixed moment.
    expires: int | None
    revoked: bool


MOMENTS = st.none() | st.integers(-1, 2)
SELDOM = st.sampled_from([False, False, False, True])
PEOPLE = st.lists(
    st.builds(
        Somebody,
        SELDOM.map(lambda seldom: not seldom),
        st.booleans(),
        st.booleans(),
        st.frozensets(st.integers(0, 1)),
    ),
    min_size=2,
    max_size=3,
)
GRANTS = st.lists(
    st.builds(
        Given,
        st.integers(0, 1),
        st.booleans(),
        st.integers(0, 1),
        st.sampled_from(["download", "manage"]),
        MOMENTS,
        MOMENTS,
        SELDOM,
    ).filter(lambda g: g.starts is None or g.expires is None or g.starts < g.expires),
    max_size=5,  # As many of one recipient are explained.
)

FOREVER = 1000
RANK = {"owner": 2, "manage": 1, "download": 0}


def holds(
    person: Somebody, number: int, file: int, owner: int, grants: list[Given], now: int
) -> list[tuple[int, int]]:
    """The rule: what a person holds of a file, as rank and end. Empty: it does not exist."""
    if not person.active:
        return []
    held = [(RANK["owner"], FOREVER)] if number == owner else []
    for grant in grants:
        mine = grant.recipient in person.groups if grant.to_group else grant.recipient == number
        begun = grant.starts is None or grant.starts <= now
        end = FOREVER if grant.expires is None else grant.expires
        if grant.file == file and mine and begun and now < end and not grant.revoked:
            held.append((RANK[grant.level], end))
    return held


class TheRule(TestCase):
    """Moments are microseconds from a fixed one: the smallest step that a database keeps."""

    numbers = count()
    moment = datetime(2030, 1, 1, tzinfo=UTC)

    # Each asks some hundred queries: a dozen here, and twenty times as many in `make soak`.
    @settings(max_examples=settings().max_examples // 2)
    @given(
        people=PEOPLE,
        owners=st.tuples(st.integers(0, 1), st.integers(0, 1)),
        grants=GRANTS,
        now=st.integers(-1, 1),
        wanted=st.none() | st.integers(1, 3),
    )
    def test_every_door_gives_the_same_answer(
        self,
        people: list[Somebody],
        owners: tuple[int, int],
        grants: list[Given],
        now: int,
        wanted: int | None,
    ) -> None:
        users, files = self.build(people, owners, grants)
        with patch("django.utils.timezone.now", return_value=self.at(now)):
            for number, (person, user) in enumerate(zip(people, users, strict=True)):
                held = [holds(person, number, f, owners[f], grants, now) for f in range(2)]
                self.compare_lists(user, files, held)
                for record, of_it in zip(files, held, strict=True):
                    self.compare_one(person, user, record, of_it, wanted)
            for f, record in enumerate(files):
                self.compare_people(record, f, people, users, owners[f], grants, now)

    def at(self, moment: int | None) -> datetime | None:
        return None if moment is None else self.moment + timedelta(microseconds=moment)

    def compare_lists(
        self, user: User, files: list[FileRecord], held: list[list[tuple[int, int]]]
    ) -> None:
        seen = {record for record, of_it in zip(files, held, strict=True) if of_it}
        managed = {r for r, of_it in zip(files, held, strict=True) if of_it and max(of_it)[0] > 0}
        assert set(rule.visible_to(Person(user))) == seen
        places = sorted((record.place for record in seen), reverse=True)
        for at_most in (1, 2, 3):
            newest = paging.newest_places(user, at_most=at_most)
            assert list(newest) == places[:at_most]
        for before in places:
            older = paging.newest_places(user, before=before, at_most=3)
            assert list(older) == [place for place in places if place < before]
        assert set(rule.managed_by(Person(user))) == managed
        assert set(withheld(user)) <= set(files) - seen
        reasons = explain_files(user, files, now=timezone.now(), live=True)
        assert {one.record for one in reasons if one.reasons and user.is_active} == seen

    def compare_one(
        self,
        person: Somebody,
        user: User,
        record: FileRecord,
        held: list[tuple[int, int]],
        wanted: int | None,
    ) -> None:
        access = access_of(Person(user), record)
        manages = bool(held) and max(held)[0] > 0
        assert (access is not None) == bool(held)
        if access is not None:
            rank, end = max(held)
            assert RANK[access.level] == rank
            assert access.is_owner == (rank == 2)
            assert access.may_manage == manages
            assert access.until == self.at(None if end == FOREVER else end)
        functions = person.active and (person.member or person.superuser)
        shares = manages and person.superuser
        expected = {
            "files.download_filerecord": bool(held) and functions,
            "files.view_filerecord": bool(held),
            "files.delete_filerecord": manages,
            "files.change_filerecord": manages,
            "files.add_grant": shares,
            "files.add_filerecord": False,
        }
        assert {perm: user.has_perm(perm, record) for perm in expected} == expected
        reach = max(held)[1] if held else 0
        allowed = shares and (wanted or FOREVER) <= reach
        assert self.can_share(user, record, wanted) == allowed

    def can_share(self, user: User, record: FileRecord, end: int | None) -> bool:
        """Whether the use case lets them share the file until then."""
        newcomer = User.objects.create(username=f"new-{next(self.numbers)}")
        expires_at = self.at(end)
        try:
            with transaction.atomic():
                share([record], [newcomer], Terms("manage", expires_at=expires_at), actor=user)
                transaction.set_rollback(True)
        except ValidationError:
            return False
        return True

    def compare_people(
        self,
        record: FileRecord,
        f: int,
        people: list[Somebody],
        users: list[User],
        owner: int,
        grants: list[Given],
        now: int,
    ) -> None:
        numbered = list(enumerate(people))
        held = {n: holds(person, n, f, owner, grants, now) for n, person in numbered}
        reading = {users[n].pk for n in held if held[n]}
        named = {users[owner].pk} | {
            users[n].pk
            for n, person in numbered
            for grant in grants
            if grant.file == f
            and (grant.recipient in person.groups if grant.to_group else grant.recipient == n)
        }
        assert {user.pk for user in readers(record)} == reading
        assert {user.pk for user in shut_out(record)} == named - reading
        explained = explain_readers(record, readers(record), now=timezone.now(), live=True)
        for one in explained:
            number = next(n for n, user in enumerate(users) if user.pk == one.user.pk)
            assert len(one.reasons) == len(held[number])
            functions = people[number].member or people[number].superuser
            assert one.may_download == functions

    def build(
        self, people: list[Somebody], owners: tuple[int, int], grants: list[Given]
    ) -> tuple[list[User], list[FileRecord]]:
        round_ = next(self.numbers)
        members = ensure_members_group()
        groups = [Group.objects.create(name=f"{round_}-{number}") for number in range(2)]
        users = []
        for number, person in enumerate(people):
            user = User(
                username=f"{round_}-{number}",
                is_active=person.active,
                is_superuser=person.superuser,
            )
            user.save()
            # Of all groups before, of some of them now: to have been a member gives nothing.
            user.groups.set(groups)
            user.groups.set(groups[g] for g in person.groups)
            if person.member:
                user.groups.add(members)
            users.append(user)
        files = [filed(users[owner]) for owner in owners]
        for grant in grants:
            Grant.objects.create(
                file=files[grant.file],
                user=None if grant.to_group else users[grant.recipient],
                group=groups[grant.recipient] if grant.to_group else None,
                level=grant.level,
                starts_at=self.at(grant.starts),
                expires_at=self.at(grant.expires),
                revoked_at=self.moment if grant.revoked else None,
            )
        return users, files


def test_an_anonymous_visitor_sees_nothing(alice: User) -> None:
    record = filed(alice)
    nobody = AnonymousUser()
    assert not rule.visible_to(Person(nobody)).exists()
    assert not rule.managed_by(Person(nobody)).exists()
    assert not paging.newest_places(nobody, at_most=9).exists()
    assert not any(nobody.has_perm(perm, record) for perm in (*CONTENT, *MANAGE))


@pytest.mark.parametrize(
    ("microseconds", "visible"), [(-1, False), (0, True), (59, True), (60, False)]
)
def test_a_file_is_visible_from_the_very_start_until_just_before_the_end(
    alice: User, bob: User, microseconds: int, visible: bool
) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    end = start + timedelta(microseconds=60)
    record = filed(alice)
    Grant.objects.create(file=record, user=bob, starts_at=start, expires_at=end)
    moment = start + timedelta(microseconds=microseconds)
    with patch("django.utils.timezone.now", return_value=moment):
        assert rule.visible_to(Person(bob)).exists() is visible
        assert (access_of(Person(bob), record) is not None) is visible
        assert bob.has_perm(Permission.DOWNLOAD, record) is visible
        assert readers(record).filter(pk=bob.pk).exists() is visible


@pytest.mark.parametrize(("offset", "live"), [(-1, False), (0, True), (59, True), (60, False)])
def test_a_grant_lives_from_its_start_until_just_before_its_expiry(
    alice: User, bob: User, offset: int, live: bool
) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    grant = Grant.objects.create(
        file=filed(alice), user=bob, starts_at=start, expires_at=start + timedelta(seconds=60)
    )
    at = start + timedelta(seconds=offset)
    assert Grant.objects.live(at).exists() is live
    assert (grant.status_at(at) == "live") is live


def test_every_grant_lasts_or_has_ended(alice: User, bob: User) -> None:
    now = timezone.now()
    moments = (None, now - timedelta(days=1), now, now + timedelta(days=1))
    record = filed(alice)
    for expires_at, revoked_at in product(moments, (None, now)):
        Grant.objects.create(file=record, user=bob, expires_at=expires_at, revoked_at=revoked_at)
    lasting, ended = set(Grant.objects.lasting()), set(Grant.objects.ended())
    assert not lasting & ended
    assert lasting | ended == set(Grant.objects.all())
    assert {grant.status for grant in lasting} == {"live"}
    assert {grant.status for grant in ended} == {"expired", "revoked"}


def test_a_person_is_shown_once_a_file_granted_thrice(alice: User, bob: User) -> None:
    record = filed(alice)
    for _ in range(3):
        Grant.objects.create(file=record, user=bob)
    assert list(rule.visible_to(Person(bob))) == [record]


def test_who_is_outside_has_what_the_maker_manages_and_no_more(alice: User, bob: User) -> None:
    """Nothing but the root of the link, and of that only what is its maker's to hand on."""
    case = placing.add_folder(placing.root_of(alice), "Case", added_by=alice)
    inner = placing.add_folder(case, "Inner", added_by=alice)
    one, below = placed(alice, case, name="one"), placed(alice, inner, name="below")
    beside = placed(alice, name="beside")
    soon = timezone.now() + timedelta(hours=1)

    def to(user: User, **root: Any) -> principals.Link:
        return principals.Link(User.objects.get(pk=user.pk), 1, soon, **root)

    def seen(who: principals.Principal) -> set[Any]:
        return {*rule.visible_to(who), *rule.folders_visible_to(who)}

    def added(who: User) -> set[Any]:
        maker = User.objects.get(pk=who.pk)
        request = principals.Request(maker, 1, soon, case.pk)
        assert not seen(request)
        return set(rule.addable_by(request))

    # Without the permission, not even the owner.
    assert not seen(to(alice, folder=case.pk))
    assert not added(alice)
    for user in (alice, bob):
        allow(user)
    assert seen(to(alice, folder=case.pk)) == {case, inner, one, below}
    assert seen(to(alice, file=one.pk)) == {one}
    assert not seen(to(bob, folder=case.pk))
    grant = Grant.objects.create(folder=case, user=bob, level="add")
    assert not seen(to(bob, folder=case.pk))
    assert not added(bob)
    Grant.objects.filter(pk=grant.pk).update(level="manage", expires_at=soon - timedelta(minutes=9))
    assert seen(to(bob, folder=inner.pk)) == {inner, below}
    assert added(bob) == added(alice) == {case, inner}
    for part in (
        *(rule.managed_by, rule.former_visible_to, rule.removable_by, rule.addable_by),
        *(rule.folders_managed_by, rule.trashed_files_of, rule.trashed_folders_of),
    ):
        assert not part(to(bob, folder=case.pk)).exists()
    # It is explained as it is decided, and ends with what it rests on.
    found = explaining.accesses_of(to(bob, folder=inner.pk), [case, inner, one, below, beside])
    assert set(found) == {inner.pk, below.pk}
    assert found[below.pk].level == "download"
    assert not any(access.is_owner for access in found.values())
    assert found[below.pk].until == soon - timedelta(minutes=9)
    assert set(explaining.accesses_of(to(alice, file=one.pk), [case, one, below])) == {one.pk}
    over = principals.Link(alice, 1, timezone.now(), folder=case.pk)
    assert not seen(over)
    assert not explaining.accesses_of(over, [case])
    assert not rule.covered_by_one_grant(to(bob, folder=case.pk), case, inner)
    # What sleeps, sleeps for them.
    Folder.objects.filter(pk=case.pk).update(trashed_at=timezone.now())
    assert not seen(to(alice, folder=inner.pk))
    Folder.objects.filter(pk=case.pk).update(trashed_at=None)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert not seen(to(alice, folder=case.pk))
    assert not added(alice)


def test_who_is_outside_gets_in_until_just_before_the_end(alice: User) -> None:
    allow(alice)
    maker = User.objects.get(pk=alice.pk)
    end = datetime(2030, 1, 1, tzinfo=UTC)
    case = trees.folder(alice, "Case")
    link = principals.Link(maker, 1, end, folder=case.pk)
    request = principals.Request(maker, 1, end, case.pk)
    for early, let_in in ((timedelta(microseconds=1), True), (timedelta(0), False)):
        with patch("django.utils.timezone.now", return_value=end - early):
            assert rule.may_let_in(link) is rule.may_let_in(request) is let_in
            assert rule.folders_visible_to(link).exists() is let_in
            assert rule.addable_by(request).exists() is let_in


def test_to_move_takes_one_live_grant_to_manage_over_both_ends(alice: User, bob: User) -> None:
    top, one, other = (trees.folder(alice, "Top", *names) for names in ((), ("a",), ("b",)))
    team = Group.objects.create(name="team")
    bob.groups.add(team)

    def covered() -> bool:
        return rule.covered_by_one_grant(Person(bob), one, other)

    for end in (one, other):
        Grant.objects.create(folder=end, user=bob, level="manage")
    assert not covered()
    assert rule.covered_by_one_grant(Person(bob), one, one)
    over = Grant.objects.create(folder=top, group=team, level="add")
    assert not covered()
    Grant.objects.filter(pk=over.pk).update(level="manage")
    assert covered()
    Grant.objects.filter(pk=over.pk).update(revoked_at=timezone.now())
    assert not covered()


def allow(user: User) -> None:
    """Let somebody make links and requests."""
    from django.contrib.auth.models import Permission as Row
    from django.contrib.contenttypes.models import ContentType

    kind = ContentType.objects.get_for_model(FileRecord)
    for name in (Permission.LINK, Permission.REQUEST):
        codename = name.partition(".")[2]
        row = Row.objects.filter(codename=codename, content_type__app_label="files").first()
        row = row or Row.objects.create(codename=codename, content_type=kind, name=codename)
        user.user_permissions.add(row)


def test_each_level_is_wider_than_the_one_before() -> None:
    assert list(rule.LEVELS) == sorted(rule.LEVELS, key=lambda one: rule.LEVELS[one])
    assert len(set(rule.LEVELS.values())) == len(rule.LEVELS) == len(Grant.Level)
    assert list(rule.LEVELS) == ["download", "add", "manage"]


def test_a_folder_covers_what_is_in_it_and_below_unless_it_sleeps(alice: User) -> None:
    case, asleep = trees.folder(alice, "Case"), trees.folder(alice, "Case", "Asleep")
    inner, deepest = trees.folder(alice, "Case", "Inner"), trees.folder(alice, "Case", "Inner", "x")
    covered = {placed(alice, where, name="a") for where in (case, inner, deepest)}
    placed(alice, asleep, name="a")
    Folder.objects.filter(pk=asleep.pk).update(trashed_at=timezone.now())
    FileRecord.objects.filter(pk=placed(alice, case, name="b").pk).update(trashed_at=timezone.now())
    placed(alice, name="beside")
    assert {*rule.covered_by(case)} == covered
    assert not rule.covered_by(Folder.objects.get(pk=asleep.pk)).exists()


@pytest.mark.parametrize("decide", [requests.accept, requests.decline])
def test_what_was_sent_waits_for_the_owner_and_for_who_asked_while_they_manage(
    alice: User, bob: User, mallory: User, s3: object, decide: Callable[..., object]
) -> None:
    case = trees.folder(alice, "Case")
    grant = Grant.objects.create(folder=case, user=bob, level="manage")
    Grant.objects.create(folder=case, user=mallory, level="manage")
    asked, _token = ask(bob, case, accept_first=True)
    destination = Destination.through(sender_of(asked))
    sent = storing.store(alice, [b"x"], name="a", destination=destination)
    assert list(rule.waiting_for(Person(bob))) == [sent]
    assert list(rule.waiting_for(Person(alice))) == [sent]
    assert not rule.waiting_for(Person(mallory)).exists()
    Grant.objects.filter(pk=grant.pk).update(level="add")
    assert not rule.waiting_for(Person(bob)).exists()
    decide(asked, [sent.pk], by=Person(alice), actor=alice)
    assert not rule.waiting_for(Person(alice)).exists()
