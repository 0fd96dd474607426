"""The cookie that keeps a file unlocked: what it is bound to, and what ends it."""

from __future__ import annotations

import base64
import os
from datetime import timedelta
from http.cookies import Morsel
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.contrib.auth.models import Group
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.keys.custody import UserKey
from files.models import FileRecord, Grant
from files.rotation import rewrapping
from files.web.transfers import unlocking
from tests.files.conftest import KEY, Store, UseKeys, give


@pytest.fixture
def browser(client: Client, held_record: FileRecord, bob: User) -> Client:
    """Bob's, who was granted the file and has unlocked it."""
    give(held_record, bob)
    client.force_login(bob)
    client.post(f"/files/{held_record.pk}/unlock/", {"key": KEY})
    return client


def cookie(client: Client) -> Morsel[str]:
    return client.cookies[unlocking.COOKIE]


def status(client: Client, record: FileRecord) -> int:
    answer = client.head(f"/files/{record.pk}/download/")
    return int(answer.status_code)


def test_it_is_for_this_file_and_no_script(browser: Client, held_record: FileRecord) -> None:
    morsel = cookie(browser)
    assert morsel["path"] == f"/files/{held_record.pk}/"
    assert morsel["httponly"] is True
    assert morsel["samesite"] == "Strict"
    assert morsel["max-age"] == 15 * 60
    assert status(browser, held_record) == 200


@pytest.mark.parametrize("https", [True, False])
def test_it_is_secure_where_the_site_is(
    client: Client, held_record: FileRecord, alice: User, settings: Settings, https: bool
) -> None:
    settings.SESSION_COOKIE_SECURE = https
    client.force_login(alice)
    client.post(f"/files/{held_record.pk}/unlock/", {"key": KEY})
    assert bool(cookie(client)["secure"]) is https


def test_nothing_can_be_read_from_it(browser: Client, bob: User) -> None:
    value = cookie(browser).value
    marker, _, token = value.partition(".")
    raw = base64.urlsafe_b64decode(token + "==")
    for secret in (KEY, base64.urlsafe_b64decode(KEY), str(bob.pk).encode() * 4):
        told = secret.encode() if isinstance(secret, str) else secret
        assert told not in raw
        assert told not in value.encode()
    assert len(marker) == 8


def test_it_differs_each_time(browser: Client, held_record: FileRecord) -> None:
    before = cookie(browser).value
    browser.post(f"/files/{held_record.pk}/unlock/", {"key": KEY})
    assert cookie(browser).value != before


def test_it_ends(browser: Client, held_record: FileRecord, monkeypatch: Any) -> None:
    later = timezone.now() + site_settings.UNLOCK_TIME
    monkeypatch.setattr(timezone, "now", lambda: later - timedelta(seconds=5))
    assert unlocked_at(browser, held_record)
    monkeypatch.setattr(timezone, "now", lambda: later + timedelta(seconds=1))
    assert not unlocked_at(browser, held_record)


def unlocked_at(client: Client, record: FileRecord) -> bool:
    # Not by a request: the clock that was put forward would end the session, too.
    request = RequestFactory().get("/")
    request.COOKIES[unlocking.COOKIE] = cookie(client).value
    request.session = client.session
    request.user = User.objects.get(username="bob")
    return unlocking.unlocked(request, record) is not None


def test_it_is_of_one_user(browser: Client, held_record: FileRecord, mallory: User) -> None:
    give(held_record, mallory)
    value = cookie(browser).value
    other = Client()
    other.force_login(mallory)
    other.cookies[unlocking.COOKIE] = value
    assert status(other, held_record) == 403


def test_it_is_of_one_session(browser: Client, held_record: FileRecord, bob: User) -> None:
    value = cookie(browser).value
    again = Client()
    again.force_login(bob)
    again.cookies[unlocking.COOKIE] = value
    assert status(again, held_record) == 403


def test_signing_out_ends_it(browser: Client, held_record: FileRecord, bob: User) -> None:
    value = cookie(browser).value
    browser.post("/accounts/logout/")
    browser.force_login(bob)
    browser.cookies[unlocking.COOKIE] = value
    assert status(browser, held_record) == 403


def test_a_revoked_grant_ends_it(browser: Client, held_record: FileRecord) -> None:
    Grant.objects.update(revoked_at=timezone.now())
    assert status(browser, held_record) == 404


def test_losing_the_permission_ends_it(browser: Client, held_record: FileRecord) -> None:
    Group.objects.get(name="Members").permissions.clear()
    assert status(browser, held_record) == 403


def test_it_is_of_one_file(
    browser: Client, held_record: FileRecord, store: Store, alice: User, bob: User
) -> None:
    # Of the same key even: what it was unlocked for is bound, not only what unlocks.
    other = store(alice, key=UserKey(KEY))
    give(other, bob)
    browser.cookies[unlocking.COOKIE]["path"] = "/"
    assert status(browser, held_record) == 200
    assert status(browser, other) == 403


def test_it_goes_on_after_a_rotation_and_ends_with_the_master_key(
    browser: Client, held_record: FileRecord, use_keys: UseKeys
) -> None:
    old, new = os.environ["MASTER_KEYS"], generate_master_key()
    use_keys(new, old)
    rewrapping.rewrap()
    assert status(browser, held_record) == 200
    use_keys(new)
    assert status(browser, held_record) == 403


@pytest.mark.parametrize("place", [0, 9, 40, -1])
def test_an_altered_one_opens_nothing(browser: Client, held_record: FileRecord, place: int) -> None:
    value = cookie(browser).value
    letter = "A" if value[place] != "A" else "Q"
    browser.cookies[unlocking.COOKIE] = (
        value[:-1] + letter if place == -1 else value[:place] + letter + value[place + 1 :]
    )
    assert status(browser, held_record) == 403


@pytest.mark.parametrize("value", ["", ".", "x", "x.y", "." + "A" * 5000, "\u00e9.\u00e9", "a.b.c"])
def test_nonsense_opens_nothing(
    client: Client, held_record: FileRecord, alice: User, value: str
) -> None:
    client.force_login(alice)
    client.cookies[unlocking.COOKIE] = value
    assert status(client, held_record) == 403


def test_a_wrapped_key_is_no_cookie(browser: Client, held_record: FileRecord) -> None:
    marker = cookie(browser).value.partition(".")[0]
    token = base64.urlsafe_b64encode(bytes(held_record.current.wrapped_key)).decode()
    browser.cookies[unlocking.COOKIE] = f"{marker}.{token}"
    assert status(browser, held_record) == 403
