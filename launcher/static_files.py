"""Collecting what browsers get, where it is not there already.

To read, compress and name them takes seconds of a processor, and most starts find what the start
before has left. It must never be left out where anything differs: a source, a file that was
collected, or what collects.
"""

import hashlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.utils.module_loading import import_string

MOST = 200
"""Characters of a note that are read: it is a digest."""


def collect(note: Path, run: Callable[[], None]) -> None:
    """Call `run`, which collects, unless `note` tells that nothing has changed since it last did.

    `note` is a file of the installation's own. Raises what `run` raises; then `note` is not there.
    """
    if _noted(note) == _state():
        return
    note.unlink(missing_ok=True)
    run()
    note.write_text(_state(), encoding="ascii")


def _noted(note: Path) -> str | None:
    try:
        with note.open(encoding="ascii") as file:
            return file.read(MOST)
    except (OSError, UnicodeDecodeError):
        return None


def _state() -> str:
    """A digest of settings, and of names, sizes and times of code, sources and collected files."""
    digest = hashlib.sha256(repr((settings.STATIC_URL, settings.STORAGES["staticfiles"])).encode())
    for name, path in [*_code(), *_sources(), *_collected()]:
        status = path.stat()
        digest.update(repr((name, status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()


def _code() -> Iterator[tuple[str, Path]]:
    """The modules of what collects, a release's and a package's: another one may do otherwise."""
    storage: Any = settings.STORAGES["staticfiles"]
    for kind in import_string(storage["BACKEND"]).__mro__[:-1]:
        yield kind.__qualname__, Path(inspect.getfile(kind))


def _sources() -> Iterator[tuple[str, Path]]:
    for finder in get_finders():
        found = [(name, storage.path(name)) for name, storage in finder.list(None)]
        yield from ((path, Path(path)) for _, path in sorted(found))


def _collected() -> Iterator[tuple[str, Path]]:
    root = Path(settings.STATIC_ROOT)
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(root)), path
