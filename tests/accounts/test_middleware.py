"""What holds on every page: a required second factor, and a confirmation before deletions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.middleware import WITHOUT_SECOND_FACTOR
from accounts.models import User
from audit import Event
from audit.models import AuditEvent
from tests.files.doors import METHODS, ROUTES, address

SET_UP = "/accounts/2fa/"


def given(user: User, kind: str) -> None:
    if kind == "totp":
        TOTP.activate(user, generate_totp_secret())
    elif kind == "recovery_codes":
        RecoveryCodes.activate(user)
    else:
        Authenticator.objects.create(user=user, type="webauthn", data={"name": "k"})


@pytest.mark.integration
def test_no_page_is_reached_without_the_required_factor(
    client: Client, root: User, settings: Settings
) -> None:
    """Every path of the site, with every method, for the most powerful user there is."""
    settings.REQUIRE_MFA = "all"
    client.force_login(root)
    stopped = ROUTES.keys() - WITHOUT_SECOND_FACTOR
    # Who has an account is nobody there, as people outside are.
    stopped -= {name for name, route in ROUTES.items() if route.startswith(("l/<", "r/<"))}
    assert len(stopped) > 100
    for name, method in product(sorted(stopped), METHODS):
        page = address(name, UUID(int=1) if "uuid:" in ROUTES[name] else 1)
        answer = client.generic(method, page, headers={"Accept": "text/html"})
        if name.startswith("api:"):
            # No session opens it: a token does, and REQUIRE_MFA is asked about its person there.
            assert answer.status_code in {401, 404, 405} or name == "api:openapi", (name, method)
            continue
        if name in {"upload", "uploads"}:
            told = (answer.status_code, answer["Content-Type"][:10])
            assert told == (403, "text/plain"), (name, method)
        else:
            assert (answer.status_code, answer["Location"]) == (302, SET_UP), (name, method)
        program = client.generic(method, page, headers={"Accept": "application/json"})
        assert program.status_code == 403, (name, method)


def test_the_exceptions_are_those_that_set_up_needs() -> None:
    assert ROUTES.keys() >= WITHOUT_SECOND_FACTOR
    for name in WITHOUT_SECOND_FACTOR - {"healthz", "readyz", "account_logout"}:
        assert name.startswith("mfa_") or name == "account_reauthenticate"


@pytest.mark.parametrize(
    ("required", "who", "stopped"),
    [
        ("off", "root", False),
        ("staff", "alice", False),
        ("staff", "root", True),
        ("all", "alice", True),
    ],
)
def test_who_needs_one(
    client: Client,
    alice: User,
    root: User,
    settings: Settings,
    required: str,
    who: str,
    stopped: bool,
) -> None:
    settings.REQUIRE_MFA = required
    client.force_login({"alice": alice, "root": root}[who])
    for page in ("/files/", "/admin/"):
        answer = client.get(page)
        assert (answer.get("Location") == SET_UP) is stopped


def test_staff_who_are_no_superusers_are_staff(
    client: Client, alice: User, settings: Settings
) -> None:
    settings.REQUIRE_MFA = "staff"
    alice.is_staff = True
    alice.save()
    client.force_login(alice)
    assert client.get("/admin/")["Location"] == SET_UP


@pytest.mark.parametrize(
    ("kind", "enough"), [("totp", True), ("webauthn", True), ("recovery_codes", False)]
)
def test_what_counts_as_one(
    client: Client, alice: User, settings: Settings, kind: str, enough: bool
) -> None:
    settings.REQUIRE_MFA = "all"
    given(alice, kind)
    client.force_login(alice)
    assert (client.get("/files/").status_code == 200) is enough


def test_one_that_is_taken_away_is_missed_at_once(
    client: Client, alice: User, settings: Settings
) -> None:
    settings.REQUIRE_MFA = "all"
    given(alice, "totp")
    client.force_login(alice)
    assert client.get("/files/").status_code == 200
    Authenticator.objects.all().delete()
    assert client.get("/files/")["Location"] == SET_UP


def test_the_way_through_set_up_is_open(
    client: Client, alice: User, password: str, settings: Settings
) -> None:
    settings.REQUIRE_MFA = "all"
    answer = client.post(reverse("account_login"), {"login": "alice", "password": password})
    page = client.get(answer["Location"], follow=True)
    assert page.redirect_chain[-1][0] == SET_UP
    assert "asks for a second factor" in page.content.decode()
    for name in ("mfa_activate_totp", "mfa_add_webauthn"):
        assert client.get(reverse(name)).status_code == 200
    assert client.post(reverse("account_logout")).status_code == 302


def test_nobody_anonymous_is_asked_for_one(client: Client, db: None, settings: Settings) -> None:
    settings.REQUIRE_MFA = "all"
    assert client.get(reverse("account_login")).status_code == 200
    assert client.get("/healthz").status_code == 200
    assert client.get("/files/")["Location"].startswith("/accounts/login/")


# --- Deletions in the administration -----------------------------------------------------------


@pytest.fixture
def late(client: Client, root: User, settings: Settings) -> Client:
    client.force_login(root)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    return client


Knock = Callable[[Client, User], Any]
DELETIONS: Mapping[str, Knock] = {
    "page": lambda client, user: client.get(reverse("admin:accounts_user_delete", args=[user.pk])),
    "form": lambda client, user: client.post(
        reverse("admin:accounts_user_delete", args=[user.pk]), {"post": "yes"}
    ),
    "several": lambda client, user: client.post(
        reverse("admin:accounts_user_changelist"),
        {"action": "delete_selected", "_selected_action": str(user.pk), "post": "yes"},
    ),
}


@pytest.mark.parametrize("how", DELETIONS)
def test_deletions_in_the_administration_are_confirmed(
    late: Client, mallory: User, settings: Settings, how: str
) -> None:
    answer = DELETIONS[how](late, mallory)
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert User.objects.filter(pk=mallory.pk).exists()
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    DELETIONS[how](late, mallory)
    assert User.objects.filter(pk=mallory.pk).exists() is (how == "page")


def test_other_pages_of_the_administration_are_not(late: Client, mallory: User) -> None:
    assert late.get(reverse("admin:accounts_user_changelist")).status_code == 200
    assert late.get(reverse("admin:accounts_user_change", args=[mallory.pk])).status_code == 200


# --- A lost phone ------------------------------------------------------------------------------


def test_a_superuser_removes_a_lost_factor_and_sees_no_seed(
    client: Client, root: User, alice: User
) -> None:
    given(alice, "totp")
    row = Authenticator.objects.get()
    client.force_login(root)
    page = client.get(reverse("admin:mfa_authenticator_change", args=[row.pk]))
    assert page.status_code == 200
    assert row.data["secret"] not in page.content.decode()
    client.post(reverse("admin:mfa_authenticator_delete", args=[row.pk]), {"post": "yes"})
    event = AuditEvent.objects.filter(event=Event.MFA_CHANGED).latest("id")
    assert (event.actor_name, event.data["user_id"]) == ("root", alice.pk)
    assert event.data["change"] == "removed"


def test_staff_do_not_touch_factors(client: Client, alice: User, bob: User) -> None:
    from django.contrib.auth.models import Permission

    given(alice, "totp")
    row = Authenticator.objects.get()
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(content_type__app_label="mfa"))
    client.force_login(bob)
    delete = reverse("admin:mfa_authenticator_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:mfa_authenticator_add")).status_code == 403


# --- Signed out meanwhile -----------------------------------------------------------------------

HERE = "http://testserver"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("page", "back"),
    [
        (f"{HERE}/files/?sort=-time&q=a%26b", "/files/?sort=-time&q=a%26b"),
        (f"{HERE}/trash/", "/trash/"),
        ("https://elsewhere.example/files/", "/files/delete/"),
        ("javascript:alert(1)", "/files/delete/"),
        ("", "/files/delete/"),
    ],
)
def test_who_was_signed_out_comes_back_to_the_page_they_sent_from(
    client: Client, page: str, back: str
) -> None:
    answer = client.post("/files/delete/", {"file": "x"}, headers={"Referer": page})
    assert answer.status_code == 302
    where = urlsplit(answer["Location"])
    assert (where.path, parse_qs(where.query)) == ("/accounts/login/", {"next": [back]})
    # What was sent is not done, and they know.
    assert "nothing was done" in client.get(answer["Location"]).content.decode()


@pytest.mark.integration
def test_signing_in_again_never_leads_to_an_address_without_a_page(
    client: Client, alice: User
) -> None:
    """Every address that takes a POST alone, for who sent it from the list of files."""
    for name in sorted(ROUTES.keys()):
        page = address(name, UUID(int=1) if "uuid:" in ROUTES[name] else 1)
        client.logout()
        answer = client.post(page, headers={"Referer": f"{HERE}/files/"})
        if answer.status_code != 302 or not answer["Location"].startswith("/accounts/login/?next"):
            continue
        assert parse_qs(urlsplit(answer["Location"]).query)["next"] == ["/files/"], name


@pytest.mark.django_db
def test_looking_at_a_page_comes_back_to_that_page(client: Client) -> None:
    answer = client.get("/shared/", headers={"Referer": f"{HERE}/files/"})
    assert answer["Location"] == "/accounts/login/?next=/shared/"
    assert "nothing was done" not in client.get(answer["Location"]).content.decode()
