"""`verify_files`: what it takes, what it says, and how it ends."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.models import FileRecord, StoredObject, VerificationClaim, VerificationRun
from files.upkeep import bulk_verification, verification, verification_queue
from runtime.leases import new_lease
from tests.files.conftest import CONTENT, Store, UseKeys
from tests.files.rotation.test_reencryption import holding
from tests.files.upkeep.test_bulk_verification import lose
from tests.files.vault.faults import StoreTrouble, flip

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

# One worker does it on the test's own thread, and so in its transaction.
ONE = "--workers=1"


@pytest.fixture
def three(store: Store, alice: User) -> list[FileRecord]:
    return [store(alice) for _ in range(3)]


def verify(*arguments: str) -> str:
    out = StringIO()
    call_command("verify_files", ONE, *arguments, stdout=out)
    return out.getvalue()


def failed(*arguments: str) -> tuple[dict[str, Any], str, int]:
    """The summary, the error and the exit code of a run that ends with one."""
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("verify_files", ONE, "--json", *arguments, stdout=out)
    return json.loads(out.getvalue()), str(error.value), error.value.returncode


def test_all_is_well(
    three: list[FileRecord],
    capfd: pytest.CaptureFixture[str],
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    holding(three[0])
    said = verify().splitlines()
    assert said[0].startswith(f"3 objects, {2 * len(CONTENT)} bytes read in ")
    assert said[1:] == ["       2  as written", "       1  held: checked without content"]
    bar = capfd.readouterr().err
    assert "Verifying: 100%" in bar
    assert "B/s" in bar
    assert [event["actor"] for event in events("files_verified")] == ["command:verify_files"]


def test_json_of_a_good_run(three: list[FileRecord]) -> None:
    outcome = json.loads(verify("--json"))
    assert outcome["ok"] is True
    assert (outcome["objects"], outcome["bytes"]) == (3, 3 * len(CONTENT))
    assert outcome["outcomes"] == {str(each): 0 for each in verification.Outcome} | {"ok": 3}
    assert outcome["bad"] == []


def test_damage_is_named_with_its_place(
    three: list[FileRecord], s3: S3Client, settings: Any
) -> None:
    flip(s3, settings.S3_BUCKET, three[1].current.object_name, 100)
    outcome, error, code = failed()
    [bad] = outcome["bad"]
    assert bad.pop("reason")
    assert bad == {
        "file": str(three[1].pk),
        "object": three[1].current.object_name,
        "outcome": "damaged",
        "offset": 0,
        "marked": True,
    }
    assert (outcome["ok"], code) == (False, 1)
    assert "1 damaged" in error
    assert "Damaged files" in error
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_files", ONE, stdout=out)
    name = three[1].current.object_name
    assert f"damaged: file {three[1].pk}, object {name}, from byte 0 on" in out.getvalue()


def test_a_missing_master_key_is_not_damage(three: list[FileRecord], use_keys: UseKeys) -> None:
    key_id = three[0].current.master_key_id
    use_keys(generate_master_key())
    outcome, error, code = failed()
    assert outcome["outcomes"]["wrong_key"] == 3
    assert key_id in outcome["bad"][0]["reason"]
    assert (code, "3 wrong key" in error) == (1, True)
    assert not StoredObject.objects.filter(state="damaged").exists()


def test_a_store_that_is_down_has_an_exit_code_of_its_own(
    three: list[FileRecord], monkeypatch: pytest.MonkeyPatch, s3: S3Client
) -> None:
    trouble = StoreTrouble(monkeypatch, s3).begin("GetObject")
    outcome, error, code = failed()
    assert (code, outcome["ok"], outcome["outcomes"]["unreachable"]) == (3, False, 3)
    assert "run it again" in error
    trouble.end()
    assert "3  as written" in verify()


def test_damage_beside_an_outage_is_damage(
    three: list[FileRecord], monkeypatch: pytest.MonkeyPatch, s3: S3Client, settings: Any
) -> None:
    flip(s3, settings.S3_BUCKET, three[0].current.object_name, 100)
    # The first is read twice, for bits flip on the way too.
    StoreTrouble(monkeypatch, s3).begin("GetObject", call=3)
    _, _, code = failed()
    assert code == 1


def test_in_a_wrong_bucket_it_says_so(store: Store, alice: User, s3: S3Client) -> None:
    lose(s3, [store(alice, b"") for _ in range(bulk_verification.NONE_THERE + 1)])
    outcome, error, code = failed()
    assert (outcome["wrong_bucket"], code) == (True, 1)
    assert "is S3_BUCKET the right bucket" in error


@pytest.mark.parametrize("together", [False, True])
def test_named_files(three: list[FileRecord], together: bool) -> None:
    names = [str(three[0].pk), str(three[2].pk)]
    arguments = ["--file", *names] if together else [f"--file={name}" for name in names]
    assert json.loads(verify("--json", *arguments))["objects"] == 2


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["--sample=1%"], 1),
        (["--sample=2"], 2),
        (["--sample=100%"], 3),
        (["--since=1d"], 3),
        (["--since=2001-01-01"], 3),
        (["--since=2001-01-01 12:30"], 3),
        (["--since=0d"], 0),
        (["--older-than=1d"], 3),
    ],
)
def test_selections(three: list[FileRecord], arguments: list[str], number: int) -> None:
    assert json.loads(verify("--json", *arguments))["objects"] == number


@pytest.mark.parametrize(
    "wrong",
    [
        "--sample=0",
        "--sample=101%",
        "--sample=1.5",
        "--sample=x",
        "--since=yesterday",
        "--since=2026-02-30",
        "--since=30",
        "--since=2999-01-01",
        "--since=9999-12-31",
        "--older-than=30",
        "--file=7",
        "--workers=0",
        "--workers=x",
        "--workers=65",
        "--workers=100000",
    ],
)
@pytest.mark.django_db
def test_what_makes_no_sense_is_refused(wrong: str) -> None:
    with pytest.raises(CommandError, match=r"is not a|at least 1|still to come|the most at once"):
        verify(wrong)


@pytest.mark.django_db
def test_a_file_that_does_not_exist_is_named() -> None:
    nobody = uuid.uuid4()
    with pytest.raises(CommandError, match=f"No such file: {nobody}"):
        verify(f"--file={nobody}")


def test_unmarking(three: list[FileRecord]) -> None:
    StoredObject.objects.filter(pk=three[0].current.pk).update(state="damaged")
    outcome, error, code = failed()
    assert (outcome["outcomes"]["still_marked"], code) == (1, 1)
    assert "1 still marked" in error
    assert f"unmarked: file {three[0].pk}" in verify("--unmark")
    assert json.loads(verify("--json", "--unmark"))["unmarked"] == []


def test_an_interrupted_run_goes_on_and_says_so(
    three: list[FileRecord], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verification_queue, "PAGE", 1)
    real = verification.examine

    def interrupted(row: StoredObject, **options: Any) -> verification.Finding:
        if row.pk == three[2].current.pk:
            raise KeyboardInterrupt
        return real(row, **options)

    with monkeypatch.context() as patch:
        patch.setattr(verification, "examine", interrupted)
        with pytest.raises(CommandError, match=r"Stopped\. Nothing is lost") as error:
            verify()
    assert error.value.returncode == 130
    outcome = json.loads(verify("--json"))
    assert (outcome["resumed"], outcome["objects"]) == (True, 1)
    assert "Going on with the run that was interrupted" in capfd.readouterr().err
    assert not VerificationRun.objects.exists()


def test_a_run_beside_another_says_so_and_calls_nothing_interrupted(
    three: list[FileRecord], capfd: pytest.CaptureFixture[str]
) -> None:
    VerificationRun.objects.create(selection="all")
    claim = VerificationClaim(stored_object_id=three[0].current.pk + 1000, lease=new_lease())
    claim.save()
    assert json.loads(verify("--json"))["beside"] is True
    said = capfd.readouterr().err
    assert "Another run is under way" in said
    assert "interrupted" not in said


def test_a_locked_database_is_an_error_that_says_to_run_it_again(
    three: list[FileRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(verification, "verify", locked)
    with pytest.raises(CommandError, match=r"\(database is locked\)\. Nothing is lost"):
        verify()
