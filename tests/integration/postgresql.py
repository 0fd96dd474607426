"""A PostgreSQL server of the test session's own, in a temporary folder, on a Unix socket only.

Needs Debian's `postgresql` package, or any server programs on the path. The server refuses to run
as root, so when the tests do, it runs as the user `postgres`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration import prepared
from tests.made_once import made_once

ACCOUNT = "postgres"


class PostgresMissing(RuntimeError):
    """The server's programs are not installed."""


def programs() -> Path:
    """The folder of the newest `initdb`. Raises `PostgresMissing` with what to install."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if not versions:
        raise PostgresMissing("PostgreSQL is not installed: `apt-get install postgresql`.")
    return versions[-1].parent


@contextmanager
def server(
    above: Path | None = None, *, migrated: bool = False, **settings: str
) -> Iterator[dict[str, Any]]:
    """Start a server and give Django's configuration of its database; stop and remove it after.

    Its folder is made below `above`, by default where temporary files go. `settings` are its own.
    The database is empty, or as `migrate` leaves it.
    """
    # Short, and not under pytest's own folder: a socket's path may have 107 bytes, and that folder
    # is closed to other accounts.
    with tempfile.TemporaryDirectory(prefix="pg", dir=above, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if account():
            shutil.chown(folder, ACCOUNT)
        copy_cluster(folder / "data", migrated=migrated)
        with _running(folder, **settings):
            yield {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "postgres",
                "USER": ACCOUNT,
                "HOST": str(folder),
                "OPTIONS": {"options": "-c jit=off"},  # As in the settings.
            }


def account() -> str | None:
    """Who runs the server, where that is not who runs the tests."""
    return ACCOUNT if os.geteuid() == 0 else None


def copy_cluster(data: Path, *, migrated: bool = False) -> None:
    """What `initdb` makes, there; its database empty, or as `migrate` leaves it.

    Each is made once: it takes seconds, and thirty tests begin with it.
    """
    release = programs().parent.name
    if migrated:
        made = made_once(f"postgresql-{release}-migrated", _make_migrated)
    else:
        made = made_once(f"postgresql-{release}", _make_empty)
    _copy(made, data)


def _copy(made: Path, data: Path) -> None:
    # Also its owner, which `shutil` does not keep.
    subprocess.run(["cp", "-a", str(made), str(data)], check=True)  # noqa: S607


@contextmanager
def _running(folder: Path, *, stop: str = "immediate", **settings: str) -> Iterator[None]:
    data = str(folder / "data")
    given = "".join(f" -c {name}={value}" for name, value in settings.items())
    options = f"-k {folder} -c listen_addresses='' -c fsync=off{given}"
    _run(folder, "pg_ctl", "start", "--wait", "-D", data, "-o", options, "-l", f"{folder}/log")
    try:
        yield
    finally:
        _run(folder, "pg_ctl", "stop", "--wait", "-D", data, "-m", stop)


def _run(folder: Path, program: str, *arguments: str) -> None:
    output = folder / "output"
    with output.open("ab") as stream:
        result = subprocess.run(
            [str(programs() / program), *arguments],
            user=account(),
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
    if result.returncode:
        raise RuntimeError(f"{program} failed:\n{output.read_text(errors='replace')}")


@contextmanager
def _at_work() -> Iterator[Path]:
    """A folder that the server may write to, for as long as a cluster is made."""
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if account():
            shutil.chown(folder, ACCOUNT)
        yield folder


def _make_empty(path: Path) -> None:
    with _at_work() as folder:
        data = str(folder / "data")
        named = ("--username", ACCOUNT, "--auth", "trust", "--no-sync")
        _run(folder, "initdb", "--pgdata", data, *named)
        _copy(folder / "data", path)


def _make_migrated(path: Path) -> None:
    with _at_work() as folder:
        copy_cluster(folder / "data")
        with _running(folder, stop="fast"):
            prepared.migrate(f"postgres://{ACCOUNT}@/{folder}/postgres")
        _copy(folder / "data", path)
