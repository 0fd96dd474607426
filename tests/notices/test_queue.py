"""The queue: with its event or not at all, secrets wrapped and erased, nothing twice, none lost."""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.keys import master_keys, waiting_mails
from files.rotation import retirement, rewrapping
from notices import mail, queue, sealing
from notices.models import Mail
from notices.queue import Outcome
from runtime import leases
from tests.mails import delivered

LINK = "https://vault.example.org/l/9f8e7d6c5b4a39281706f5e4d3c2b1a0/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _site(settings: Settings) -> None:
    settings.SITE_URL = "https://vault.example.org"
    settings.EMAIL_BACKEND = "tests.notices.test_queue.Backend"
    Backend.fails = []


class Backend(EmailBackend):
    """Fails as it is told, one mail after the other; what it is given lies in the box of tests."""

    fails: list[Exception | None] = []

    def send_messages(self, messages: Any) -> int:
        error = self.fails.pop(0) if self.fails else None
        if error is not None:
            raise error
        return super().send_messages(messages)


class Away(EmailBackend):
    def open(self) -> bool:
        raise ConnectionRefusedError("nobody there")


def put(text: str = f"Open:\n\n{LINK}\n", to: str = "guest@example.org", **more: Any) -> Mail:
    return mail.put("A link for you", text, kind="link", to=to, **more)


def due_now() -> None:
    Mail.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_a_mail_goes_out_once_and_what_it_said_is_erased() -> None:
    row = put(language="de")
    row.refresh_from_db()
    assert b"9f8e7d6c" not in bytes(row.content or b"") + bytes(row.wrapped_key or b"")
    [sent] = delivered()
    assert sent.subject == "[Securestore] A link for you"
    assert sent.to == ["guest@example.org"]
    assert sent.extra_headers["Message-ID"] == row.message_id
    assert sent.extra_headers["Auto-Submitted"] == "auto-generated"
    assert sent.body == f"Open:\n\n{LINK}\n"
    [(html, kind)] = sent.alternatives  # type: ignore[attr-defined]
    assert kind == "text/html"
    assert f'<a href="{LINK}">{LINK}</a>' in html
    assert '<html lang="de">' in html
    row.refresh_from_db()
    assert row.state == "sent"
    assert (row.content, row.wrapped_key, row.master_key_id) == (None, None, "")
    assert delivered() == [sent]


def test_what_is_rolled_back_sends_nothing() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        put()
        raise ZeroDivisionError
    assert not delivered()


@pytest.mark.parametrize(
    "line", ["https://evil.example/l/", "see https://vault.example.org/x", "<b>bold</b>"]
)
def test_what_others_typed_is_no_link_and_no_markup(line: str) -> None:
    put(f"They say:\n\n{line}\n")
    html = str(delivered()[0].alternatives[0][0])  # type: ignore[attr-defined]
    assert "<a " not in html
    assert "<b>" not in html


LATER = [
    SMTPRecipientsRefused({"g@example.org": (451, b"greylisted")}),
    SMTPDataError(452, b"no room"),
    SMTPSenderRefused(550, b"who are you?", "securestore@localhost"),
    ConnectionResetError("gone"),
]


def test_what_may_go_better_is_tried_again_ever_later_and_never_lost() -> None:
    row = put()
    waits = []
    for error in LATER * 3:
        Backend.fails = [error]
        assert not delivered()
        row.refresh_from_db()
        waits.append(round((row.due_at - timezone.now()).total_seconds() / 60))
        assert row.state == "failing"
        assert row.last_error
        due_now()
    assert waits == [1, 2, 4, 8, 16, 32, *[60] * 6]
    [sent] = delivered()
    assert sent.extra_headers["Message-ID"] == row.message_id
    assert "smtp" not in str(Mail.objects.get().last_error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SMTPRecipientsRefused({"g@x.org": (550, b"no such\nuser")}), "g@x.org: 550 no such user"),
        (SMTPDataError(554, b"spam"), "554 spam"),
    ],
)
def test_what_is_refused_for_good_ends_in_the_servers_words(error: Exception, words: str) -> None:
    row = put()
    Backend.fails = [error]
    delivered()
    row.refresh_from_db()
    assert (row.state, row.last_error) == ("given up", words)
    assert row.content is None
    due_now()
    assert not delivered()


def test_a_receiver_who_is_always_put_off_is_given_up_and_a_server_that_is_away_is_not() -> None:
    row = put()
    Mail.objects.update(made_at=timezone.now() - timedelta(days=6))
    Backend.fails = [ConnectionResetError("gone")]
    delivered()
    row.refresh_from_db()
    assert row.state == "failing"
    due_now()
    Backend.fails = [SMTPRecipientsRefused({"g@x.org": (451, b"later")})]
    delivered()
    row.refresh_from_db()
    assert row.state == "given up"


def test_a_server_that_is_away_stops_the_run_and_costs_the_others_nothing(
    settings: Settings,
) -> None:
    first, second = put(), put()
    settings.EMAIL_BACKEND = "tests.notices.test_queue.Away"
    done = queue.deliver()
    assert (done.sent, done.later) == (0, 1)
    assert "nobody there" in done.away
    second.refresh_from_db()
    assert second.attempts == 0
    settings.EMAIL_BACKEND = "tests.notices.test_queue.Backend"
    due_now()
    assert {sent.extra_headers["Message-ID"] for sent in delivered()} == {
        first.message_id,
        second.message_id,
    }


def test_one_that_cannot_be_sent_at_all_is_in_nobodys_way() -> None:
    row, _ = put(), put()
    Backend.fails = [KeyError("a fault of ours")]
    assert len(delivered()) == 1
    row.refresh_from_db()
    assert (row.state, row.last_error) == ("failing", "KeyError: 'a fault of ours'")


def test_what_is_of_no_use_any_more_is_not_sent() -> None:
    row = put(useful_for=timedelta(minutes=10))
    Mail.objects.update(useful_until=timezone.now() - timedelta(seconds=1))
    assert not delivered()
    row.refresh_from_db()
    assert (row.state, row.last_error) == ("given up", queue.TOO_LATE)
    assert row.wrapped_key is None


def test_two_that_deliver_never_have_the_same_mail() -> None:
    put(), put()
    first, second = queue.claim(), queue.claim()
    assert first is not None
    assert second is not None
    assert first.pk != second.pk
    assert queue.claim() is None
    # Neither when a sender takes long, nor because somebody looks for the dead.
    assert queue.free_the_dead() == 0
    assert queue.claim() is None


def test_a_killed_sender_leaves_its_mail_to_the_next_under_the_same_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = put()
    claimed = queue.claim()
    assert claimed is not None
    # Sent, and killed before it was noted.
    queue.Server().open()
    assert queue.claim() is None
    monkeypatch.setattr(leases, "is_dead", lambda lease: lease == claimed.lease)
    [sent] = delivered()
    assert sent.extra_headers["Message-ID"] == row.message_id
    # The first comes round, and finds that the mail is not its own any more.
    assert queue.send(claimed, queue.Server())[0] is Outcome.LATER
    assert len(delivered()) == 1
    row.refresh_from_db()
    assert row.attempts == 2


def test_a_lease_of_another_host_ends_by_the_databases_clock() -> None:
    put()
    assert queue.claim() is not None
    Mail.objects.update(lease="elsewhere/1/2/3", leased_until=timezone.now())
    assert queue.claim() is not None


def test_one_with_other_rows_cannot_turn_a_link_to_themselves() -> None:
    row, other = put(), put("Nothing.", to="thief@example.org")
    Mail.objects.filter(pk=row.pk).update(to="thief@example.org")
    delivered()
    row.refresh_from_db()
    assert row.state == "given up"
    assert "another message or receiver" in row.last_error
    other.refresh_from_db()
    assert [sent.body for sent in django_mail.outbox] == ["Nothing.\n"]
    assert other.state == "sent"


@pytest.mark.parametrize("column", ["content", "wrapped_key"])
def test_what_was_altered_is_not_sent(column: str) -> None:
    row = put()
    Mail.objects.update(**{column: b"rubbish"})
    assert not delivered()
    row.refresh_from_db()
    assert row.state == "given up"
    assert "altered" in row.last_error


# --- Keys ----------------------------------------------------------------------------------------

OLD, NEW = generate_master_key(), generate_master_key()
OLD_ID, NEW_ID = LocalMasterKey(OLD).id, LocalMasterKey(NEW).id


def use(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    monkeypatch.setenv("MASTER_KEYS", ",".join(keys))
    monkeypatch.setattr(master_keys, "_watched", master_keys.WatchedKeyring())


def test_a_waiting_mail_outlives_the_master_key_that_wrapped_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, OLD)
    row = put()
    use(monkeypatch, NEW, OLD)
    assert waiting_mails.mails_by_key() == {OLD_ID: 1}
    with pytest.raises(retirement.KeyIsNeeded, match="1 waiting mail"):
        retirement.retire(OLD_ID)
    assert rewrapping.rewrap().secrets == 1
    assert waiting_mails.mails_by_key() == {NEW_ID: 1}
    use(monkeypatch, NEW)
    assert [sent.extra_headers["Message-ID"] for sent in delivered()] == [row.message_id]


def test_a_mail_waits_for_a_key_that_is_not_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, OLD)
    row = put()
    use(monkeypatch, NEW)
    assert OLD_ID in queue.deliver().away
    row.refresh_from_db()
    assert row.state == "failing"
    use(monkeypatch, NEW, OLD)
    due_now()
    assert len(delivered()) == 1


def test_an_account_reads_it_in_its_language(alice: User) -> None:
    alice.language, alice.email = "fr", "alice@example.org"
    row = mail.enqueue(
        "account/email/password_changed",
        {"ip": "192.0.2.1", "timestamp": timezone.now()},
        kind="password_changed",
        person=alice,
    )
    assert (row.to, row.language, row.user_id) == ("alice@example.org", "fr", alice.pk)
    [sent] = delivered()
    assert isinstance(sent, EmailMessage)
    assert "mot de passe" in sent.subject


def test_what_we_say_ourselves_of_a_mail_is_in_the_language_of_who_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the rest the servers' words stand as they are."""
    monkeypatch.setattr(queue, "gettext", lambda text: f"deutsch: {text}")
    for ours in (queue.TOO_LATE, queue.TAKEN_OVER):
        assert queue.said(ours) == f"deutsch: {ours}"
    for why in (sealing.REWRITTEN, sealing.OTHER_KEY, sealing.OF_ANOTHER):
        said = queue.said(queue.ALTERED % {"why": why})
        assert said == "deutsch: " + queue.ALTERED % {"why": f"deutsch: {why}"}
    for theirs in ("550 no such user: 100 %", ""):
        assert queue.said(theirs) == theirs


@pytest.mark.parametrize("to", ["eve@evil.example (@firm.example", "Eve <eve@evil.example>"])
def test_nobody_gets_a_mail_but_whom_its_row_names(to: str) -> None:
    put(to=to)
    queue.deliver()
    assert not django_mail.outbox
    assert Mail.objects.get().ended_at is not None
