"""Who signed in a while ago is asked again, loses nothing, and leaves no secret behind."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.middleware import UNASKED
from accounts.models import User
from audit.models import AuditEvent
from files.models import FileRecord
from tests.files.doors import ROUTES, address
from tests.files.test_models import filed


@pytest.fixture
def record(alice: User) -> FileRecord:
    """A file of Alice's, in the trash: deleting it now is deleting it for good."""
    return filed(alice, trashed_at=timezone.now(), trashed_by=alice)


@pytest.fixture
def late(client: Client, alice: User, settings: Settings) -> Client:
    """Alice's session, whose sign-in no longer counts."""
    client.force_login(alice)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    return client


def confirm(client: Client, location: str, password: str, settings: Settings) -> str:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    parts = urlsplit(location)
    form = {"password": password, "next": parse_qs(parts.query)["next"][0]}
    return str(client.post(parts.path, form)["Location"])


def test_any_sign_in_counts(client: Client, record: FileRecord, alice: User) -> None:
    client.force_login(alice)
    assert client.get(reverse("files:delete", args=[record.pk])).status_code == 200


def test_another_page_is_not_asked_for(late: Client, alice: User) -> None:
    record = filed(alice)
    for page in ("files:detail", "files:delete"):
        assert late.get(reverse(page, args=[record.pk])).status_code == 200


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_a_late_deletion_is_asked_about_and_comes_back(
    late: Client, record: FileRecord, password: str, settings: Settings, method: str
) -> None:
    page = reverse("files:delete", args=[record.pk])
    answer = getattr(late, method)(page)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert FileRecord.objects.exists()
    assert confirm(late, answer["Location"], password, settings) == page
    assert late.get(page).status_code == 200


def test_a_wrong_password_confirms_nothing(late: Client, settings: Settings) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    late.get("/")
    answer = late.post(reverse("account_reauthenticate"), {"password": "wrong", "next": "/files/"})
    assert answer.status_code == 200
    assert b"Incorrect password" in answer.content


def test_what_was_posted_is_not_kept(late: Client, record: FileRecord) -> None:
    late.post(reverse("files:delete", args=[record.pk]), {"key": "a typed secret"})
    kept = dict(late.session)
    assert kept
    assert "a typed secret" not in str(kept)


def test_programs_are_told_in_words(late: Client, record: FileRecord) -> None:
    page = reverse("files:delete", args=[record.pk])
    answer = late.post(page, headers={"Accept": "application/json"})
    assert (answer.status_code, answer["Content-Type"]) == (403, "text/plain; charset=utf-8")


# --- The administration ------------------------------------------------------------------------

IN_ADMIN = sorted(name for name in ROUTES if name.startswith("admin"))


@pytest.fixture
def late_root(client: Client, root: User, settings: Settings) -> Client:
    """A superuser's session, whose sign-in no longer counts."""
    client.force_login(root)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    return client


def test_the_exceptions_are_few_and_give_nobody_a_power() -> None:
    assert {"admin:login", "admin:logout"} == UNASKED


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_unsafe_request_of_the_administration_asks(late_root: Client, method: str) -> None:
    before = AuditEvent.objects.count()
    # Behind a page that is closed, which changes nothing either.
    for name in set(IN_ADMIN) - UNASKED - {"admin:view_on_site"}:
        path = address(name, uuid.uuid4() if "uuid" in ROUTES[name] else "1")
        answer = late_root.generic(method, path, "post=yes", "application/x-www-form-urlencoded")
        assert answer.status_code == 302, path
        assert answer["Location"].startswith(reverse("account_reauthenticate")), path
    assert list(AuditEvent.objects.values("event", "data"))[:-before] == []


@pytest.mark.parametrize("name", ["accounts_user_add", "accounts_invitation_add", "auth_group_add"])
def test_a_form_asks_before_it_is_filled_in(late_root: Client, name: str) -> None:
    answer = late_root.get(reverse(f"admin:{name}"))
    assert answer["Location"].startswith(reverse("account_reauthenticate"))


def test_what_was_typed_is_offered_again_after_the_confirmation(
    late_root: Client, root: User, password: str, settings: Settings
) -> None:
    page = reverse("admin:auth_group_add") + "?_popup=1"
    share = str(Permission.objects.get(codename="add_grant").pk)
    answer = late_root.post(page, {"name": "Shärers & <co>", "permissions": [share], "_save": "S"})
    assert not Group.objects.filter(name__startswith="Sh").exists()
    assert confirm(late_root, answer["Location"], password, settings) == page
    shown = late_root.get(page)
    assert b"Nothing was done yet" in shown.content
    assert not Group.objects.filter(name__startswith="Sh").exists()
    typed: list[tuple[str, str]] = shown.context["typed"]
    assert ("name", "Shärers & <co>") in typed
    assert "Shärers &amp; &lt;co&gt;" in shown.content.decode()
    form: dict[str, list[str]] = {}
    for name, value in typed:
        form.setdefault(name, []).append(value)
    late_root.post(page, form)
    assert Group.objects.get(name="Shärers & <co>").permissions.get().codename == "add_grant"
    assert late_root.get(page).context.get("typed") is None  # Once.


def test_no_secret_is_kept_and_another_page_gets_nothing(
    late_root: Client, root: User, alice: User, password: str, settings: Settings
) -> None:
    page = reverse("admin:auth_user_password_change", args=[alice.pk])
    secrets = dict.fromkeys(("password1", "password2"), "a typed secret")
    answer = late_root.post(page, {**secrets, "usable_password": "true", "note": "typed"})
    assert "a typed secret" not in str(dict(late_root.session))
    confirm(late_root, answer["Location"], password, settings)
    other = late_root.get(reverse("admin:accounts_user_change", args=[root.pk]))
    assert other.context.get("typed") is None
    assert late_root.get(page).context["typed"] == [("note", "typed")]


def test_who_has_nothing_to_confirm_with_changes_nothing_late(
    client: Client, root: User, alice: User, settings: Settings
) -> None:
    root.set_unusable_password()
    root.save()
    client.force_login(root)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    page = reverse("admin:accounts_user_delete", args=[alice.pk])
    assert client.post(page, {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=alice.pk).exists()


def test_powers_of_ones_own_account_are_confirmed_too(late: Client, alice: User) -> None:
    """Changing one's password asks for the old one; addresses and factors, for a confirmation."""
    answer = late.post(reverse("account_email"), {"action_add": "", "email": "a@example.net"})
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    answer = late.post(reverse("mfa_activate_totp"), {"code": "123456"})
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    new = dict.fromkeys(("password1", "password2"), "quite another password")
    assert late.post(reverse("account_change_password"), new).status_code == 200
    assert not alice.__class__.objects.get(pk=alice.pk).check_password("quite another password")
