"""The pages on which a program is let in, and the addresses where it fetches its token."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from accounts import program_sign_in
from accounts.models import ProgramRequest, Token, User
from accounts.program_sign_in import Asked
from audit.models import AuditEvent
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

VERIFIER = "v" * 43
ASKED = {
    "response_type": "code",
    "redirect_uri": "http://127.0.0.1:43210/",
    "state": "st-ate",
    "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[
        :43
    ],
    "code_challenge_method": "S256",
    "scope": "read add",
    "name": "securestore on <b>pc</b>",
}
AUTHORIZE = "/accounts/programs/authorize/?" + urlencode(ASKED)
TOKEN = "/accounts/programs/token/"
BY_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ALLOWED = {"scopes": ["read", "add"], "days": "90", "allow": "1"}


@pytest.fixture(autouse=True)
def _no_counts() -> None:
    cache.clear()


@pytest.fixture
def signed_in(client: Client, alice: User, real_sign_in: Any) -> Client:
    client.post("/accounts/login/", {"login": alice.username, "password": PASSWORD})
    return client


def test_the_browser_carries_a_code_that_is_a_token(signed_in: Client, alice: User) -> None:
    page = signed_in.get(AUTHORIZE)
    assert "securestore on &lt;b&gt;pc&lt;/b&gt;" in page.content.decode()
    assert "form-action 'self' http://127.0.0.1:43210" in page["Content-Security-Policy"]
    answer = signed_in.post(AUTHORIZE, ALLOWED)
    assert answer.status_code == 302
    assert answer["Location"].startswith("http://127.0.0.1:43210/?")
    told = parse_qs(urlsplit(answer["Location"]).query)
    assert told["state"] == ["st-ate"]
    fetched = Client().post(
        TOKEN,
        {
            "grant_type": "authorization_code",
            "code": told["code"][0],
            "code_verifier": VERIFIER,
            "redirect_uri": ASKED["redirect_uri"],
        },
    )
    assert fetched.status_code == 200
    assert "no-store" in fetched["Cache-Control"]
    assert fetched.json()["scope"] == "add read"
    assert Token.objects.get().user == alice
    events = list(AuditEvent.objects.order_by("id").values_list("event", "actor_name"))
    assert events[-2:] == [("program_allowed", "alice"), ("token_created", "alice")]
    text = " ".join(str(data) for data in AuditEvent.objects.values_list("data", flat=True))
    assert fetched.json()["access_token"] not in text


def test_less_can_be_allowed_than_was_asked_for(signed_in: Client) -> None:
    signed_in.post(AUTHORIZE, ALLOWED | {"scopes": ["read"]})
    assert ProgramRequest.objects.get().scopes == "read"
    page = signed_in.post(AUTHORIZE, ALLOWED | {"scopes": ["read", "audit"]})
    assert page.status_code == 400


def test_refusing_tells_the_program(signed_in: Client) -> None:
    answer = signed_in.post(AUTHORIZE, {"refuse": "1"})
    assert answer["Location"] == "http://127.0.0.1:43210/?error=access_denied&state=st-ate"
    assert not ProgramRequest.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": "http://evil.example/"},
        {"redirect_uri": "http://127.0.0.1:80@evil.example/"},
        {"redirect_uri": "http://127.0.0.1.evil.example:8000/"},
        {"redirect_uri": "https://127.0.0.1:8000/"},
        {"redirect_uri": "http://127.0.0.1:8000/?x=1"},
        {"redirect_uri": "http://127.0.0.1:8000/\r\nx"},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"response_type": "token"},
        {"state": ""},
        {"scope": "root"},
        {"name": ""},
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_makes_no_sense_leads_nowhere(
    signed_in: Client, wrong: dict[str, str], method: str
) -> None:
    address = "/accounts/programs/authorize/?" + urlencode(ASKED | wrong)
    answer = getattr(signed_in, method)(address, ALLOWED if method == "post" else {})
    assert answer.status_code == 400
    assert "Location" not in answer
    assert not ProgramRequest.objects.exists()


def test_who_was_not_authenticated_lately_is_asked_again(
    signed_in: Client, settings: Settings
) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    answer = signed_in.post(AUTHORIZE, ALLOWED)
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert not ProgramRequest.objects.exists()


def test_a_form_of_elsewhere_allows_nothing(alice: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(AUTHORIZE, ALLOWED).status_code == 403
    assert strict.post("/accounts/programs/confirm/", ALLOWED).status_code == 403


# --- By a code ----------------------------------------------------------------------------------


def begun(name: str = "securestore on server") -> dict[str, Any]:
    answer = Client().post(
        "/accounts/programs/begin/", {"name": name, "scope": "read add"}, REMOTE_ADDR="192.0.2.77"
    )
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def fetch(told: dict[str, Any]) -> Any:
    fields = {"grant_type": BY_CODE, "device_code": told["device_code"]}
    return Client().post(TOKEN, fields)


def test_a_typed_code_lets_a_program_in(signed_in: Client, alice: User) -> None:
    told = begun()
    assert told["verification_uri"] == "http://testserver/accounts/programs/code/"
    assert fetch(told).json() == {"error": "authorization_pending"}
    answer = signed_in.post("/accounts/programs/code/", {"code": told["user_code"].lower()})
    assert answer["Location"] == "/accounts/programs/confirm/"
    page = signed_in.get("/accounts/programs/confirm/").content.decode()
    assert "192.0.2.77" in page
    assert "securestore on server" in page
    assert 'type="password"' in page
    assert page.count('name="scopes"') == 2
    answer = signed_in.post("/accounts/programs/confirm/", ALLOWED | {"password": PASSWORD})
    assert answer["Location"] == "/accounts/tokens/"
    assert fetch(told).json()["token_type"] == "Bearer"
    assert fetch(told).json()["error"] == "invalid_grant"
    assert Token.objects.get().user == alice


@pytest.mark.parametrize("password", ["", "wrong password"])
def test_the_password_is_asked_for_each_time(signed_in: Client, password: str) -> None:
    told = begun()
    signed_in.post("/accounts/programs/code/", {"code": told["user_code"]})
    page = signed_in.post("/accounts/programs/confirm/", ALLOWED | {"password": password})
    assert page.status_code == 400
    assert fetch(told).json() == {"error": "authorization_pending"}


def test_wrong_passwords_are_counted(signed_in: Client) -> None:
    told = begun()
    signed_in.post("/accounts/programs/code/", {"code": told["user_code"]})
    wrong = ALLOWED | {"password": "wrong password"}
    answers = [signed_in.post("/accounts/programs/confirm/", wrong) for _ in range(7)]
    assert answers[-1].status_code == 429
    right = signed_in.post("/accounts/programs/confirm/", ALLOWED | {"password": PASSWORD})
    assert right.status_code == 429
    assert fetch(told).json() == {"error": "authorization_pending"}


def test_who_has_no_password_confirms_otherwise(signed_in: Client, alice: User) -> None:
    told = begun()
    signed_in.post("/accounts/programs/code/", {"code": told["user_code"]})
    User.objects.filter(pk=alice.pk).update(password="!")
    session = signed_in.session
    session["account_authentication_methods"] = []
    session.save()
    answer = signed_in.post("/accounts/programs/confirm/", ALLOWED)
    assert answer.status_code in {302, 403}
    assert fetch(told).json() == {"error": "authorization_pending"}


def test_refusing_a_typed_code(signed_in: Client) -> None:
    told = begun()
    signed_in.post("/accounts/programs/code/", {"code": told["user_code"]})
    assert signed_in.post("/accounts/programs/confirm/", {"refuse": "1"}).status_code == 302
    assert fetch(told).json() == {"error": "access_denied"}
    assert AuditEvent.objects.filter(event="program_refused").count() == 1


def test_codes_cannot_be_guessed(signed_in: Client) -> None:
    begun()
    answers = [signed_in.post("/accounts/programs/code/", {"code": "BBBB-BBBB"}) for _ in range(11)]
    assert {answer.status_code for answer in answers[:10]} == {400}
    assert answers[10].status_code == 429
    assert int(answers[10]["Retry-After"]) > 0


def test_codes_of_programs_cannot_be_guessed_either() -> None:
    answers = [
        Client().post(TOKEN, {"grant_type": BY_CODE, "device_code": str(n)}) for n in range(61)
    ]
    assert answers[0].json()["error"] == "invalid_grant"
    assert answers[60].status_code == 429


def test_a_page_that_stayed_open_too_long(signed_in: Client) -> None:
    told = begun()
    signed_in.post("/accounts/programs/code/", {"code": told["user_code"]})
    ProgramRequest.objects.all().delete()
    answer = signed_in.post("/accounts/programs/confirm/", ALLOWED | {"password": PASSWORD})
    assert answer["Location"] == "/accounts/programs/code/"
    assert signed_in.get("/accounts/programs/confirm/")["Location"] == "/accounts/programs/code/"


@pytest.mark.parametrize("said", [{}, {"name": "x"}, {"name": "x", "scope": "root"}])
def test_who_says_nothing_sensible_begins_nothing(said: dict[str, str]) -> None:
    answer = Client().post("/accounts/programs/begin/", said)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert not ProgramRequest.objects.exists()


def test_another_grant_is_not_known() -> None:
    answer = Client().post(TOKEN, {"grant_type": "password"})
    assert (answer.status_code, answer.json()) == (400, {"error": "unsupported_grant_type"})


def test_as_many_tokens_as_there_may_be(signed_in: Client, alice: User) -> None:
    told = begun()
    found = program_sign_in.find(told["user_code"])
    assert found.name == Asked("securestore on server", ("read",)).name
    signed_in.post("/accounts/programs/code/", {"code": told["user_code"]})
    signed_in.post("/accounts/programs/confirm/", ALLOWED | {"password": PASSWORD})
    for number in range(50):
        Token.objects.create(
            user=alice,
            name="x",
            digest=f"{number:064}",
            scopes="read",
            expires_at="2099-01-01T00:00:00Z",
        )
    answer = fetch(told).json()
    assert answer["error"] == "access_denied"
    assert "50" in answer["error_description"]
