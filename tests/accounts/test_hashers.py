"""Passwords are hashed with a bound on memory, and a lack of it is never a wrong password."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import hashers as django
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from accounts import hashers, invitations
from accounts.models import Invitation, User
from files.crypto import argon2id
from files.keys import passphrases
from runtime import slots
from runtime.slots import SLOTS, Slots

ROOT = Path(__file__).parents[2]
REAL = ["accounts.hashers.Argon2PasswordHasher", "accounts.hashers.PBKDF2PasswordHasher"]


@pytest.fixture
def real(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = REAL


@pytest.fixture
def cheap(real: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real hasher at its smallest cost, for tests of what is done with it."""
    monkeypatch.setattr(hashers.Argon2PasswordHasher, "memory_cost", 64)
    monkeypatch.setattr(hashers.Argon2PasswordHasher, "time_cost", 1)


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    "former",
    [django.Argon2PasswordHasher(), django.PBKDF2PasswordHasher()],
    ids=lambda h: h.library,
)
def test_hashes_from_before_still_verify(
    former: django.BasePasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    # At their real cost they take most of a second; what it was stands in the hash.
    monkeypatch.setattr(django.PBKDF2PasswordHasher, "iterations", 1000)
    monkeypatch.setattr(django.Argon2PasswordHasher, "memory_cost", 64)
    encoded = former.encode("correct horse", "salt-of-some-length-12")
    assert check_password("correct horse", encoded)
    assert not check_password("wrong horse", encoded)


@pytest.mark.usefixtures("real")
def test_what_it_makes_is_what_django_makes() -> None:
    encoded = make_password("correct horse")
    assert encoded.startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")
    assert django.Argon2PasswordHasher().verify("correct horse", encoded)
    assert not identify_hasher(encoded).must_update(encoded)


@pytest.mark.usefixtures("cheap")
def test_a_hash_that_is_none_is_a_wrong_password() -> None:
    broken = make_password("x")[:-30] + "!" * 30
    assert not check_password("x", broken)


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


PREPARED = f"""
import resource
from concurrent.futures import ThreadPoolExecutor
import django
from django.conf import settings
django.setup()
settings.PASSWORD_HASHERS = {REAL!r}
from django.contrib.auth.hashers import check_password, make_password
from files.crypto import argon2id
from files.keys import passphrases
from runtime.slots import TooBusy
encoded = make_password("correct horse")
"""


@pytest.mark.integration
def test_many_at_once_take_the_memory_of_a_few() -> None:
    """Passwords, checked and set, and passphrases: one bound for all of them, and all are done."""
    program = f"""{PREPARED}
def work(number):
    if number % 3 == 0:
        return check_password("correct horse", encoded)
    if number % 3 == 1:
        return make_password("another horse").startswith("argon2$")
    return bool(argon2id.derive(b"x", salt=bytes(16), memory=65536, passes=3, lanes=4))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
one = peak()
with ThreadPoolExecutor(12) as pool:
    done = list(pool.map(work, range(12)))
print(all(done), (peak() - one) // 1024)
"""
    done, grown = run(program).split()
    assert done == "True"
    # One hash of 100 MiB was there before; so many more may be at once.
    assert int(grown) < (SLOTS - 1) * 100 + 60


@pytest.mark.integration
def test_no_memory_for_it_is_too_busy_and_no_wrong_password() -> None:
    program = f"""{PREPARED}
resource.setrlimit(resource.RLIMIT_AS, (300 << 20, resource.RLIM_INFINITY))
expensive = encoded.replace("m=102400", "m=1048576")
for action in (lambda: check_password("correct horse", expensive), lambda: large()):
    def large():
        from accounts.hashers import Argon2PasswordHasher
        class Large(Argon2PasswordHasher):
            memory_cost = 1 << 20
        Large().encode("x", "some-salt")
    try:
        print("wrong" if not action() else "right")
    except TooBusy as busy:
        print(busy)
"""
    first, second = run(program).splitlines()
    assert "emory" in first
    assert "emory" in second


# --- The doors ----------------------------------------------------------------------------------

Answer = Any  # What Django's client returns has a type of its own.
NEW = "quite another password"
BOTH = {"password1": NEW, "password2": NEW}


def _sign_in(client: Client, root: User, password: str) -> Answer:
    client.logout()
    return client.post(reverse("account_login"), {"login": "root", "password": password})


def _confirm(client: Client, root: User, password: str) -> Answer:
    return client.post(reverse("account_reauthenticate"), {"password": password})


def _change(client: Client, root: User, password: str) -> Answer:
    return client.post(reverse("account_change_password"), {"oldpassword": password, **BOTH})


def _change_in_admin(client: Client, root: User, password: str) -> Answer:
    new = {"new_password1": NEW, "new_password2": NEW}
    return client.post(reverse("admin:password_change"), {"old_password": password, **new})


def _change_anothers(client: Client, root: User, password: str) -> Answer:
    page = reverse("admin:auth_user_password_change", args=[root.pk])
    return client.post(page, {"usable_password": "true", **BOTH})


def _add(client: Client, root: User, password: str) -> Answer:
    page = reverse("admin:accounts_user_add")
    return client.post(page, {"username": "eve", "usable_password": "true", **BOTH})


def _reset(client: Client, root: User, password: str) -> Answer:
    from allauth.account.forms import default_token_generator
    from allauth.account.utils import user_pk_to_url_str

    client.logout()
    key = f"{user_pk_to_url_str(root)}-{default_token_generator.make_token(root)}"
    uid, token = key.split("-", 1)
    link = reverse("account_reset_password_from_key", args=[uid, token])
    return client.post(client.get(link)["Location"], BOTH)


def _accept(client: Client, root: User, password: str) -> Answer:
    client.logout()
    request = RequestFactory().get("/")
    request.user = root
    address = f"eve{Invitation.objects.count()}@example.org"
    made = invitations.invite(address, actor=root, request=request)
    session = client.session
    session["invitation"] = made.token_hash
    session.save()
    return client.post(reverse("invitation"), {"username": "eve", **BOTH})


DOORS: list[Callable[[Client, User, str], Answer]] = [
    _sign_in,
    _confirm,
    _change,
    _change_in_admin,
    _change_anothers,
    _add,
    _reset,
    _accept,
]


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("door", DOORS)
def test_every_door_with_a_password_says_that_it_is_too_busy_and_works_later(
    client: Client,
    root: User,
    password: str,
    door: Callable[[Client, User, str], Answer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.force_login(root)
    with monkeypatch.context() as patch:
        patch.setattr(hashers, "DERIVATIONS", Slots(0, patience=0.01, longest=60))
        answer = door(client, root, password)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert b"Too busy" in answer.content
    assert not User.objects.filter(username="eve").exists()
    client.force_login(root)
    assert door(client, root, password).status_code == 302


def test_passwords_and_passphrases_have_one_bound() -> None:
    assert vars(hashers)["DERIVATIONS"] is slots.DERIVATIONS
    assert argon2id._slot is passphrases.slot
