"""Invitations: sent, accepted once, taken back; and their secret is nowhere but in the mail."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import invitations
from accounts.models import Invitation, User
from audit import Event
from audit.models import AuditEvent
from notices.models import Mail
from securestore.logs import LineFormatter
from tests.mails import delivered

EVE = "eve@example.org"
ADD = "admin:accounts_invitation_add"
LIST = "admin:accounts_invitation_changelist"
NEW_PASSWORD = "a rather long password"


@pytest.fixture
def office(client: Client, root: User) -> Client:
    """An administrator's browser."""
    client.force_login(root)
    return client


@pytest.fixture
def clerk(db: None) -> User:
    user = User.objects.create_user("clerk", "clerk@example.org", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="add_user"))
    return user


def invite(office: Client, email: str = EVE, **more: Any) -> str:
    """The path of the link in the mail."""
    answer = office.post(reverse(ADD), {"email": email, **more})
    assert answer.status_code == 302, answer.content
    return link_in(delivered()[-1])


def link_in(message: Any) -> str:
    found = re.search(r"http://testserver(/accounts/invitation/[\w-]{43}/)", message.body)
    assert found is not None
    return found[1]


def act(office: Client, action: str) -> Any:
    chosen = [str(pk) for pk in Invitation.objects.values_list("pk", flat=True)]
    form = {"action": action, "_selected_action": chosen}
    return office.post(reverse(LIST), form, follow=True)


def accept(client: Client, link: str, **changes: str) -> Any:
    moved = client.get(link)
    assert moved["Location"] == reverse("invitation")
    form = {"username": "eve", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD, **changes}
    return client.post(reverse("invitation"), form)


def events(name: Event) -> list[dict[str, Any]]:
    return [event.data for event in AuditEvent.objects.filter(event=name).order_by("id")]


# --- Sending -----------------------------------------------------------------------------------


def test_a_mail_goes_out_in_plain_text(office: Client) -> None:
    invite(office, "Eve@Example.org")
    [message] = delivered()
    assert message.to == [EVE]
    assert message.subject == "[Securestore] You are invited"
    assert "root invites you" in message.body
    [(html, _)] = message.alternatives  # type: ignore[attr-defined]
    assert f'<a href="http://testserver{link_in(message)}">' in str(html)
    assert events(Event.USER_INVITED) == [
        {"invitation": Invitation.objects.get().pk, "email": EVE, "again": False}
    ]


@pytest.mark.parametrize(
    "email", ["eve@example.org\nBcc: all@example.org", "eve@example.org\r\nX: y", "eve", ""]
)
def test_what_is_no_address_is_refused_and_nothing_sent(office: Client, email: str) -> None:
    assert office.post(reverse(ADD), {"email": email}).status_code == 200
    assert not delivered()
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("email", ["alice@example.org", "ALICE@example.org", "second@example.org"])
def test_whoever_has_an_account_is_not_invited(office: Client, alice: User, email: str) -> None:
    EmailAddress.objects.create(user=alice, email="second@example.org", verified=True)
    answer = office.post(reverse(ADD), {"email": email})
    assert b"exists already" in answer.content
    assert not delivered()


def test_one_invitation_waits_for_each_address(office: Client) -> None:
    invite(office)
    answer = office.post(reverse(ADD), {"email": "EVE@example.org"})
    assert b"invited already" in answer.content
    assert len(delivered()) == 1


def test_a_mail_server_that_is_away_loses_no_invitation(
    office: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> int:
        raise SMTPException("no")

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    answer = office.post(reverse(ADD), {"email": EVE}, follow=True)
    assert "is on its way" in answer.content.decode()
    assert not delivered()
    monkeypatch.undo()
    Mail.objects.update(due_at=timezone.now())
    assert link_in(delivered()[-1])


def test_an_invitation_that_is_not_recorded_is_not_sent(
    office: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.chain.record", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        office.post(reverse(ADD), {"email": EVE})
    monkeypatch.undo()
    assert not delivered()


def test_sending_is_limited(office: Client) -> None:
    invite(office)
    for _ in range(4):
        act(office, "send_again")
    answer = act(office, "send_again")
    assert "Try again in 60 minutes" in answer.content.decode()
    assert len(delivered()) == 5


# --- Who may -----------------------------------------------------------------------------------


def test_a_clerk_invites_members_only(client: Client, clerk: User) -> None:
    Group.objects.create(name="Auditors")
    client.force_login(clerk)
    assert b"Auditors" not in client.get(reverse(ADD)).content
    link = invite(client, groups=[str(Group.objects.get(name="Auditors").pk)])
    accept(Client(), link)
    assert [group.name for group in User.objects.get(username="eve").groups.all()] == ["Members"]


def test_a_superuser_chooses_groups(office: Client) -> None:
    auditors = Group.objects.create(name="Auditors")
    accept(Client(), invite(office, groups=[str(auditors.pk)]))
    assert list(User.objects.get(username="eve").groups.all()) == [auditors]


def test_other_staff_do_not_invite(client: Client, clerk: User, office: Client) -> None:
    invite(office)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_user"))
    client.force_login(clerk)
    assert client.get(reverse(ADD)).status_code == 403
    assert client.post(reverse(ADD), {"email": "x@example.org"}).status_code == 403
    assert client.get(reverse(LIST)).status_code == 403
    assert len(delivered()) == 1


def test_the_administration_leads_there(office: Client) -> None:
    people = office.get(reverse("admin:accounts_user_changelist")).content.decode()
    assert f'href="{reverse(ADD)}"' in people
    assert office.get(reverse(ADD)).status_code == 200


def test_invitations_are_history(office: Client) -> None:
    invite(office)
    number = Invitation.objects.get().pk
    page = office.get(reverse("admin:accounts_invitation_change", args=[number]))
    assert page.status_code == 200
    assert Invitation.objects.get().token_hash not in page.content.decode()
    delete = reverse("admin:accounts_invitation_delete", args=[number])
    assert office.post(delete, {"post": "yes"}).status_code == 403


def test_the_list_costs_the_same_for_many(
    office: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(2):
        invite(office, f"eve{number}@example.org")
    office.get(reverse(LIST))  # Shows the messages.
    with CaptureQueriesContext(connection) as captured:
        office.get(reverse(LIST))
    count = len(captured)
    for number in range(2, 8):
        invite(office, f"eve{number}@example.org")
    office.get(reverse(LIST))
    with django_assert_num_queries(count):
        office.get(reverse(LIST))


# --- Accepting ---------------------------------------------------------------------------------


def test_an_account_is_made_and_signed_in(office: Client) -> None:
    link = invite(office)
    eve = Client()
    assert accept(eve, link)["Location"] == "/files/"
    assert eve.get("/files/").status_code == 200
    assert not eve.cookies["sessionid"]["max-age"]  # It ends with the browser, as any other.
    user = User.objects.get(username="eve")
    assert (user.email, user.is_staff, user.is_superuser) == (EVE, False, False)
    assert user.check_password(NEW_PASSWORD)
    assert EmailAddress.objects.get(user=user).verified
    assert user.has_perm("files.add_filerecord")
    [event] = events(Event.INVITATION_ACCEPTED)
    assert (event["username"], event["user_id"]) == ("eve", user.pk)
    assert Invitation.objects.get().state == "accepted"


def test_a_link_works_once(office: Client) -> None:
    link = invite(office)
    accept(Client(), link)
    assert_over(Client(), link)
    assert User.objects.filter(email=EVE).count() == 1


def assert_over(client: Client, link: str) -> None:
    answer = client.get(link, follow=True)
    assert answer.status_code == 410
    assert "This invitation does not work" in answer.content.decode()


def test_following_the_link_uses_nothing_up(office: Client) -> None:
    """Programs that look through mail follow links."""
    link = invite(office)
    for _ in range(3):
        assert Client().get(link, follow=True).status_code == 200
    assert accept(Client(), link).status_code == 302


def test_an_expired_link_is_over_and_opens_when_it_is_sent_again(office: Client) -> None:
    link = invite(office)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert_over(Client(), link)
    act(office, "send_again")
    assert_over(Client(), link)
    assert accept(Client(), link_in(delivered()[-1])).status_code == 302


def test_how_long_it_works_is_a_setting(office: Client, settings: Settings) -> None:
    settings.INVITATION_EXPIRY_HOURS = 2
    invite(office)
    left = Invitation.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=119) < left <= timedelta(hours=2)


def test_a_revoked_link_is_over_also_on_a_page_that_is_open(office: Client) -> None:
    link = invite(office)
    eve = Client()
    assert eve.get(link, follow=True).status_code == 200
    act(office, "revoke")
    assert accept(eve, link).status_code == 410
    assert not User.objects.filter(email=EVE).exists()
    assert events(Event.INVITATION_REVOKED)[0]["email"] == EVE
    # It is over, so it is not sent again, and the address can be invited anew.
    assert "invite anew" in act(office, "send_again").content.decode()
    assert accept(Client(), invite(office)).status_code == 302


def test_revoking_twice_is_one_event(office: Client) -> None:
    invite(office)
    act(office, "revoke")
    act(office, "revoke")
    assert len(events(Event.INVITATION_REVOKED)) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"username": "ALICE"}, "exists already"),
        ({"username": "no spaces"}, "valid username"),
        ({"password2": "another"}, "match"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password1": EVE + "1", "password2": EVE + "1"}, "too similar"),
    ],
)
def test_a_form_with_errors_keeps_the_invitation(
    office: Client, alice: User, changes: dict[str, str], words: str
) -> None:
    link = invite(office)
    eve = Client()
    answer = accept(eve, link, **changes)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert NEW_PASSWORD not in answer.content.decode()
    assert accept(eve, link).status_code == 302


def test_an_account_that_was_made_meanwhile_is_told(office: Client) -> None:
    link = invite(office)
    User.objects.create_user("other", EVE)
    answer = accept(Client(), link)
    assert answer.status_code == 400
    assert b"An account with this e-mail address exists already." in answer.content


def test_somebody_signed_in_is_asked_to_sign_out(office: Client, alice: User) -> None:
    link = invite(office)
    other = Client()
    other.force_login(alice)
    answer = other.get(link, follow=True)
    assert b"You are signed in already" in answer.content
    accept(other, link)
    assert not User.objects.filter(email=EVE).exists()


def test_without_a_link_there_is_no_page(client: Client, db: None) -> None:
    assert client.get(reverse("invitation")).status_code == 410
    assert client.put(reverse("invitation")).status_code == 405
    assert client.post(reverse("invitation_link", args=["x"])).status_code == 405


def test_opening_links_is_limited(client: Client, db: None) -> None:
    for _ in range(31):
        answer = client.get(reverse("invitation_link", args=["guess"]))
    assert answer.status_code == 302
    assert events(Event.LOCKED_OUT) == [{"action": "invitation_link"}]


def test_accepting_is_limited(office: Client) -> None:
    link = invite(office)
    eve = Client()
    for _ in range(21):
        answer = accept(eve, link, password2="x")
    assert answer.status_code == 429
    assert 290 < int(answer["Retry-After"]) <= 300
    assert b"Try again in 5 minutes" in answer.content


# --- The secret --------------------------------------------------------------------------------


def test_the_token_is_in_no_row_no_session_and_no_referer(office: Client) -> None:
    link = invite(office)
    token = link.split("/")[-2]
    eve = Client()
    moved = eve.get(link)
    assert (moved.status_code, moved["Referrer-Policy"]) == (302, "no-referrer")
    assert token not in moved["Location"]
    assert token not in eve.get(reverse("invitation")).content.decode()
    kept: list[Any] = [*Invitation.objects.values(), *AuditEvent.objects.values()]
    kept += [dict(eve.session), *Session.objects.values()]
    assert token not in str(kept)
    assert Invitation.objects.get().token_hash == invitations.hash_of(token)


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/invitation/the-token/",
        "/accounts/password/reset/key/1-the-token/",
        "/accounts/confirm-email/the-token/",
    ],
)
def test_the_log_shows_no_link(path: str) -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "Not Found: %s", (path,), None)
    line = LineFormatter("%(message)s").format(record)
    assert "the-token" not in line
    assert line.endswith("…/")
