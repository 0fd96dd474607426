"""`key_report`: as a table for people, as JSON for scripts, and how it ends."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.models import FileRecord, StoredObject
from tests.files.conftest import CONTENT, Store, UseKeys

OLD, NEW = generate_master_key(), generate_master_key()
OLD_ID, NEW_ID = LocalMasterKey(OLD).id, LocalMasterKey(NEW).id


@pytest.fixture(autouse=True)
def one(store: Store, alice: User, use_keys: UseKeys) -> FileRecord:
    """A file under the old key; the new one is now the primary."""
    use_keys(OLD)
    record = store(alice)
    use_keys(NEW, OLD)
    return record


def report(*arguments: str) -> str:
    out = StringIO()
    call_command("key_report", *arguments, stdout=out)
    return out.getvalue()


def as_json(*arguments: str) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = json.loads(report("--json", *arguments))["keys"]
    return keys


def test_people_get_a_table() -> None:
    head, new, old = (line.split() for line in report().splitlines())
    assert head[0] == "status"
    assert (new[0], new[-1]) == ("primary", NEW_ID)
    assert (old[0], old[-1]) == ("configured", OLD_ID)
    assert str(len(CONTENT)) in old
    assert "unreadable" in report("--check").splitlines()[0]


def test_scripts_get_json() -> None:
    new, old = as_json()
    assert (new["id"], new["primary"], new["records"]["live"]) == (NEW_ID, True, 0)
    assert old["records"] == {"live": 1, "kept": 0, "damaged": 0, "writing": 0, "doomed": 0}
    assert old["custody"] == {"managed": 1, "held": 0}
    assert (old["bytes"], old["second_factors"], old["unreadable"]) == (len(CONTENT), 0, None)
    assert as_json("--check")[1]["unreadable"] == []


def test_no_key_is_shown() -> None:
    for said in (report(), report("--json"), report("--check")):
        assert OLD not in said
        assert NEW not in said


def test_a_missing_key_is_an_error(use_keys: UseKeys) -> None:
    use_keys(NEW)
    with pytest.raises(CommandError, match=f"Master key {OLD_ID} is needed and not configured"):
        report()


def test_what_does_not_open_is_an_error_that_names_the_file(
    one: FileRecord, capfd: pytest.CaptureFixture[str]
) -> None:
    StoredObject.objects.update(wrapped_key=b"broken")
    report()
    with pytest.raises(CommandError, match=f"The wrapped key of file {one.pk} does not open"):
        report("--check")
    assert "Checking: 100%" in capfd.readouterr().err


def test_a_broken_configuration_is_an_error_without_a_key(use_keys: UseKeys) -> None:
    use_keys(NEW, OLD[:-3])
    with pytest.raises(CommandError, match="MASTER_KEYS: number 2 of 2") as error:
        report()
    assert OLD[:-3] not in str(error.value)
