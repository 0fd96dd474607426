"""The language and the time zone of pages: the account's, else the browser's, else the site's."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from accounts.preferences import languages, zones
from tests.files.test_models import placed

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
