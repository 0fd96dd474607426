"""Granting, changing and revoking: one transaction, one event, whichever door it came through."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from files.access import rule
from files.access.principals import Person
from files.models import FileRecord, Grant, Item
from files.sharing import granting
from files.tree import placing
from notices.telling import About
from tests.files import trees
from tests.files.conftest import give
from tests.files.test_models import filed

Events = Callable[[str], list[dict[str, Any]]]


def visible(user: User) -> bool:
    return rule.visible_to(Person(user)).exists()


def test_a_grant_is_saved_and_audited(alice: User, bob: User, root: User, events: Events) -> None:
    record = filed(alice)
    until = timezone.now() + timedelta(days=1)
    new = Grant(file=record, user=bob, expires_at=until)
    saved = granting.grant(new, actor=root)
    assert (saved.granted_by, visible(bob)) == (root, True)
    [event] = events("grant_created")
    assert event == {
        "file_id": record.id,
        "actor": "root",
        "level": "download",
        "user_id": bob.pk,
        "group_id": None,
        "starts_at": None,
        "expires_at": until.isoformat(),
    }
    assert AuditEvent.objects.get(event="grant_created").grant_id == saved.pk


@pytest.mark.parametrize("through_group", [True, False])
def test_who_lets_themselves_in_is_audited_as_such(
    alice: User, root: User, events: Events, through_group: bool
) -> None:
    team = Group.objects.create(name="Team")
    root.groups.add(team)
    recipient = {"group": team} if through_group else {"user": root}
    granting.grant(Grant(file=filed(alice), **recipient), actor=root)
    assert visible(root)
    assert len(events("self_granted")) == 1
    assert events("grant_created") == []


@pytest.mark.parametrize("level", ["", "everything"])
def test_a_grant_that_breaks_a_rule_is_refused_and_nothing_happens(
    alice: User, bob: User, root: User, events: Events, level: str
) -> None:
    with pytest.raises(ValidationError):
        granting.grant(Grant(file=filed(alice), user=bob, level=level), actor=root)
    assert not Grant.objects.exists()
    assert events("grant_created") == []


def test_a_change_is_saved_and_audited(
    alice: User, bob: User, root: User, give: Callable[..., Grant], events: Events
) -> None:
    grant = give(filed(alice), bob)
    grant.expires_at = timezone.now()
    granting.change(grant, actor=root)
    assert not visible(bob)
    assert [event["actor"] for event in events("grant_changed")] == ["root"]


END = datetime(2030, 1, 1, tzinfo=UTC)
LATER = END + timedelta(days=9)
NEAR, FAR = datetime(2040, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("former", "changed", "wider"),
    [
        ({"level": "download"}, {"level": "manage"}, True),
        ({"level": "manage"}, {"level": "manage"}, False),
        ({"level": "manage"}, {"level": "download"}, False),
        ({"expires_at": NEAR}, {"expires_at": FAR}, True),
        ({"expires_at": NEAR}, {"expires_at": None}, True),
        ({"expires_at": NEAR}, {"expires_at": NEAR}, False),
        ({"expires_at": FAR}, {"expires_at": NEAR}, False),
        ({"expires_at": None}, {"expires_at": NEAR}, False),
        ({"starts_at": FAR}, {"starts_at": NEAR}, True),
        ({"starts_at": FAR}, {"starts_at": None}, True),
        ({"starts_at": NEAR}, {"starts_at": NEAR}, False),
        ({"starts_at": NEAR}, {"starts_at": FAR}, False),
        ({"starts_at": None}, {"starts_at": NEAR}, False),
    ],
)
def test_who_widens_their_own_grant_lets_themselves_in(
    alice: User, bob: User, events: Events, former: Any, changed: Any, wider: bool
) -> None:
    record = filed(alice)
    for to, expected in ((bob, int(wider)), (alice, 0)):
        grant = give(record, to, **former)
        for name, value in changed.items():
            setattr(grant, name, value)
        before = len(events("self_granted"))
        granting.change(grant, actor=bob)
        assert len(events("self_granted")) - before == expected


def test_what_somebody_gave_to_others_is_counted(
    alice: User, bob: User, mallory: User, root: User
) -> None:
    record = filed(alice)
    give(record, mallory, granted_by=bob)
    give(record, root, granted_by=bob)
    give(record, bob, granted_by=bob)
    give(record, mallory, granted_by=bob, revoked_at=timezone.now())
    give(record, mallory, granted_by=alice)
    give(record, mallory, granted_by=None)
    give(filed(alice), mallory, granted_by=bob)
    assert granting.given_by(bob.pk, record) == 2
    assert granting.given_by(None, record) == 0


def test_a_change_that_breaks_a_rule_is_refused(
    alice: User, bob: User, root: User, events: Events
) -> None:
    grant = give(filed(alice), bob)
    grant.level = "everything"
    with pytest.raises(ValidationError):
        granting.change(grant, actor=root)
    grant.refresh_from_db()
    assert (grant.level, events("grant_changed")) == ("download", [])


def test_a_revoked_grant_ends_now_and_stays_as_history(
    alice: User, bob: User, root: User, give: Callable[..., Grant], events: Events
) -> None:
    grant = give(filed(alice), bob)
    assert granting.revoke(grant, actor=root) is True
    assert not visible(bob)
    grant.refresh_from_db()
    assert grant.revoked_by == root
    first = grant.revoked_at
    assert granting.revoke(grant, actor=alice) is False
    grant.refresh_from_db()
    assert (grant.revoked_at, grant.revoked_by) == (first, root)
    assert len(events("grant_revoked")) == 1


def test_a_reason_hides_nothing(alice: User, bob: User, root: User) -> None:
    """Nothing invisible, no change of the reading direction, one line: it is shown to others."""
    hostile, kept = " the\u202e\u200b\n audit\x00\x1b[31m ", "the audit[31m"
    record = filed(alice)
    first = granting.grant(Grant(file=record, user=bob, reason=hostile), actor=root)
    assert first.reason == kept
    first.reason = hostile
    assert granting.change(first, actor=root).reason == kept
    granting.grant_many(
        [record],
        [alice],
        level="download",
        starts_at=None,
        expires_at=None,
        reason=hostile,
        actor=root,
    )
    assert set(Grant.objects.values_list("reason", flat=True)) == {kept}


# --- How far those who manage a file may share it -----------------------------------------------


def test_what_is_gone_is_not_granted(
    alice: User, bob: User, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, there = filed(alice), filed(alice)
    new = Grant(file=record, user=bob)
    # After the grant was found to be right, and before its file is locked.
    monkeypatch.setattr(new, "full_clean", FileRecord.objects.filter(pk=record.pk).delete)
    with pytest.raises(ValidationError, match="This was deleted meanwhile"):
        granting.grant(new, actor=root)
    terms: dict[str, Any] = {"starts_at": None, "expires_at": None, "reason": "", "actor": root}
    with pytest.raises(ValidationError, match="deleted meanwhile: choose again"):
        granting.grant_many([record, there], [bob], level="download", **terms)
    assert not Grant.objects.exists()


# --- The same grant twice ----------------------------------------------------------------------


def _new(record: FileRecord, to: Any, days: int | None, *, after: int | None = None) -> Grant:
    now = timezone.now()
    return Grant(
        file=record,
        user=to if isinstance(to, User) else None,
        group=None if isinstance(to, User) else to,
        starts_at=None if after is None else now + timedelta(days=after),
        expires_at=None if days is None else now + timedelta(days=days),
    )


@pytest.mark.parametrize(
    ("first", "second", "lasts"), [(7, 7, 7), (7, 3, 7), (3, 7, 7), (7, None, None)]
)
def test_the_same_grant_twice_is_one_that_lasts_as_long_as_both(
    alice: User, bob: User, root: User, first: int, second: int | None, lasts: int | None
) -> None:
    record = filed(alice)
    granting.grant(_new(record, bob, first), actor=root)
    granting.grant(_new(record, bob, second), actor=root)
    (one,) = Grant.objects.all()
    if lasts is None:
        assert one.expires_at is None
    else:
        assert one.expires_at is not None
        assert abs(one.expires_at - timezone.now() - timedelta(days=lasts)) < timedelta(minutes=5)


def test_what_does_not_meet_or_is_over_or_another_level_stays_apart(
    alice: User, bob: User, root: User
) -> None:
    record = filed(alice)
    give(record, bob, expires_at=timezone.now() - timedelta(days=1))
    give(record, bob, revoked_at=timezone.now())
    granting.grant(_new(record, bob, 7), actor=root)
    granting.grant(_new(record, bob, 40, after=30), actor=root)
    manage = _new(record, bob, 7)
    manage.level = "manage"
    granting.grant(manage, actor=root)
    assert Grant.objects.count() == 5
    granting.grant(_new(record, bob, 35), actor=root)  # It meets the first one.
    assert Grant.objects.count() == 5


def test_what_is_over_at_this_very_moment_is_over(
    alice: User, bob: User, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the rule has it: nobody's access goes on by way of a grant that has just ended."""
    end = timezone.now() + timedelta(days=1)
    there = give(filed(alice), bob, expires_at=end)
    monkeypatch.setattr("django.utils.timezone.now", lambda: end)
    granting.grant(Grant(file=there.file, user=bob), actor=root)
    assert Grant.objects.count() == 2


@pytest.mark.parametrize("after", [None, 2])
def test_the_same_grant_twice_changes_nothing_the_second_time(
    alice: User, bob: User, root: User, events: Events, after: int | None
) -> None:
    new = _new(filed(alice), bob, 7, after=after)
    terms = {"starts_at": new.starts_at, "expires_at": new.expires_at}
    granting.grant(new, actor=root)
    granting.grant(Grant(file=new.file, user=bob, **terms), actor=root)
    Grant.objects.update(starts_at=timezone.now() - timedelta(days=1))
    granting.grant(Grant(file=new.file, user=bob, expires_at=new.expires_at), actor=root)
    assert Grant.objects.count() == 1
    assert events("grant_changed") == []


def test_who_extends_their_own_grant_lets_themselves_in(
    alice: User, bob: User, root: User, events: Events
) -> None:
    record = filed(alice)
    for to in (root, bob):
        granting.grant(_new(record, to, 3), actor=root)
        granting.grant(_new(record, to, 7), actor=root)
    assert [event["user_id"] for event in events("self_granted")] == [root.pk, root.pk]
    assert [event["user_id"] for event in events("grant_changed")] == [root.pk, bob.pk]


def test_a_grant_that_has_not_begun_begins_with_the_earlier_of_both(
    alice: User, bob: User, root: User
) -> None:
    record = filed(alice)
    first = granting.grant(_new(record, bob, 40, after=30), actor=root)
    sooner = _new(record, bob, 35, after=10)
    assert granting.grant(sooner, actor=root) == first
    first.refresh_from_db()
    assert first.starts_at == sooner.starts_at
    granting.grant(_new(record, bob, 45, after=20), actor=root)
    first.refresh_from_db()
    assert first.starts_at == sooner.starts_at
    granting.grant(_new(record, bob, 35), actor=root)
    first.refresh_from_db()
    assert first.starts_at is None


@pytest.mark.parametrize(
    "terms", [{"level": "everything"}, {"starts_at": LATER, "expires_at": END}]
)
def test_many_at_once_that_break_a_rule_are_refused_and_nothing_happens(
    alice: User, bob: User, root: User, terms: Any
) -> None:
    usual = {"level": "download", "starts_at": None, "expires_at": None, "reason": ""}
    with pytest.raises(ValidationError):
        granting.grant_many([filed(alice)], [bob], **{**usual, **terms}, actor=root)
    assert not Grant.objects.exists()


def test_many_at_once_are_the_same_rule(alice: User, bob: User, root: User) -> None:
    record, team = filed(alice), Group.objects.create(name="Team")
    terms: dict[str, Any] = {"level": "download", "starts_at": None, "reason": "", "actor": root}
    done = granting.grant_many([record], [bob, team], expires_at=None, **terms)
    assert (done.made, done.skipped, done.extended) == (2, 0, 0)
    soon = timezone.now() + timedelta(days=1)
    done = granting.grant_many([record], [bob, team], expires_at=soon, **terms)
    assert (done.made, done.skipped, done.extended) == (0, 2, 0)
    Grant.objects.update(expires_at=soon)
    done = granting.grant_many([record], [bob, team], expires_at=None, **terms)
    assert (done.made, done.skipped, done.extended) == (0, 0, 2)


def test_what_remains_is_every_other_way_in(alice: User, bob: User, mallory: User) -> None:
    record, team = filed(alice), Group.objects.create(name="Team")
    bob.groups.add(team)
    ended = give(record, bob, revoked_at=timezone.now())
    through = give(record, team)
    later = give(record, bob, starts_at=timezone.now() + timedelta(days=1))
    give(record, bob, expires_at=timezone.now())
    give(record, mallory)
    assert granting.remaining(record, ended.user, None) == [through, later]
    said = granting.describe_left([through, later], "bob")
    assert f"the grant {through.pk} to group “Team” to download, without end" in said
    assert f"the grant {later.pk} to bob to download from " in said
    assert granting.remaining(record, None, team) == [through, later]
    assert granting.describe_left([], "bob") == ""


def test_a_revocation_of_an_old_copy_tells_what_the_grant_was(
    alice: User, bob: User, root: User
) -> None:
    grant = give(filed(alice), bob)
    Grant.objects.filter(pk=grant.pk).update(level="manage")
    granting.revoke(grant, actor=root)
    assert AuditEvent.objects.get(event="grant_revoked").data["level"] == "manage"
    grant.reason = "an edit of a page that was open"
    granting.change(grant, actor=root)
    grant.refresh_from_db()
    assert grant.revoked_at is not None


def test_an_owner_who_shares_with_a_group_of_theirs_lets_nobody_in_unseen(alice: User) -> None:
    team = Group.objects.create(name="Team")
    alice.groups.add(team)
    granting.grant(_new(filed(alice), team, None), actor=alice)
    told = AuditEvent.objects.filter(event__in=["grant_created", "self_granted"])
    assert [event.event for event in told] == ["grant_created"]


def test_people_are_told_of_what_has_begun_and_not_of_what_begins_later(
    alice: User, bob: User, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def note(kind: object, abouts: list[About], **of: object) -> None:
        told.extend(one.person for one in abouts)

    monkeypatch.setattr("files.sharing.granting.telling.notify_each", note)
    later, before = (timezone.now() + timedelta(days=days) for days in (1, -1))
    granting.grant(Grant(file=filed(alice), user=bob, starts_at=later), actor=root)
    assert told == []
    granting.grant(Grant(file=filed(alice), user=bob, starts_at=before), actor=root)
    assert told == [bob.pk]


def test_of_a_group_its_active_members_are_told(alice: User, bob: User, mallory: User) -> None:
    team = Group.objects.create(name="Team")
    team.user_set.set([alice, bob, mallory])
    User.objects.filter(pk=mallory.pk).update(is_active=False)
    made = give(filed(alice), team)
    assert [one.person for one in granting.notices_of([made])] == [bob.pk]


def test_of_many_at_once_people_are_told_once_of_what_is_new(
    alice: User, bob: User, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def note(kind: object, abouts: list[About], **of: object) -> None:
        told.extend(one.person for one in abouts)

    monkeypatch.setattr("files.sharing.granting.telling.notify_each", note)
    record, terms = filed(alice), granting.Terms("download")
    for _ in range(2):  # The second time they have it already.
        granting.give([record], [bob], terms, root)
        assert told == [bob.pk]
    granting.give([record], [root], terms, alice, tell=False)
    assert told == [bob.pk]


def test_of_files_and_folders_at_once_the_terms_are_right_for_both(
    alice: User, bob: User, root: User
) -> None:
    """To add is for folders: no file slips by because a folder comes after it."""
    items: list[Item] = [filed(alice), trees.folder(alice, "Case")]
    with pytest.raises(ValidationError):
        granting.grant_many(
            items,
            [bob],
            level="add",
            starts_at=None,
            expires_at=None,
            reason="",
            actor=root,
        )
    assert not Grant.objects.exists()


def test_of_a_way_that_is_left_the_beginning_is_told_where_it_is_to_come(
    alice: User, bob: User
) -> None:
    past, later = (timezone.now() + timedelta(days=days) for days in (-1, 1))
    record = filed(alice)
    begun, coming = give(record, bob, starts_at=past), give(record, bob, starts_at=later)
    assert " from " not in granting.describe_left([begun], "bob")
    assert " from " in granting.describe_left([coming], "bob")


def test_all_of_a_persons_files_are_not_granted_at_once(alice: User, bob: User, root: User) -> None:
    terms: dict[str, Any] = {"level": "download", "starts_at": None, "expires_at": None}
    with pytest.raises(ValidationError, match="All of a person"):
        granting.grant_many([placing.root_of(alice)], [bob], **terms, reason="", actor=root)
    assert not Grant.objects.exists()


def test_who_widens_a_grant_of_their_group_lets_themselves_in(
    alice: User, root: User, events: Events
) -> None:
    team = Group.objects.create(name="Team")
    root.groups.add(team)
    grant = give(filed(alice), team, expires_at=timezone.now() + timedelta(hours=1))
    grant.expires_at = None
    granting.change(grant, actor=root)
    assert len(events("self_granted")) == 1


def test_nothing_remains_of_what_was_nobodys(alice: User, bob: User) -> None:
    record = filed(alice)
    give(record, bob)
    assert granting.remaining(record, None, None) == []
