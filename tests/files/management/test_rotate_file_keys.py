"""`rotate_file_keys`: which files, what it says, and how it ends."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.management.arguments import age
from files.models import FileRecord, StoredObject
from files.rotation import reencryption
from files.vault import stored_objects
from tests.files.conftest import CONTENT, Store, UseKeys
from tests.files.rotation.test_reencryption import holding
from tests.files.vault.faults import StoreTrouble, flip, read

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

State = StoredObject.State
LONG_AGO = 1_700_000_000


@pytest.fixture
def three(store: Store, alice: User, monkeypatch: pytest.MonkeyPatch) -> list[FileRecord]:
    """Three files that were encrypted long ago."""
    with monkeypatch.context() as patch:
        patch.setattr(stored_objects, "time", SimpleNamespace(time=lambda: LONG_AGO))
        return [store(alice, b"%d " % number + CONTENT) for number in range(3)]


def rotate(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_file_keys", *arguments, stdout=out)
    return out.getvalue()


def failed(*arguments: str) -> tuple[dict[str, Any], str]:
    """The summary and the error of a run that ends with one."""
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("rotate_file_keys", *arguments, "--json", stdout=out)
    assert error.value.returncode == 1
    return json.loads(out.getvalue()), str(error.value)


def reencrypted(records: list[FileRecord]) -> list[bool]:
    now = FileRecord.objects.in_bulk([record.pk for record in records])
    assert all(read(r) == b"%d " % n + CONTENT for n, r in enumerate(records))
    return [now[record.pk].current_id != record.current_id for record in records]


# --- Which ---------------------------------------------------------------------------------------


def test_files_of_an_age_are_done_once(
    three: list[FileRecord], store: Store, bob: User, capfd: pytest.CaptureFixture[str]
) -> None:
    young = store(bob)
    size = sum(record.size for record in three)
    assert rotate("--older-than=90d").startswith(f"3 files with {size} bytes re-encrypted in ")
    bar = capfd.readouterr().err
    assert "Re-encrypting 3 files: 100%" in bar
    assert "B/s" in bar
    assert reencrypted(three) == [True] * 3
    assert FileRecord.objects.get(pk=young.pk).current_id == young.current_id
    assert rotate("--older-than=90d").startswith("0 files")


def test_named_files_are_done(three: list[FileRecord]) -> None:
    rotate(f"--file={three[0].pk}", f"--file={three[2].pk}")
    assert reencrypted(three) == [True, False, True]


def test_conditions_hold_together(three: list[FileRecord]) -> None:
    rotate(f"--file={three[1].pk}", "--older-than=2w")
    assert reencrypted(three) == [False, True, False]
    rotate(f"--file={three[1].pk}", "--older-than=2w")
    assert StoredObject.objects.filter(state=State.DOOMED).count() == 1


def test_all_that_a_key_ever_wrapped_is_done(store: Store, alice: User, use_keys: UseKeys) -> None:
    leaked, new = generate_master_key(), generate_master_key()
    use_keys(leaked)
    records = [store(alice, b"%d " % number + CONTENT) for number in range(2)]
    leaked_id = records[0].current.master_key_id
    with pytest.raises(CommandError, match="is the primary master key"):
        rotate(f"--master-key={leaked_id}")
    use_keys(new, leaked)
    after = store(alice)
    # One of them before it is rewrapped, one after: both were wrapped by it.
    rotate(f"--master-key={leaked_id}", f"--file={records[0].pk}")
    call_command("rotate_master_key", stdout=StringIO())
    use_keys(new)
    assert json.loads(rotate(f"--master-key={leaked_id}", "--json"))["reencrypted"] == 1
    assert reencrypted(records) == [True, True]
    assert FileRecord.objects.get(pk=after.pk).current_id == after.current_id
    assert json.loads(rotate(f"--master-key={leaked_id}", "--json"))["selected"] == 0


@pytest.mark.django_db
def test_a_run_without_a_selection_is_refused() -> None:
    with pytest.raises(CommandError, match="--older-than, --file or --master-key"):
        rotate()


@pytest.mark.django_db
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_key_that_was_never_here_is_a_typing_error(more: list[str]) -> None:
    with pytest.raises(CommandError, match="No master key 0123456789abcdef is known here"):
        rotate("--master-key=0123456789abcdef", *more)


@pytest.mark.parametrize("option", ["--older-than=999999d", "--older-than=999999w"])
def test_an_age_beyond_the_calendar_is_refused(option: str) -> None:
    with pytest.raises(CommandError, match="longer than a thousand years"):
        rotate(option)


@pytest.mark.parametrize("wrong", ["--older-than=90", "--older-than=-1d", "--file=7"])
def test_what_makes_no_sense_is_refused(wrong: str) -> None:
    with pytest.raises(CommandError, match="is not a"):
        rotate(wrong)


@pytest.mark.django_db
def test_a_file_that_does_not_exist_is_named() -> None:
    nobody = uuid.uuid4()
    with pytest.raises(CommandError, match=f"No such file: {nobody}"):
        rotate(f"--file={nobody}")


def test_there_is_at_least_one_worker() -> None:
    with pytest.raises(CommandError, match="must be at least 1"):
        rotate("--older-than=1d", "--workers=0")
    with pytest.raises(CommandError, match="64, which is the most at once"):
        rotate("--older-than=1d", "--workers=65")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("2W", timedelta(weeks=2)),
    ],
)
def test_ages_have_units(text: str, meant: timedelta) -> None:
    assert age(text) == meant


# --- What it says --------------------------------------------------------------------------------


def test_a_dry_run_counts_and_changes_nothing(three: list[FileRecord]) -> None:
    size = sum(record.size for record in three)
    said = rotate("--older-than=90d", "--dry-run")
    assert said == f"3 files with {size} bytes would be re-encrypted.\n"
    outcome = json.loads(rotate("--older-than=90d", "--dry-run", "--json"))
    assert (outcome["selected"], outcome["reencrypted"], outcome["dry_run"]) == (3, 0, True)
    assert reencrypted(three) == [False] * 3


def test_held_files_are_skipped_and_counted(three: list[FileRecord]) -> None:
    holding(three[0])
    assert rotate("--older-than=90d").endswith(
        "1 held file was skipped: its owner can re-encrypt it from its page.\n"
    )
    holding(FileRecord.objects.select_related("current").get(pk=three[1].pk))
    assert rotate("--file", str(three[0].pk), "--file", str(three[1].pk)).endswith(
        "2 held files were skipped: their owners can re-encrypt them from their pages.\n"
    )
    current = FileRecord.objects.get(pk=three[0].pk).current_id
    assert current == three[0].current_id


def test_each_file_is_an_event_of_the_command(
    three: list[FileRecord], events: Callable[[str], list[dict[str, Any]]]
) -> None:
    rotate("--older-than=90d")
    assert [event["actor"] for event in events("file_reencrypted")] == (
        ["command:rotate_file_keys"] * 3
    )


# --- What fails ----------------------------------------------------------------------------------


def test_a_damaged_source_is_reported_and_the_others_are_done(
    three: list[FileRecord], s3: S3Client
) -> None:
    flip(s3, stored_objects.storage().bucket_name, three[1].current.object_name, 100)
    for _ in range(2):
        outcome, error = failed("--older-than=90d")
        assert outcome["damaged"] == [str(three[1].pk)]
        assert error == f"damaged, left as it is: {three[1].pk}"
    assert FileRecord.objects.get(pk=three[1].pk).current_id == three[1].current_id
    assert StoredObject.objects.get(pk=three[1].current_id).state == State.DAMAGED
    assert StoredObject.objects.filter(state=State.DOOMED).count() == 2


def test_one_that_fails_does_not_keep_the_others(
    three: list[FileRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reencryption.reencrypt

    def failing(record: FileRecord, **options: Any) -> FileRecord:
        if record.pk == three[0].pk:
            raise reencryption.NotVerified
        return real(record, **options)

    monkeypatch.setattr(reencryption, "reencrypt", failing)
    outcome, error = failed("--older-than=90d")
    assert (outcome["reencrypted"], outcome["failed"]) == (2, [str(three[0].pk)])
    assert str(three[0].pk) in error


def test_a_store_that_is_gone_ends_the_run(
    store: Store,
    three: list[FileRecord],
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    s3: S3Client,
) -> None:
    for _ in range(3):
        store(alice)
    trouble = StoreTrouble(monkeypatch, s3).begin()
    arguments = [f"--file={record.pk}" for record in FileRecord.objects.all()]
    outcome, error = failed(*arguments)
    assert "nothing worked any more" in error
    assert "run the command again" in error
    assert (outcome["selected"], len(outcome["failed"])) == (6, 3)
    trouble.end()
    assert json.loads(rotate(*arguments, "--json"))["reencrypted"] == 6


def test_a_locked_database_is_an_error_that_says_to_run_it_again(
    three: list[FileRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(record: FileRecord, **options: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(reencryption, "reencrypt", locked)
    with pytest.raises(CommandError, match=r"\(database is locked\)\. Nothing is lost"):
        rotate("--older-than=90d")


def test_a_missing_master_key_is_named(three: list[FileRecord], use_keys: UseKeys) -> None:
    use_keys(generate_master_key())
    with pytest.raises(CommandError, match="Master keys are missing"):
        rotate("--older-than=90d")


def test_stopped_from_the_keyboard_it_says_how_to_go_on(
    three: list[FileRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reencryption.reencrypt

    def interrupted(record: FileRecord, **options: Any) -> FileRecord:
        if StoredObject.objects.filter(state=State.DOOMED).exists():
            raise KeyboardInterrupt
        return real(record, **options)

    monkeypatch.setattr(reencryption, "reencrypt", interrupted)
    with pytest.raises(CommandError, match=r"Stopped\. Nothing is lost") as error:
        rotate("--older-than=90d")
    assert error.value.returncode == 130
    monkeypatch.setattr(reencryption, "reencrypt", real)
    rotate("--older-than=90d")
    assert reencrypted(three) == [True] * 3


def test_a_file_taken_by_another_run_is_skipped(
    three: list[FileRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner: list[dict[str, Any]] = []
    real = reencryption.reencrypt

    def meanwhile(record: FileRecord, **options: Any) -> FileRecord:
        if not inner:
            inner.append({})
            inner[0] = json.loads(rotate("--older-than=90d", "--json"))
        return real(record, **options)

    monkeypatch.setattr(reencryption, "reencrypt", meanwhile)
    outer = json.loads(rotate("--older-than=90d", "--json"))
    assert inner[0]["reencrypted"] == 3
    assert (outer["reencrypted"], outer["skipped"]) == (0, 3)
    assert reencrypted(three) == [True] * 3
