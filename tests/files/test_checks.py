"""The system checks: what would leak or lose files stops every command."""

from __future__ import annotations

from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.checks import ERROR, WARNING, CheckMessage, run_checks
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from files.checks import keys_for_all_files
from files.crypto import lanes
from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.keys import wrapping
from files.models import FileRecord, MasterKey
from tests.files.conftest import UseKeys


def found(*, database: bool = False) -> dict[str | None, CheckMessage]:
    """Our own messages by their id."""
    messages = run_checks(databases=["default"] if database else None)
    return {m.id: m for m in messages if m.id and m.id.startswith("files.E")}


def test_the_site_as_configured_passes(db: None) -> None:
    assert found(database=True) == {}
    out = StringIO()
    call_command("check", databases=["default"], stdout=out)
    assert "no issues" in out.getvalue()


@pytest.mark.parametrize(
    "handlers",
    [
        ["django.core.files.uploadhandler.TemporaryFileUploadHandler"],
        ["django.core.files.uploadhandler.MemoryFileUploadHandler"],
        [],
    ],
)
def test_upload_handlers_that_keep_plaintext_are_an_error(
    settings: LazySettings, handlers: list[str]
) -> None:
    settings.FILE_UPLOAD_HANDLERS = handlers
    assert "plaintext" in found()["files.E001"].msg


def test_asgi_is_an_error(settings: LazySettings) -> None:
    settings.ASGI_APPLICATION = "securestore.asgi.application"
    assert "plaintext" in found()["files.E002"].msg


@pytest.mark.parametrize("mode", ["native", "fast"])
def test_lanes_that_are_forced_and_not_to_be_had_are_an_error(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(lanes, "_taken", [])
    monkeypatch.setattr(lanes, "is_for_this_machine", lambda: False)
    lanes.choose(mode)
    assert "CRYPTO_LANES" in found()["files.E006"].msg
    lanes.choose("auto")
    assert "files.E006" not in found()


@pytest.mark.parametrize("keys", ["", "nonsense"])
def test_master_keys_that_cannot_be_used_are_an_error(
    monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    monkeypatch.setenv("MASTER_KEYS", keys)
    assert "MASTER_KEYS" in found()["files.E003"].msg
    assert "nonsense" not in found()["files.E003"].msg


def test_a_master_key_that_files_need_must_be_configured(
    record: FileRecord, use_keys: UseKeys
) -> None:
    needed = record.current.master_key_id
    use_keys(generate_master_key())
    assert found() == {}  # A check without the database asks nothing of it.
    assert f"key {needed} is needed by 1 file." in found(database=True)["files.E004"].msg
    with pytest.raises(CommandError, match=f"key {needed} is needed by 1 file[.]"):
        call_command("check", databases=["default"])


def test_a_database_that_does_not_answer_is_left_to_other_checks(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise OperationalError("no such table")

    monkeypatch.setattr(wrapping, "check_keyring", gone)
    assert "files.E004" not in found(database=True)


@pytest.mark.django_db
def test_a_retired_key_may_not_come_first_and_is_warned_of_elsewhere(use_keys: UseKeys) -> None:
    old, new = generate_master_key(), generate_master_key()
    MasterKey.objects.create(key_id=LocalMasterKey(old).id, retired_at=timezone.now())
    use_keys(old, new)
    [error] = keys_for_all_files(databases=["default"])
    assert (error.id, error.level) == ("files.E005", ERROR)
    assert "may never wrap anything again" in error.msg
    use_keys(new, old)
    [warning] = keys_for_all_files(databases=["default"])
    assert (warning.id, warning.level) == ("files.W001", WARNING)
    use_keys(new)
    assert keys_for_all_files(databases=["default"]) == []
