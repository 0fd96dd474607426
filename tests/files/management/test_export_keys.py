"""`export_keys`: every way to protect an export, and every way to be refused."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from files.crypto.fernetkey import generate_master_key
from files.crypto.rescue.__main__ import main as rescue
from files.models import FileRecord
from tests.files.conftest import CONTENT

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from accounts.models import User
    from tests.files.conftest import Store, UseKeys

PASSPHRASE = "seven green bottles hang on a wall"


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return str(path)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "keys.export"


@pytest.fixture
def fetched(record: FileRecord, s3: S3Client, settings: Any, tmp_path: Path) -> Path:
    """The object of `record`, as a file."""
    path = tmp_path / "object"
    s3.download_file(settings.S3_BUCKET, record.current.object_name, str(path))
    return path


def run(output: Path, **options: Any) -> str:
    out = io.StringIO()
    call_command("export_keys", output, stdout=out, **options)
    return out.getvalue()


@pytest.mark.integration
def test_with_a_passphrase_rescue_restores_the_file(
    fetched: Path, output: Path, passphrase: str, tmp_path: Path, full_cost: None
) -> None:
    assert "the keys of 1 files" in run(output, passphrase_file=passphrase)
    assert output.stat().st_mode & 0o777 == 0o600
    arguments = ["--export", str(output), "--passphrase-file", passphrase]
    assert rescue([str(fetched), *arguments, "--to", str(tmp_path / "to")]) == 0
    assert (tmp_path / "to" / "fox.txt").read_bytes() == CONTENT


def test_with_a_second_key_rescue_restores_the_file(
    fetched: Path, output: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(generate_master_key())
    run(output, to_key_file=str(key))
    arguments = ["--export", str(output), "--export-key-file", str(key)]
    assert rescue([str(fetched), *arguments, "-o", str(tmp_path / "fox")]) == 0


def test_with_shares_rescue_restores_the_file(fetched: Path, output: Path, tmp_path: Path) -> None:
    said = run(output, split="2-of-3")
    given = [line for line in said.splitlines() if line.startswith("share-")]
    assert len(given) == 3
    path = tmp_path / "shares"
    path.write_text("\n".join(given[1:]))
    arguments = ["--export", str(output), "--shares-file", str(path)]
    assert rescue([str(fetched), *arguments, "-o", str(tmp_path / "fox")]) == 0


def test_the_outcome_as_json(record: FileRecord, output: Path, passphrase: str) -> None:
    outcome = json.loads(run(output, passphrase_file=passphrase, json=True))
    assert outcome["files"] == 1
    assert outcome["master_keys"] == [record.current.master_key_id]
    assert PASSPHRASE not in str(outcome)


def test_the_passphrase_may_come_from_standard_input(
    db: None, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSPHRASE + "\n"))
    run(output, passphrase_file="-")
    assert output.exists()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([PASSPHRASE, PASSPHRASE + "!"], "the two entries differ"),
        (["too short", "too short"], "12 characters or more"),
        (["a" * 40, "a" * 40], "Too easy to guess"),
        (["qX7-vK2.mP9!z", "qX7-vK2.mP9!z"], "take 16 characters or more"),
        (["", ""], "nothing was given"),
    ],
)
def test_a_passphrase_is_asked_twice_and_judged(
    db: None,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[str],
    reason: str,
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: answers.pop(0))
    with pytest.raises(CommandError, match=reason):
        run(output)
    assert not output.exists()


def test_without_a_terminal_nobody_is_asked(db: None, output: Path) -> None:
    with pytest.raises(CommandError, match="--passphrase-file FILE"):
        run(output)


@pytest.mark.parametrize("scheme", ["", "3", "5-of-3", "1-of-2", "2-of-1000", "three-of-five"])
def test_a_scheme_that_makes_no_sense_is_refused(db: None, output: Path, scheme: str) -> None:
    with pytest.raises(CommandError, match="write it like 3-of-5"):
        run(output, split=scheme)
    assert not output.exists()


def test_shares_need_their_package(db: None, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "Crypto.Protocol.SecretSharing", None)
    with pytest.raises(CommandError, match="pip install pycryptodome"):
        run(output, split="3-of-5")


def test_nothing_is_overwritten(db: None, output: Path, passphrase: str) -> None:
    output.write_text("mine")
    with pytest.raises(CommandError, match="exists already"):
        run(output, passphrase_file=passphrase)
    assert output.read_text() == "mine"


def test_a_folder_that_is_not_there_is_named(db: None, tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(CommandError, match=r"cannot be written \(No such file"):
        run(tmp_path / "none" / "keys", passphrase_file=passphrase)


def test_a_wrong_key_to_encrypt_to_is_refused(db: None, output: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("not a key")
    with pytest.raises(CommandError, match="not a Fernet key") as refused:
        run(output, to_key_file=str(key))
    assert "not a key" not in str(refused.value).replace("not a Fernet key", "")


def test_the_rest_is_exported_when_a_master_key_is_missing(
    store: Store,
    alice: User,
    output: Path,
    passphrase: str,
    use_keys: UseKeys,
    capsys: pytest.CaptureFixture[str],
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    use_keys(generate_master_key())
    lost = store(alice, name="lost")
    use_keys(generate_master_key())
    kept = store(alice, name="kept")
    with pytest.raises(CommandError, match="1 files are not in the export") as refused:
        run(output, passphrase_file=passphrase)
    assert str(lost.pk) in str(refused.value)
    assert lost.current.master_key_id in str(refused.value)
    arguments = ["--list", "--export", str(output), "--passphrase-file", passphrase, "--json"]
    capsys.readouterr()
    assert rescue(arguments) == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(kept.pk)
    assert events("keys_exported")[0]["left_out"] == 1
