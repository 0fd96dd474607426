"""`deploy/env.example`: what an operator fills in is a configuration that the site starts with."""

from __future__ import annotations

import base64
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "env.example"
OPERATIONS = ROOT / "docs" / "operations.md"


def names() -> list[str]:
    return re.findall(r"^([A-Z_][A-Z0-9_]*)=", EXAMPLE.read_text(), re.MULTILINE)


def filled(folder: Path) -> str:
    """The example as an operator fills it in."""
    values = {
        "MASTER_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "S3_BUCKET": "securestore-of-ours",
        "BACKUP_DIR": str(folder / "backups"),
        "STATIC_ROOT": str(folder / "static"),
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
    }

    def fill(found: re.Match[str]) -> str:
        name, value = found.groups()
        if name not in values and "..." not in value:
            return found[0]
        return f"{name}={values.get(name) or secrets.token_urlsafe(64)}"

    return re.sub(r"^([A-Z_0-9]+)=(.*)$", fill, EXAMPLE.read_text(), flags=re.MULTILINE)


def check(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = folder / "env"
    file.touch(mode=0o600)
    file.write_text(text)
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SECURESTORE_ENV_FILE": str(file)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.integration
def test_filled_in_it_has_nothing_that_is_unsafe(tmp_path: Path) -> None:
    result = check(tmp_path, filled(tmp_path))
    assert result.returncode == 0, result.stderr


@pytest.mark.integration
@pytest.mark.parametrize("name", ["SECRET_KEY", "MASTER_KEYS", "AUDIT_KEY"])
def test_a_secret_that_was_not_filled_in_is_named(name: str, tmp_path: Path) -> None:
    text = re.sub(rf"^{name}=.*$", f"{name}=...", filled(tmp_path), flags=re.MULTILINE)
    result = check(tmp_path, text)
    assert result.returncode
    assert name in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", names())
def test_every_setting_in_it_is_documented(name: str) -> None:
    assert f"`{name}`" in OPERATIONS.read_text()
