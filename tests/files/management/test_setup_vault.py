"""`setup_vault`: makes what is missing, once, and nothing on a second run."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from accounts.members import PERMISSIONS
from accounts.models import User
from files.vault import stored_objects
from tests.aws import s3_client
from tests.files.vault.faults import StoreTrouble

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USERNAME", "EMAIL", "PASSWORD"):
        monkeypatch.delenv(f"DJANGO_SUPERUSER_{name}", raising=False)


def setup() -> str:
    out = StringIO()
    call_command("setup_vault", stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("aws")
def test_everything_is_made_on_an_empty_store_and_database(settings: LazySettings) -> None:
    out = setup()
    assert [b["Name"] for b in s3_client().list_buckets()["Buckets"]] == [settings.S3_BUCKET]
    stored_objects.check_store()
    group = Group.objects.get(name="Members")
    assert {p.codename for p in group.permissions.all()} == set(PERMISSIONS)
    admin = User.objects.get()
    assert (admin.username, admin.is_superuser, admin.is_staff) == ("admin", True, True)
    assert list(admin.groups.all()) == [group]
    shown = re.fullmatch(
        r"First administrator: admin\nPassword \(shown only now\): (\S{24})\n", out
    )
    assert shown
    assert admin.check_password(shown[1])


def test_a_second_run_changes_and_prints_nothing(s3: S3Client) -> None:
    setup()
    admin = User.objects.get()
    assert setup() == ""
    again = User.objects.get()
    assert (again.pk, again.password) == (admin.pk, admin.password)


def test_what_an_administrator_changed_stays(s3: S3Client) -> None:
    setup()
    User.objects.update(username="chief")
    Group.objects.get().permissions.clear()
    assert setup() == ""
    assert User.objects.get().username == "chief"


def test_the_standard_variables_are_honoured(s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "chief")
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "chief@example.org")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "their own password")
    out = setup()
    assert out == "Administrator chief created with the password given.\n"
    chief = User.objects.get()
    assert (chief.username, chief.email) == ("chief", "chief@example.org")
    assert chief.check_password("their own password")


@pytest.mark.parametrize(("name", "value"), [("EMAIL", "not an address"), ("USERNAME", "alice")])
def test_an_administrator_that_cannot_be_made_is_an_error_in_words(
    s3: S3Client, alice: User, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"DJANGO_SUPERUSER_{name}", value)
    with pytest.raises(CommandError, match="Choose other values for DJANGO_SUPERUSER_USERNAME"):
        setup()
    assert not User.objects.filter(is_superuser=True).exists()


def test_an_unreachable_store_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, s3: S3Client
) -> None:
    StoreTrouble(monkeypatch, s3).begin()
    with pytest.raises(CommandError, match="Check S3_ENDPOINT_URL, S3_BUCKET"):
        setup()
    assert not User.objects.exists()
