"""No credential rests in the clear: who steals the database, or a backup of it, opens nothing.

Everything that gives people a credential is used once. Then every value of every table, and all
that it may be made of, is tried at every door that takes one. What a new feature keeps is tried,
too: the tables are asked of the database. A feature that makes a credential belongs into `used`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth import authenticate
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.program_views import BY_CODE
from files.models import FileRecord
from files.recovery import backups
from files.sharing.links import making
from files.sharing.links.making import Terms
from files.web.transfers import unlocking
from notices import mail as queued
from tests.files.asked import ask
from tests.files.multipart import CONTENT_TYPE, body, file
from tests.files.multipart import field as form_field
from tests.files.sharing.links.makers import may_link
from tests.mails import delivered

LOGIN = "account_login"
REDIRECT = "http://127.0.0.1:49152/done"
MISTAKEN = "my password in the field for names"
BY_WORD = "told-by-word-of-mouth-K3"
_LINK = re.compile(r"http://testserver(/\S+)")
DEPTH = 4
"""Layers of encodings that are looked through: JSON, then base64, then compression, then words."""
_WORD = re.compile(r"[A-Za-z0-9_=+/.:$-]{6,}")


@dataclass
class Used:
    """What people were given, by what it is, and the browser of one who is signed in."""

    alice: User
    browser: Client
    held: FileRecord
    empty: set[bytes]
    secrets: dict[str, str] = field(default_factory=dict)


def link(wanted: str) -> str:
    """The path of the link in the newest mail that leads there."""
    found = (_LINK.search(str(one.body)) for one in reversed(delivered()))
    return next(one[1] for one in found if one is not None and wanted in one[1])


def code_of(seed: str, step: int = 0) -> str:
    return str(format_hotp_value(hotp_value(seed, int(time.time()) // 30 + step)))


@pytest.fixture
def used(alice: User, bob: User, root: User, password: str, settings: Settings, s3: object) -> Used:
    """Every feature, used once: each is in the middle of what it does."""
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "django_cache",
            "KEY_FUNCTION": "runtime.cache_keys.make_key",
        }
    }
    call_command("createcachetable", verbosity=0)

    # What is there before: permissions, migrations, accounts. Nobody was given any of it.
    empty = {meaning for _, value in tables(database()) for meaning in meanings(value)}

    # Signed in; an authenticator app and recovery codes.
    browser = Client()
    browser.post(reverse(LOGIN), {"login": "alice", "password": password})
    page = browser.get(reverse("mfa_activate_totp")).content.decode()
    seed = re.findall(r'id="authenticator_secret">([A-Z2-7]+)<', page)[0]
    waiting = Client()  # A seed that waits in a session.
    waiting.force_login(bob)
    page = waiting.get(reverse("mfa_activate_totp")).content.decode()
    other_seed = re.findall(r'id="authenticator_secret">([A-Z2-7]+)<', page)[0]
    code = code_of(seed)
    browser.post(reverse("mfa_activate_totp"), {"code": code})
    page = browser.get(reverse("mfa_view_recovery_codes")).content.decode()
    codes = re.findall(r"<code>(\d{8})</code>", page)
    assert len(codes) == 10
    # Half signed in.
    half_way = Client()
    half_way.post(reverse(LOGIN), {"login": "alice", "password": password})
    next_code = code_of(seed, 1)
    half_way.post(reverse("mfa_authenticate"), {"code": codes[0]})
    # A password typed where names are.
    Client().post(reverse(LOGIN), {"login": MISTAKEN, "password": "alice"})

    # Mails with links: an address, a reset, a new account, an invitation that was opened.
    browser.post(reverse("account_email"), {"action_add": "", "email": "second@example.org"})
    confirm = link("confirm-email")
    visitor = Client()
    visitor.post(reverse("account_reset_password"), {"email": bob.email})
    reset = link("password/reset")
    visitor.get(reset)
    settings.ACCOUNT_OPEN_SIGNUP, settings.ACCOUNT_EMAIL_VERIFICATION = True, "mandatory"
    newcomer = {"email": "eve@example.org", "username": "eve"}
    newcomer |= dict.fromkeys(("password1", "password2"), "a password of Eve's own")
    Client().post(reverse("account_signup"), newcomer)
    confirm_new = link("confirm-email")
    settings.ACCOUNT_OPEN_SIGNUP, settings.ACCOUNT_EMAIL_VERIFICATION = False, "optional"
    administrator = Client()
    administrator.force_login(root)
    administrator.post(reverse("admin:accounts_invitation_add"), {"email": "guest@example.org"})
    invitation = link("invitation")
    guest = Client()
    guest.get(invitation)

    # A held file with a key on offer, unlocked; an upload half-way; a download half-way.
    sent = body(form_field("custody", "held"), file("secret.txt", b"of nobody's business" * 99))
    page = browser.generic("POST", "/files/upload/", sent, CONTENT_TYPE).content.decode()
    key = re.findall(r"[A-Za-z0-9_-]{43}=", re.sub(r'value="[^"]*"', "", page))[0]
    held = FileRecord.objects.select_related("current").get()
    browser.post(f"/files/{held.pk}/unlock/", {"key": key})
    unlock = browser.cookies[unlocking.COOKIE].value
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "9", "Upload-Metadata": "filename YQ=="}
    browser.generic("POST", "/uploads/", b"1234", "application/offset+octet-stream", headers=tus)
    part = browser.get(f"/files/{held.pk}/download/", headers={"Range": "bytes=0-9"})
    assert b"".join(part) == b"of nobody'"

    # A program's token.
    tomorrow = (timezone.localdate() + timedelta(days=1)).isoformat()
    form = {"name": "nightly", "scopes": ["read", "add"], "until": tomorrow}
    page = browser.post(reverse("token_new"), form).content.decode()
    token = re.findall(r"ssv_[0-9A-Za-z]{36}", page)[0]
    bearer = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    assert Client().head(f"/uploads/{held.pk}", headers=bearer).status_code == 404

    # A program that asks for one: a code that a browser carries, and two for who types one.
    verifier = "a-verifier-that-only-the-program-knows-0123456789"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    asked_for = {"name": "laptop", "scope": "read", "response_type": "code", "state": "s"}
    asked_for |= {"redirect_uri": REDIRECT, "code_challenge_method": "S256"}
    asked_for |= {"code_challenge": challenge.decode().rstrip("=")}
    allowed = {"scopes": ["read"], "days": "1"}
    carried = browser.post(f"{reverse('program_authorize')}?{urlencode(asked_for)}", allowed)
    [carried_code] = parse_qs(urlsplit(carried.headers["Location"]).query)["code"]
    begun = Client().post(reverse("program_begin"), {"name": "server", "scope": "read"}).json()

    # A request for files, and the pass of who sends through it.
    _request, asked = ask(alice)
    sender = Client()
    sender.post(f"/r/{asked}/", {"name": "Ann"})
    [known] = [one.value for name, one in sender.cookies.items() if "pass" in name]

    # A link, and one with a password, passed.
    maker = may_link(alice)
    open_link = making.make(held, Terms(), actor=maker).text
    behind = making.make(held, Terms(password=BY_WORD), actor=maker).text
    friend = Client()
    friend.post(f"/l/{behind}/", {"password": BY_WORD})
    [let_in] = [one.value for name, one in friend.cookies.items() if "pass" in name]

    # Codes by mail, of a link and of a request, that nobody has typed yet.
    named = making.make(held, Terms(addresses="ann@example.org"), actor=maker).text
    Client().post(f"/l/{named}/", {"address": "ann@example.org"})
    _request, coded = ask(alice, _request.folder, identify="code", addresses=["ann@example.org"])
    Client().post(f"/r/{coded}/", {"email": "ann@example.org"})
    bodies = [str(one.body) for one in delivered() if one.to == ["ann@example.org"]]
    of_link, of_request = [re.findall(r"\b\d{4} ?\d{4}\b", one)[0] for one in bodies]

    # What a program calls its request, which makes a link.
    once = {"Authorization": f"Bearer {token}", "Idempotency-Key": "told-to-nobody-else-9Qz"}
    made = Client().put("/api/v1/content/once.txt", b"once", "text/plain", headers=once)
    assert made.status_code == 201

    # A mail that waits for its server: the others were sent, and are not there any more.
    letter = "a-link-that-waits-in-the-queue-Q7f2"
    queued.put("A link", f"http://testserver/l/{letter}/", kind="link", to="guest@example.org")

    secrets = {
        "waiting mail": letter,
        "code that a browser carries": carried_code,
        "code of a program": begun["device_code"],
        "code that is typed": begun["user_code"],
        "letters of the code that is typed": begun["user_code"].replace("-", ""),
        "code of a link": of_link.replace(" ", ""),
        "code of a request": of_request,
        "link for an address": named,
        "request for an address": coded,
        "idempotency key": once["Idempotency-Key"],
        "request": asked,
        "link": open_link,
        "link behind a password": behind,
        "password of a link": BY_WORD,
        "pass of a link": let_in,
        "pass of a sender": known,
        "token": token,
        "cookie": browser.cookies["sessionid"].value,
        "cookie of one half-way": half_way.cookies["sessionid"].value,
        "cookie of a guest": guest.cookies["sessionid"].value,
        "seed": seed,
        "seed that waits": other_seed,
        "used code": code,
        "next code": next_code,
        **{f"recovery code {number}": each for number, each in enumerate(codes)},
        "mistaken": MISTAKEN,
        "confirmation": confirm.rstrip("/").rpartition("/")[2],
        "confirmation of a new account": confirm_new.rstrip("/").rpartition("/")[2],
        "reset": reset.rstrip("/").rpartition("/")[2].partition("-")[2],
        "invitation": invitation.rstrip("/").rpartition("/")[2],
        "held key": key,
        "unlock cookie": unlock,
        "password": password,
    }
    assert not [name for name, secret in secrets.items() if len(secret) < 6]
    return Used(alice, browser, held, empty, secrets)


# --- What a thief has ----------------------------------------------------------------------------


def database() -> bytes:
    """The file as it is at this moment."""
    return bytes(connection.connection.serialize())


def stolen(used: Used, folder: Path, what: str) -> bytes:
    """The database file itself, as it is or as a backup has it."""
    if what == "database":
        return database()
    manifest, _ = backups.back_up(folder, progress=lambda done, total: None)
    return manifest.with_suffix(".sqlite3").read_bytes()


def tables(raw: bytes) -> Iterator[tuple[str, Any]]:
    """Every value of every table, and the name of its table."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(raw)
        found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in found:
            with suppress(sqlite3.OperationalError):  # Of an extension that is not at hand.
                for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608
                    yield from ((table, value) for value in row)


def meanings(value: Any) -> Iterator[bytes]:
    """What a value is, and what it may be made of: its words, JSON, base64, compression."""
    if isinstance(value, (int, float, type(None))):
        return
    raw = value if isinstance(value, bytes) else str(value).encode()
    layer = {raw}
    for _ in range(DEPTH):
        yield from layer
        layer = {inner for one in layer for inner in within(one) if len(inner) >= 6} - layer


def within(one: bytes) -> Iterator[bytes]:
    """What a value is made of, one layer down."""
    with suppress(zlib.error):
        yield zlib.decompress(one)
    if not one.isascii():
        return
    text = one.decode()
    with suppress(ValueError):
        yield from (str(leaf).encode() for leaf in leaves(json.loads(text)))
    for word in {text, *_WORD.findall(text), *text.split(":"), text.removeprefix(".")}:
        yield word.encode()
        with suppress(ValueError):
            padded = word + "=" * (-len(word) % 4)
            yield base64.b64decode(padded, altchars=b"-_", validate=True)


def leaves(data: Any) -> Iterator[Any]:
    if isinstance(data, dict):
        yield from data
        data = list(data.values())
    if isinstance(data, list):
        for one in data:
            yield from leaves(one)
    else:
        yield data


# --- Nothing of it is a credential ---------------------------------------------------------------


@pytest.mark.parametrize("what", ["database", "backup"])
def test_no_secret_that_people_were_given_is_in_it(used: Used, tmp_path: Path, what: str) -> None:
    raw = stolen(used, tmp_path, what)
    known = {name: secret.encode() for name, secret in used.secrets.items()}
    found = {name for name, secret in known.items() if len(secret) > 8 and secret in raw}
    digests = {
        getattr(hashlib, kind)(secret).hexdigest().encode(): name
        for kind in ("md5", "sha1", "sha256", "sha512")
        for name, secret in known.items()
        # What is short or chosen by people can be guessed: a plain digest of it is no secret.
        if name == "mistaken" or len(secret) <= 8
    }
    for table, value in tables(raw):
        for meaning in meanings(value):
            for name, secret in known.items():
                if meaning == secret or (len(secret) > 8 and secret in meaning):
                    found.add(f"{name} in {table}")
            found |= {f"{name} in {table}" for one, name in digests.items() if one in meaning}
    assert not found


@pytest.mark.integration
@pytest.mark.parametrize("one_in", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_nothing_in_it_opens_a_door(used: Used, one_in: int) -> None:
    """Of the database itself: a backup has nothing that it has not."""
    values = {meaning for _, value in tables(database()) for meaning in meanings(value)}
    values -= used.empty
    texts = {value.decode() for value in values if value.isascii() and len(value) < 300}
    texts = {text for text in texts if text.isprintable()}
    assert len(texts) > 100
    addresses = (f"2001:db8:{number:x}::1" for number in count(1))  # Each has limits of its own.
    some = Random(12).sample(sorted(texts), len(texts) // one_in)  # noqa: S311 - the same in each run
    opened = {f"{door}: {text}" for text in some for door in doors(used, text, next(addresses))}
    assert not opened
    # The doors are real: what people were given opens them.
    secrets = used.secrets
    assert "session" in doors(used, secrets["cookie"], next(addresses))
    assert "token" in doors(used, secrets["token"], next(addresses))
    assert "request" in doors(used, secrets["request"], next(addresses))
    assert "program" in doors(used, secrets["code of a program"], next(addresses))
    assert "link" in doors(used, secrets["link"], next(addresses))
    assert "invitation" in doors(used, secrets["invitation"], next(addresses))
    assert "reset" in doors(used, secrets["reset"], next(addresses))
    assert "confirmation" in doors(used, secrets["confirmation"], next(addresses))
    assert "unlock" in doors(used, secrets["unlock cookie"], next(addresses))
    assert "code" in doors(used, code_of(secrets["seed"], 1), next(addresses))
    assert "code" in doors(used, secrets["recovery code 5"], next(addresses))
    assert "password" in doors(used, secrets["password"], next(addresses))


def doors(used: Used, text: str, address: str) -> set[str]:
    """The doors that a text opens."""
    found = set()
    if re.fullmatch(r"[A-Za-z0-9_:=.$+/-]{8,}", text):
        thief = Client(REMOTE_ADDR=address)
        thief.cookies["sessionid"] = text
        if thief.get(reverse("account_change_password")).status_code == 200:
            found.add("session")
        bearer = {"Authorization": f"Bearer {text}", "Tus-Resumable": "1.0.0"}
        if thief.head(f"/uploads/{used.held.pk}", headers=bearer).status_code == 404:
            found.add("token")
        fields = {"grant_type": BY_CODE, "device_code": text}
        told = thief.post(reverse("program_token"), fields).json()
        if told.get("error") != "invalid_grant":
            found.add("program")
        found |= links(used, text, address)
        found |= unlocks(used, text)
    if re.fullmatch(r"\d{6}|\d{8}", text):
        found |= codes(used, text)
    if authenticate(None, username="alice", password=text):
        found.add("password")
    return found


def links(used: Used, text: str, address: str) -> set[str]:
    found: set[str] = set()
    path = quote(text, safe="")
    if "/" in text:
        return found
    visitor = Client(REMOTE_ADDR=address)
    visitor.get(reverse("invitation_link", args=[path]))
    if visitor.get(reverse("invitation")).status_code == 200:
        found.add("invitation")
    for kind, name in (("l", "link"), ("r", "request")):
        if visitor.get(f"/{kind}/{path}/").status_code == 200:
            found.add(name)
    uid = user_pk_to_url_str(User.objects.get(username="bob"))
    answer = visitor.get(reverse("account_reset_password_from_key", args=[uid, path]))
    if answer.status_code == 302:
        found.add("reset")
    confirmed = EmailAddress.objects.filter(verified=True).count()
    with suppress(NoReverseMatch):
        visitor.post(reverse("account_confirm_email", args=[text]))
    if EmailAddress.objects.filter(verified=True).count() > confirmed:
        found.add("confirmation")
    return found


def unlocks(used: Used, text: str) -> set[str]:
    used.browser.cookies[unlocking.COOKIE] = text
    answer = used.browser.head(f"/files/{used.held.pk}/download/")
    return {"unlock"} if answer.status_code == 200 else set()


def codes(used: Used, text: str) -> set[str]:
    rows = Authenticator.objects.filter(user=used.alice)
    kinds = {"totp": TOTP, "recovery_codes": RecoveryCodes}
    right = [kinds[row.type](row).validate_code(text) for row in rows]
    return {"code"} if any(right) else set()


def test_a_backup_has_nobodys_session_and_no_counts(used: Used, tmp_path: Path) -> None:
    caches["default"].set("counted", 1)
    left = {table for table, _ in tables(stolen(used, tmp_path, "backup"))}
    assert {"django_session", "usersessions_usersession", "django_cache"}.isdisjoint(left)
    assert "notices_mail" not in left  # A restored copy sends nothing again.
    assert {"accounts_user", "files_filerecord", "audit_auditevent"} <= left
