"""What people are told of: by the use cases themselves, in their transactions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from files.models import FileRecord, Grant
from files.sharing import ending, granting
from files.vault import opening, storing
from notices import Kind
from notices.models import Choice, Mail, Notice
from notices.sweeping import sweep
from tests.mails import delivered

pytestmark = pytest.mark.django_db


@pytest.fixture
def record(alice: User, s3: object) -> FileRecord:
    return storing.store(alice, [b"x"], name="plan.txt")


def told(kind: Kind) -> set[int]:
    return set(Notice.objects.filter(kind=kind).values_list("user", flat=True))


def test_whoever_something_is_shared_with_is_told_and_nobody_else(
    alice: User, bob: User, mallory: User, root: User, record: FileRecord
) -> None:
    team = Group.objects.create(name="team")
    for person in (alice, bob, mallory):
        person.groups.add(team)
    User.objects.filter(pk=mallory.pk).update(is_active=False)
    terms = granting.Terms("download")
    granting.give([record], [team], terms, root)
    assert told(Kind.SHARED_WITH_YOU) == {bob.pk}
    # What they have already is no news.
    granting.give([record], [team], terms, root)
    granting.grant(Grant(file=record, user=root), actor=root)
    assert Notice.objects.count() == 1
    granting.grant(Grant(file=record, user=root, level="manage"), actor=alice)
    assert told(Kind.SHARED_WITH_YOU) == {bob.pk, root.pk}


def test_what_begins_later_is_told_then_and_what_ends_is_told_once(
    alice: User, bob: User, record: FileRecord
) -> None:
    now = timezone.now()
    begins, ends = now + timedelta(days=1), now + timedelta(days=5)
    granting.grant(Grant(file=record, user=bob, starts_at=begins, expires_at=ends), actor=alice)
    assert not Notice.objects.exists()
    assert (ending.tell_begun(now), ending.tell_ends(now)) == (0, 0)
    later = begins + timedelta(minutes=1)
    assert (ending.tell_begun(later), ending.tell_ends(later)) == (1, 0)
    assert (ending.tell_begun(later), ending.tell_ends(later)) == (0, 0)
    soon = ends - timedelta(days=3) + timedelta(minutes=1)
    assert (ending.tell_ends(soon), ending.tell_ends(soon + timedelta(hours=1))) == (1, 0)
    assert told(Kind.SHARED_WITH_YOU) == told(Kind.GRANT_ENDS) == {bob.pk}
    # One that lasts longer now ends anew.
    Grant.objects.update(expires_at=ends + timedelta(days=9))
    assert ending.tell_ends(soon + timedelta(days=9)) == 1


def test_owners_hear_of_downloads_who_wish_to(
    client: Client, alice: User, bob: User, record: FileRecord, real_sign_in: object
) -> None:
    granting.grant(Grant(file=record, user=bob), actor=alice)

    def fetch(person: User) -> None:
        client.force_login(person)
        assert b"".join(client.get(f"/files/{record.pk}/download/")) == b"x"

    fetch(bob)
    assert not told(Kind.FILE_DOWNLOADED)
    Choice.objects.create(user=alice, kind=Kind.FILE_DOWNLOADED, in_app=True)
    fetch(alice)
    assert not told(Kind.FILE_DOWNLOADED)
    fetch(bob)
    notice = Notice.objects.get(kind=Kind.FILE_DOWNLOADED)
    assert (notice.user_id, notice.file_id, notice.actor_id) == (alice.pk, record.pk, bob.pk)


def test_a_sign_in_from_elsewhere_is_told_and_the_first_is_not(alice: User, password: str) -> None:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"

    def sign_in(address: str, agent: str = firefox) -> int:
        client = Client(REMOTE_ADDR=address, HTTP_USER_AGENT=agent)
        form = {"login": "alice", "password": password}
        assert client.post(reverse("account_login"), form).status_code == 302
        return Notice.objects.filter(kind=Kind.NEW_SIGN_IN).count()

    assert sign_in("192.0.2.1") == 0
    assert sign_in("192.0.2.1", firefox.replace("133", "140")) == 0
    assert sign_in("192.0.2.9") == 1
    assert sign_in("192.0.2.9") == 1
    assert sign_in("192.0.2.9", "curl/8.0") == 2
    newest = Notice.objects.latest("id")
    assert newest.details == {"browser": "curl 8", "address": "192.0.2.9"}
    assert newest.path == "/accounts/sessions/"


def test_a_password_that_others_change_is_always_mailed(
    client: Client, alice: User, root: User, password: str
) -> None:
    Choice.objects.create(user=alice, kind=Kind.PASSWORD_CHANGED, in_app=False, by_mail=False)
    # One's own: allauth's mail tells it, at once.
    client.force_login(alice)
    new = dict.fromkeys(("password1", "password2"), "quite another password")
    client.post(reverse("account_change_password"), {"oldpassword": password, **new})
    assert [row.kind for row in Mail.objects.all()] == ["password_changed"]
    assert not Notice.objects.exists()
    alice.refresh_from_db()
    alice.set_password("a third password")
    from audit import context

    with context.active(context.Context(actor_name="command:changepassword")):
        alice.save()
    assert Notice.objects.get().by_mail
    assert len(delivered()) == 2


def test_a_factor_that_others_remove_is_mailed(alice: User, root: User) -> None:
    row = Authenticator.objects.create(user=alice, type="webauthn", data={"name": "k"})
    row.delete()
    found = Notice.objects.filter(kind=Kind.FACTOR_CHANGED).order_by("id")
    assert [(one.details["change"], one.by_mail) for one in found] == [
        ("added", True),
        ("removed", True),
    ]
    assert "second factors" in delivered()[0].subject


def test_administrators_hear_of_damage_once_an_hour(
    alice: User, root: User, record: FileRecord
) -> None:
    other = storing.store(alice, [b"y"], name="other.txt")
    for one in (record, other):
        assert opening.mark_damaged(one.current, ValueError("no"))
    notice = Notice.objects.get()
    assert (notice.kind, notice.user_id) == (Kind.DAMAGE_FOUND, root.pk)
    assert notice.path == "/admin/files/filerecord/?state=damaged"


def test_administrators_hear_of_keys_that_are_gone(
    root: User, record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    from files.crypto.fernetkey import generate_master_key
    from files.keys import master_keys

    monkeypatch.setenv("MASTER_KEYS", generate_master_key())
    monkeypatch.setattr(master_keys, "_watched", master_keys.WatchedKeyring())
    for _ in range(2):
        with pytest.raises(CommandError, match="not configured"):
            call_command("key_report")
    assert [(one.kind, one.user_id) for one in Notice.objects.all()] == [("key_report", root.pk)]


def test_what_is_over_is_swept(alice: User, bob: User) -> None:
    now = timezone.now()
    Notice.objects.create(user=alice, kind="link_opened")
    Notice.objects.create(user=alice, kind="link_opened", at=now - timedelta(days=91))
    waits = Notice.objects.create(
        user=alice, kind="link_opened", at=now - timedelta(days=91), by_mail=True
    )
    Notice.objects.create(user_id=10**9, kind="link_opened")
    Mail.objects.create(message_id="<1@x>", due_at=now, sent_at=now - timedelta(days=8))
    Mail.objects.create(message_id="<2@x>", due_at=now, ended_at=now - timedelta(days=8))
    old = now - timedelta(days=99)
    stuck = Mail.objects.create(message_id="<3@x>", due_at=old, made_at=old)
    assert sweep(now, dry_run=True) == (1, 2)
    assert sweep(now) == (1, 2)
    assert stuck in Mail.objects.all()
    assert waits in Notice.objects.all()
    assert (Mail.objects.count(), Notice.objects.count()) == (2, 2)
