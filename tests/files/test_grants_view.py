"""files.views.grants: sharing a file from its page, and revoking."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from files.models import Grant
from tests.files.conftest import give

if TYPE_CHECKING:
    from collections.abc import Callable

    from files.models import FileRecord


def _url(record: FileRecord) -> str:
    return f"/files/{record.pk}/grants/"


def _may_share(user: User) -> User:
    user.user_permissions.add(Permission.objects.get(codename="add_grant"))
    return user


@pytest.fixture
def sharer(client: Client, alice: User) -> Client:
    client.force_login(_may_share(alice))
    return client


def _order(**fields: Any) -> dict[str, Any]:
    return {"recipient": "bob", "level": "download", "days": "7", **fields}


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
    sharer.post(_url(record), _order(recipient="BOB@example.org"))
    sharer.post(_url(record), _order(recipient="Audit", days=""))
    assert Grant.objects.get(group=None).user == bob
    assert Grant.objects.get(group=group).expires_at is None


def test_a_date_comes_before_the_days(sharer: Client, record: FileRecord, bob: User) -> None:
    sharer.post(_url(record), _order(until="2099-05-01"))
    end = Grant.objects.get().expires_at
    assert end is not None
    assert timezone.localtime(end).isoformat().startswith("2099-05-02T00:00")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"recipient": "nobody"}, "no person and no group"),
        ({"recipient": ""}, "required"),
        ({"level": "everything"}, "valid choice"),
        ({"days": "x"}, "valid choice"),
        ({"until": "2001-01-01"}, "not over"),
        ({"until": "soon"}, "valid date"),
        ({"reason": "x" * 256}, "255"),
    ],
)
def test_what_is_wrong_is_said(
    sharer: Client, record: FileRecord, bob: User, wrong: dict[str, str], said: str
) -> None:
    answer = sharer.post(_url(record), _order(**wrong))
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not Grant.objects.exists()


def test_never_guesses_who_is_meant(sharer: Client, record: FileRecord, bob: User) -> None:
    User.objects.create_user("bob@example.org", "other@example.org", "x")
    answer = sharer.post(_url(record), _order(recipient="bob@example.org"))
    assert answer.status_code == 400
    assert not Grant.objects.exists()


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
    client.force_login(_may_share(bob))
    for days in ("7", ""):
        answer = client.post(_url(record), _order(recipient="mallory", days=days))
        assert answer.status_code == 400
        assert "Your own access ends" in answer.content.decode()
    assert client.post(_url(record), _order(recipient="mallory", days="1")).status_code == 302
    assert Grant.objects.filter(user=mallory).count() == 1


def test_those_who_may_only_download_get_a_404(
    client: Client, record: FileRecord, bob: User
) -> None:
    give(record, bob)
    client.force_login(_may_share(bob))
    assert client.get(_url(record)).status_code == 404
    assert client.post(_url(record), _order(recipient="bob")).status_code == 404


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
    with django_assert_max_num_queries(12):
        page = sharer.get(_url(record))
    assert page.content.decode().count('name="revoke"') == 30
