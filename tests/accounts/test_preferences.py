"""The language and the time zone of pages: the account's, else the browser's, else the site's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from accounts.preferences import of_reader
from notices.readers import languages, zones
from runtime import moments
from tests.files.test_models import placed
from tests.mails import delivered

LIST = "/files/"
ENGLISH, GERMAN, FRENCH = "en-gb", "de", "fr"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", ENGLISH),
        ("de-AT,de;q=0.9,en;q=0.1", GERMAN),
        ("fr-CA", FRENCH),
        ("en-US", ENGLISH),
        ("it, de;q=0.2", GERMAN),
        ("tlh", ENGLISH),
        ("x" * 5_000, ENGLISH),
    ],
)
def test_a_browser_says_which_language(client: Client, db: None, said: str, told: str) -> None:
    page = client.get("/accounts/login/", headers={"Accept-Language": said})
    assert f'<html lang="{told}">' in page.text
    assert page["Content-Language"] == told
    assert "Accept-Language" in page["Vary"]


@pytest.mark.parametrize(("chosen", "told"), [("fr", FRENCH), ("", GERMAN), ("tlh", GERMAN)])
def test_the_account_says_it_before(client: Client, alice: User, chosen: str, told: str) -> None:
    User.objects.filter(pk=alice.pk).update(language=chosen)
    client.force_login(alice)
    page = client.get(LIST, headers={"Accept-Language": "de"})
    assert f'<html lang="{told}">' in page.text
    # And it says it of this request alone.
    assert f'<html lang="{ENGLISH}">' in Client().get("/accounts/login/").text


@pytest.mark.parametrize(
    ("chosen", "cookie", "hour"),
    [
        ("", "", "+00:00"),
        ("", "Asia/Tokyo", "+09:00"),
        ("America/New_York", "Asia/Tokyo", "-0"),
        ("", "../../etc/passwd", "+00:00"),
        ("No/Where", "Asia/Tokyo", "+09:00"),
        ("", "x" * 4_000, "+00:00"),
    ],
)
def test_times_are_those_of_the_persons_zone(
    client: Client, alice: User, chosen: str, cookie: str, hour: str
) -> None:
    placed(alice)
    User.objects.filter(pk=alice.pk).update(time_zone=chosen)
    client.force_login(alice)
    client.cookies["zone"] = cookie
    [moment] = [
        part.partition('"')[0] for part in client.get(LIST).text.split('<time datetime="')[1:]
    ]
    assert hour in moment


def test_there_are_zones_and_languages_to_choose_from() -> None:
    assert {"Europe/Berlin", "UTC"} <= zones()
    assert languages() == {ENGLISH, GERMAN, FRENCH}


# --- Mails --------------------------------------------------------------------------------------

RESET = "/accounts/password/reset/"


def mail_after_reset(client: Client, address: str, browser: str) -> mail.EmailMessage:
    client.post(RESET, {"email": address}, headers={"Accept-Language": browser})
    return delivered()[-1]


@pytest.mark.parametrize(
    ("chosen", "subject", "sentence"),
    [
        ("fr", "Définir un nouveau mot de passe", "Pour en choisir un, ouvrez\N{NO-BREAK SPACE}:"),
        ("de", "Neues Passwort setzen", "Um eines zu wählen, öffnen Sie:"),
        ("", "Set a new password", "To choose one, open:"),
        ("tlh", "Set a new password", "To choose one, open:"),
    ],
)
def test_a_mail_is_in_the_language_of_who_gets_it(
    client: Client, alice: User, chosen: str, subject: str, sentence: str
) -> None:
    """Whatever the browser of who asked for it says: anybody may."""
    User.objects.filter(pk=alice.pk).update(language=chosen)
    message = mail_after_reset(client, alice.email, "de" if chosen != "de" else "fr")
    assert message.subject == f"[Securestore] {subject}"
    assert sentence in message.body
    # The page that follows is in the language of who sees it.
    assert (
        f'lang="{"de" if chosen != "de" else "fr"}"'
        in client.get(RESET, headers={"Accept-Language": "de" if chosen != "de" else "fr"}).text
    )


def test_a_mail_to_nobody_we_know_is_in_the_language_of_the_site(
    client: Client, db: None, settings: Settings
) -> None:
    message = mail_after_reset(client, "eve@example.org", "fr")
    assert message.subject == "[Securestore] No account with this address"
    settings.LANGUAGE_CODE = "de"
    message = mail_after_reset(client, "adam@example.org", "fr")
    assert message.subject == "[Securestore] Kein Konto mit dieser Adresse"


def test_moments_in_a_mail_are_those_of_who_gets_it(alice: User) -> None:
    alice.language, alice.time_zone = "de", "Asia/Tokyo"
    moment = datetime(2026, 11, 30, 20, 15, tzinfo=UTC)
    with of_reader(alice):
        assert moments.in_words(moment) == "1. Dezember 2026, 05:15"
    with of_reader(None):
        assert moments.in_words(moment) == "30 Nov 2026, 20:15"


def test_an_invitation_is_in_the_language_of_the_site(client: Client, root: User) -> None:
    """Not in that of who invites."""
    User.objects.filter(pk=root.pk).update(language="fr")
    client.force_login(root)
    client.post(reverse("admin:accounts_invitation_add"), {"email": "eve@example.org"})
    assert delivered()[-1].subject == "[Securestore] You are invited"
    assert "The link works once" in delivered()[-1].body
