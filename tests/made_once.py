"""What many processes of the tests begin with: made by the first that wants it, and copied by all.

To migrate an empty database takes four seconds of a processor, and every process of every run
begins with one. What was made is kept below `.pytest_cache`, by all that goes into it: where a file
of the source changes, or a package's release, it is made anew. It holds nothing of anybody's.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".pytest_cache" / "made"
SOURCE = ("accounts", "audit", "files", "launcher", "notices", "runtime", "securestore", "static")
LONG_AGO = 60 * 60
"""Seconds after which no run that still goes on copies it: clusters of PostgreSQL are large."""


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The file or the folder of that name, as `make` made it at the path that it was given."""
    folder = KEPT / _of_what_goes_into_it()
    if not folder.exists():
        _forget_older_ones()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found, unfinished = folder / name, folder / f"{name}.unfinished"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _remove(unfinished)  # Of one that was killed.
            make(unfinished)
            unfinished.rename(found)
    return found


@cache
def _of_what_goes_into_it() -> str:
    digest = hashlib.sha256(f"{sys.version} {os.geteuid()}".encode())
    for package in sorted(f"{one.name} {one.version}" for one in distributions()):
        digest.update(package.encode())
    for path in sorted(_files()):
        digest.update(f"\n{path.relative_to(ROOT)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    yield from (ROOT / "manage.py", ROOT / "tests" / "settings.py")
    for name in SOURCE:
        for path in (ROOT / name).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _forget_older_ones() -> None:
    for folder in KEPT.glob("*"):
        if folder.stat().st_mtime < time.time() - LONG_AGO:
            _remove(folder)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
