"""`sweep`: what it says and how it ends; what it does is tested with the vault."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from files.management.commands import sweep as command
from files.models import DownloadSession, FileRecord, StoredObject
from files.upkeep import reconciliation
from files.vault import downloading, removing
from tests.files.conftest import Store
from tests.files.vault.faults import StoreTrouble

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@pytest.fixture
def doomed(record: FileRecord, alice: User, settings: Any) -> None:
    """A deleted file, past its grace, whose object is still there."""
    removing.remove(record, actor=alice)
    StoredObject.objects.update(state_changed_at=timezone.now() - settings.DOOMED_GRACE)


def sweep(*arguments: str) -> str:
    out = StringIO()
    call_command("sweep", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(("token", "minutes"), [(None, 0), ("t" * 20, 5)])
def test_it_closes_downloads_that_stand_still(
    record: FileRecord, alice: User, settings: Any, token: str | None, minutes: int
) -> None:
    """Where a server counts them, it is left the time to do it."""
    settings.METRICS_TOKEN = token
    part = downloading.Part(0, record.size)
    downloading.begin(record, part, user=alice, session="s").end(downloading.ABORTED, 9, 9)
    due = timezone.now() - settings.DOWNLOAD_IDLE - timedelta(minutes=minutes)
    for seen_at, left in ((due + timedelta(minutes=1), 1), (due - timedelta(seconds=1), 0)):
        DownloadSession.objects.update(seen_at=seen_at)
        settled = 1 - left
        assert json.loads(sweep("--dry-run", "--json"))["downloads"] == settled
        assert DownloadSession.objects.count() == 1
        told = "1 downloads stood still and got their event of the log." in sweep().splitlines()
        assert told == bool(settled)
        assert DownloadSession.objects.count() == left


@pytest.mark.usefixtures("doomed")
def test_it_removes_and_says_so(
    nothing_left: Callable[[], bool], events: Callable[[str], list[dict[str, Any]]]
) -> None:
    assert sweep() == "1 doomed objects and 0 abandoned uploads removed.\n"
    assert nothing_left()
    assert [event["actor"] for event in events("swept")] == ["command:sweep"]


@pytest.mark.usefixtures("doomed")
def test_a_dry_run_removes_nothing(store_is_empty: Callable[[], bool]) -> None:
    row = StoredObject.objects.get()
    step, summary = sweep("--dry-run").splitlines()
    assert step.startswith(f"would delete doomed object: {row.object_name}, file {row.file_id}, ")
    assert step.endswith(f"{row.object_size} bytes, 60 min old")
    assert summary == "1 doomed objects and 0 abandoned uploads would be removed."
    assert not store_is_empty()
    outcome = json.loads(sweep("--dry-run", "--json"))
    assert (outcome["dry_run"], outcome["purged"], len(outcome["steps"])) == (True, 1, 1)
    assert outcome["steps"][0]["object_name"] == row.object_name


@pytest.mark.usefixtures("doomed")
def test_an_unreachable_store_is_an_error_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, s3: S3Client
) -> None:
    StoreTrouble(monkeypatch, s3).begin()
    with pytest.raises(CommandError, match="The store did not answer"):
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

    monkeypatch.setattr(command, "sweep", locked)
    with pytest.raises(CommandError, match="The database did not answer"):
        sweep()


def test_unknown_objects_are_named_and_deleted_on_demand(
    record: FileRecord, s3: S3Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket=settings.S3_BUCKET, Key="00/unknown", Body=b"12345")
    for _ in range(2):  # Young ones are not deleted, even on demand.
        assert sweep("--delete-unknown").splitlines()[1:] == [
            "unknown: 00/unknown, 5 bytes, 0 min old",
            "1 objects with 5 bytes have no row; 0 of them removed. "
            "--delete-unknown deletes those older than a day.",
        ]
    monkeypatch.setattr(reconciliation, "SETTLED", timedelta(0))
    assert json.loads(sweep("--json"))["unknown_deleted"] == 0
    outcome = json.loads(sweep("--json", "--delete-unknown"))
    assert outcome["unknown_deleted"] == 1
    assert [unknown["object"] for unknown in outcome["unknown"]] == ["00/unknown"]
    assert json.loads(sweep("--json"))["unknown_objects"] == 0


def test_a_missing_object_is_named_and_an_error(
    record: FileRecord, s3: S3Client, settings: Any
) -> None:
    name = record.current.object_name
    s3.delete_object(Bucket=settings.S3_BUCKET, Key=name)
    out = StringIO()
    with pytest.raises(CommandError, match="1 files have no object in the store"):
        call_command("sweep", stdout=out)
    assert f"missing: file {record.pk}, object {name}" in out.getvalue()
    assert StoredObject.objects.get().state == StoredObject.State.DAMAGED


def test_the_wrong_bucket_is_an_error_and_changes_nothing(
    store: Store, alice: User, s3: S3Client, settings: Any
) -> None:
    for _ in range(reconciliation.NONE_KNOWN + 1):
        name = store(alice, b"").current.object_name
        s3.delete_object(Bucket=settings.S3_BUCKET, Key=name)
    with pytest.raises(CommandError, match="Are S3_BUCKET and DATABASE_URL right"):
        sweep()
    assert set(StoredObject.objects.values_list("state", flat=True)) == {"live"}


@pytest.mark.usefixtures("doomed")
def test_each_step_is_told_when_asked() -> None:
    assert sweep("--verbosity=2").splitlines()[0].startswith("delete doomed object: ")
