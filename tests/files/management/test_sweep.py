"""`sweep`: what it says and how it ends; what it does is tested with the vault."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from files import vault
from files.models import FileRecord, StoredObject
from tests.files.test_vault import StoreTrouble

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@pytest.fixture
def doomed(record: FileRecord, alice: User, settings: Any) -> None:
    """A deleted file, past its grace, whose object is still there."""
    vault.remove(record, actor=alice)
    StoredObject.objects.update(state_changed_at=timezone.now() - settings.DOOMED_GRACE)


def sweep(*arguments: str) -> str:
    out = StringIO()
    call_command("sweep", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("doomed")
def test_it_removes_and_says_so(
    nothing_left: Callable[[], bool], events: Callable[[str], list[dict[str, Any]]]
) -> None:
    assert sweep() == "1 doomed objects and 0 abandoned uploads removed.\n"
    assert nothing_left()
    assert [event["actor"] for event in events("swept")] == ["command:sweep"]


@pytest.mark.usefixtures("doomed")
def test_a_dry_run_removes_nothing(store_is_empty: Callable[[], bool]) -> None:
    assert sweep("--dry-run") == "1 doomed objects and 0 abandoned uploads would be removed.\n"
    assert not store_is_empty()


@pytest.mark.usefixtures("doomed")
def test_an_unreachable_store_is_an_error_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, s3: S3Client
) -> None:
    StoreTrouble(monkeypatch, s3).begin()
    with pytest.raises(CommandError, match="The store does not answer"):
        sweep()
    assert StoredObject.objects.get().state == StoredObject.State.DOOMED


@pytest.mark.usefixtures("doomed")
def test_what_could_not_be_removed_is_an_error(
    monkeypatch: pytest.MonkeyPatch, s3: S3Client
) -> None:
    StoreTrouble(monkeypatch, s3).begin("DeleteObject")
    with pytest.raises(CommandError, match="1 could not be removed yet: run sweep again later"):
        sweep()


def test_a_locked_database_is_an_error(
    monkeypatch: pytest.MonkeyPatch, s3: S3Client, db: None
) -> None:
    def locked(**options: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(vault, "sweep", locked)
    with pytest.raises(CommandError, match="The database does not answer"):
        sweep()
