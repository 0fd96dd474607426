"""A program gets a token of who allowed it, once, and nobody else's."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import program_sign_in
from accounts.models import ProgramRequest, Token, User
from accounts.program_sign_in import Asked, Denied, NotOpen, Pending

pytestmark = pytest.mark.django_db

ASKED = Asked("securestore on pc", ("read", "add"))
URI = "http://127.0.0.1:43210/"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]


def carried(user: User) -> str:
    return program_sign_in.allow_here(
        user,
        ASKED,
        until=timezone.now() + timedelta(days=90),
        challenge=CHALLENGE,
        redirect_uri=URI,
        address="192.0.2.1",
    )


def later(**much: float) -> None:
    ProgramRequest.objects.update(expires_at=timezone.now() - timedelta(**much))


def test_a_code_is_good_for_one_token(alice: User) -> None:
    code = carried(alice)
    made = program_sign_in.redeem(code, verifier=VERIFIER, redirect_uri=URI)
    assert (made.token.user, made.token.scopes) == (alice, "add read")
    with pytest.raises(NotOpen):
        program_sign_in.redeem(code, verifier=VERIFIER, redirect_uri=URI)
    assert Token.objects.count() == 1


@pytest.mark.parametrize(
    ("verifier", "uri"),
    [("w" * 43, URI), (CHALLENGE, URI), ("", URI), (VERIFIER, "http://127.0.0.1:43211/")],
)
def test_who_only_saw_the_code_cannot_redeem_it(alice: User, verifier: str, uri: str) -> None:
    code = carried(alice)
    with pytest.raises(NotOpen):
        program_sign_in.redeem(code, verifier=verifier, redirect_uri=uri)
    assert not Token.objects.exists()


def test_a_carried_code_is_over_soon(alice: User) -> None:
    code = carried(alice)
    later(seconds=1)
    with pytest.raises(NotOpen):
        program_sign_in.redeem(code, verifier=VERIFIER, redirect_uri=URI)


def test_no_code_is_in_the_database(alice: User) -> None:
    code, begun = carried(alice), program_sign_in.begin(ASKED, "192.0.2.1")
    for row in ProgramRequest.objects.values_list():
        text = " ".join(map(str, row))
        for secret in (code, begun.device_code, begun.user_code, begun.user_code.replace("-", "")):
            assert secret not in text


@pytest.mark.parametrize("how", [str, str.lower, lambda code: code.replace("-", " ")])
def test_a_typed_code_is_found_however_it_is_written(alice: User, how: object) -> None:
    begun = program_sign_in.begin(ASKED, "192.0.2.1")
    assert callable(how)
    found = program_sign_in.find(how(begun.user_code))
    with pytest.raises(Pending):
        program_sign_in.collect(begun.device_code)
    until = timezone.now() + timedelta(days=1)
    program_sign_in.allow(found, alice, scopes=["read"], until=until)
    made = program_sign_in.collect(begun.device_code)
    assert (made.token.user, made.token.scopes, made.token.expires_at) == (alice, "read", until)
    with pytest.raises(NotOpen):
        program_sign_in.collect(begun.device_code)


def test_no_more_is_allowed_than_was_asked_for(alice: User) -> None:
    begun = program_sign_in.begin(ASKED, "192.0.2.1")
    found = program_sign_in.find(begun.user_code)
    until = timezone.now() + timedelta(days=1)
    with pytest.raises(NotOpen):
        program_sign_in.allow(found, alice, scopes=["audit"], until=until)
    program_sign_in.allow(found, alice, scopes=["audit", "add"], until=until)
    assert program_sign_in.collect(begun.device_code).token.scopes == "add"


def test_what_was_answered_is_not_answered_again(alice: User, bob: User) -> None:
    begun = program_sign_in.begin(ASKED, "192.0.2.1")
    found = program_sign_in.find(begun.user_code)
    program_sign_in.refuse(found, alice)
    with pytest.raises(NotOpen):
        program_sign_in.find(begun.user_code)
    with pytest.raises(NotOpen):
        until = timezone.now() + timedelta(days=1)
        program_sign_in.allow(found, bob, scopes=["read"], until=until)
    with pytest.raises(Denied):
        program_sign_in.collect(begun.device_code)
    with pytest.raises(NotOpen):
        program_sign_in.collect(begun.device_code)


def test_a_typed_code_is_over_after_ten_minutes() -> None:
    begun = program_sign_in.begin(ASKED, "192.0.2.1")
    later(seconds=1)
    for ask in (
        lambda: program_sign_in.find(begun.user_code),
        lambda: program_sign_in.collect(begun.device_code),
    ):
        with pytest.raises(NotOpen):
            ask()


def test_who_asks_too_fast_is_told() -> None:
    begun = program_sign_in.begin(ASKED, "192.0.2.1")
    told = []
    for _ in range(2):
        with pytest.raises(Pending) as pending:
            program_sign_in.collect(begun.device_code)
        told.append(pending.value.too_fast)
    assert told == [False, True]


def test_the_two_ways_do_not_mix(alice: User) -> None:
    code = carried(alice)
    with pytest.raises(NotOpen):
        program_sign_in.collect(code)
    begun = program_sign_in.begin(ASKED, "192.0.2.1")
    found = program_sign_in.find(begun.user_code)
    until = timezone.now() + timedelta(days=1)
    program_sign_in.allow(found, alice, scopes=["read"], until=until)
    with pytest.raises(NotOpen):
        program_sign_in.redeem(begun.device_code, verifier="", redirect_uri="")


def test_who_was_deactivated_meanwhile_gives_no_token(alice: User) -> None:
    code = carried(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(NotOpen):
        program_sign_in.redeem(code, verifier=VERIFIER, redirect_uri=URI)


def test_what_is_long_over_goes(alice: User) -> None:
    carried(alice)
    later(hours=2)
    program_sign_in.begin(ASKED, "192.0.2.1")
    assert ProgramRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "scope"),
    [("", "read"), ("\u200b", "read"), ("x", ""), ("x", "read root"), ("x", "READ")],
)
def test_what_cannot_be_asked_for(name: str, scope: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        Asked.of(name, scope)


def test_a_name_is_cleaned() -> None:
    assert Asked.of("a\u202eb\n" + "x" * 100, "share read read").name == "ab " + "x" * 57
