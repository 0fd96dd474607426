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
def server(above: Path | None = None, **settings: str) -> Iterator[dict[str, Any]]:
    """Start a server and give Django's configuration of its database; stop and remove it after.

    Its folder is made below `above`, by default where temporary files go. `settings` are its own.
    """
    bin_folder = programs()
    account = ACCOUNT if os.geteuid() == 0 else None
    # Short, and not under pytest's own folder: a socket's path may have 107 bytes, and that folder
    # is closed to other accounts.
    with tempfile.TemporaryDirectory(prefix="pg", dir=above, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if account:
            shutil.chown(folder, account)

        output = folder / "output"

        def run(program: str, *arguments: str) -> None:
            with output.open("ab") as stream:
                result = subprocess.run(
                    [str(bin_folder / program), *arguments],
                    user=account,
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

        data = str(folder / "data")
        run("initdb", "--pgdata", data, "--username", ACCOUNT, "--auth", "trust", "--no-sync")
        given = "".join(f" -c {name}={value}" for name, value in settings.items())
        options = f"-k {folder} -c listen_addresses='' -c fsync=off{given}"
        run("pg_ctl", "start", "--wait", "-D", data, "-o", options, "-l", str(folder / "log"))
        try:
            yield {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "postgres",
                "USER": ACCOUNT,
                "HOST": str(folder),
                "OPTIONS": {"options": "-c jit=off"},  # As in the settings.
            }
        finally:
            run("pg_ctl", "stop", "--wait", "-D", data, "-m", "immediate")
