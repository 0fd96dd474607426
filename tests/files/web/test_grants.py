"""files.web.grants: sharing a file from its page, and revoking."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import members
from accounts.models import User
from audit.models import AuditEvent
from files.access import rule
from files.access.principals import Person
from files.models import FileRecord, Grant
from tests.files.conftest import KEY, give
from tests.files.web.conftest import may_share

if TYPE_CHECKING:
    from collections.abc import Callable


def _url(record: FileRecord) -> str:
    return f"/files/{record.pk}/grants/"


def _order(**fields: Any) -> dict[str, Any]:
    return {"to": "bob", "level": "download", "until": "7", **fields}


def test_shares_with_a_person(sharer: Client, record: FileRecord, bob: User) -> None:
    answer = sharer.post(_url(record), _order(reason="the audit"))
    assert answer.status_code == 302
    grant = Grant.objects.get()
    assert (grant.user, grant.level, grant.reason) == (bob, "download", "the audit")
    assert grant.granted_by == record.owner
    assert grant.expires_at is not None
    days = grant.expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < days < timedelta(days=7, seconds=1)
    assert AuditEvent.objects.filter(event="grant_created", grant_id=grant.pk).exists()


def test_finds_people_by_address_and_groups_by_name(
    sharer: Client, record: FileRecord, bob: User
) -> None:
    group = Group.objects.create(name="Audit")
    sharer.post(_url(record), _order(to="BOB@example.org"))
    sharer.post(_url(record), _order(to="Audit", until=""))
    assert Grant.objects.get(group=None).user == bob
    assert Grant.objects.get(group=group).expires_at is None


def test_days_and_a_date_are_not_both_taken(sharer: Client, record: FileRecord, bob: User) -> None:
    answer = sharer.post(_url(record), _order(day="2099-05-01", until="7"))
    assert (answer.status_code, Grant.objects.count()) == (400, 0)
    assert "You chose “7 days” and a day, and only one can be meant" in answer.text


def test_a_date_is_until_its_end(sharer: Client, record: FileRecord, bob: User) -> None:
    sharer.post(_url(record), _order(day="2099-05-01", until="date"))
    end = Grant.objects.get().expires_at
    assert end is not None
    assert timezone.localtime(end).isoformat().startswith("2099-05-02T00:00")


@pytest.mark.parametrize(
    ("chosen", "earliest", "latest"), [("1", 1, 1), ("30", 30, 30), ("months", 89, 92)]
)
def test_an_end_is_so_long_after_now(
    sharer: Client, record: FileRecord, bob: User, chosen: str, earliest: int, latest: int
) -> None:
    sharer.post(_url(record), _order(until=chosen))
    end = Grant.objects.get().expires_at
    assert end is not None
    assert timedelta(days=earliest, hours=-1) < end - timezone.now() <= timedelta(days=latest)


def test_no_end_is_an_end_to_choose(sharer: Client, record: FileRecord, bob: User) -> None:
    sharer.post(_url(record), _order(until=""))
    assert Grant.objects.get().expires_at is None


def test_it_begins_on_a_day(sharer: Client, record: FileRecord, bob: User) -> None:
    sharer.post(_url(record), _order(until="", begins="2099-05-01"))
    begins = Grant.objects.get().starts_at
    assert begins is not None
    assert timezone.localtime(begins).isoformat().startswith("2099-05-01T00:00")
    Grant.objects.all().delete()
    sharer.post(_url(record), _order(begins=timezone.localdate().isoformat()))
    assert Grant.objects.get().starts_at is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"to": "nobody"}, "There is no person and no group “nobody”"),
        ({"to": ""}, "Name at least one"),
        ({"to": " ,;"}, "Name at least one"),
        ({"level": "everything"}, "valid choice"),
        ({"until": "x"}, "valid choice"),
        ({"until": "date"}, "Choose the last day"),
        ({"until": "date", "day": "2001-01-01"}, "That day is over"),
        ({"until": "date", "day": "soon"}, "valid date"),
        ({"until": "date", "day": "9999-12-31"}, "before the year 3000"),
        ({"until": "own"}, "valid choice"),
        ({"begins": "2099-05-01"}, "It would end before it begins"),
        ({"reason": "x" * 256}, "255"),
    ],
)
def test_what_is_wrong_is_said(
    sharer: Client, record: FileRecord, bob: User, wrong: dict[str, str], said: str
) -> None:
    answer = sharer.post(_url(record), _order(**wrong))
    assert answer.status_code == 400
    assert said in answer.text
    assert not Grant.objects.exists()


def test_several_people_and_groups_in_one_step(
    sharer: Client, record: FileRecord, bob: User, mallory: User
) -> None:
    team = Group.objects.create(name="Audit, internal")
    names = "bob\nmallory@example.org; user:bob\nAudit, internal\n"
    answer = sharer.post(_url(record), _order(to=names), follow=True)
    assert {(one.user, one.group) for one in Grant.objects.all()} == {
        (bob, None),
        (mallory, None),
        (None, team),
    }
    assert "Shared with bob, mallory, group “Audit, internal”." in answer.text


def test_nothing_is_shared_unless_all_are_found(
    sharer: Client, record: FileRecord, bob: User
) -> None:
    order = _order(to="bob, alise\nal", level="manage", reason="the audit")
    answer = sharer.post(_url(record), order)
    assert answer.status_code == 400
    assert "There is no person and no group “alise”" in answer.text
    assert "“al” is only a part of a name. Did you mean user:alice (alice)?" in answer.text
    assert "@example.org" not in answer.text
    assert 'value="the audit"' in answer.text
    assert '<option value="manage" selected>' in answer.text
    assert not Grant.objects.exists()


def test_never_guesses_who_is_meant(sharer: Client, record: FileRecord, bob: User) -> None:
    User.objects.create_user("bob@example.org", "other@example.org", "x")
    answer = sharer.post(_url(record), _order(to="bob@example.org"))
    assert answer.status_code == 400
    assert "can mean several. Write one of: user:bob (bob)" in answer.text
    assert not Grant.objects.exists()
    sharer.post(_url(record), _order(to="user:bob"))
    assert Grant.objects.get().user == bob


def test_all_or_nothing_where_one_may_not_be_named(
    sharer: Client, record: FileRecord, bob: User
) -> None:
    answer = sharer.post(_url(record), _order(to="bob, alice"))
    assert (answer.status_code, Grant.objects.count()) == (400, 0)
    assert "alice owns this already: leave out that name" in answer.text


@pytest.mark.parametrize("recipient", ["alice", "owner"])
def test_neither_the_owner_nor_oneself_is_shared_with(
    client: Client, record: FileRecord, bob: User, recipient: str
) -> None:
    give(record, bob, level="manage")
    client.force_login(may_share(bob))
    name = "alice" if recipient == "owner" else "bob"
    answer = client.post(_url(record), _order(to=name))
    assert answer.status_code == 400
    assert ("owns this already" if name == "alice" else "with yourself") in answer.content.decode()
    assert Grant.objects.count() == 1


def test_revokes_at_once(sharer: Client, record: FileRecord, bob: User) -> None:
    grant = give(record, bob)
    sharer.post(_url(record), {"revoke": str(grant.pk)})
    grant.refresh_from_db()
    assert grant.status == "revoked"
    assert grant.revoked_by == record.owner


@pytest.mark.parametrize("number", ["", "x", "0", "9" * 30, "-1"])
def test_no_such_grant_is_a_404(sharer: Client, record: FileRecord, number: str) -> None:
    assert sharer.post(_url(record), {"revoke": number}).status_code == 404


def test_the_grant_of_another_file_is_a_404(
    sharer: Client, record: FileRecord, store: Callable[..., FileRecord], bob: User
) -> None:
    grant = give(store(bob), bob)
    assert sharer.post(_url(record), {"revoke": str(grant.pk)}).status_code == 404
    grant.refresh_from_db()
    assert grant.status == "live"


def test_a_manager_never_grants_past_the_own_end(
    client: Client, record: FileRecord, bob: User, mallory: User
) -> None:
    give(record, bob, level="manage", expires_at=timezone.now() + timedelta(days=3))
    client.force_login(may_share(bob))
    for days in ("7", ""):
        answer = client.post(_url(record), _order(to="mallory", until=days))
        assert answer.status_code == 400
        assert "Your own access ends" in answer.content.decode()
    assert client.post(_url(record), _order(to="mallory", until="1")).status_code == 302
    assert Grant.objects.filter(user=mallory).count() == 1


def test_a_manager_may_share_for_as_long_as_the_own_access(
    client: Client, record: FileRecord, bob: User, mallory: User
) -> None:
    end = timezone.now() + timedelta(hours=3)
    give(record, bob, level="manage", expires_at=end)
    client.force_login(may_share(bob))
    assert '<option value="own" selected>' in client.get(_url(record)).content.decode()
    assert client.post(_url(record), _order(to="mallory", until="own")).status_code == 302
    assert Grant.objects.get(user=mallory).expires_at == end


@pytest.mark.parametrize("through_group", [True, False])
def test_a_manager_revokes_what_is_theirs_to_revoke(
    client: Client, record: FileRecord, bob: User, mallory: User, root: User, through_group: bool
) -> None:
    team = Group.objects.create(name="Team")
    bob.groups.add(team)
    own = give(record, team if through_group else bob, level="manage", granted_by=record.owner)
    theirs = {
        "download of the owner": give(record, mallory, granted_by=record.owner),
        "download of nobody": give(record, mallory),
        "manage of their own": give(record, mallory, level="manage", granted_by=bob),
    }
    others = {
        "manage of the owner": give(record, mallory, level="manage", granted_by=record.owner),
        "manage of who granted": give(record, root, level="manage", granted_by=root),
        "manage of a group": give(record, Group.objects.create(name="Audit"), level="manage"),
    }
    if through_group:
        others["of one's own group"] = own
    client.force_login(may_share(bob))
    page = client.get(_url(record)).content.decode()
    shown = set(map(int, re.findall(r'name="revoke" value="(\d+)"', page)))
    for why, grant in others.items():
        answer = client.post(_url(record), {"revoke": str(grant.pk)})
        assert answer.status_code == 403, why
        assert "not yours to stop" in answer.content.decode()
        grant.refresh_from_db()
        assert (grant.status, grant.pk in shown) == ("live", False), why
    for why, grant in theirs.items():
        assert client.post(_url(record), {"revoke": str(grant.pk)}).status_code == 302
        grant.refresh_from_db()
        assert (grant.status, grant.pk in shown) == ("revoked", True), why


def test_a_manager_may_give_up_the_own_grant(client: Client, record: FileRecord, bob: User) -> None:
    grant = give(record, bob, level="manage")
    client.force_login(may_share(bob))
    answer = client.post(_url(record), {"revoke": str(grant.pk)})
    assert answer["Location"] == "/files/"
    assert client.get(_url(record)).status_code == 404


def test_says_what_a_revoked_manager_gave_to_others(
    sharer: Client, record: FileRecord, bob: User, mallory: User
) -> None:
    grant = give(record, bob, level="manage")
    give(record, mallory, granted_by=bob)
    give(record, mallory, granted_by=bob, revoked_at=timezone.now())
    answer = sharer.post(_url(record), {"revoke": str(grant.pk)}, follow=True)
    assert "bob had shared it with 1 other" in answer.content.decode()
    again = sharer.post(_url(record), {"revoke": str(grant.pk)}, follow=True)
    assert "had been stopped before" in again.content.decode()


def test_those_who_may_only_download_get_a_404(
    client: Client, record: FileRecord, bob: User
) -> None:
    give(record, bob)
    client.force_login(may_share(bob))
    assert client.get(_url(record)).status_code == 404
    assert client.post(_url(record), _order(to="bob")).status_code == 404


def test_without_the_permission_to_share_it_is_refused(
    client: Client, record: FileRecord, alice: User
) -> None:
    client.force_login(alice)
    assert client.get(_url(record)).status_code == 403


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_refuses_other_methods(sharer: Client, record: FileRecord, method: str) -> None:
    assert getattr(sharer, method)(_url(record)).status_code == 405


def test_the_page_shows_grants_in_a_constant_number_of_queries(
    sharer: Client, record: FileRecord, bob: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        give(record, bob)
    with django_assert_max_num_queries(14):
        page = sharer.get(_url(record))
    assert page.content.decode().count('name="revoke"') == 30


def test_many_grants_are_paged(
    sharer: Client, record: FileRecord, bob: User, settings: Settings
) -> None:
    settings.GRANTS_PER_PAGE = 2
    for _ in range(5):
        give(record, bob)
    for _ in range(3):
        give(record, bob, expires_at=timezone.now())
    counts = [
        sharer.get(_url(record), {"page": page}).content.decode().count('name="revoke"')
        for page in ("1", "2", "3", "x", "99")
    ]
    assert counts == [2, 2, 1, 2, 2]
    page = sharer.get(_url(record)).text
    assert "?page=2" in page
    assert "Ended access (2+)" in page
    assert '<details class="ended">' in page
    assert "?earlier=2" in page
    page = sharer.get(_url(record), {"earlier": "2"}).text
    assert page.count('<li class="expired">') == 1
    assert '<details class="ended" open>' in page


def test_a_constant_number_of_queries_finds_people(
    sharer: Client, record: FileRecord, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        User.objects.create_user(f"user{number}", f"user{number}@example.org", last_name="Same")
    wrong = ", ".join(["user", *(f"nobody {number}" for number in range(40)), "Same"])
    with django_assert_max_num_queries(45):
        page = sharer.post(_url(record), _order(to=wrong)).text
    assert "There are more: type more of the name." in page
    assert "“nobody 39”" in page
    assert "“Same” can mean several" in page
    with django_assert_max_num_queries(15):
        page = sharer.post(_url(record), _order(to=", ".join("abcdefghij" * 6))).text
    assert "You named 60 people and groups, and at most 50" in page


# --- What a revocation leaves ------------------------------------------------------------------


def test_who_still_reads_is_said_and_can_be_ended(
    sharer: Client, record: FileRecord, bob: User
) -> None:
    team = Group.objects.create(name="Team")
    bob.groups.add(team)
    ended, through = give(record, bob), give(record, team)
    answer = sharer.post(_url(record), {"revoke": ended.pk}, follow=True)
    assert "can still read it" in answer.text
    assert [line.grant for line in answer.context["left"]] == [through]
    assert [line.may_stop for line in answer.context["left"]] == [True]
    answer = sharer.post(_url(record), {"revoke": through.pk}, follow=True)
    assert "can still read it" not in answer.text
    assert not rule.visible_to(Person(bob)).exists()


@pytest.mark.parametrize("number", ["x", "0", "999999", "", "9" * 30])
def test_what_was_ended_is_asked_for_in_any_words(
    sharer: Client, record: FileRecord, number: str
) -> None:
    answer = sharer.get(_url(record), {"ended": number})
    assert answer.status_code == 200
    assert "left" not in answer.context


def test_a_longer_end_extends_what_is_there(sharer: Client, record: FileRecord, bob: User) -> None:
    sharer.post(_url(record), _order(until="7"))
    answer = sharer.post(_url(record), _order(until="30"), follow=True)
    assert "bob could do that already. It was extended: until" in answer.text
    assert Grant.objects.count() == 1


def test_sharing_the_same_twice_says_so(sharer: Client, record: FileRecord, bob: User) -> None:
    sharer.post(_url(record), _order(until=""))
    answer = sharer.post(_url(record), _order(until="7"), follow=True)
    assert "bob can do that already: with no end." in answer.text
    assert "stop sharing first" in answer.text
    assert Grant.objects.count() == 1


# --- Who may share -----------------------------------------------------------------------------


def test_a_member_without_the_permission_is_told_who_decides(
    client: Client, record: FileRecord, alice: User
) -> None:
    client.force_login(alice)
    answer = client.get(_url(record))
    assert answer.status_code == 403
    assert "administrators share files" in answer.text
    assert "let members" in answer.text


def test_a_switch_lets_members_share_what_they_own(
    client: Client, record: FileRecord, alice: User, bob: User, root: User
) -> None:
    switch = reverse("admin:files_filerecord_sharing")
    client.force_login(root)
    assert "checked" not in client.get(switch).text
    assert reverse("admin:files_filerecord_sharing") in (
        client.get(reverse("admin:files_filerecord_changelist")).text
    )
    client.post(switch, {"on": "on"})
    assert "checked" in client.get(switch).text
    event = AuditEvent.objects.filter(event="group_changed").latest("id")
    assert (event.actor_id, "share_filerecord" in event.data["permissions"]) == (root.pk, True)
    client.force_login(alice)
    assert client.post(_url(record), _order()).status_code == 302
    assert Grant.objects.get().user == bob
    client.force_login(root)
    client.post(switch, {})
    client.force_login(alice)
    assert client.post(_url(record), _order()).status_code == 403


def test_the_switch_gives_nothing_in_the_administration(
    client: Client, record: FileRecord, alice: User, root: User
) -> None:
    members.let_share(on=True)
    alice.is_staff = True
    alice.save()
    client.force_login(alice)
    assert client.get(reverse("admin:files_grant_add")).status_code == 403
    assert client.get(reverse("admin:files_filerecord_sharing")).status_code == 403
    assert client.put(reverse("admin:files_filerecord_sharing")).status_code in {403, 405}


# --- What is said after sharing ----------------------------------------------------------------


def test_after_sharing_the_page_says_what_to_send(
    sharer: Client, record: FileRecord, bob: User
) -> None:
    assert "Tell them where it is" not in sharer.get(_url(record)).text
    answer = sharer.post(_url(record), _order(), follow=True)
    assert "Tell them where it is" in answer.text
    assert f"http://testserver/files/{record.pk}/</code>" in answer.text


def test_after_sharing_a_locked_file_the_page_says_how_to_hand_over_its_key(
    sharer: Client, held_record: FileRecord, bob: User
) -> None:
    page = sharer.post(_url(held_record), _order(), follow=True).text
    assert "Now hand over its key" in page
    assert "Whoever is to open it needs both: that you shared it, and its key." in page
    assert "by another way than the address" in page
    assert f"/files/{held_record.pk}/</code>" in page
    assert f'href="/files/{held_record.pk}/key/"' in page
    assert KEY not in page


def test_a_manager_is_told_who_has_the_key(
    client: Client, held_record: FileRecord, bob: User, mallory: User
) -> None:
    give(held_record, bob, level="manage")
    client.force_login(may_share(bob))
    page = client.post(_url(held_record), _order(to="mallory"), follow=True).text
    assert "The key was made for <bdi>alice</bdi>" in page
    assert f'href="/files/{held_record.pk}/key/"' not in page
