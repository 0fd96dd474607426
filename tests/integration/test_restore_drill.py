"""Backup and drill as operators run them: real processes, the real store, both databases."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from files.crypto.fernetkey import generate_master_key
from tests.conftest import Weed
from tests.integration.installation import ROOT, Installation
from tests.integration.postgresql import server


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, weed: Weed) -> Installation:
    """Three files, on SQLite."""
    folder = tmp_path_factory.mktemp("drill")
    site = Installation(folder, weed, f"drill-{secrets.token_hex(6)}")
    site.migrate()
    site.store("one", "two", "three")
    return site


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path, weed: Weed) -> Iterator[Installation]:
    """The same, of the test's own, on either database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("stored").copy(tmp_path)
        return
    with server(migrated=True) as database:
        url = f"postgres://{database['USER']}@/{database['HOST']}/postgres"
        site = Installation(tmp_path, weed, f"drill-{secrets.token_hex(6)}", url)
        site.store("one", "two", "three")
        yield site


def fingerprint(folder: Path) -> dict[str, str]:
    """Of all that is in the live database, but for how the last drill ended."""
    found = {}
    for path in folder.glob("db.sqlite3"):
        with closing(sqlite3.connect(path)) as live:
            kept = (line for line in live.iterdump() if "'restore_drill'" not in line)
            found[path.name] = hashlib.sha256("\n".join(kept).encode()).hexdigest()
    return found


def noted(site: Installation) -> str:
    """How the vault says that the last drill ended."""
    asked = "print(LastRun.objects.get(pk='restore_drill').outcome)"
    asked = f"from audit.models import LastRun; {asked}"
    return site.run(f'manage.py shell --no-imports -c "{asked}"').stdout.split()[-1]


def test_a_backup_is_restored_and_its_files_are_read(site: Installation, tmp_path: Path) -> None:
    said = site.run("manage.py backup").stdout
    assert "3 files" in said
    live = fingerprint(tmp_path)
    report = json.loads(site.run("manage.py restore_drill --json --sample 100%").stdout)
    assert report["passed"]
    assert [check["name"] for check in report["checks"]] == [
        "backup",
        "restore",
        "counts",
        "migrations",
        "audit log",
        "folders",
        "master keys",
        "known damage",
        "sample",
    ]
    assert "3 files read to their last byte" in report["checks"][-1]["detail"]
    assert fingerprint(tmp_path) == live
    assert noted(site) == "complete"
    assert not list(tmp_path.glob("securestore-drill-*"))

    # The store changes an object: the drill tells, and the live file is not marked for it.
    client = site.weed.client()
    name = client.list_objects_v2(Bucket=site.bucket)["Contents"][0]["Key"]
    data = client.get_object(Bucket=site.bucket, Key=name)["Body"].read()
    client.put_object(Bucket=site.bucket, Key=name, Body=data[:-1] + bytes([data[-1] ^ 1]))
    failed = site.run("manage.py restore_drill", code=1)
    assert "FAIL  sample: 1 of 3 files are not whole" in failed.stdout
    assert "The drill failed: sample." in failed.stderr
    assert fingerprint(tmp_path) == live
    assert noted(site) == "failed"

    # A killed drill leaves its scratch area, and the next one takes it away.
    client.put_object(Bucket=site.bucket, Key=name, Body=data)
    drill = subprocess.Popen(
        [sys.executable, "-u", "manage.py", "restore_drill"],
        cwd=ROOT,
        env=site.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert drill.stdout is not None
    for line in drill.stdout:
        if line.startswith("PASS  restore"):
            break
    os.killpg(drill.pid, signal.SIGKILL)
    drill.communicate()
    [left] = tmp_path.glob("securestore-drill-*")
    os.utime(left, (0, 0))
    passed = site.run("manage.py restore_drill").stdout
    assert "The drill passed with" in passed
    assert not list(tmp_path.glob("securestore-drill-*"))
    if "postgres" in site.database_url:
        found = site.python(
            "from django.db import connection\n"
            "with connection.cursor() as c:\n"
            "    c.execute(\"SELECT datname FROM pg_database WHERE datname LIKE '%drill%'\")\n"
            "    print(*c.fetchall(), sep='\\n')"
        )
        assert [line for line in found if line] == []


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_the_drill_with_an_export_needs_no_master_key(site: Installation, tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("seven green bottles hang on a wall\n")
    site.run(f"manage.py export_keys {tmp_path}/keys.export --passphrase-file {passphrase}")
    site.run("manage.py backup --keep 3")
    site.master_keys = [generate_master_key()]
    site.configure()
    lost = site.run("manage.py restore_drill", code=1)
    assert "FAIL  master keys: Master keys are missing" in lost.stdout
    drill = f"manage.py restore_drill --keys-export {tmp_path}/keys.export"
    said = site.run(f"{drill} --passphrase-file {passphrase}").stdout
    assert "PASS  key export: it has the keys of all 3 files" in said
    wrong = site.run(f"{drill} --passphrase-file -", code=1, input="a wrong passphrase\n")
    assert "FAIL  key export: this passphrase does not open the key export" in wrong.stdout


CLOSED_COPY = """
import sys
from pathlib import Path
from uuid import uuid4
from files.recovery import backups, database_closing
database_closing.close(uuid4(), "elsewhere")
path, _ = backups.back_up(Path(sys.argv[1]), progress=lambda done, total: None)
print(path.with_name(backups.Manifest.read(path).file))
"""


def test_a_copy_of_a_closed_database_passes_its_drill_and_can_be_put_into_service(
    site: Installation, tmp_path: Path
) -> None:
    """One that a tool has made which knows nothing of moves."""
    [copy] = site.python(CLOSED_COPY, str(tmp_path / "backups"))
    assert "is closed" in site.run("manage.py backup", code=1).stderr
    report = json.loads(site.run("manage.py restore_drill --json --sample 100%").stdout)
    assert report["passed"], report
    assert "3 files read to their last byte" in report["checks"][-1]["detail"]

    with ExitStack() as stack:
        if copy.endswith(".sqlite3"):
            site.database_url = f"sqlite:///{tmp_path}/restored.sqlite3"
            shutil.copy(copy, tmp_path / "restored.sqlite3")
        else:
            other = stack.enter_context(server())
            site.database_url = f"postgres://{other['USER']}@/{other['HOST']}/postgres"
            where = ["-h", str(other["HOST"]), "-U", str(other["USER"]), "-d", "postgres"]
            restore = ["pg_restore", "--no-owner", "--exit-on-error", *where, copy]
            subprocess.run(restore, check=True, capture_output=True)
        site.configure()
        # It is closed there, too, until somebody says otherwise.
        assert "is closed" in site.run("manage.py sweep", code=1).stderr
        assert site.read() == {"one", "two", "three"}
        site.run("manage.py move_database --reopen")
        site.run("manage.py migrate --noinput")
        site.run("manage.py check --database default")
        site.run("manage.py verify_audit")
        site.store("four")
        site.run("manage.py backup")
        site.run("manage.py restore_drill")


def test_a_backup_has_nobodys_session(site: Installation, tmp_path: Path) -> None:
    cookie = site.python(
        "from accounts.models import User\n"
        "from django.test import Client\n"
        "client = Client()\n"
        "client.force_login(User.objects.get_or_create(username='eve')[0])\n"
        "print(client.cookies['sessionid'].value)"
    )[-1]
    again = (
        f"from accounts.session_store import SessionStore\nprint(dict(SessionStore({cookie!r})))"
    )
    assert "_auth_user_id" in site.python(again)[-1]
    site.run("manage.py backup")
    [copy] = [
        path for path in tmp_path.rglob("securestore-*") if path.suffix in {".dump", ".sqlite3"}
    ]
    if copy.suffix == ".dump":
        show = ["pg_restore", "--data-only", "--file=-", str(copy)]
        text = subprocess.run(show, capture_output=True, check=True, text=True).stdout
    else:
        with closing(sqlite3.connect(copy)) as database:
            text = "\n".join(database.iterdump())
    assert "eve" in text
    for table in ("django_session", "usersessions_usersession"):
        assert f"COPY public.{table} " not in text
        assert f'INSERT INTO "{table}"' not in text
