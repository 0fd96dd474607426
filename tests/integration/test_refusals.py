"""Why the real store refuses: told by the one cheap call that everything begins with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import botocore.auth
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from files.storage import StoreRefused
from files.vault import stored_objects

pytestmark = pytest.mark.usefixtures("real_store")


def our_clock_is(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    """What is signed has this time. The other clock is read from the answer, and ours by it."""

    def now(remove_tzinfo: bool = True) -> datetime:
        moment = datetime.now(UTC) + ahead
        return moment.replace(tzinfo=None) if remove_tzinfo else moment

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + ahead

    monkeypatch.setattr(botocore.auth, "get_current_datetime", now)
    monkeypatch.setattr("runtime.aws_errors.datetime", Shifted)


def options(settings: Settings, **changed: str) -> None:
    storages = {**settings.STORAGES}
    storages["default"] = {**storages["default"]}
    storages["default"]["OPTIONS"] = {**storages["default"]["OPTIONS"], **changed}
    settings.STORAGES = storages


def wrong_key(settings: Settings) -> None:
    options(settings, access_key="nobody")


def wrong_secret(settings: Settings) -> None:
    options(settings, secret_key="wrong")


@pytest.mark.parametrize(("hours", "word"), [(-1, "behind"), (30, "ahead of")])
def test_a_wrong_clock_is_not_called_wrong_credentials(
    monkeypatch: pytest.MonkeyPatch, hours: int, word: str
) -> None:
    our_clock_is(monkeypatch, timedelta(hours=hours))
    for ask in (
        stored_objects.storage().check,
        lambda: list(stored_objects.storage().objects("doctor/")),
    ):
        with pytest.raises(StoreRefused, match=rf"clock is [\d,]+ s {word}") as refused:
            ask()
        assert "NTP" in refused.value.remedy


@pytest.mark.parametrize(
    ("break_it", "said"),
    [(wrong_key, "does not know the access key"), (wrong_secret, "the secret key is not that")],
)
def test_wrong_credentials_are_told_from_one_another(
    settings: Settings, break_it: Callable[[Settings], None], said: str
) -> None:
    """Although the first call is a HEAD, whose answer has no words."""
    break_it(settings)
    with pytest.raises(StoreRefused, match=said):
        stored_objects.storage().check()


@pytest.mark.django_db
def test_set_up_and_doctor_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    our_clock_is(monkeypatch, timedelta(hours=2))
    with pytest.raises(CommandError, match=r"ahead of the other side's\)\. Let a time service"):
        call_command("setup_vault")
    told = StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", stdout=told)
    [line] = [line for line in told.getvalue().splitlines() if "reach the bucket" in line]
    assert "ahead of" in line
