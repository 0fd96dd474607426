"""What a site of a test begins with, made once, and copied.

To migrate an empty database and to collect static files takes seven seconds of a processor, and
forty sites begin with both. Tests of an installation's first steps take them themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import site
from benchmarks.site import MeasuredSite
from launcher import environment
from launcher.preparation import COLLECTED
from tests.made_once import made_once

ROOT = Path(__file__).parents[2]
COLLECT = """
import sys
from pathlib import Path
from launcher import preparation
preparation.collect(Path(sys.argv[1]))
"""


def database(path: Path) -> None:
    """An empty SQLite database, as `migrate` leaves it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(_made() / "db.sqlite3", path)
    path.chmod(0o600)


def launched(folder: Path, **options: Any) -> AbstractContextManager[MeasuredSite]:
    """A site that was launched as users launch it, and finds what an earlier start has left."""
    return site.launched(folder, prepare=started_before, **options)


def started_before(data: Path) -> None:
    """Database and static files in an installation's folder, as an earlier start has left them."""
    database(data / "db.sqlite3")
    static(data / "static")
    shutil.copyfile(_made() / COLLECTED, data / COLLECTED)


def static(folder: Path) -> None:
    """Static files, as `collectstatic` leaves them."""
    shutil.copytree(_made() / "static", folder, dirs_exist_ok=True)


@cache
def _made() -> Path:
    return made_once("site", _make)


def _make(folder: Path) -> None:
    folder.mkdir()
    told = {"STATIC_ROOT": str(folder / "static")}
    _manage(folder, ["manage.py", "migrate", "--verbosity=0"], told)
    _manage(folder, ["-c", COLLECT, str(folder / COLLECTED)], told)
    # All of it is in the one file.
    assert not (folder / "db.sqlite3-wal").exists()
    (folder / "env").unlink()  # Each site has secrets of its own.


def migrate(database_url: str) -> None:
    """Bring the empty database at that address up."""
    with tempfile.TemporaryDirectory() as folder:
        told = {"DATABASE_URL": database_url}
        _manage(Path(folder), ["manage.py", "migrate", "--verbosity=0"], told)


def _manage(folder: Path, command: list[str], told: dict[str, str]) -> None:
    """Run Python with that, for a site that has its secrets and its data there."""
    if not (folder / "env").exists():
        environment.create(folder / "env", root=ROOT, data=folder)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**kept, "SECURESTORE_ENV_FILE": str(folder / "env"), **told},
        stdin=subprocess.DEVNULL,
        check=True,
    )


def sqlite(path: Path) -> dict[str, Any]:
    """The configuration of a database on disk, for several processes or threads at once."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
