"""The server starts when it can serve, and otherwise says why not."""

from __future__ import annotations

import gc
import os
import secrets
import subprocess
import sys
import uuid
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from files.crypto.fernetkey import generate_master_key
from files.keys.master_keys import keyring
from files.models import MasterKey, StoredObject
from runtime.configuration import BASE_DIR
from securestore.logs import Console

MISSING = "local:0123456789abcdef"


@pytest.fixture
def wsgi(db: None, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The entry point, which starts when it is imported.

    It closes its connection, and with that would end the transaction that the test runs in.
    """
    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(Console, "serving", False)
    return import_module("securestore.wsgi")


def need_missing_key(count: int) -> None:
    for _ in range(count):
        StoredObject.objects.create(
            file_id=uuid.uuid4(),
            object_name=uuid.uuid4().hex,
            master_key_id=MISSING,
            wrapped_key=b"wrapped",
            stream_created_at=1,
        )


def test_it_starts(wsgi: ModuleType) -> None:
    assert callable(wsgi.start())


def test_no_collection_goes_through_what_was_loaded(wsgi: ModuleType) -> None:
    # It is frozen again then, also for the tests that follow: see tests/conftest.py.
    gc.unfreeze()
    wsgi.settle_down()
    assert gc.get_freeze_count() > 0
    assert "files.web.downloads" in sys.modules


def test_it_refuses_to_start_without_a_key_that_files_need(wsgi: ModuleType) -> None:
    need_missing_key(3)
    with pytest.raises(SystemExit, match=rf"key {MISSING} is needed by 3 files") as caught:
        wsgi.refuse_missing_keys()
    assert caught.value.code not in {0, None}


def test_it_refuses_to_start_with_a_retired_key_as_the_primary(wsgi: ModuleType) -> None:
    primary = keyring().primary_id
    MasterKey.objects.create(key_id=primary, retired_at=timezone.now())
    with pytest.raises(SystemExit, match=rf"Master key {primary} was retired") as caught:
        wsgi.refuse_missing_keys()
    assert caught.value.code not in {0, None}


def test_it_starts_without_a_database(wsgi: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*arguments: object) -> None:
        raise OperationalError("no such table: files_storedobject")

    need_missing_key(1)
    with connection.execute_wrapper(refuse):
        wsgi.refuse_missing_keys()
    assert "the master keys are not checked" in caplog.text


def boot(tmp_path: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Import the entry point in a process of its own, as the server does."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "securestore.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        **changes,
    }
    return subprocess.run(
        [sys.executable, "-c", "import securestore.wsgi"],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.integration
def test_it_starts_before_it_is_migrated(tmp_path: Path) -> None:
    result = boot(tmp_path)
    assert result.returncode == 0, result.stderr
    assert "the master keys are not checked" in result.stdout


@pytest.mark.integration
def test_a_missing_secret_is_told_in_one_line(tmp_path: Path) -> None:
    result = boot(tmp_path, AUDIT_KEY="")
    assert result.returncode == 1
    assert result.stderr.startswith("Configuration error: AUDIT_KEY is not set.")
    assert "Traceback" not in result.stderr


@pytest.mark.integration
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"DEBUG": "true"}, "DEBUG is true and the site answers to files.example.org"),
        ({"HTTPS": "false"}, "HTTPS is false and the site answers to files.example.org"),
        ({"CACHE_URL": "locmemcache://"}, "CACHES['default'] is not shared between processes"),
        ({"SECRET_KEY": "django-insecure-" + "k4Jx9" * 8}, "SECRET_KEY is a placeholder"),
        ({"SECRET_KEY": "ab" * 40}, "SECRET_KEY is too regular"),
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "TRUSTED_PROXIES has 0.0.0.0/0"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS allows every host"),
        ({"MASTER_KEYS": "nonsense"}, "MASTER_KEYS: "),
    ],
)
def test_unsafe_settings_are_told_in_one_line(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    good = {
        "HTTPS": "true",
        "ALLOWED_HOSTS": "files.example.org",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "AUDIT_KEY": secrets.token_urlsafe(32),
        "MASTER_KEYS": generate_master_key(),
    }
    result = boot(tmp_path, **{**good, **changes})
    assert result.returncode == 1
    assert result.stderr.startswith(f"Configuration error: {message}")
    assert result.stderr.count("\n") == 1
    for value in changes.values():
        assert len(value) < 30 or value not in result.stderr


@pytest.mark.integration
def test_a_database_server_that_is_gone_is_not_waited_for() -> None:
    def options(url: str) -> str:
        return subprocess.run(
            [
                *(sys.executable, "-c"),
                "from securestore.settings import DATABASES as found;"
                "print(sorted(found['default']['OPTIONS'].items()))",
            ],
            cwd=BASE_DIR,
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    url = "postgres://u:p@db.internal/n"
    assert "('connect_timeout', 5)" in options(url)
    assert "('tcp_user_timeout', 5000)" in options(url)
    assert "('connect_timeout', 9)" in options(f"{url}?connect_timeout=9")
