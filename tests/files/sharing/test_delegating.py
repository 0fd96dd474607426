"""Sharing as far as one's own access reaches, and stopping it: one step, one event for each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError

from accounts.models import User
from files.access import rule
from files.access.principals import Person
from files.models import FileRecord, Grant
from files.sharing import delegating
from files.sharing.granting import How, Terms
from tests.files.conftest import give
from tests.files.test_models import filed

Events = Callable[[str], list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("who", "level", "how", "may"),
    [
        ("owner", "manage", "", True),
        ("owner", "download", "", True),
        ("manager", "download", "", True),
        ("manager", "manage", "", False),
        ("manager", "manage", "given", True),
        ("manager", "manage", "held", True),
        ("reader", "download", "", False),
        ("reader", "download", "given", False),
        ("stranger", "download", "given", False),
    ],
)
def test_who_may_withdraw_which_grant(
    alice: User, bob: User, mallory: User, root: User, who: str, level: str, how: str, may: bool
) -> None:
    record = filed(alice)
    if who in {"manager", "reader"}:
        give(record, bob, level="manage" if who == "manager" else "download")
    actor = alice if who == "owner" else bob
    to = actor if how == "held" else mallory
    target = give(record, to, level=level, granted_by=actor if how == "given" else root)
    if may:
        assert delegating.withdraw(target, actor=actor) is True
        assert delegating.withdraw(target, actor=alice) is False
    else:
        with pytest.raises(ValidationError, match="not yours to stop"):
            delegating.withdraw(target, actor=actor)
    target.refresh_from_db()
    assert (target.revoked_at is not None) is may


END = datetime(2030, 1, 1, tzinfo=UTC)
LATER = END + timedelta(days=9)
STEP = timedelta(microseconds=1)


def _manager(user: User) -> User:
    user.user_permissions.add(Permission.objects.get(codename="add_grant"))
    return User.objects.get(pk=user.pk)


def _in_person(record: FileRecord, user: User, give: Callable[..., Grant], **fields: Any) -> None:
    give(record, user, **fields)


def _by_group(record: FileRecord, user: User, give: Callable[..., Grant], **fields: Any) -> None:
    group = Group.objects.create(name=f"Team {Group.objects.count()}")
    user.groups.add(group)
    give(record, group, **fields)


@pytest.mark.parametrize("hold", [_in_person, _by_group])
@pytest.mark.parametrize("level", ["download", "manage"])
@pytest.mark.parametrize(
    ("held", "reach"),
    [
        ([{"expires_at": END}], END),
        ([{"expires_at": END}, {"expires_at": LATER}], LATER),
        ([{"expires_at": END}, {}], None),
        # What does not count: less than to manage, what is over, and what has not begun.
        ([{"expires_at": END}, {"level": "download"}], END),
        ([{"expires_at": END}, {"revoked_at": END}], END),
        ([{"expires_at": END}, {"starts_at": END, "expires_at": LATER}], END),
    ],
)
def test_nobody_shares_past_what_they_manage(
    alice: User,
    bob: User,
    mallory: User,
    give: Callable[..., Grant],
    hold: Callable[..., None],
    level: str,
    held: list[dict[str, Any]],
    reach: datetime | None,
) -> None:
    record = filed(alice)
    for fields in held:
        hold(record, bob, give, **{"level": "manage", **fields})
    bob = _manager(bob)

    def share(until: datetime | None) -> Grant:
        terms = Terms(level, expires_at=until)
        [told] = delegating.share([record], [mallory], terms, actor=bob)
        return told.grant

    if reach is not None:
        assert share(reach - STEP).expires_at == reach - STEP
        for too_far in (reach + STEP, None):
            with pytest.raises(ValidationError, match="Your own access ends"):
                share(too_far)
    assert share(reach).expires_at == reach


@pytest.mark.parametrize("missing", ["manage", "permission", "active", "grant"])
def test_who_may_not_share_is_refused_by_the_use_case_itself(
    alice: User, bob: User, mallory: User, give: Callable[..., Grant], missing: str
) -> None:
    record = filed(alice)
    if missing != "grant":
        give(record, bob, level="download" if missing == "manage" else "manage")
    if missing != "permission":
        bob = _manager(bob)
    bob.is_active = missing != "active"
    with pytest.raises(ValidationError, match="can no longer share"):
        delegating.share([record], [mallory], Terms("download"), actor=bob)
    assert not Grant.objects.filter(user=mallory).exists()


@pytest.mark.parametrize(
    ("to", "why"), [("alice", "alice owns this already"), ("bob", "with yourself")]
)
def test_nobody_shares_with_the_owner_or_with_themselves(
    alice: User, bob: User, give: Callable[..., Grant], to: str, why: str
) -> None:
    record = filed(alice)
    give(record, bob, level="manage", expires_at=END)
    bob = _manager(bob)
    to_whom = {"alice": alice, "bob": bob}[to]
    with pytest.raises(ValidationError, match=why):
        delegating.share([record], [to_whom], Terms("download", expires_at=END), actor=bob)
    assert Grant.objects.count() == 1


def test_several_are_shared_with_all_or_with_nobody(
    alice: User, bob: User, mallory: User, events: Events
) -> None:
    alice = _manager(alice)
    mine, theirs, other = filed(alice), filed(bob), filed(bob)
    give(other, alice, level="manage", expires_at=END)
    terms = Terms("download", expires_at=LATER)
    with pytest.raises(ValidationError) as refused:
        delegating.share([mine, theirs, other], [mallory], terms, actor=alice)
    assert len(refused.value.messages) == 2
    assert "can no longer share this" in refused.value.messages[0]
    assert "Your own access ends" in refused.value.messages[1]
    assert not Grant.objects.filter(user=mallory).exists()
    team = Group.objects.create(name="Team")
    told = delegating.share(
        [mine, other], [mallory, team], Terms("download", None, END), actor=alice
    )
    assert [one.how for one in told] == [How.MADE] * 4
    assert {(one.item, one.recipient) for one in told} == {
        (item, to) for item in (mine, other) for to in (mallory, team)
    }
    assert len(events("grant_created")) == 4
    again = delegating.share([mine], [mallory], Terms("download"), actor=alice)
    assert [one.how for one in again] == [How.EXTENDED]
    again = delegating.share([mine], [mallory], Terms("download"), actor=alice)
    assert [one.how for one in again] == [How.SAME]


def test_too_many_at_once_are_refused_with_the_numbers(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegating, "GRANTS_AT_ONCE", 3)
    groups = [Group.objects.create(name=f"{number}") for number in range(2)]
    items = [filed(alice), filed(alice)]
    with pytest.raises(ValidationError, match="2 things for 2 people and groups, 4 together"):
        delegating.share(items, groups, Terms("download"), actor=_manager(alice))
    assert not Grant.objects.exists()


# --- A group of one's own ----------------------------------------------------------------------


def test_a_managers_reach_ends_with_what_it_rests_on(alice: User, bob: User) -> None:
    """By a second group of theirs it would outlive the first."""
    record = filed(alice)
    first, second = Group.objects.create(name="First"), Group.objects.create(name="Second")
    bob.groups.add(first, second)
    give(record, first, level="manage")
    bob.user_permissions.add(Permission.objects.get(codename="add_grant"))
    bob = User.objects.get(pk=bob.pk)
    for level in Grant.Level:
        with pytest.raises(ValidationError, match="You are in the group “Second” yourself"):
            delegating.share([record], [second], Terms(level), actor=bob)
    bob.groups.remove(first)
    assert not rule.visible_to(Person(bob)).exists()


# --- What remains ------------------------------------------------------------------------------


def test_one_step_is_for_so_many_and_no_more(
    alice: User, bob: User, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegating, "GRANTS_AT_ONCE", 2)
    alice.user_permissions.add(Permission.objects.get(codename="share_filerecord"))
    alice = User.objects.get(pk=alice.pk)
    records, terms = [filed(alice, name=f"{n}") for n in range(3)], Terms("download")
    delegating.share(records[:1], [bob, root], terms, actor=alice)
    assert Grant.objects.count() == 2
    for items, people in ((records, [bob]), (records[:2], [bob, root])):
        with pytest.raises(ValidationError, match="at most 2 can be done at once"):
            delegating.share(items, people, terms, actor=alice)
    assert Grant.objects.count() == 2


def test_what_is_in_the_way_is_named_where_it_is_one_of_several(alice: User, bob: User) -> None:
    records = [filed(alice, name=f"{n}.txt") for n in range(2)]
    said = "You can no longer share this. Ask its owner or an administrator."
    for items, expected in (
        (records[:1], [said]),
        (records, [f"“0.txt”: {said}", f"“1.txt”: {said}"]),
    ):
        with pytest.raises(ValidationError) as refused:
            delegating.share(items, [bob], Terms("download"), actor=bob)
        assert refused.value.messages == expected
