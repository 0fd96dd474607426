"""The words of scripts: for anybody, the same for everybody, and kept by browsers."""

from __future__ import annotations

from django.test import Client

from accounts.models import User


def test_the_words_are_a_script_that_any_cache_may_keep(client: Client, db: None) -> None:
    answer = client.get("/jsi18n/en-gb/")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/javascript")
    assert answer["Cache-Control"] == "public, max-age=3600"
    assert not answer.cookies
    for name in ("gettext", "ngettext", "interpolate"):
        assert f"django.{name} =" in answer.content.decode()


def test_they_depend_on_nothing_but_their_address(client: Client, alice: User) -> None:
    before = client.get("/jsi18n/de/").content
    client.force_login(alice)
    assert client.get("/jsi18n/de/", headers={"Accept-Language": "fr"}).content == before
    # The administration has its own words.
    assert "Choose all" not in before.decode()
    assert b"n != 1" in before or b"n!=1" in before or b"count == 1" in before


def test_a_language_that_is_not_spoken_does_not_exist(client: Client, db: None) -> None:
    assert client.get("/jsi18n/tlh/").status_code == 404
    assert client.post("/jsi18n/en-gb/").status_code == 405
