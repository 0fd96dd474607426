"""The access rule, stated once more in a few lines of plain Python, and compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.members import ensure_members_group
from accounts.models import User
from files.access import Permission, access_of
from files.models import FileRecord, Grant
from tests.files.test_models import filed

CONTENT = ("files.download_filerecord", "files.view_filerecord")
MANAGE = ("files.change_filerecord", "files.delete_filerecord", "files.add_grant")


@dataclass(frozen=True)
class Person:
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
    starts: int | None  # Minutes from now.
    expires: int | None
    revoked: bool


MINUTES = st.none() | st.integers(-3, 3).filter(bool)
PEOPLE = st.lists(
    st.builds(
        Person, st.booleans(), st.booleans(), st.booleans(), st.frozensets(st.integers(0, 1))
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
        MINUTES,
        MINUTES,
        st.booleans(),
    ).filter(lambda g: g.starts is None or g.expires is None or g.starts < g.expires),
    max_size=6,
)


def holds(person: Person, number: int, file: int, owner: int, grants: list[Given]) -> set[str]:
    """The rule: what a person holds of a file. Empty: to them it does not exist."""
    if not person.active:
        return set()
    held = {"owner"} if number == owner else set()
    for grant in grants:
        mine = grant.recipient in person.groups if grant.to_group else grant.recipient == number
        begun = grant.starts is None or grant.starts < 0
        running = grant.expires is None or grant.expires > 0
        if grant.file == file and mine and begun and running and not grant.revoked:
            held.add(grant.level)
    return held


class TheRule(TestCase):
    numbers = count()

    @settings(max_examples=25)  # Each asks some hundred queries.
    @given(people=PEOPLE, owners=st.tuples(st.integers(0, 1), st.integers(0, 1)), grants=GRANTS)
    def test_every_door_gives_the_same_answer(
        self, people: list[Person], owners: tuple[int, int], grants: list[Given]
    ) -> None:
        users, files = self.build(people, owners, grants)
        for number, (person, user) in enumerate(zip(people, users, strict=True)):
            held = [holds(person, number, f, owners[f], grants) for f in range(2)]
            seen = {f for f in range(2) if held[f]}
            managed = {f for f in range(2) if held[f] & {"owner", "manage"}}
            assert set(FileRecord.objects.visible_to(user)) == {files[f] for f in seen}
            assert set(FileRecord.objects.managed_by(user)) == {files[f] for f in managed}
            for f, record in enumerate(files):
                access = access_of(user, record)
                assert (access is not None) == (f in seen)
                if access is not None:
                    widest = next(w for w in ("owner", "manage", "download") if w in held[f])
                    assert access.level == widest
                    assert access.is_owner == (widest == "owner")
                functions = person.active and (person.member or person.superuser)
                assert user.has_perm("files.download_filerecord", record) == (
                    f in seen and functions
                )
                assert user.has_perm("files.view_filerecord", record) == (f in seen)
                assert user.has_perm("files.delete_filerecord", record) == (f in managed)
                assert user.has_perm("files.change_filerecord", record) == (f in managed)
                assert user.has_perm("files.add_grant", record) == (
                    f in managed and person.active and person.superuser
                )
                assert not user.has_perm("files.add_filerecord", record)

    def build(
        self, people: list[Person], owners: tuple[int, int], grants: list[Given]
    ) -> tuple[list[User], list[FileRecord]]:
        now = timezone.now()
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
            user.groups.set(groups[g] for g in person.groups)
            if person.member:
                user.groups.add(members)
            users.append(user)
        files = [filed(users[owner]) for owner in owners]

        def moment(minutes: int | None) -> datetime | None:
            return None if minutes is None else now + timedelta(minutes=minutes)

        for grant in grants:
            Grant.objects.create(
                file=files[grant.file],
                user=None if grant.to_group else users[grant.recipient],
                group=groups[grant.recipient] if grant.to_group else None,
                level=grant.level,
                starts_at=moment(grant.starts),
                expires_at=moment(grant.expires),
                revoked_at=now if grant.revoked else None,
            )
        return users, files


def test_an_anonymous_visitor_sees_nothing(alice: User) -> None:
    record = filed(alice)
    nobody = AnonymousUser()
    assert not FileRecord.objects.visible_to(nobody).exists()
    assert not FileRecord.objects.managed_by(nobody).exists()
    assert not any(nobody.has_perm(perm, record) for perm in (*CONTENT, *MANAGE))


@pytest.mark.parametrize("perm", ["files.add_filerecord", "files.other", "auth.view_group", ""])
def test_other_questions_about_a_file_are_answered_no(alice: User, perm: str) -> None:
    assert not alice.has_perm(perm, filed(alice))


def test_a_question_about_anything_else_is_answered_no(alice: User, root: User) -> None:
    assert not alice.has_perm(Permission.DOWNLOAD, object())
    assert not root.has_perm("auth.view_group", Group.objects.create(name="Team"))


def test_a_record_that_is_gone_is_nobodys(alice: User) -> None:
    record = filed(alice)
    FileRecord.objects.all().delete()
    assert not alice.has_perm(Permission.DOWNLOAD, record)


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


def test_access_is_explained_by_the_widest_and_longest_grant(alice: User, bob: User) -> None:
    record = filed(alice)
    team = Group.objects.create(name="Team")
    bob.groups.add(team)
    soon, later = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(hours=2)
    Grant.objects.create(file=record, user=bob, expires_at=soon)
    longest = Grant.objects.create(file=record, user=bob, expires_at=later)
    access = access_of(bob, record)
    assert access
    assert (access.level, access.until, access.grant_id) == ("download", later, longest.pk)
    endless = Grant.objects.create(file=record, user=bob)
    access = access_of(bob, record)
    assert access
    assert (access.until, access.via, access.grant_id) == (None, "", endless.pk)
    Grant.objects.create(file=record, group=team, level="manage", expires_at=soon)
    access = access_of(bob, record)
    assert access
    assert (access.level, access.until, access.via) == ("manage", soon, "group \u201cTeam\u201d")


def test_a_person_is_shown_once_a_file_granted_thrice(alice: User, bob: User) -> None:
    record = filed(alice)
    for _ in range(3):
        Grant.objects.create(file=record, user=bob)
    assert list(FileRecord.objects.visible_to(bob)) == [record]
