"""`rotate_master_key`: what it says, to people and to scripts, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.models import StoredObject
from files.rotation import rewrapping
from tests.files.conftest import Store, UseKeys

OLD, NEW = generate_master_key(), generate_master_key()
OLD_ID, NEW_ID = LocalMasterKey(OLD).id, LocalMasterKey(NEW).id


@pytest.fixture
def three(store: Store, alice: User, use_keys: UseKeys) -> None:
    """Three files under the old key; the new one is now the primary."""
    use_keys(OLD)
    for _ in range(3):
        store(alice)
    use_keys(NEW, OLD)


def rotate(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_master_key", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("three")
def test_it_rewraps_and_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    assert rotate() == f"3 keys rewrapped to {NEW_ID}.\n"
    assert StoredObject.objects.filter(master_key_id=NEW_ID).count() == 3
    assert "Rewrapping: 100%, 3 of 3" in capfd.readouterr().err
    assert rotate() == f"0 keys rewrapped to {NEW_ID}.\n"


@pytest.mark.usefixtures("three")
def test_a_dry_run_changes_nothing() -> None:
    assert rotate("--dry-run") == f"3 keys would be rewrapped to {NEW_ID}.\n"
    assert StoredObject.objects.filter(master_key_id=OLD_ID).count() == 3


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("dry_run", [True, False])
def test_scripts_get_json_and_nothing_else(dry_run: bool) -> None:
    out = rotate("--json", "--batch-size=2", *(["--dry-run"] if dry_run else []))
    outcome = json.loads(out)
    assert outcome.pop("seconds") >= 0
    assert outcome.pop("per_second") > 0
    assert outcome == {
        "primary": NEW_ID,
        "rewrapped": 3,
        "unreadable": 0,
        "secrets": 0,
        "unreadable_secrets": 0,
        "left": 3 if dry_run else 0,
        "dry_run": dry_run,
    }


@pytest.mark.usefixtures("three")
def test_it_is_audited_as_the_commands(events: Callable[[str], list[dict[str, Any]]]) -> None:
    rotate()
    assert [event["actor"] for event in events("key_rewrapped")] == ["command:rotate_master_key"]


@pytest.mark.usefixtures("three")
def test_unreadable_keys_are_an_error_after_the_rest_was_done() -> None:
    first = StoredObject.objects.earliest("pk")
    StoredObject.objects.filter(pk=first.pk).update(wrapped_key=b"broken")
    out = StringIO()
    with pytest.raises(CommandError, match="1 wrapped keys could not be read"):
        call_command("rotate_master_key", "--json", stdout=out)
    assert json.loads(out.getvalue())["rewrapped"] == 2
    assert json.loads(out.getvalue())["unreadable"] == 1


@pytest.mark.usefixtures("three")
def test_a_missing_key_is_named_with_the_number_of_files(use_keys: UseKeys) -> None:
    use_keys(NEW)
    with pytest.raises(CommandError, match=f"key {OLD_ID} is needed by 3 files") as error:
        rotate()
    assert error.value.returncode == 1


@pytest.mark.django_db
def test_a_broken_configuration_is_an_error_without_a_key(use_keys: UseKeys) -> None:
    use_keys(NEW, OLD[:-3])
    with pytest.raises(CommandError, match="MASTER_KEYS: number 2 of 2") as error:
        rotate()
    assert OLD[:-3] not in str(error.value)


@pytest.mark.parametrize("size", ["0", "-1"])
def test_a_batch_has_a_row(size: str) -> None:
    with pytest.raises(CommandError, match="must be at least 1"):
        rotate(f"--batch-size={size}")


@pytest.mark.django_db
def test_a_locked_database_is_an_error_that_says_to_run_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def locked(**options: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(rewrapping, "rewrap", locked)
    with pytest.raises(CommandError, match="Nothing is lost: run the command again"):
        rotate()
