"""An installation of the test's own: settings in a file, commands in processes, the real store.

Its commands are run as operators run them, so that what docs/operations.md says can be tried.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from files.crypto.fernetkey import generate_master_key
from tests.conftest import Weed
from tests.integration import prepared

ROOT = Path(__file__).parents[2]

STORE = """
import sys
from django.contrib.auth import get_user_model
from files.vault import storing
alice, _ = get_user_model().objects.get_or_create(username="alice", email="alice@example.org")
for name in sys.argv[1:]:
    storing.store(alice, [name.encode() * 100_000], name=name)
"""
READ = """
import sys
from files.vault import opening
from files.models import FileRecord
for record in FileRecord.objects.select_related("current"):
    assert b"".join(opening.open_file(record).chunks()) == record.name.encode() * 100_000
    print(record.name)
"""


@dataclass
class Installation:
    """Its folder has `env`, the database and the backups; the bucket is in the real store."""

    folder: Path
    weed: Weed
    bucket: str
    database_url: str = ""
    master_keys: list[str] = field(default_factory=lambda: [generate_master_key()])
    secret_key: str = field(default_factory=partial(secrets.token_urlsafe, 64))
    audit_key: str = field(default_factory=partial(secrets.token_urlsafe, 32))
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database_url = self.database_url or f"sqlite:///{self.folder}/db.sqlite3"
        self.folder.mkdir(exist_ok=True)
        client = self.weed.client()
        if self.bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=self.bucket)
        self.configure()

    def copy(self, folder: Path, **more: str) -> Installation:
        """Another one like it, of SQLite, which nobody uses at the moment; its bucket is its own.

        Its secrets are the same; `more` are settings besides.
        """
        assert self.database_url.startswith("sqlite:///")
        assert not (self.folder / "db.sqlite3-wal").exists()
        other = Installation(
            folder,
            self.weed,
            f"copy-{secrets.token_hex(6)}",
            master_keys=list(self.master_keys),
            secret_key=self.secret_key,
            audit_key=self.audit_key,
            more={**self.more, **more},
        )
        shutil.copy(self.folder / "db.sqlite3", folder)
        if (self.folder / "backups").exists():
            shutil.copytree(self.folder / "backups", folder / "backups")
        client = self.weed.client()
        for found in client.list_objects_v2(Bucket=self.bucket).get("Contents", []):
            client.copy_object(
                Bucket=other.bucket,
                Key=found["Key"],
                CopySource={"Bucket": self.bucket, "Key": found["Key"]},
            )
        return other

    @property
    def env_file(self) -> Path:
        return self.folder / "env"

    def configure(self) -> None:
        """Write the file of settings, as an operator edits it."""
        settings = {
            "SECRET_KEY": self.secret_key,
            "AUDIT_KEY": self.audit_key,
            "MASTER_KEYS": ",".join(self.master_keys),
            "DATABASE_URL": self.database_url,
            "BACKUP_DIR": str(self.folder / "backups"),
            "S3_BUCKET": self.bucket,
            "S3_ENDPOINT_URL": self.weed.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.weed.access_key,
            "AWS_SECRET_ACCESS_KEY": self.weed.secret_key,
            "ALLOWED_HOSTS": "files.example.org",
            "CACHE_URL": "dbcache://django_cache",
            **self.more,
        }
        self.env_file.touch(mode=0o600)
        self.env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def run(
        self, command: str, *, code: int = 0, cwd: Path = ROOT, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a line as docs/operations.md writes it: `manage.py ...` or `python -m ...`."""
        program, *arguments = shlex.split(command)
        own = [str(ROOT / program)] if program == "manage.py" else []
        result = subprocess.run(
            [sys.executable, *own, *arguments],
            cwd=cwd,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )
        assert result.returncode == code, f"{command}\n{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.stderr
        return result

    def migrate(self) -> None:
        """As `migrate` leaves an empty database."""
        if self.database_url.startswith("sqlite:///"):
            prepared.database(Path(self.database_url.removeprefix("sqlite:///")))
        else:
            self.run("manage.py migrate --verbosity 0")

    def environment(self) -> dict[str, str]:
        """Nothing but what a shell of the operator's has."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            "SECURESTORE_ENV_FILE": str(self.env_file),
            "TMPDIR": str(self.folder),
            "PYTHONPATH": str(ROOT),
        }

    def python(self, source: str, *arguments: str) -> list[str]:
        """Run code of the site's own, as a web process would; its lines."""
        script = f"import django\ndjango.setup()\n{source}"
        result = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=ROOT,
            env={**self.environment(), "DJANGO_SETTINGS_MODULE": "securestore.settings"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines()

    def store(self, *names: str) -> None:
        """Store a file of alice's for each name, by name times 100,000."""
        self.python(STORE, *names)

    def read(self) -> set[str]:
        """Read every file to its end and compare it; their names."""
        return set(self.python(READ))

    def fetch_bucket(self, folder: Path) -> list[Path]:
        """Copy the bucket into a folder, as any S3 tool does."""
        client = self.weed.client()
        paths = []
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for found in page.get("Contents", []):
                path = folder / found["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                client.download_file(self.bucket, found["Key"], str(path))
                paths.append(path)
        return paths
